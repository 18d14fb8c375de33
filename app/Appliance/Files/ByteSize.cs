using System.Globalization;

namespace Appliance.Files;

/// <summary>Sizes for people: binary units, one decimal.</summary>
public static class ByteSize
{
    private static readonly string[] s_units = ["KiB", "MiB", "GiB", "TiB", "PiB"];

    public static string Text(long bytes)
    {
        if (bytes < 1024)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{bytes} B");
        }
        var (value, unit) = (bytes / 1024.0, 0);
        // 1023.95 and more would be shown as 1024.0.
        while (value >= 1023.95 && unit < s_units.Length - 1)
        {
            (value, unit) = (value / 1024, unit + 1);
        }
        return string.Create(CultureInfo.InvariantCulture, $"{value:0.0} {s_units[unit]}");
    }
}
