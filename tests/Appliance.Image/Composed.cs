using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Appliance.Tests.TestServers;

namespace Appliance.Image;

/// <summary>An appliance of its own, run by compose/compose.yaml as a user would, under another project name and on a free port of loopback. Gone afterwards, volumes too.</summary>
internal sealed partial class Composed : IAsyncDisposable
{
    public static readonly string[] Services = ["database", "objects", "web"];

    /// <summary>The object store's own profile, with what its stand-in (Ceph) calls besides.</summary>
    private static readonly Lazy<string> s_standInSeccomp = new(() =>
    {
        var file = Path.Combine(Path.GetTempPath(), $"objects-{Guid.NewGuid():N}.json");
        File.WriteAllText(file, ChildProcess.RunAsync(
            Path.Combine(Repository.Root, "hardening/seccomp/make"), "--with", Path.Combine(Repository.Root, "tests/image/object-store-stand-in/extra.calls"), "objects").GetAwaiter().GetResult());
        ChildProcess.RemoveAtTheEnd(file);
        return file;
    });

    private readonly string[] _files;
    private readonly int _port = Ports.Free();

    private string _image = ApplianceImage.Name;

    private Composed(string[] files) => _files = files;

    /// <summary>What compose/.env would say besides.</summary>
    public Dictionary<string, string> Variables { get; } = new(StringComparer.Ordinal);

    public string Project { get; } = $"test-{Guid.NewGuid():N}"[..17];

    public Uri Origin => new($"https://localhost:{_port}");

    /// <summary>One of the files in compose.</summary>
    public static string Example(string name) => Path.Combine(Repository.Root, "compose", name);

    /// <summary>Nothing runs yet.</summary>
    public static Composed Prepare(params string[] files) => new(files);

    /// <summary>First start, until everything is healthy.</summary>
    public static async Task<Composed> StartAsync(params string[] files)
    {
        var composed = new Composed(files);
        try
        {
            await composed.UpAsync();
            return composed;
        }
        catch
        {
            await composed.DisposeAsync();
            throw;
        }
    }

    public Task UpAsync() => ComposeAsync("up", "--detach", "--wait", "--wait-timeout", "240");

    /// <summary>As when compose/.env names another image: containers of the old one are replaced.</summary>
    public Task UpgradeAsync(string image)
    {
        _image = image;
        return UpAsync();
    }

    /// <summary>Containers and networks go, volumes stay: what an upgrade does.</summary>
    public Task DownAsync() => ComposeAsync("down");

    public Task<string> LogsAsync(string service) => ComposeAsync("logs", "--no-color", "--no-log-prefix", service);

    public async Task<string> ContainerAsync(string service) => (await ComposeAsync("ps", "--all", "--quiet", service)).Trim();

    /// <summary>As a crash: SIGKILL to the container's first process, not through Docker, which would take it for a wish. Waits until Docker has started it again.</summary>
    public async Task CrashAsync(string service)
    {
        var container = await ContainerAsync(service);
        var pid = await LookAsync(container, "{{.State.Pid}}");
        await ChildProcess.RunAsync("kill", "-KILL", pid);
        await WaitAsync(async () => await LookAsync(container, "{{.State.Running}} {{.State.Pid}}") is var now && now != "true " + pid && now.StartsWith("true", StringComparison.Ordinal), $"{service} is started again");
    }

    /// <summary>Until each of the three says that it is ready.</summary>
    public async Task HealthyAsync()
    {
        foreach (var service in Services)
        {
            await WaitAsync(async () => await ContainerAsync(service) is { Length: > 0 } container && await LookAsync(container, "{{.State.Health.Status}}") == "healthy", $"{service} is healthy");
        }
    }

    public async Task WaitAsync(Func<Task<bool>> condition, string what)
    {
        for (var until = DateTime.UtcNow.AddMinutes(3); !await condition(); await Task.Delay(300))
        {
            if (DateTime.UtcNow > until)
            {
                throw new TimeoutException($"Waited in vain until {what}:\n{(await TryComposeAsync("logs", "--tail", "40")).Output}");
            }
        }
    }

    public static async Task<string> LookAsync(string container, string format) => (await ChildProcess.RunAsync("docker", "inspect", "--format", format, container)).Trim();

    public Task<string> InsideAsync(string service, string script) => ComposeAsync("exec", "-T", service, "sh", "-c", script);

    /// <summary>The set-up link in the web application's log; null where it printed none.</summary>
    public async Task<Uri?> LinkAsync() => Link().Match(await LogsAsync("web")) is { Success: true } link ? new Uri(link.Value) : null;

    /// <summary>A client that believes this appliance's own authority and nothing else.</summary>
    public async Task<RemotePerson> PersonAsync()
    {
        var pem = await InsideAsync("web", "cat /var/lib/appliance/web/certificates/server.pem");
        using var own = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(pem);
        var der = own.RawData;
        return new RemotePerson(Origin, seen => seen.Der.AsSpan().SequenceEqual(der));
    }

    public async Task<string> ComposeAsync(params string[] arguments)
    {
        var (code, output) = await TryComposeAsync(arguments);
        return code == 0 ? output : throw new InvalidOperationException($"docker compose {string.Join(' ', arguments)} ended with {code}:\n{output}\n{(await TryComposeAsync("logs", "--tail", "30")).Output}");
    }

    /// <summary>hardening/check against this appliance, told what the stand-in for the object store is; further settings as NAME=VALUE.</summary>
    public Task<(int Code, string Output)> CheckAsync(params string[] settings) => CheckAsync(settings, []);

    /// <summary>hardening/check with these settings and arguments; it is told of the stand-in, whose profile and processes are its own.</summary>
    public Task<(int Code, string Output)> CheckAsync(string[] settings, string[] arguments) => ChildProcess.TryRunAsync(
        "env",
        [
            $"PROJECT={Project}", $"APPLIANCE_OBJECTS_SECCOMP={s_standInSeccomp.Value}", "OBJECTS_PROCESSES=sh|ld-linux-x86-64.so.2|sleep|cksum|cat|ceph-mon|ceph-osd|radosgw",
            .. settings, Path.Combine(Repository.Root, "hardening/check"), .. arguments,
        ]);

    public Task<(int Code, string Output)> TryComposeAsync(params string[] arguments) => ChildProcess.TryRunAsync(
        "env",
        [
            $"APPLIANCE_PUBLISH=127.0.0.1:{_port}", $"APPLIANCE_ORIGIN=https://localhost:{_port}", $"APPLIANCE_IMAGE={_image}", $"APPLIANCE_OBJECTS_SECCOMP={s_standInSeccomp.Value}",
            .. Variables.Select(variable => $"{variable.Key}={variable.Value}"),
            "docker", "compose", "--project-name", Project, "--file", Path.Combine(Repository.Root, "compose/compose.yaml"),
            .. _files.SelectMany(file => new[] { "--file", file }), .. arguments,
        ]);

    public async ValueTask DisposeAsync() => await TryComposeAsync("down", "--volumes", "--timeout", "5");

    [GeneratedRegex(@"https://\S+/set-up/\S+", RegexOptions.None, 5000)]
    private static partial Regex Link();
}
