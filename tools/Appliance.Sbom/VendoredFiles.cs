using System.Text.RegularExpressions;

namespace Appliance.Sbom;

/// <summary>
/// Files of others that lie in our tree: each folder of <c>wwwroot/vendor</c> has a README.txt that begins "NAME VERSION, …" and names the licence
/// "(SPDX-ID, LICENSE.txt…)", and the word list a LICENSE.txt of its own. A folder that does not say so ends the build.
/// </summary>
internal static partial class VendoredFiles
{
    public static IEnumerable<Component> Read(string application)
    {
        foreach (var folder in Directory.EnumerateDirectories(Path.Combine(application, "wwwroot/vendor")).Order(StringComparer.Ordinal))
        {
            var said = Said().Match(File.ReadAllText(Path.Combine(folder, "README.txt")));
            if (!said.Success)
            {
                throw new InvalidDataException($"{folder}/README.txt must begin \"NAME VERSION, …\" and name its licence \"(SPDX-ID, LICENSE.txt\".");
            }
            var (name, version) = (said.Groups["name"].Value, said.Groups["version"].Value);
            yield return new Component(
                "npm", name, version, $"pkg:npm/{name}@{version}", [said.Groups["licence"].Value], [.. Directory.EnumerateFiles(folder, "LICENSE*").Order(StringComparer.Ordinal)]);
        }
        var words = Path.Combine(application, "Accounts/Words/LICENSE.txt");
        yield return new Component("data", "eff_large_wordlist", "2016", null, ["CC-BY-3.0-US"], [words]);
    }

    [GeneratedRegex(@"\A(?<name>[@a-z0-9/._-]+) (?<version>\d[^\s,]*),.*?\((?<licence>[A-Za-z0-9.+-]+), LICENSE", RegexOptions.ExplicitCapture | RegexOptions.Singleline, 1000)]
    private static partial Regex Said();
}
