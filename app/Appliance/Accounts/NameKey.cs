using Microsoft.AspNetCore.Identity;

namespace Appliance.Accounts;

/// <summary>Usernames and addresses as they are looked up: NFKC, upper case. Usernames are ASCII, so that no two look alike.</summary>
public sealed class NameKey : ILookupNormalizer
{
    public const int LongestUsername = 64;

    public const int LongestEmail = 254;

    public static string Of(string name) => NormalForm.Compatible(name.Trim()).ToUpperInvariant();

    /// <summary>Why this cannot be a username; null: it can.</summary>
    public static string? UsernameProblem(string? name) =>
        name is not { Length: >= 2 and <= LongestUsername } || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_')
            || !char.IsAsciiLetterOrDigit(name[0]) || !char.IsAsciiLetterOrDigit(name[^1])
            ? $"A username has 2 to {LongestUsername} letters (a to z), digits, dots, hyphens and underscores, and starts and ends with a letter or digit."
            : null;

    /// <summary>Why this cannot be an e-mail address; null: it can, as far as can be told without a letter (RFC 5321 §4.5.3.1).</summary>
    public static string? EmailProblem(string? email) =>
        email is not { Length: >= 3 and <= LongestEmail } || email.Count(c => c == '@') != 1 || email[0] == '@' || email[^1] == '@'
            || email.Any(c => char.IsControl(c) || char.IsWhiteSpace(c))
            ? "This is not an e-mail address."
            : null;

    public string? NormalizeName(string? name) => name is null ? null : Of(name);

    public string? NormalizeEmail(string? email) => email is null ? null : Of(email);
}
