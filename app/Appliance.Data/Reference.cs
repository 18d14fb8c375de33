using System.Security.Cryptography;

namespace Appliance.Data;

/// <summary>
/// What the outside may call a thing: 26 characters of RFC 4648 base32 in lower case, 130 random bits of which nothing can be read
/// (a UUIDv7 tells when it was made). Unguessable, not secret.
/// </summary>
public static class Reference
{
    public const int Length = 26;

    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz234567";

    public static string New() => RandomNumberGenerator.GetString(Alphabet, Length);

    /// <summary>Whether the text has a reference's form; what has not is refused before any look-up.</summary>
    public static bool IsWellFormed(string? text) => text is { Length: Length } && text.All(Alphabet.Contains);
}
