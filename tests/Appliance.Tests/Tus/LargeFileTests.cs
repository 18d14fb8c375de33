using System.Net;
using System.Security.Cryptography;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Tus;

/// <summary>Files that no 32-bit number counts and no memory here holds.</summary>
[Trait("Requirement", "F1")]
[Collection(AloneCollection.Name)]
public sealed class LargeFileTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    /// <summary>An odd size above 32 bits; 1 min 41 s on two cores, most of it hashing at both ends.</summary>
    [Fact]
    public Task Ten_gibibytes_go_in_and_come_out_whole() => GoesInAndComesOutAsync((10L << 30) + 12_345);

    private async Task GoesInAndComesOutAsync(long size)
    {
        using var person = await Person.NewAsync(host);
        person.Http.Timeout = TimeSpan.FromMinutes(30);
        var team = await person.TeamAsync();
        var tus = new TusClient(person, team);
        var upload = await tus.CreateAsync("large.bin", size);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        using (var answer = await tus.PatchAsync(upload, 0, new StreamContent(new Generated(size), 1 << 20)))
        {
            answer.StatusCode.ShouldBe(HttpStatusCode.NoContent);
        }
        GC.GetTotalMemory(forceFullCollection: true).ShouldBeLessThan(before + (200L << 20));
        var entry = (await person.ListAsync(team)).Single().Reference;
        using var download = await person.Http.GetAsync($"/teams/{team}/files/{entry}/content", HttpCompletionOption.ResponseHeadersRead);
        download.Content.Headers.ContentLength.ShouldBe(size);
        await using var content = await download.Content.ReadAsStreamAsync();
        (await SHA256.HashDataAsync(content)).ShouldBe(await SHA256.HashDataAsync(new Generated(size)));
    }
}
