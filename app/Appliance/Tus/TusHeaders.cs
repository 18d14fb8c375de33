using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Appliance.Files;
using Microsoft.Extensions.Primitives;

namespace Appliance.Tus;

/// <summary>The headers of tus 1.0 (https://tus.io/protocols/resumable-upload), read strictly. What is not exactly as specified is refused.</summary>
internal static class TusHeaders
{
    public const string Version = "1.0.0";
    public const string Resumable = "Tus-Resumable";
    public const string Offset = "Upload-Offset";
    public const string Length = "Upload-Length";
    public const string DeferLength = "Upload-Defer-Length";
    public const string Metadata = "Upload-Metadata";
    public const string Checksum = "Upload-Checksum";
    public const string Expires = "Upload-Expires";
    public const string MethodOverride = "X-HTTP-Method-Override";
    public const string ContentType = "application/offset+octet-stream";
    public const string Extensions = "creation,creation-with-upload,checksum,termination,expiration";

    private const int MaxPairs = 20;
    private static readonly UTF8Encoding s_strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>A non-negative integer ("Upload-Offset", "Upload-Length"): digits alone, one header, at most what 63 bits hold.</summary>
    public static bool TryNumber(StringValues header, out long number)
    {
        number = 0;
        return header is [{ Length: > 0 and <= 19 } digits]
            && digits.All(char.IsAsciiDigit)
            && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    /// <summary>
    /// "Upload-Metadata": pairs parted by commas; key and Base64 value parted by one space, the value may be missing. Keys are ASCII, without
    /// space or comma, and unique. Values must be UTF-8, as names are.
    /// </summary>
    public static bool TryMetadata(StringValues header, [NotNullWhen(true)] out Dictionary<string, string>? pairs)
    {
        pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        if (header.Count == 0)
        {
            return true;
        }
        if (header is [{ } text] && text.Split(',') is { Length: <= MaxPairs } parts && parts.All(pairs.TryAddPair))
        {
            return true;
        }
        pairs = null;
        return false;
    }

    /// <summary>
    /// "Upload-Checksum": the algorithm's name, one space, the checksum in Base64. Null where it is malformed or the algorithm unknown, which
    /// both are 400 (section "Checksum").
    /// </summary>
    public static BodyChecksum? ReadChecksum(StringValues header) =>
        header is [{ Length: <= 256 } text] && text.Split(' ') is [var algorithm, var value] && TryBase64(value, out var expected)
            ? BodyChecksum.Create(algorithm, expected)
            : null;

    private static bool TryAddPair(this Dictionary<string, string> pairs, string part)
    {
        var words = part.Trim(' ').Split(' ');
        if (words.Length > 2 || words[0].Length == 0 || words[0].Any(c => c is <= ' ' or > '~'))
        {
            return false;
        }
        if (words.Length == 1)
        {
            return pairs.TryAdd(words[0], "");
        }
        if (!TryBase64(words[1], out var bytes))
        {
            return false;
        }
        try
        {
            return pairs.TryAdd(words[0], s_strictUtf8.GetString(bytes));
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }

    /// <summary>RFC 4648 section 4, without the blanks that the framework would overlook.</summary>
    private static bool TryBase64(string text, out byte[] bytes)
    {
        bytes = new byte[text.Length / 4 * 3];
        if (text.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('+' or '/' or '=')) || !Convert.TryFromBase64String(text, bytes, out var written))
        {
            return false;
        }
        bytes = bytes[..written];
        return true;
    }
}
