using Microsoft.AspNetCore.Connections.Features;

namespace Appliance.Web;

/// <summary>
/// The end, so that nobody notices: readiness says no, while everything is still served for <see cref="Settings.Drain"/>, so that whoever spreads
/// the requests (a proxy, Kubernetes) sends new ones elsewhere; each answer closes its connection. Only then do the listeners close, and requests that run come to their end.
/// </summary>
internal sealed partial class Drain(Settings settings, TimeProvider time, ILogger<Drain> logger) : IHostedLifecycleService
{
    private volatile bool _draining;

    public bool Draining => _draining;

    /// <summary>Before anything is stopped.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _draining = true;
        if (settings.Drain > TimeSpan.Zero)
        {
            LogDraining(logger, settings.Drain.TotalSeconds);
            await Task.Delay(settings.Drain, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(EventId = 1203, Level = LogLevel.Information, Message = "Not ready any more: ending in {Seconds} s, and served until then.")]
    private static partial void LogDraining(ILogger logger, double seconds);
}

/// <summary>While it ends, each connection ends with its next answer, and the client's next one is made elsewhere.</summary>
internal sealed class CloseWhileDraining(RequestDelegate next, Drain drain)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (drain.Draining)
        {
            context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        }
        return next(context);
    }
}
