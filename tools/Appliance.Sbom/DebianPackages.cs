using System.Text.RegularExpressions;

namespace Appliance.Sbom;

/// <summary>What dpkg says is installed, from <c>var/lib/dpkg/status</c> (Debian Policy 5.1), with the licences of each package's copyright file.</summary>
internal static partial class DebianPackages
{
    public static IEnumerable<Component> Read(string root)
    {
        foreach (var fields in Paragraphs(Path.Combine(root, "var/lib/dpkg/status")))
        {
            if (!fields["Status"].EndsWith(" installed", StringComparison.Ordinal))
            {
                continue;
            }
            var (name, version, architecture) = (fields["Package"], fields["Version"], fields["Architecture"]);
            var copyright = Path.Combine(root, "usr/share/doc", name, "copyright");
            if (!File.Exists(copyright))
            {
                throw new InvalidDataException($"The Debian package {name} has no copyright file ({copyright}): its licence must go with it (Debian Policy 12.5).");
            }
            // The source package decides which advisories are about it; its version is in brackets where it differs.
            var source = fields.GetValueOrDefault("Source", name).Split(' ')[0];
            var purl = $"pkg:deb/debian/{Uri.EscapeDataString(name)}@{Uri.EscapeDataString(version)}?arch={architecture}&distro=debian-13&source={Uri.EscapeDataString(source)}";
            yield return new Component("deb", name, version, purl, ShortNames(copyright), [copyright]);
        }
    }

    /// <summary>The names in the <c>License:</c> fields of a machine-readable file (copyright-format 1.0); none in an older, free one.</summary>
    private static List<string> ShortNames(string copyright) =>
        [.. File.ReadLines(copyright).Select(line => LicenceField().Match(line)).Where(m => m.Success).Select(m => m.Groups["name"].Value.Trim())
            .Where(name => name.Length is > 0 and < 120).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    private static IEnumerable<Dictionary<string, string>> Paragraphs(string file)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in File.ReadLines(file).Append(""))
        {
            if (line.Length == 0)
            {
                if (fields.Count > 0)
                {
                    yield return fields;
                }
                fields = new(StringComparer.Ordinal);
            }
            else if (line[0] != ' ' && line.Split(": ", 2) is [var field, var value])
            {
                fields[field] = value;
            }
        }
    }

    [GeneratedRegex(@"^License:\s*(?<name>\S.*)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LicenceField();
}
