using Appliance.Data;
using Appliance.Objects;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.Files;

/// <summary>
/// Keeps the store in step with the database: forgets uploads that nobody came back to, deletes for good what has been in the trash for its time,
/// removes what was deleted for good, adds up what teams store, and removes objects that nothing refers to (what a crash between object and
/// commit leaves). One replica at a time does it, one team after the other.
/// </summary>
internal sealed partial class FilesCare(
    Database database, SealedObjects objects, UploadRemoval uploads, Trash trash, Purge purge, FileLimits limits, TimeProvider time, ILogger<FilesCare> log)
    : RepeatedWork(limits.CareInterval, time, log)
{
    /// <summary>What PostgreSQL's advisory lock is called; any number that nothing else uses.</summary>
    private const long CareLock = 0x6361_7265_2066_6c73;

    private const int ReferencesAtOnce = 5000;

    /// <summary>One round through all teams; answers how many uploads and objects went. Nothing where another replica is at it.</summary>
    internal async Task<(int Uploads, int Objects)> RunOnceAsync(CancellationToken cancellationToken)
    {
        // Held by a transaction that does nothing else; when this process dies, so does it.
        await using var turn = await database.ForApplianceAsync(cancellationToken);
        if (await turn.SqlAsync<bool>($"""select pg_try_advisory_xact_lock({CareLock}) as "Value" """, cancellationToken) is not [true])
        {
            return (0, 0);
        }
        var (expired, swept) = (0, 0);
        foreach (var team in await database.AllTeamsAsync(cancellationToken))
        {
            try
            {
                for (int more; (more = await uploads.ExpireAsync(team, cancellationToken)) > 0;)
                {
                    expired += more;
                }
                while (await trash.ExpireAsync(team, cancellationToken) == Entries.MostAtOnce)
                {
                    // Page by page.
                }
                await purge.RunAsync(team, long.MaxValue, cancellationToken);
                await FoldUsageAsync(team, cancellationToken);
                swept += (await SweepAsync(team, limits.OrphanGrace, cancellationToken)).Deleted;
            }
            catch (Exception error) when (error is StoreUnavailableException or DatabaseUnavailableException or ConcurrentChangeException)
            {
                LogLater(log, error, team);
            }
        }
        LogDone(log, expired, swept);
        return (expired, swept);
    }

    /// <summary>Adds the differences that writers left to the total, so that reading what a team stores stays cheap.</summary>
    private async Task FoldUsageAsync(TeamId team, CancellationToken cancellationToken)
    {
        await using var session = await database.ForJobAsync(team, cancellationToken);
        await session.SqlAsync<long>($"""select app_fold_usage() as "Value" """, cancellationToken);
        await session.CommitAsync(cancellationToken);
    }

    /// <summary>Removes the team's objects that nothing refers to and that are older than <paramref name="grace"/>.</summary>
    internal Task<SweepResult> SweepAsync(TeamId team, TimeSpan grace, CancellationToken cancellationToken) =>
        objects.SweepAsync(team, (ids, cancel) => ReferencedAsync(team, ids, cancel), grace, cancellationToken);

    /// <summary>What is referenced and not there, of another size, or there and not referenced. Reads no content.</summary>
    internal Task<ConsistencyReport> CheckAsync(TeamId team, CancellationToken cancellationToken) =>
        objects.CheckAsync(team, AllReferencesAsync(team, cancellationToken), cancellationToken);

    protected override Task RoundAsync(CancellationToken cancellationToken) => RunOnceAsync(cancellationToken);

    private async Task<IReadOnlySet<ObjectId>> ReferencedAsync(TeamId team, IReadOnlyList<ObjectId> ids, CancellationToken cancellationToken)
    {
        await using var session = await database.ForJobAsync(team, cancellationToken);
        var asked = ids.Select(id => id.Value).ToArray();
        var found = await session.SqlAsync<Guid>(
            $"""select object_id as "Value" from segments where team_id = app_team() and object_id = any({asked})""", cancellationToken);
        return found.Select(id => new ObjectId(id)).ToHashSet();
    }

    private async IAsyncEnumerable<(ObjectId Id, long Length)> AllReferencesAsync(
        TeamId team, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var after = Guid.Empty; ;)
        {
            List<Referenced> page;
            await using (var session = await database.ForJobAsync(team, cancellationToken))
            {
                page = await session.SqlAsync<Referenced>(
                    $"""
                    select object_id as "ObjectId", length as "Length" from segments
                    where team_id = app_team() and object_id > {after} order by object_id limit {ReferencesAtOnce}
                    """, cancellationToken);
            }
            foreach (var reference in page)
            {
                yield return (new ObjectId(reference.ObjectId), reference.Length);
            }
            if (page.Count < ReferencesAtOnce)
            {
                yield break;
            }
            after = page[^1].ObjectId;
        }
    }

    private sealed record Referenced(Guid ObjectId, long Length);

    [LoggerMessage(EventId = 4101, Level = LogLevel.Information, Message = "Store care: {Uploads} expired uploads and {Objects} orphaned objects removed.")]
    private static partial void LogDone(ILogger logger, int uploads, int objects);

    [LoggerMessage(EventId = 4102, Level = LogLevel.Warning, Message = "Store care of team {Team} broke off; the next round goes on.")]
    private static partial void LogLater(ILogger logger, Exception error, TeamId team);
}
