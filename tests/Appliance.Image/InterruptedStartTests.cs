using System.Diagnostics;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Appliance.Image;

/// <summary>
/// A first start that is killed at a random point, fifty times over: each start after it goes on by itself, and the last one of each appliance gets ready.
/// Each service on its own, so that many first starts fit into minutes; all of the half-made states of one volume are met, because killing goes on
/// into the start that mends the one before.
/// </summary>
[Collection(nameof(ContainerCollection))]
[Trait("Proven", "no")]
public sealed class InterruptedStartTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Appliances = 4;
    private const int KillsOfEach = 5; // database and web; the S3 server gets three
    private readonly string _name = $"test-{Guid.NewGuid():N}"[..13];
    private int _kills;

    [Fact, Trait("Requirement", "O1"), Trait("Requirement", "F10")]
    public async Task However_often_a_first_start_is_killed_the_next_one_succeeds()
    {
        var seed = TestSeed.Take(output);
        var clock = Stopwatch.StartNew();
        // Two at a time, the machine's cores.
        await Parallel.ForEachAsync(Enumerable.Range(0, Appliances), new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (number, _) =>
        {
            var random = new Random(seed + number);
            await Task.WhenAll(ObjectsAsync(number, new Random(random.Next())), DatabaseThenWebAsync(number, random));
        });
        output.WriteLine($"{_kills} kills, {clock.Elapsed.TotalSeconds:F0} s");
        _kills.ShouldBeGreaterThanOrEqualTo(50);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await ChildProcess.TryRunAsync("bash", "-c", $$"""
        docker ps --all --quiet --filter name={{_name}} | xargs --no-run-if-empty docker rm --force
        docker volume ls --quiet --filter name={{_name}} | xargs --no-run-if-empty docker volume rm
        """);

    private async Task DatabaseThenWebAsync(int number, Random random)
    {
        var socket = $"{_name}-{number}-socket";
        await InterruptAsync($"{_name}-{number}-database", KillsOfEach, 7000, random, "10002:10002", "--volume", $"{_name}-{number}-database:/var/lib/appliance/database",
            "--volume", $"{socket}:/run/appliance/database", ApplianceImage.Name, "database");
        var web = $"{_name}-{number}-web";
        await InterruptAsync(web, KillsOfEach, 2500, random, "10001:10001", "--volume", $"{web}:/var/lib/appliance/web", "--volume", $"{socket}:/run/appliance/database:ro",
            "--env", "APPLIANCE_DATABASE_HOST=/run/appliance/database", "--env", "APPLIANCE_LISTEN=0.0.0.0:8443", ApplianceImage.Name, "web");
        (await ChildProcess.RunAsync("docker", "logs", web)).ShouldContain("/set-up/");
    }

    private Task ObjectsAsync(int number, Random random) => InterruptAsync(
        $"{_name}-{number}-objects", 3, 5000, random, "10003:10003", "--tmpfs", "/run/appliance/objects:uid=10003,gid=10010,mode=2750", "--group-add", "10010",
        "--volume", $"{_name}-{number}-objects:/var/lib/appliance/objects", ApplianceImage.Name, "objects");

    /// <summary>Kills the first starts so often, each within so many milliseconds, then lets one come to its end.</summary>
    private async Task InterruptAsync(string container, int kills, int within, Random random, string user, params string[] arguments)
    {
        await ChildProcess.RunAsync("docker", ["create", "--name", container, "--network", "none", "--user", user, "--cap-drop", "ALL", "--read-only", "--tmpfs", "/tmp", .. arguments]);
        for (var kill = 0; kill < kills; kill++)
        {
            await ChildProcess.RunAsync("docker", "start", container);
            var delay = random.Next(within);
            await Task.Delay(delay);
            (await RunsAsync(container)).ShouldBeTrue($"{container} ended by itself after {kill} kills, within {delay} ms:\n{(await ChildProcess.TryRunAsync("docker", "logs", container)).Output}");
            await ChildProcess.RunAsync("docker", "kill", container);
            Interlocked.Increment(ref _kills);
        }
        await ChildProcess.RunAsync("docker", "start", container);
        var until = DateTime.UtcNow.AddMinutes(2);
        while ((await ChildProcess.TryRunAsync("docker", "exec", container, "/usr/libexec/appliance/healthy")).Code != 0)
        {
            var runs = await RunsAsync(container);
            (runs && DateTime.UtcNow < until).ShouldBeTrue($"{container} did not get ready after {kills} kills:\n{(await ChildProcess.TryRunAsync("docker", "logs", "--tail", "60", container)).Output}");
            await Task.Delay(300);
        }
    }

    private static async Task<bool> RunsAsync(string container) => await Composed.LookAsync(container, "{{.State.Running}}") == "true";
}
