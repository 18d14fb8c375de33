using Appliance.Data;
using Appliance.Objects;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.Rekeying;

/// <summary>Does the rotations that were asked for, in the background. One replica at a time is at it; whatever cut it off, the next turn goes on.</summary>
internal sealed partial class KeyRotations(
    Database database, ApplianceKeyRotation appliance, TeamKeyRotation teams, FileKeyProvider provider, TeamKeys keys, RekeyingLimits limits, TimeProvider clock, ILogger<KeyRotations> log)
    : RepeatedWork(limits.Interval, clock, log, limits.Interval / 5)
{
    private const long TurnLock = 0x7265_6b65_7969_6e67;

    /// <summary>One turn; answers whether there is more to do at once. Nothing where another replica is at it.</summary>
    internal async Task<bool> TurnAsync(CancellationToken ct)
    {
        // Held by a transaction that does nothing else; when this process dies, so does it.
        await using var turn = await database.ForApplianceAsync(ct);
        if (await turn.SqlAsync<bool>($"""select pg_try_advisory_xact_lock({TurnLock}) as "Value" """, ct) is not [true])
        {
            return false;
        }
        List<Rotation> due;
        await using (var session = await database.ForApplianceAsync(ct))
        {
            await appliance.NoticeAsync(session, ct);
            due = await Rotation.DueAsync(session, Clock.GetUtcNow(), ct);
            await session.CommitAsync(ct);
        }
        var more = false;
        foreach (var rotation in due)
        {
            more |= await StepAsync(rotation, ct);
        }
        return more;
    }

    /// <summary>How the keys stand, without telling any.</summary>
    public KeysState Describe()
    {
        var (count, older, rotated, damaged) = (0, 0, 0, 0);
        foreach (var team in keys.Teams())
        {
            count++;
            try
            {
                older += keys.IsCurrent(team) ? 0 : 1;
                rotated += keys.StateOf(team) is { Generations: > 1 } ? 1 : 0;
            }
            catch (Exception e) when (e is TamperedException or KeyFileException)
            {
                damaged++;
                LogDamaged(log, e, team);
            }
        }
        return new KeysState(provider.KeyId, provider.Generations.Count - 1, count, older, rotated, damaged);
    }

    protected override async Task RoundAsync(CancellationToken cancellationToken)
    {
        while (await TurnAsync(cancellationToken))
        {
            // Turn by turn.
        }
    }

    private async Task<bool> StepAsync(Rotation rotation, CancellationToken ct)
    {
        try
        {
            return await (rotation.Team is null ? appliance.StepAsync(rotation, ct) : teams.StepAsync(rotation, ct));
        }
        catch (StoreUnavailableException e)
        {
            LogLater(log, e, rotation.Team?.ToString() ?? "appliance");
        }
        catch (Exception e) when (e is KeyFileException or TamperedException or TeamKeyMissingException or IOException or StoreFullException)
        {
            LogStuck(log, e, rotation.Team?.ToString() ?? "appliance");
            await using var session = await database.ForApplianceAsync(ct);
            var problem = e is StoreFullException ? "The object store is full." : $"Stuck: {e.GetType().Name}. The log says why; it is tried again and again.";
            await session.ExecuteAsync($"update key_rotations set problem = {problem} where id = {rotation.Id}", ct);
            await session.CommitAsync(ct);
        }
        return false;
    }

    [LoggerMessage(EventId = 4304, Level = LogLevel.Warning, Message = "Re-keying {What} waits for the object store.")]
    private static partial void LogLater(ILogger logger, Exception error, string what);

    [LoggerMessage(EventId = 4305, Level = LogLevel.Error, Message = "Re-keying {What} does not get on.")]
    private static partial void LogStuck(ILogger logger, Exception error, string what);

    [LoggerMessage(EventId = 4306, Level = LogLevel.Error, Message = "The key file of team {Team} cannot be used.")]
    private static partial void LogDamaged(ILogger logger, Exception error, TeamId team);
}

/// <param name="ApplianceKey">The id of the current one.</param>
/// <param name="Kept">Older ones that are kept, wrapped by it.</param>
/// <param name="TeamKeys">How many teams have one.</param>
/// <param name="UnderOlder">Of these, wrapped by an older appliance key still.</param>
/// <param name="WithOlder">Of these, with older generations beside the newest.</param>
/// <param name="Damaged">Of these, that cannot be used.</param>
internal sealed record KeysState(string ApplianceKey, int Kept, int TeamKeys, int UnderOlder, int WithOlder, int Damaged);
