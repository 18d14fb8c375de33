using System.Text.Json;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Image;

/// <summary>The bill of materials in the image, held against what is really in it.</summary>
[Collection(nameof(ContainerCollection))]
public sealed class SbomTests
{
    [Fact, Trait("Requirement", "O11")]
    public async Task It_names_every_package_with_version_and_licence_and_has_what_the_schema_asks_for()
    {
        var label = (await ChildProcess.RunAsync("docker", "inspect", "--format", """{{index .Config.Labels "appliance.sbom"}}""", ApplianceImage.Name)).Trim();
        using var bill = JsonDocument.Parse(await InsideAsync("cat", label));
        var root = bill.RootElement;
        // CycloneDX 1.6: required are bomFormat and specVersion; of a component type and name; references are unique.
        root.GetProperty("bomFormat").GetString().ShouldBe("CycloneDX");
        root.GetProperty("specVersion").GetString().ShouldBe("1.6");
        var components = root.GetProperty("components").EnumerateArray().ToArray();
        components.ShouldAllBe(c => c.GetProperty("name").GetString()!.Length > 0 && c.GetProperty("version").GetString()!.Length > 0);
        components.Select(c => c.GetProperty("type").GetString()).Distinct().ShouldBeSubsetOf(["library", "application", "data"]);
        components.Select(c => c.GetProperty("bom-ref").GetString()).ShouldBeUnique();

        var debian = (await InsideAsync("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n")).Split('\n').Where(line => line.StartsWith("installed ", StringComparison.Ordinal)).Select(line => line["installed ".Length..]).ToArray();
        debian.Length.ShouldBeGreaterThan(50);
        components.Where(c => Purl(c).StartsWith("pkg:deb/", StringComparison.Ordinal)).Select(c => $"{c.GetProperty("name").GetString()} {c.GetProperty("version").GetString()}").ShouldBe(debian, ignoreOrder: true);
        foreach (var shipped in new[] { "pkg:nuget/Npgsql@", "pkg:nuget/AWSSDK.S3@", "pkg:nuget/Microsoft.NETCore.App.Runtime.linux-", "pkg:npm/tus-js-client@", "pkg:npm/pdfjs-dist@" })
        {
            components.ShouldContain(c => Purl(c).StartsWith(shipped, StringComparison.Ordinal), shipped);
        }
        var store = components.Single(c => c.GetProperty("type").GetString() == "application");
        (await InsideAsync("sha256sum", "/usr/bin/minio")).ShouldStartWith(store.GetProperty("hashes")[0].GetProperty("content").GetString()!);

        var list = (await InsideAsync("cat", "/usr/share/appliance/licences/list.tsv")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(line => line.Split('\t')).ToArray();
        list.Length.ShouldBe(components.Length);
        list.ShouldAllBe(row => row.Length == 5 && row[3].Length > 0);
        var texts = list.SelectMany(row => row[4].Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(t => t.StartsWith('/') ? t : "/usr/share/appliance/licences/" + t).ToArray();
        (await InsideAsync("ls", ["-L", .. texts])).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length.ShouldBe(texts.Length, "each text is there");
    }

    private static string Purl(JsonElement component) => component.TryGetProperty("purl", out var purl) ? purl.GetString()! : "";

    private static Task<string> InsideAsync(string program, params string[] arguments) =>
        ChildProcess.RunAsync("docker", ["run", "--rm", "--network", "none", "--entrypoint", program, ApplianceImage.Name, .. arguments]);
}
