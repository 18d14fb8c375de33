using System.Globalization;
using System.Text;

namespace Appliance.Teams.AccessReview;

/// <summary>Comma-separated values (RFC 4180), UTF-8.</summary>
internal static class Csv
{
    public static byte[] Of(IEnumerable<IEnumerable<string>> rows)
    {
        var text = new StringBuilder();
        foreach (var row in rows)
        {
            text.AppendJoin(',', row.Select(Field)).Append("\r\n");
        }
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    public static string Time(DateTimeOffset? time) => time?.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "";

    /// <summary>Always quoted, and never a formula to a spreadsheet (OWASP, CSV injection): what people chose as their names is among it.</summary>
    private static string Field(string value) =>
        "\"" + (value is ['=' or '+' or '-' or '@' or '\t' or '\r', ..] ? "'" : "") + value.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
}
