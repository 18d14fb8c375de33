namespace Appliance.SignIn.Tokens;

/// <summary>
/// The text of a token or an app password: a prefix by which secret scanners find it, then 256 random bits (<see cref="Token"/>). Kept as the
/// SHA-256 of the whole text.
/// </summary>
internal static class TokenText
{
    private const string BearerPrefix = "apt_";
    private const string AppPasswordPrefix = "app_";

    public static string New(string kind) => PrefixOf(kind) + Token.New();

    /// <summary>The hash to look up, or null for what cannot be of this kind.</summary>
    public static byte[]? HashOf(string? text, string kind) =>
        text is not null && text.StartsWith(PrefixOf(kind), StringComparison.Ordinal) && Token.HashOf(text[PrefixOf(kind).Length..]) is not null
            ? Token.Hash(text)
            : null;

    private static string PrefixOf(string kind) => kind switch
    {
        ApiToken.Bearer => BearerPrefix,
        ApiToken.AppPassword => AppPasswordPrefix,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };
}
