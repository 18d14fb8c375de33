using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Appliance.Files;
using Appliance.Tests.Objects;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Tus;

/// <summary>The database or the disk gives out in the middle: a sentence for the person, and nothing acknowledged is lost.</summary>
[Trait("Requirement", "F2"), Trait("Requirement", "F8")]
[Collection(AloneCollection.Name)]
public sealed class TusFaultTests
{
    [Fact]
    public async Task An_upload_goes_on_after_the_database_was_away()
    {
        var cluster = await PostgresCluster.StartAsync();
        await using var host = await ApplianceHost.StartAsync(cluster: cluster, adapt: b => b.Services.AddSingleton(new FileLimits { SegmentBytes = 100_000 }));
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        var tus = new TusClient(person, team);
        var bytes = RandomNumberGenerator.GetBytes(1_000_000);
        var upload = await tus.CreateAsync("a", bytes.Length);
        (await tus.PatchAsync(upload, 0, bytes[..300_000])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        var stalled = new Stalls(bytes[300_000..], 50_000);
        var sending = tus.PatchAsync(upload, 300_000, stalled);
        await stalled.Stalled;

        await cluster.KillAsync();
        stalled.GoOn();
        using (var refused = await sending)
        {
            refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            refused.Headers.RetryAfter.ShouldNotBeNull();
            (await refused.Content.ReadAsStringAsync()).ShouldContain("is kept");
        }
        (await tus.HeadAsync(upload)).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);

        await cluster.StartServerAsync();
        long? stands = null;
        for (var i = 0; stands is null; i++)
        {
            i.ShouldBeLessThan(100);
            using var head = await tus.HeadAsync(upload);
            stands = head.StatusCode == HttpStatusCode.OK ? TusClient.Offset(head) : null;
            await Task.Delay(100);
        }
        stands.Value.ShouldBeGreaterThanOrEqualTo(300_000);
        (await tus.PatchAsync(upload, stands.Value, bytes[(int)stands.Value..])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await person.DownloadAsync(team, (await person.ListAsync(team)).Single().Reference)).ShouldBe(bytes);
    }

    [RootFact]
    public async Task A_full_disk_is_said_to_be_full_and_the_upload_goes_on_once_there_is_room()
    {
        var disk = Directory.CreateTempSubdirectory("small-disk-").FullName;
        Run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk);
        try
        {
            await using var host = await ApplianceHost.StartAsync(
                settings => settings with { Objects = new() { Kind = Appliance.Objects.ObjectStoreKind.Disk, Folder = Path.Combine(disk, "objects") } },
                b => b.Services.AddSingleton(new FileLimits { SegmentBytes = 1 << 20 }));
            using var person = await Person.NewAsync(host);
            var team = await person.TeamAsync();
            var tus = new TusClient(person, team);
            var bytes = RandomNumberGenerator.GetBytes(10 << 20);
            var upload = await tus.CreateAsync("a", bytes.Length);
            using (var refused = await tus.PatchAsync(upload, 0, bytes))
            {
                refused.StatusCode.ShouldBe(HttpStatusCode.InsufficientStorage);
                (await refused.Content.ReadAsStringAsync()).ShouldContain("is kept");
            }
            var stands = await tus.OffsetAsync(upload);
            stands.ShouldBeGreaterThanOrEqualTo(3 << 20);
            (await person.ListAsync(team)).ShouldBeEmpty();

            Run("mount", "-o", "remount,size=20m", disk);
            (await tus.PatchAsync(upload, stands, bytes[(int)stands..])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
            (await person.DownloadAsync(team, (await person.ListAsync(team)).Single().Reference)).ShouldBe(bytes);
        }
        finally
        {
            Run("umount", "-l", disk);
            Directory.Delete(disk);
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false })!;
        process.WaitForExit();
        process.ExitCode.ShouldBe(0);
    }
}

/// <summary>The main flow with a real S3 server underneath.</summary>
[Collection(S3Collection.Name)]
[Trait("Requirement", "F2"), Trait("Requirement", "F8")]
public sealed class TusOnS3Tests(RadosGateway server)
{
    [Fact]
    public async Task Files_go_to_s3_and_come_back_whole_and_in_ranges()
    {
        using var options = new S3TestOptions();
        await using var host = await ApplianceHost.StartAsync(
            settings => settings with { Objects = options.For(server.Plain, "tus-flow") }, b => b.Services.AddSingleton(new FileLimits { SegmentBytes = 12 << 20 }));
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        var tus = new TusClient(person, team);
        var bytes = RandomNumberGenerator.GetBytes(30_000_000);
        var upload = await tus.CreateAsync("a", bytes.Length);
        (await tus.PatchAsync(upload, 0, bytes[..1_000_000])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        await Should.ThrowAsync<HttpRequestException>(() => tus.PatchAsync(upload, 1_000_000, new BreaksOff(bytes[1_000_000..], 15_000_000)));
        var stands = await tus.OffsetAsync(upload);
        stands.ShouldBeGreaterThan(1_000_000);
        (await tus.PatchAsync(upload, stands, bytes[(int)stands..])).StatusCode.ShouldBe(HttpStatusCode.NoContent);

        var entry = (await person.ListAsync(team)).Single().Reference;
        (await person.DownloadAsync(team, entry)).ShouldBe(bytes);
        var request = new HttpRequestMessage(HttpMethod.Get, $"/teams/{team}/files/{entry}/content") { Headers = { Range = new(12_500_000, 25_500_000) } };
        using (var part = await person.Http.SendAsync(request))
        {
            (await part.Content.ReadAsByteArrayAsync()).ShouldBe(bytes[12_500_000..25_500_001]);
        }
        await server.StopAsync();
        using (var away = await tus.CreateAnswerAsync("b", 10))
        {
            // Announcing needs the database alone; the bytes have to wait.
            (await tus.PatchAsync(away.Headers.Location!.ToString(), 0, new byte[10])).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            await server.StartAgainAsync();
            (await tus.PatchAsync(away.Headers.Location!.ToString(), 0, new byte[10])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        }
        (await ObjectsCheck.RunAsync(host.Services, TextWriter.Null, default)).ShouldBe(0);
    }
}
