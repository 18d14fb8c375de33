using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Image;

/// <summary>The one-container shape: s6 as process 1, three services, each under its own account.</summary>
[Collection(nameof(ContainerCollection))]
public sealed class OneContainerTests : IAsyncLifetime
{
    private readonly string _name = $"test-{Guid.NewGuid():N}"[..17];

    public async Task InitializeAsync() => await ChildProcess.RunAsync(
        "docker", "run", "--detach", "--name", _name, "--user", "0:0", "--cap-drop", "ALL", "--cap-add", "SETUID", "--cap-add", "SETGID",
        "--security-opt", "no-new-privileges", "--read-only", "--tmpfs", "/tmp", "--tmpfs", "/run", "--volume", $"{_name}:/var/lib/appliance", ApplianceImage.Name, "all");

    public async Task DisposeAsync()
    {
        await ChildProcess.TryRunAsync("docker", "rm", "--force", _name);
        await ChildProcess.TryRunAsync("docker", "volume", "rm", _name);
    }

    [Fact, Trait("Requirement", "O1")]
    public async Task Each_service_has_its_account_reads_nothing_of_the_others_and_comes_back_when_it_dies()
    {
        await ReadyAsync();
        var processes = await ProcessesAsync();
        foreach (var (account, program) in new[] { ("appliance-web", "Appliance serve"), ("appliance-database", "postgres -D"), ("appliance-objects", "minio server") })
        {
            processes.ShouldContain(p => p.Account == account && p.Arguments.Contains(program, StringComparison.Ordinal), program);
        }
        processes.Where(p => p.Account == "root").ShouldAllBe(p => p.Arguments.StartsWith("s6-", StringComparison.Ordinal) || p.Arguments.StartsWith("ps ", StringComparison.Ordinal));

        foreach (var (account, others) in new[] { ("web", new[] { "database", "objects" }), ("database", ["web", "objects"]), ("objects", ["web", "database"]) })
        {
            foreach (var other in others)
            {
                var (code, said) = await ChildProcess.TryRunAsync("docker", "exec", "--user", $"appliance-{account}", _name, "ls", $"/var/lib/appliance/{other}");
                code.ShouldNotBe(0, $"{account} reads {other}'s folder: {said}");
            }
        }

        foreach (var program in new[] { "Appliance serve", "postgres -D", "minio server" })
        {
            var old = (await ProcessesAsync()).First(p => p.Arguments.Contains(program, StringComparison.Ordinal));
            await ChildProcess.RunAsync("docker", "exec", "--user", old.Account, _name, "kill", "-KILL", old.Id);
            await WaitAsync(async () => (await ProcessesAsync()).Any(p => p.Arguments.Contains(program, StringComparison.Ordinal) && p.Id != old.Id), $"{program} is started again");
            await ReadyAsync();
        }
    }

    [Fact, Trait("Requirement", "O1")]
    public async Task It_stops_in_order_and_starts_again()
    {
        await ReadyAsync();
        await ChildProcess.RunAsync("docker", "stop", "--time", "60", _name);
        (await ChildProcess.RunAsync("docker", "inspect", "--format", "{{.State.ExitCode}}", _name)).Trim().ShouldBe("0");
        var log = await ChildProcess.RunAsync("docker", "logs", _name);
        var web = log.LastIndexOf("Application is shutting down", StringComparison.Ordinal);
        var database = log.LastIndexOf("received fast shutdown request", StringComparison.Ordinal);
        web.ShouldBeGreaterThan(0);
        database.ShouldBeGreaterThan(web, "whoever uses the database ends before it");
        log[database..].ShouldContain("database system is shut down");
        await ChildProcess.RunAsync("docker", "start", _name);
        await ReadyAsync();
    }

    [Fact, Trait("Requirement", "O6")]
    public async Task Root_keeps_no_capability_but_the_two_and_the_services_have_none()
    {
        await ReadyAsync();
        foreach (var process in (await ProcessesAsync()).Where(p => !p.Arguments.StartsWith("ps ", StringComparison.Ordinal)))
        {
            var (code, status) = await ChildProcess.TryRunAsync("docker", "exec", "--user", process.Account, _name, "grep", "-E", "^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)", $"/proc/{process.Id}/status");
            if (code == 0) // it may have ended
            {
                status.ShouldContain("NoNewPrivs:\t1", customMessage: process.Arguments);
                var held = status.Split('\n').Where(line => line.StartsWith("Cap", StringComparison.Ordinal)).Select(line => line.Split('\t')[1]).ToHashSet(StringComparer.Ordinal);
                held.ShouldBe(process.Account == "root" ? ["0000000000000000", "00000000000000c0"] : ["0000000000000000"], ignoreOrder: true, customMessage: process.Arguments);
            }
        }
    }

    private Task ReadyAsync() => WaitAsync(
        async () => (await ChildProcess.TryRunAsync("docker", "exec", _name, "/usr/libexec/appliance/healthy")).Code == 0, "it gets ready");

    private async Task<List<(string Account, string Id, string Arguments)>> ProcessesAsync() =>
        [.. (await ChildProcess.RunAsync("docker", "exec", _name, "ps", "-eo", "user:30,pid,args")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .Select(line => line.Split(' ', 3, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Select(p => (p[0], p[1], p[2]))];

    private async Task WaitAsync(Func<Task<bool>> condition, string what)
    {
        for (var left = 240; !await condition(); left--)
        {
            if (left == 0)
            {
                throw new TimeoutException($"Waited in vain until {what}:\n{(await ChildProcess.TryRunAsync("docker", "logs", "--tail", "60", _name)).Output}");
            }
            await Task.Delay(500);
        }
    }
}
