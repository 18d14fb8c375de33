using Appliance.Sbom;

// sbom OUTPUT --version V --debian ROOT --deps FILE[,FILE] --packages FOLDER --locks FOLDER --app FOLDER --store FILE --store-image NAME
// Writes OUTPUT/sbom.cdx.json (CycloneDX 1.6), OUTPUT/licences/list.tsv and the licences' texts beside it. What has no licence that can be told ends the build.
if (args.Length % 2 == 0)
{
    Console.Error.WriteLine("sbom OUTPUT --version V --debian ROOT --deps FILE --packages FOLDER --locks FOLDER --app FOLDER --store FILE --store-image NAME");
    return 64;
}
var options = args.Skip(1).Chunk(2).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
var output = args[0];
try
{
    Component[] components =
    [
        .. DebianPackages.Read(options["--debian"]),
        .. options["--deps"].Split(',').SelectMany(deps => NuGetPackages.Read(deps, options["--packages"], options["--locks"])).DistinctBy(package => package.Purl),
        .. VendoredFiles.Read(options["--app"]),
        .. ObjectStore.Read(options["--store"], options["--store-image"]),
    ];
    Directory.CreateDirectory(output);
    await File.WriteAllTextAsync(Path.Combine(output, "sbom.cdx.json"), CycloneDx.Write(components, options["--version"]));
    await Licences.WriteAsync(components, Path.Combine(output, "licences"));
    Console.WriteLine($"{components.Length} components: {string.Join(", ", components.GroupBy(c => c.Kind).Select(g => $"{g.Count()} {g.Key}"))}");
    return 0;
}
catch (Exception e) when (e is InvalidDataException or IOException or KeyNotFoundException or System.Text.Json.JsonException or System.Xml.XmlException)
{
    Console.Error.WriteLine("No bill of materials: " + e.Message);
    return 65;
}
