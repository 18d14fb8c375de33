using System.Diagnostics;
using Appliance.Tests.Teams;

namespace Appliance.Tests.TestServers;

/// <summary>The real server, as a process on a host's data, to be killed (SIGKILL) and started again.</summary>
/// <param name="host">Whose settings and data; its own service is stopped.</param>
/// <param name="environment">Variables beside the host's settings.</param>
public sealed class KilledServer(ApplianceHost host, params string[] environment)
{
    private Process? _process;

    /// <summary>The file with all that it printed.</summary>
    public string Log { get; } = Path.GetTempFileName();

    /// <summary>Starts it, and waits until it answers.</summary>
    public async Task StartAsync(Person person)
    {
        var settings = host.Settings;
        _process = ChildProcess.StartServer(
            Log, "env",
            [
                "--unset=APPLIANCE_TEST_KILLS", $"APPLIANCE_DATA={settings.DataFolder}", $"APPLIANCE_ORIGIN={settings.Origin.GetLeftPart(UriPartial.Authority)}", $"APPLIANCE_LISTEN={settings.Listen}",
                $"APPLIANCE_METRICS_LISTEN={settings.MetricsListen}", $"APPLIANCE_DATABASE_HOST={settings.DatabaseHost}", $"APPLIANCE_DATABASE_NAME={settings.DatabaseName}",
                .. environment, "dotnet", typeof(ApplianceProgram).Assembly.Location, "serve",
            ]);
        for (var until = DateTime.UtcNow.AddSeconds(60); ;)
        {
            try
            {
                using var answer = await person.Http.GetAsync("/health/live");
                return;
            }
            catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
            {
                if (DateTime.UtcNow > until || _process.HasExited)
                {
                    throw new InvalidOperationException("The server did not start: " + await File.ReadAllTextAsync(Log), error);
                }
                await Task.Delay(50);
            }
        }
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        if (_process is not null)
        {
            _process.StandardInput.Close();
            await _process.WaitForExitAsync();
            _process = null;
        }
    }

    /// <summary>Kills it for good, and forgets what it printed.</summary>
    public async Task EndAsync()
    {
        await KillAsync();
        File.Delete(Log);
    }
}
