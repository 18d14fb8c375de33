using System.Text.Json;
using System.Xml.Linq;

namespace Appliance.Sbom;

/// <summary>The packages whose assemblies are shipped (the published <c>.deps.json</c>), each held against the lock files, with the licence its own .nuspec states.</summary>
internal static class NuGetPackages
{
    private static readonly string[] s_texts = ["LICENSE", "LICENSE.TXT", "LICENSE.MD", "NOTICE.TXT", "THIRD-PARTY-NOTICES.TXT"];

    public static IEnumerable<Component> Read(string dependencies, string packages, string locks)
    {
        var locked = Locked(locks);
        using var document = JsonDocument.Parse(File.ReadAllBytes(dependencies));
        foreach (var library in document.RootElement.GetProperty("libraries").EnumerateObject())
        {
            var type = library.Value.GetProperty("type").GetString();
            if (type is not ("package" or "runtimepack") || library.Name.Split('/') is not [var id, var version])
            {
                continue;
            }
            string? hash = null;
            if (type == "runtimepack")
            {
                id = id["runtimepack.".Length..]; // named by the SDK, which pins it: not in a lock file
            }
            else if (!locked.TryGetValue($"{id}/{version}", out hash))
            {
                throw new InvalidDataException($"{id} {version} is shipped and in no packages.lock.json.");
            }
            yield return Component(id, version, Path.Combine(packages, id.ToLowerInvariant(), version.ToLowerInvariant()), hash);
        }
    }

    private static Component Component(string id, string version, string folder, string? hash)
    {
        var metadata = XDocument.Load(Path.Combine(folder, id.ToLowerInvariant() + ".nuspec")).Root!.Elements().First(e => e.Name.LocalName == "metadata");
        string? Value(string name, string? attribute = null) =>
            metadata.Elements().FirstOrDefault(e => e.Name.LocalName == name && (attribute is null || (string?)e.Attribute("type") == attribute))?.Value.Trim();
        var expression = Value("license", "expression");
        var file = Value("license", "file");
        var address = Value("licenseUrl");
        string[] texts =
        [
            .. Directory.EnumerateFiles(folder).Where(f => s_texts.Contains(Path.GetFileName(f).ToUpperInvariant(), StringComparer.Ordinal)
                || string.Equals(Path.GetFileName(f), file, StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal),
        ];
        if (expression is null && address is null && texts.Length == 0)
        {
            throw new InvalidDataException($"{id} {version} states no licence in its .nuspec and brings none.");
        }
        return new Component(
            "nuget", id, version, $"pkg:nuget/{id}@{version}", expression is null ? [] : [expression], texts,
            hash is null ? null : new Dictionary<string, string>(StringComparer.Ordinal) { ["SHA-512"] = Convert.ToHexStringLower(Convert.FromBase64String(hash)) },
            expression is null && address is not null ? new Uri(address) : null);
    }

    /// <summary>Id/version → the hash that restoring checks (base64).</summary>
    private static Dictionary<string, string> Locked(string folder)
    {
        var all = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var file in Directory.EnumerateFiles(folder, "packages.lock.json", SearchOption.AllDirectories))
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            foreach (var package in document.RootElement.GetProperty("dependencies").EnumerateObject().SelectMany(framework => framework.Value.EnumerateObject()))
            {
                if (package.Value.TryGetProperty("contentHash", out var hash))
                {
                    all[$"{package.Name}/{package.Value.GetProperty("resolved").GetString()}"] = hash.GetString()!;
                }
            }
        }
        return all;
    }
}
