using Appliance.Data;

namespace Appliance.SignIn;

/// <summary>Removes, once an hour, what nobody can use any more. Every look-up checks for itself; this only keeps the tables small.</summary>
internal sealed partial class SignInSweeper(Sessions sessions, TimeProvider clock, ILogger<SignInSweeper> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    await sessions.SweepAsync(stoppingToken);
                }
                catch (DatabaseUnavailableException)
                {
                    Postponed(log);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The appliance stops.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The database is away; old sessions are removed an hour later.")]
    private static partial void Postponed(ILogger log);
}
