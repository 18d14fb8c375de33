using System.Globalization;
using System.Text;

namespace Appliance.Cli;

/// <summary>What others named, on a terminal: no control character and no mark that turns the text round reaches it.</summary>
internal static class Printable
{
    private static readonly string[] s_units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    public static string Line(string? text)
    {
        var line = new StringBuilder();
        foreach (var rune in (text ?? "").EnumerateRunes())
        {
            line.Append(Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate
                ? "\uFFFD" : rune.ToString());
        }
        return line.ToString();
    }

    public static string Size(long? bytes)
    {
        if (bytes is not { } left)
        {
            return "-";
        }
        var (value, unit) = ((double)left, 0);
        while (value >= 1023.95 && unit < s_units.Length - 1)
        {
            (value, unit) = (value / 1024, unit + 1);
        }
        return unit == 0 ? $"{left} B" : string.Create(CultureInfo.InvariantCulture, $"{value:0.0} {s_units[unit]}");
    }

    /// <summary>Columns side by side, the first row above them.</summary>
    public static void Table(TextWriter output, IReadOnlyList<string[]> rows)
    {
        var widths = Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows)
        {
            output.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        }
    }
}
