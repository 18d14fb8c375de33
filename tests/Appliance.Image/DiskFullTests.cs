using System.Diagnostics;
using System.Security.Cryptography;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Appliance.Image;

/// <summary>A volume that is full to the last block: said to the person and to the operator, and over when there is room again.</summary>
[Collection(nameof(ContainerCollection))]
[Trait("Proven", "no")]
public sealed class DiskFullTests(ITestOutputHelper output)
{
    [Fact, Trait("Requirement", "F10")]
    public async Task A_full_volume_refuses_uploads_loses_nothing_and_recovers_when_there_is_room()
    {
        await using var database = await SmallDisk.MakeAsync(10002, 300);
        await using var objects = await SmallDisk.MakeAsync(10003, 900);
        var folder = Directory.CreateTempSubdirectory("small");
        var file = Path.Combine(folder.FullName, "small.yaml");
        await File.WriteAllTextAsync(file, $$"""
            volumes:
              database:
                driver_opts: {type: none, o: bind, device: "{{database.Data}}"}
              objects:
                driver_opts: {type: none, o: bind, device: "{{objects.Data}}"}
            """);
        try
        {
            await using var appliance = await Composed.StartAsync(file);
            using var owner = await appliance.PersonAsync();
            await owner.SetUpAsync((await appliance.LinkAsync())!);
            var team = await owner.TeamAsync("Harbour");
            var acknowledged = new Dictionary<string, byte[]>(StringComparer.Ordinal);

            foreach (var (disk, service, size) in new[] { (database, "database", 2000), (objects, "objects", 4_000_000) })
            {
                for (var number = 0; number < 5; number++)
                {
                    await UploadAsync($"{service} before {number}.bin", size);
                }
                await disk.FillAsync();
                var refused = await UntilRefusedAsync(service, size);
                output.WriteLine($"{service} full: {refused}");
                refused.ShouldBeOneOf(503, 507);

                // What the operator reads: where the service started anew, or starts anew now.
                await appliance.ComposeAsync("restart", "--timeout", "5", service);
                await appliance.WaitAsync(async () => (await appliance.LogsAsync(service)).Contains($"/var/lib/appliance/{service} does not take writes", StringComparison.Ordinal), $"{service} says that its volume is full");
                (await appliance.LogsAsync(service)).ShouldContain("more room");

                await disk.MakeRoomAsync();
                var clock = Stopwatch.StartNew();
                await appliance.HealthyAsync(); // by itself: nobody starts anything
                output.WriteLine($"{service} back {clock.Elapsed.TotalSeconds:F0} s after there was room");
                await UploadAsync($"{service} after.bin", size);
                foreach (var (entry, content) in acknowledged)
                {
                    (await owner.DownloadAsync(team, entry)).ShouldBe(content);
                }
            }

            async Task UploadAsync(string name, int size)
            {
                var content = RandomNumberGenerator.GetBytes(size);
                acknowledged[await owner.UploadAsync(team, name, content)] = content;
            }

            async Task<int?> UntilRefusedAsync(string service, int size)
            {
                for (var number = 0; number < 600; number++)
                {
                    try
                    {
                        await UploadAsync($"{service} full {number}.bin", size);
                    }
                    catch (HttpRequestException refused)
                    {
                        return (int?)refused.StatusCode;
                    }
                }
                throw new InvalidOperationException("600 uploads went through on a full disk.");
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
