using System.Collections.Concurrent;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Appliance.Image.Examples;

/// <summary>compose/blue-green.yaml and compose/blue-green.sh: two web containers behind a real HAProxy, under load.</summary>
[Collection(nameof(ImageCollection))]
[Trait("Requirement", "O9")]
[Trait("Proven", "no")]
public sealed class BlueGreenTests(ITestOutputHelper output) : IAsyncLifetime
{
    private readonly Composed _appliance = Composed.Prepare(Composed.Example("blue-green.yaml"));
    private readonly string _behind = $"10.{Random.Shared.Next(200, 250)}.{Random.Shared.Next(1, 250)}";
    private readonly string _newer = ApplianceImage.Name + "-newer";
    private readonly DirectoryInfo _house = Directory.CreateTempSubdirectory("operator");
    private RemotePerson _owner = null!;
    private string _team = "";

    /// <summary>The operator's own compose folder, beside what it refers to.</summary>
    private string Operator => Path.Combine(_house.FullName, "compose");

    public async Task InitializeAsync()
    {
        foreach (var folder in new[] { "compose", "hardening/seccomp" })
        {
            Directory.CreateDirectory(Path.Combine(_house.FullName, folder));
            foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, folder)))
            {
                File.Copy(file, Path.Combine(_house.FullName, folder, Path.GetFileName(file)));
            }
        }
        await ChildProcess.RunAsync("bash", "-c", $"printf 'FROM {ApplianceImage.Name}\\nLABEL newer=yes\\n' | docker build -q -t {_newer} -");
        _appliance.Variables["APPLIANCE_BEHIND"] = _behind;
        await _appliance.ComposeAsync("up", "--detach");
        await ExampleChecks.HealthyAsync(_appliance, "web", "haproxy");
        _owner = await _appliance.PersonAsync();
        await _owner.SetUpAsync((await _appliance.LinkAsync())!);
        _team = await _owner.TeamAsync("Harbour");
    }

    public async Task DisposeAsync()
    {
        _owner?.Dispose();
        await _appliance.TryComposeAsync("--profile", "green", "--profile", "upgrade", "down", "--volumes", "--timeout", "5");
        await ChildProcess.TryRunAsync("docker", "rmi", _newer);
        _house.Delete(recursive: true);
    }

    [Fact]
    public async Task Upgraded_there_and_back_under_load_no_request_fails()
    {
        await using (var load = new Load(_owner, _team))
        {
            using var readers = new Readers(_appliance);
            await load.MoreAsync(5);
            foreach (var (image, from, to) in new[] { (_newer, "web", "web-green"), (ApplianceImage.Name, "web-green", "web") })
            {
                var (code, said) = await UpgradeAsync(image);
                output.WriteLine(said);
                code.ShouldBe(0, said);
                (await _appliance.ContainerAsync(from)).ShouldBeEmpty($"{from} is drained and gone");
                (await Composed.LookAsync(await _appliance.ContainerAsync(to), "{{.Config.Image}}")).ShouldBe(image);
                (await File.ReadAllTextAsync(Path.Combine(Operator, ".env"))).ShouldContain($"APPLIANCE_IMAGE={image}");
                await load.MoreAsync(5);
            }
            output.WriteLine($"{await load.EndAsync()}; {await readers.EndAsync()}");
            load.Refusals.ShouldBeEmpty();
            readers.Failures.ShouldBeEmpty();
            readers.Answered.ShouldBeGreaterThan(200);
            await load.NothingIsLostAsync();
        }
        (await _appliance.LogsAsync("haproxy")).ShouldContain("ready/web-green is UP");

        // The client's address came through: the network's gateway, as Docker forwards what comes to the published port, and not the proxy's.
        var gateway = (await ChildProcess.RunAsync("docker", "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", $"{_appliance.Project}_edge")).Trim();
        var sessions = await _owner.HtmlAsync("/account/sessions");
        sessions.ShouldContain(gateway);
        sessions.ShouldNotContain($"{_behind}.2");

        await ExampleChecks.ControlsHoldAsync(_appliance, output, "web objects database");
        await ExampleChecks.ControlsHoldAsync(_appliance, output, "web haproxy", "--only", "cis-5-runtime");
    }

    [Theory]
    [InlineData("does not start", "environment: {APPLIANCE_RATE_ANONYMOUS: \"0\"}", "APPLIANCE_RATE_ANONYMOUS")]
    [InlineData("starts and is never ready", "environment: {APPLIANCE_S3_ENDPOINT: \"https://objects:9999\"}", "Not ready: object store")]
    public async Task A_new_one_that_does_not_get_ready_is_never_taken_in_and_goes_away_by_itself(string how, string broken, string why)
    {
        await File.WriteAllTextAsync(Path.Combine(Operator, "broken.yaml"), $"services: {{web-green: {{{broken}}}}}\n");
        await using (var load = new Load(_owner, _team))
        {
            using var readers = new Readers(_appliance);
            var (code, said) = await UpgradeAsync(_newer, "COMPOSE_FILE=compose.yaml:blue-green.yaml:broken.yaml", "READY_WITHIN=25");
            output.WriteLine(said);
            code.ShouldBe(1, how);
            said.ShouldContain(why);
            said.ShouldContain("Back to the version before: web serves");
            output.WriteLine($"{await load.EndAsync()}; {await readers.EndAsync()}");
            load.Refusals.ShouldBeEmpty();
            readers.Failures.ShouldBeEmpty();
            readers.Answered.ShouldBeGreaterThan(50);
        }
        (await _appliance.LogsAsync("haproxy")).ShouldNotContain("ready/web-green is UP");
        (await _appliance.ContainerAsync("web-green")).ShouldBeEmpty();
        File.Exists(Path.Combine(Operator, ".env")).ShouldBeFalse("the next start is of the version before, too");
    }

    [Fact]
    public async Task A_new_one_that_dies_after_it_was_taken_in_gives_way_to_the_old_one()
    {
        var upgrade = UpgradeAsync(_newer, "HOLD=60");
        await _appliance.WaitAsync(async () => (await _appliance.LogsAsync("haproxy")).Contains("ready/web-green is UP", StringComparison.Ordinal), "the new one is taken in");
        await Task.Delay(5000);
        await ChildProcess.RunAsync("docker", "kill", await _appliance.ContainerAsync("web-green")); // as one that does not come back
        await Task.Delay(3000); // HAProxy's two checks
        using (var answer = await _owner.Http.GetAsync("/teams"))
        {
            answer.IsSuccessStatusCode.ShouldBeTrue("served by the old one, whatever the script does meanwhile");
        }
        var (code, said) = await upgrade;
        output.WriteLine(said);
        code.ShouldBe(1);
        said.ShouldContain("It was ready, and is not any more.");
        said.ShouldContain("Back to the version before: web serves");
        (await _owner.Http.GetAsync("/teams")).IsSuccessStatusCode.ShouldBeTrue();
    }

    /// <summary>The script as an operator runs it, in a copy of the folder, so that its .env is not the repository's.</summary>
    private Task<(int Code, string Output)> UpgradeAsync(string image, params string[] more) => ChildProcess.TryRunAsync("env",
    [
        $"COMPOSE_PROJECT_NAME={_appliance.Project}", $"APPLIANCE_PUBLISH=127.0.0.1:{_appliance.Origin.Port}", $"APPLIANCE_ORIGIN={_appliance.Origin.GetLeftPart(UriPartial.Authority)}",
        $"APPLIANCE_BEHIND={_behind}", .. more, Path.Combine(Operator, "blue-green.sh"), image,
    ]);

    /// <summary>Two who look at pages all the time: one over a connection that stays open, HTTP/2, one over a new one each time.</summary>
    private sealed class Readers : IDisposable
    {
        private readonly CancellationTokenSource _end = new();
        private readonly ConcurrentBag<string> _failures = [];
        private readonly Task[] _readers;
        private int _answered;

        public Readers(Composed appliance) => _readers = [Task.Run(() => ReadAsync(appliance.Origin, keep: true)), Task.Run(() => ReadAsync(appliance.Origin, keep: false))];

        public IReadOnlyCollection<string> Failures => _failures;

        public int Answered => _answered;

        public async Task<string> EndAsync()
        {
            await _end.CancelAsync();
            await Task.WhenAll(_readers);
            return $"{_answered} pages read, {_failures.Count} not: {string.Join("; ", _failures.Take(5))}";
        }

        public void Dispose() => _end.Dispose();

        private async Task ReadAsync(Uri origin, bool keep)
        {
            HttpClient? client = null;
            while (!_end.IsCancellationRequested)
            {
                client ??= new HttpClient(new SocketsHttpHandler
                {
                    UseProxy = false,
                    SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null }, // the owner's client beside it looks
                })
                { BaseAddress = origin, DefaultRequestVersion = keep ? new Version(2, 0) : new Version(1, 1), Timeout = TimeSpan.FromSeconds(30) };
                try
                {
                    using var answer = await client.GetAsync("/css/base.css");
                    answer.EnsureSuccessStatusCode();
                    (await answer.Content.ReadAsByteArrayAsync()).Length.ShouldBeGreaterThan(0);
                    Interlocked.Increment(ref _answered);
                }
                catch (Exception e)
                {
                    _failures.Add($"{(keep ? "HTTP/2" : "new connection")}: {e.Message}");
                }
                if (!keep)
                {
                    client.Dispose();
                    client = null;
                }
                await Task.Delay(50);
            }
            client?.Dispose();
        }
    }
}
