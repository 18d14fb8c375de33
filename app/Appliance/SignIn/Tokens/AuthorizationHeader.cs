using System.Text;
using Microsoft.Extensions.Primitives;

namespace Appliance.SignIn.Tokens;

/// <summary>What the header <c>Authorization</c> (RFC 9110 section 11.6.2) holds. <c>Username</c> comes with an app password alone.</summary>
internal sealed record AuthorizationHeader(string Kind, string? Username, byte[] Hash)
{
    private const int LongestBasic = 512;

    private static readonly UTF8Encoding s_strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Null for what can be no token of ours: another scheme, another form, more than one header.</summary>
    public static AuthorizationHeader? Read(StringValues header)
    {
        if (header is not [{ } text] || text.IndexOf(' ', StringComparison.Ordinal) is not (> 0 and var end))
        {
            return null;
        }
        var (scheme, value) = (text[..end], text[end..].TrimStart(' '));
        if (scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase))
        {
            return TokenText.HashOf(value, ApiToken.Bearer) is { } hash ? new AuthorizationHeader(ApiToken.Bearer, null, hash) : null;
        }
        return scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase) ? ReadBasic(value) : null;
    }

    /// <summary>RFC 7617 section 2: the first colon ends the username. UTF-8, as our challenge says (section 2.1).</summary>
    private static AuthorizationHeader? ReadBasic(string value)
    {
        Span<byte> bytes = stackalloc byte[LongestBasic];
        if (value.Length > LongestBasic || !Convert.TryFromBase64String(value, bytes, out var length))
        {
            return null;
        }
        try
        {
            var pair = s_strictUtf8.GetString(bytes[..length]);
            var colon = pair.IndexOf(':', StringComparison.Ordinal);
            return colon > 0 && TokenText.HashOf(pair[(colon + 1)..], ApiToken.AppPassword) is { } hash
                ? new AuthorizationHeader(ApiToken.AppPassword, pair[..colon], hash)
                : null;
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
