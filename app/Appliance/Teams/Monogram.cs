using System.Globalization;
using System.Text;

namespace Appliance.Teams;

/// <summary>What stands for a name where there is no room for it: its first letter.</summary>
public static class Monogram
{
    public static string Of(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var letter = name.EnumerateRunes().FirstOrDefault(Rune.IsLetterOrDigit, new Rune('?'));
        return letter.ToString().ToUpper(CultureInfo.InvariantCulture);
    }
}
