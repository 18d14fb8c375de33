using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Hardening;

/// <summary>hardening/advisories and image/pin.sh, against servers that answer as the feeds and registries do, and against none.</summary>
public sealed class AdvisoryTests : IDisposable
{
    private const string Nowhere = "http://127.0.0.1:9"; // the discard port, where nobody listens
    private static readonly string s_advisories = Path.Combine(Repository.Root, "hardening/advisories");
    private static readonly string s_pin = Path.Combine(Repository.Root, "image/pin.sh");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("advisories");
    private readonly string _bill;

    public AdvisoryTests()
    {
        _bill = Path.Combine(_folder.FullName, "sbom.cdx.json");
        File.WriteAllText(_bill, """
            {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
              {"name": "libstdc++6", "version": "14.2.0-19", "purl": "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=debian-13&source=gcc-14"},
              {"name": "Npgsql", "version": "8.0.2", "purl": "pkg:nuget/Npgsql@8.0.2"},
              {"name": "ours", "version": "1"}]}
            """);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact, Trait("Requirement", "O11")]
    public async Task What_the_feeds_know_is_listed_by_package()
    {
        await using var feed = Feed("""{"results": [{}, {"vulns": [{"id": "GHSA-x9vc-6hfv-hg8c", "modified": "2024-05-14T20:23:32Z"}]}]}""", """
            {"gcc-14": {"CVE-2000-0001": {"releases": {"trixie": {"status": "open", "urgency": "low"}}},
                        "CVE-2000-0002": {"releases": {"trixie": {"status": "resolved", "urgency": "high"}}},
                        "CVE-2000-0003": {"releases": {"trixie": {"status": "open", "urgency": "unimportant"}}}}}
            """);
        var (code, said) = await CheckAsync(feed.Address, feed.Address);
        code.ShouldBe(1, said);
        said.ShouldContain("Npgsql 8.0.2: GHSA-x9vc-6hfv-hg8c");
        said.ShouldContain("gcc-14: CVE-2000-0001 (low)");
        said.ShouldNotContain("CVE-2000-0002");
        said.ShouldNotContain("CVE-2000-0003");
        // Debian's are asked for by source package, the others by package URL.
        feed.Asked["/v1/querybatch"].Trim().ShouldBe(
            """{"queries":[{"package":{"ecosystem":"Debian:13","name":"gcc-14"},"version":"14.2.0-19"},{"package":{"purl":"pkg:nuget/Npgsql"},"version":"8.0.2"}]}""");
    }

    [Fact, Trait("Requirement", "O11")]
    public async Task Nothing_known_is_told_apart_from_not_reachable()
    {
        await using var feed = Feed("""{"results": [{}, {}]}""", "{}");
        var (code, said) = await CheckAsync(feed.Address, feed.Address);
        code.ShouldBe(0, said);
        said.ShouldContain("Nothing is known against any of 2 packages.");

        (code, said) = await CheckAsync(Nowhere, feed.Address);
        code.ShouldBe(69);
        said.ShouldContain($"NOT REACHABLE  {Nowhere}: nothing is known about 2 packages");
        said.ShouldNotContain("Nothing is known against");
        (code, said) = await CheckAsync(feed.Address, Nowhere);
        code.ShouldBe(69);
        said.ShouldContain($"NOT REACHABLE  {Nowhere}");
    }

    [Fact, Trait("Requirement", "O11")]
    public async Task A_bill_or_an_answer_that_cannot_be_read_is_no_all_clear()
    {
        await using var feed = Feed("<html>", "{}");
        (await CheckAsync(feed.Address, feed.Address)).Code.ShouldBe(65);
        await File.WriteAllTextAsync(_bill, """{"bomFormat": "CycloneDX", "components": []}""");
        (await CheckAsync(feed.Address, feed.Address)).Code.ShouldBe(65);
    }

    [Fact, Trait("Requirement", "O11")]
    public async Task Bases_are_pinned_to_what_the_registry_says_and_stay_where_it_cannot_be_reached()
    {
        var digest = "sha256:" + new string('a', 64);
        (int, string, (string, string)[]) manifest = (200, "", [("Docker-Content-Digest", digest)]);
        await using var registry = new RecordedFeed(new(StringComparer.Ordinal) { ["/v2/library/debian/manifests/trixie-slim"] = manifest, ["/v2/dotnet/sdk/manifests/10.0"] = manifest });
        var file = Path.Combine(_folder.FullName, "Dockerfile");
        const string Unpinned = "ARG SDK_IMAGE=mcr.microsoft.com/dotnet/sdk:10.0\nARG BASE_IMAGE=docker.io/library/debian:trixie-slim\nFROM $BASE_IMAGE\n";
        await File.WriteAllTextAsync(file, Unpinned);

        var (code, said) = await PinAsync(file, Nowhere);
        code.ShouldBe(69);
        said.ShouldContain("not reachable  mcr.microsoft.com");
        (await File.ReadAllTextAsync(file)).ShouldBe(Unpinned);
        (await PinAsync(file, registry.Address, "--check")).Code.ShouldBe(1);
        (await File.ReadAllTextAsync(file)).ShouldBe(Unpinned, "--check changes nothing");

        (code, said) = await PinAsync(file, registry.Address);
        code.ShouldBe(0, said);
        (await File.ReadAllTextAsync(file)).ShouldBe(
            $"ARG SDK_IMAGE=mcr.microsoft.com/dotnet/sdk:10.0@{digest}\nARG BASE_IMAGE=docker.io/library/debian:trixie-slim@{digest}\nFROM $BASE_IMAGE\n");
        (await PinAsync(file, registry.Address, "--check")).Code.ShouldBe(0);

        await File.AppendAllTextAsync(file, "ARG OTHER_IMAGE=docker.io/library/nothing:1\n");
        (await PinAsync(file, registry.Address)).Code.ShouldBe(65);
    }

    private static RecordedFeed Feed(string osv, string tracker) =>
        new(new(StringComparer.Ordinal) { ["/v1/querybatch"] = (200, osv, []), ["/tracker/data/json"] = (200, tracker, []) });

    private Task<(int Code, string Output)> CheckAsync(string osv, string tracker) => ChildProcess.TryRunAsync("env", "no_proxy=*", $"OSV_URL={osv}", $"TRACKER_URL={tracker}", s_advisories, _bill);

    private static Task<(int Code, string Output)> PinAsync(string file, string registry, params string[] arguments) =>
        ChildProcess.TryRunAsync("env", ["no_proxy=*", $"DOCKERFILE={file}", $"PIN_REGISTRY={registry}", s_pin, .. arguments]);
}
