using System.IO.Compression;

namespace Appliance.Sbom;

/// <summary>The licences' own texts, compressed, and one list of who has which. Debian's stay where Debian puts them.</summary>
internal static class Licences
{
    public static async Task WriteAsync(IEnumerable<Component> components, string folder)
    {
        List<string> list = ["origin\tname\tversion\tlicence\ttexts"];
        foreach (var component in components)
        {
            var texts = new List<string>();
            foreach (var text in component.Texts)
            {
                if (component.Kind == "deb")
                {
                    texts.Add($"/usr/share/doc/{component.Name}/copyright");
                    continue;
                }
                var relative = $"{component.Kind}/{component.Name.Replace('/', '_')}-{Path.GetFileName(text)}.gz";
                var file = Path.Combine(folder, relative);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                await using var compressed = new GZipStream(File.Create(file), CompressionLevel.SmallestSize);
                await using var read = File.OpenRead(text);
                await read.CopyToAsync(compressed);
                texts.Add(relative);
            }
            var named = component.Licences.Count > 0 ? string.Join(", ", component.Licences) : component.LicenceAt?.AbsoluteUri ?? (texts.Count > 0 ? "see the text" : "see its module");
            list.Add(string.Join('\t', component.Kind, component.Name, component.Version, named, string.Join(' ', texts)));
        }
        Directory.CreateDirectory(folder);
        await File.WriteAllLinesAsync(Path.Combine(folder, "list.tsv"), list);
    }
}
