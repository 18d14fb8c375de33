using System.Globalization;
using System.Runtime.InteropServices;

namespace Appliance.Files;

/// <summary>What of a content is asked for, by a Range header (RFC 9110 section 14).</summary>
/// <param name="Start">The first byte.</param>
/// <param name="Count">Bytes, at least 1.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct ByteRange(long Start, long Count)
{
    public enum Outcome
    {
        /// <summary>All of it: there is no range, or one that is to be ignored.</summary>
        Whole,

        /// <summary>This part of it: 206.</summary>
        Part,

        /// <summary>A range that lies outside: 416.</summary>
        Unsatisfiable,
    }

    /// <summary>
    /// Reads the header for a content of <paramref name="length"/> bytes. An unknown unit and anything that breaks the grammar is ignored
    /// (sections 14.1.1 and 14.2), as are several ranges at once: a server may answer with the whole (section 14.2), and nothing
    /// that plays media asks for them.
    /// </summary>
    public static Outcome Read(string? header, long length, out ByteRange range)
    {
        range = default;
        const string Unit = "bytes=";
        if (header is null || !header.StartsWith(Unit, StringComparison.OrdinalIgnoreCase))
        {
            return Outcome.Whole;
        }
        // A list may have empty elements and blanks around the comma (section 5.6.1); what remains must be one range.
        var specs = header[Unit.Length..].Split(',').Select(s => s.Trim(' ', '\t')).Where(s => s.Length > 0).ToList();
        if (specs is not [var spec])
        {
            return Outcome.Whole;
        }
        var dash = spec.IndexOf('-', StringComparison.Ordinal);
        if (dash < 0 || !Number(spec[..dash], out var first) || !Number(spec[(dash + 1)..], out var last) || (first is null && last is null))
        {
            return Outcome.Whole;
        }
        if (first is null)
        {
            return Suffix(last!.Value, length, out range);
        }
        if (last < first)
        {
            return Outcome.Whole; // invalid (section 14.1.1)
        }
        if (first >= length)
        {
            return Outcome.Unsatisfiable;
        }
        range = new ByteRange(first.Value, Math.Min(last ?? long.MaxValue, length - 1) - first.Value + 1);
        return Outcome.Part;
    }

    /// <summary>The last bytes (section 14.1.2). Of nothing, the last bytes are nothing, which no 206 can say.</summary>
    private static Outcome Suffix(long count, long length, out ByteRange range)
    {
        range = new ByteRange(Math.Max(0, length - count), Math.Min(count, length));
        return count == 0 ? Outcome.Unsatisfiable : length == 0 ? Outcome.Whole : Outcome.Part;
    }

    /// <summary>1*DIGIT of any length: what is too big to be a position is past every end. Empty is null.</summary>
    private static bool Number(string digits, out long? number)
    {
        number = null;
        if (digits.Length == 0)
        {
            return true;
        }
        if (!digits.All(char.IsAsciiDigit))
        {
            return false;
        }
        number = long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : long.MaxValue;
        return true;
    }
}
