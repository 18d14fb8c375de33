using Appliance.Data;

namespace Appliance.Sharing;

/// <summary>Removes links, and the list of their uses, long after they were over: once in six hours. Every look-up checks for itself; this only keeps the tables small.</summary>
internal sealed partial class SharingCare(Database database, ShareLinks links, TimeProvider clock, ILogger<SharingCare> log) : BackgroundService
{
    internal async Task RunOnceAsync(CancellationToken ct)
    {
        foreach (var team in await database.AllTeamsAsync(ct))
        {
            await using var session = await database.ForJobAsync(team, ct);
            await links.SweepAsync(session, ct);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(6), clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    await RunOnceAsync(stoppingToken);
                }
                catch (Exception error) when (error is DatabaseUnavailableException or ConcurrentChangeException)
                {
                    LogLater(log, error);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The service stops.
        }
    }

    [LoggerMessage(EventId = 4301, Level = LogLevel.Warning, Message = "Old links were not removed; the next round does it.")]
    private static partial void LogLater(ILogger logger, Exception error);
}
