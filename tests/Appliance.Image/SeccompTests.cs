using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Image;

/// <summary>Each service's own seccomp profile (hardening/seccomp), tried by a probe inside the very image; that the services work under them is what every compose test shows.</summary>
[Collection(nameof(ContainerCollection))]
public sealed class SeccompTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("seccomp");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory, Trait("Requirement", "O6")]
    [InlineData("web", 10001, "socket-unix socket-inet socket-netlink")]
    [InlineData("database", 10002, "socket-unix")]
    [InlineData("objects", 10003, "socket-unix socket-inet socket-netlink")]
    public async Task What_no_service_does_is_refused_by_the_filter(string service, int account, string allowed)
    {
        var tried = await ProbeAsync(account, $"seccomp={Path.Combine(Repository.Root, $"hardening/seccomp/{service}.json")}");
        tried.Count.ShouldBeGreaterThan(50);
        string[] through = ["getpid", .. allowed.Split(' ')];
        foreach (var (call, outcome) in tried)
        {
            if (through.Contains(call, StringComparer.Ordinal))
            {
                outcome.ShouldBe("DONE", call);
            }
            else
            {
                outcome.ShouldBeOneOf(["refused EPERM", "refused ENOSYS"], call);
            }
        }
    }

    [Fact, Trait("Requirement", "O6")]
    public async Task The_probe_gets_through_where_the_profile_is_not_ours()
    {
        var tried = await ProbeAsync(10001, "no-new-privileges");
        foreach (var call in new[] { "ptrace", "io_uring_setup", "memfd_secret", "msgget", "vmsplice" })
        {
            tried[call].ShouldNotStartWith("refused", Case.Sensitive, $"Docker's own profile lets {call} through, or the probe sees nothing");
        }
    }

    [Fact, Trait("Requirement", "O6")]
    public async Task The_profiles_are_what_the_lists_make() =>
        (await ChildProcess.TryRunAsync(Path.Combine(Repository.Root, "hardening/seccomp/make"), "--check")).ShouldBe((0, ""));

    private async Task<Dictionary<string, string>> ProbeAsync(int account, string option)
    {
        var probe = Path.Combine(_folder.FullName, "probe");
        await ChildProcess.RunAsync("gcc", "-static", "-O1", "-o", probe, Path.Combine(Repository.Root, "tests/hardening/probe.c"));
        File.SetUnixFileMode(_folder.FullName, (UnixFileMode)0b111_101_101);
        var said = await ChildProcess.RunAsync(
            "docker", "run", "--rm", "--network", "none", "--user", $"{account}:{account}", "--cap-drop", "ALL", "--read-only", "--security-opt", "no-new-privileges", "--security-opt", option,
            "--volume", $"{probe}:/probe:ro", "--entrypoint", "/probe", ApplianceImage.Name);
        return said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ', 2)).ToDictionary(part => part[0], part => part[1], StringComparer.Ordinal);
    }
}
