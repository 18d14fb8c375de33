using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Appliance.Image;

/// <summary>compose/compose.yaml as a user runs it: three containers of one image.</summary>
[Collection(nameof(ImageCollection))]
public sealed class ComposeTests(ITestOutputHelper output)
{
    [Fact, Trait("Requirement", "O1"), Trait("Requirement", "O2"), Trait("Requirement", "O8")]
    public async Task The_first_start_makes_everything_itself_and_what_was_stored_is_there_after_everything_was_replaced()
    {
        var began = DateTime.UtcNow;
        await using var appliance = await Composed.StartAsync();
        var link = (await appliance.LinkAsync()).ShouldNotBeNull();
        output.WriteLine($"First start to the printed link: {(DateTime.UtcNow - began).TotalSeconds:F1} s");
        link.GetLeftPart(UriPartial.Authority).ShouldBe(appliance.Origin.GetLeftPart(UriPartial.Authority));

        using var owner = await appliance.PersonAsync();
        await owner.SetUpAsync(link);
        var team = await owner.TeamAsync("Harbour");
        var content = RandomNumberGenerator.GetBytes(3_000_000);
        var file = await owner.UploadAsync(team, "tide tables.bin", content);
        (await owner.DownloadAsync(team, file)).ShouldBe(content);

        await appliance.DownAsync();
        await appliance.UpAsync();
        (await owner.DownloadAsync(team, file)).ShouldBe(content, "the same account, session and file after every container was replaced");
        (await appliance.LinkAsync()).ShouldBeNull("an owner is there");
    }

    [Fact, Trait("Requirement", "O1"), Trait("Requirement", "F10")]
    public async Task Whichever_service_is_killed_under_load_comes_back_and_nothing_acknowledged_is_lost()
    {
        await using var appliance = await Composed.StartAsync();
        using var owner = await appliance.PersonAsync();
        await owner.SetUpAsync((await appliance.LinkAsync())!);
        var team = await owner.TeamAsync("Harbour");
        var acknowledged = new ConcurrentDictionary<string, byte[]>(StringComparer.Ordinal);
        var refusals = new ConcurrentBag<HttpStatusCode?>();
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 3).Select(writer => Task.Run(async () =>
        {
            for (var number = 0; !stop.IsCancellationRequested; number++)
            {
                var content = RandomNumberGenerator.GetBytes(20_000);
                try
                {
                    acknowledged[await owner.UploadAsync(team, $"{writer}-{number}.bin", content)] = content;
                }
                catch (HttpRequestException refused)
                {
                    refusals.Add(refused.StatusCode);
                    await Task.Delay(200);
                }
            }
        })).ToArray();
        foreach (var service in new[] { "objects", "database", "web", "database", "objects", "web" })
        {
            await Task.Delay(2000);
            await appliance.CrashAsync(service);
            await appliance.UpAsync();
        }
        var before = acknowledged.Count;
        await WaitAsync(() => acknowledged.Count > before + 5);
        await stop.CancelAsync();
        await Task.WhenAll(writers);

        output.WriteLine($"{acknowledged.Count} files acknowledged, {refusals.Count} requests refused: {string.Join(", ", refusals.GroupBy(r => r).Select(g => $"{g.Key?.ToString() ?? "no answer"} {g.Count()}"))}");
        acknowledged.Count.ShouldBeGreaterThan(20);
        refusals.ShouldAllBe(status => status == null || status == HttpStatusCode.ServiceUnavailable, "away is said as 503, or the connection is gone with the process");
        refusals.ShouldContain(HttpStatusCode.ServiceUnavailable);
        foreach (var (file, content) in acknowledged)
        {
            (await owner.DownloadAsync(team, file)).ShouldBe(content);
        }
    }

    [Fact, Trait("Requirement", "O1"), Trait("Requirement", "O6"), Trait("Requirement", "O7")]
    public async Task Every_control_holds_and_a_container_that_is_let_loose_is_found()
    {
        await using var appliance = await Composed.StartAsync();
        var (code, said) = await CheckAsync(appliance);
        output.WriteLine(said);
        said.Split('\n').Where(line => line.StartsWith("FAIL", StringComparison.Ordinal)).ShouldBeEmpty();
        code.ShouldBe(0);

        var folder = Directory.CreateTempSubdirectory("loose");
        try
        {
            var loose = Path.Combine(folder.FullName, "loose.yaml");
            await File.WriteAllTextAsync(loose, """
                services:
                  web:
                    read_only: false
                    cap_add: [NET_RAW]
                    mem_limit: 0
                    pids_limit: -1
                    volumes: ["/etc/hostname:/mnt/hostname:ro"]
                    ports: ["127.0.0.1::9464"]
                """);
            await using var second = await Composed.StartAsync(loose);
            (code, said) = await CheckAsync(second);
            code.ShouldBe(1);
            foreach (var control in new[] { "CIS 5.3 ", "CIS 5.5 ", "CIS 5.8 ", "CIS 5.10", "CIS 5.12", "CIS 5.28" })
            {
                said.Split('\n').ShouldContain(line => line.StartsWith("FAIL  " + control, StringComparison.Ordinal), control);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Task<(int Code, string Output)> CheckAsync(Composed appliance) =>
        ChildProcess.TryRunAsync("env", $"PROJECT={appliance.Project}", Path.Combine(Repository.Root, "hardening/check"));

    private static async Task WaitAsync(Func<bool> condition)
    {
        for (var left = 600; !condition(); left--)
        {
            left.ShouldBeGreaterThan(0, "it did not come back");
            await Task.Delay(100);
        }
    }
}
