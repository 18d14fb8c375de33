using Appliance.Data;
using Appliance.Objects;
using Appliance.Vault;

namespace Appliance.Web;

/// <summary>Whether the process lives, and whether it can serve. One word outside; which part is away stands in the log.</summary>
public static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/health/live", () => TypedResults.Text("live")).AllowAnonymous().DisableRateLimiting();
        endpoints.MapGet("/health/ready", async (Readiness readiness, HttpContext context) => await readiness.IsReadyAsync(context.RequestAborted)
            ? TypedResults.Text("ready")
            : TypedResults.Text("not ready", statusCode: StatusCodes.Status503ServiceUnavailable)).AllowAnonymous().DisableRateLimiting();
    }
}

/// <summary>
/// Asks the database, the object store and the keys, side by side and at most once a second however many probe. The answer is there within
/// three seconds, before those that probe give up, and is not lost with the one that asked for it.
/// </summary>
internal sealed partial class Readiness(
    Database database, SealedObjects objects, IKeyProvider keys, BlobProtector protector, Drain drain, TimeProvider time, ILogger<Readiness> logger) : IDisposable
{
    private static readonly TimeSpan s_fresh = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2.5);

    private readonly SemaphoreSlim _one = new(1);
    private bool _ready;
    private string _missing = "";
    private DateTimeOffset _asked = DateTimeOffset.MinValue;

    /// <summary>What was away when it was last asked, in words; empty: nothing.</summary>
    public string Missing => _missing;

    public async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        if (drain.Draining)
        {
            return false;
        }
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (time.GetUtcNow() - _asked > s_fresh)
            {
                _ready = await AskAsync();
                _asked = time.GetUtcNow();
            }
            return _ready;
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private async Task<bool> AskAsync()
    {
        var missing = string.Join(", ", (await Task.WhenAll(
            AwayAsync("database", database.CheckReachableAsync),
            AwayAsync("object store", objects.CheckReachableAsync),
            AwayAsync("keys", CheckKeysAsync))).OfType<string>());
        // Once for each change, not for each probe.
        if (missing != _missing)
        {
            _missing = missing;
            if (missing.Length > 0)
            {
                LogNotReady(logger, missing);
            }
            else
            {
                LogReady(logger);
            }
        }
        return missing.Length == 0;
    }

    private static async Task<string?> AwayAsync(string part, Func<CancellationToken, Task> check)
    {
        using var patience = new CancellationTokenSource(s_patience);
        try
        {
            // Not every wait for a network ends as soon as it is told to.
            await check(patience.Token).WaitAsync(patience.Token);
            return null;
        }
        catch (Exception e)
        {
            return $"{part} ({e.GetType().Name})";
        }
    }

    private Task CheckKeysAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        protector.Unprotect("readiness", protector.Protect("readiness", "."u8));
        return keys.KeyId.Length > 0 ? Task.CompletedTask : throw new InvalidOperationException("The appliance key has no name.");
    }

    [LoggerMessage(EventId = 1201, Level = LogLevel.Error, Message = "Not ready: {Missing}.")]
    private static partial void LogNotReady(ILogger logger, string missing);

    [LoggerMessage(EventId = 1202, Level = LogLevel.Information, Message = "Ready.")]
    private static partial void LogReady(ILogger logger);
}
