using System.Buffers.Text;
using System.Security.Cryptography;

namespace Appliance.SignIn;

/// <summary>
/// An opaque bearer token: 256 random bits, base64url (RFC 4648 §5). The database keeps its SHA-256 alone; a hash without salt
/// is enough for what cannot be guessed (NIST SP 800-63B §7.1 asks for 64 bits).
/// </summary>
public static class Token
{
    private const int Bytes = 32;

    private const int Characters = 43;

    public static string New() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(Bytes));

    public static byte[] Hash(string token) => SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(token));

    /// <summary>The hash to look up, or null for what cannot be a token of ours.</summary>
    public static byte[]? HashOf(string? token) =>
        token is { Length: Characters } && token.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') ? Hash(token) : null;
}
