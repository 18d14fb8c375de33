using System.Net;
using System.Security.Cryptography;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Tus;

/// <summary>A file that fits into no memory here. Part of the long tests.</summary>
[Trait("Requirement", "F1"), Trait("Size", "Long")]
[Collection(AloneCollection.Name)]
public sealed class LargeFileTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    private const long Size = 10L << 30;

    [Fact]
    public async Task Ten_gibibytes_go_in_and_come_out_whole()
    {
        using var person = await Person.NewAsync(host);
        person.Http.Timeout = TimeSpan.FromMinutes(30);
        var team = await person.TeamAsync();
        var tus = new TusClient(person, team);
        var upload = await tus.CreateAsync("large.bin", Size);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        using (var answer = await tus.PatchAsync(upload, 0, new StreamContent(new Generated(Size), 1 << 20)))
        {
            answer.StatusCode.ShouldBe(HttpStatusCode.NoContent);
        }
        GC.GetTotalMemory(forceFullCollection: true).ShouldBeLessThan(before + (200L << 20));
        var entry = (await person.ListAsync(team)).Single().Reference;
        using var download = await person.Http.GetAsync($"/teams/{team}/files/{entry}/content", HttpCompletionOption.ResponseHeadersRead);
        download.Content.Headers.ContentLength.ShouldBe(Size);
        await using var content = await download.Content.ReadAsStreamAsync();
        (await SHA256.HashDataAsync(content)).ShouldBe(await SHA256.HashDataAsync(new Generated(Size)));
    }
}
