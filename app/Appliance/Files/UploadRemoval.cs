using Appliance.Data;
using Appliance.Objects;
using Appliance.Vault;

namespace Appliance.Files;

/// <summary>Forgetting uploads that will never become files.</summary>
internal sealed class UploadRemoval(Database database, SealedObjects objects, TimeProvider time)
{
    /// <summary>Each can have thousands of segments, which go in the same transaction.</summary>
    internal const int MostAtOnce = 100;

    /// <summary>Forgets the team's uploads that have expired; answers how many, <see cref="MostAtOnce"/> at most. For the care job.</summary>
    public async Task<int> ExpireAsync(TeamId team, CancellationToken cancellationToken)
    {
        await using var session = await database.ForJobAsync(team, cancellationToken);
        var expired = await session.SqlAsync<Guid>(
            $"""
            select id as "Value" from uploads where team_id = app_team() and expires_at <= {time.GetUtcNow()} limit {MostAtOnce} for update skip locked
            """, cancellationToken);
        var gone = await DropAsync(session, [.. expired], cancellationToken);
        await session.CommitAsync(cancellationToken);
        await objects.RemoveAsync(team, gone, cancellationToken);
        return expired.Count;
    }

    /// <summary>
    /// Forgets uploads into these folders, <see cref="MostAtOnce"/> at most; answers how many, and the objects that nothing refers to any more once the
    /// session has committed. A request that is still writing to one learns it with its next segment.
    /// </summary>
    public static async Task<(int Uploads, IReadOnlyList<Guid> Objects)> DropInAsync(TeamSession session, Guid[] folders, CancellationToken cancellationToken)
    {
        var found = await session.SqlAsync<Guid>(
            $"""select id as "Value" from uploads where team_id = app_team() and folder_id = any({folders}) limit {MostAtOnce} for update""", cancellationToken);
        return (found.Count, await DropAsync(session, [.. found], cancellationToken));
    }

    /// <summary>Removes the rows and, unless they have become a file's, the segments; answers these segments' objects.</summary>
    public static async Task<IReadOnlyList<Guid>> DropAsync(TeamSession session, Guid[] uploads, CancellationToken cancellationToken)
    {
        var unfinished = (await session.SqlAsync<Guid?>(
            $"""
            delete from uploads where team_id = app_team() and id = any({uploads}) returning case when finished_at is null then id end as "Value"
            """, cancellationToken)).OfType<Guid>().ToArray();
        return unfinished.Length == 0
            ? []
            : await session.SqlAsync<Guid>(
                $"""delete from segments where team_id = app_team() and content_id = any({unfinished}) returning object_id as "Value" """, cancellationToken);
    }
}

internal static class ObjectRemoval
{
    /// <summary>Makes room at once: these objects, to which nothing refers any more. Where the store is away, the sweeper does it later.</summary>
    public static async Task RemoveAsync(this SealedObjects objects, TeamId team, IEnumerable<Guid> gone, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var id in gone)
            {
                await objects.DeleteAsync(team, new ObjectId(id), cancellationToken);
            }
        }
        catch (Exception error) when (error is StoreUnavailableException or OperationCanceledException)
        {
            // What was asked for is done: the rows are gone.
        }
    }
}
