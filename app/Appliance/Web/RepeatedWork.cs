using Appliance.Data;

namespace Appliance.Web;

/// <summary>
/// Work that is done again and again for as long as the service runs. A round that the database does not let happen is left to the next one; anything else
/// that goes wrong ends the service, as with every hosted one.
/// </summary>
/// <param name="interval">From the start to the first round, and from one to the next.</param>
/// <param name="clock">Tells the time.</param>
/// <param name="log">Hears of rounds that did not happen.</param>
/// <param name="first">From the start to the first round, where that is sooner.</param>
internal abstract partial class RepeatedWork(TimeSpan interval, TimeProvider clock, ILogger log, TimeSpan? first = null) : BackgroundService
{
    protected TimeProvider Clock => clock;

    /// <exception cref="DatabaseUnavailableException">Not now.</exception>
    protected abstract Task RoundAsync(CancellationToken cancellationToken);

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await Task.Delay(first ?? interval, clock, stoppingToken);
            using var timer = new PeriodicTimer(interval, clock);
            do
            {
                try
                {
                    await RoundAsync(stoppingToken);
                }
                catch (Exception error) when (error is DatabaseUnavailableException or ConcurrentChangeException)
                {
                    LogNextTime(log, error, GetType().Name);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The service stops.
        }
    }

    [LoggerMessage(EventId = 1310, Level = LogLevel.Warning, Message = "{Work} could not do its round; the next one does it.")]
    private static partial void LogNextTime(ILogger logger, Exception error, string work);
}
