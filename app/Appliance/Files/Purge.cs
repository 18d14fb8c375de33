using Appliance.Data;
using Appliance.Objects;
using Appliance.Vault;

namespace Appliance.Files;

/// <summary>
/// Removes what was deleted for good: rows from the leaves upwards, then the objects that nothing refers to any more, at most
/// <see cref="RowsAtOnce"/> of each kind in a transaction. It keeps no state but what is still there, so wherever it is interrupted, the next
/// run goes on. One at a time for each team.
/// </summary>
public sealed class Purge(Database database, SealedObjects objects)
{
    internal const int RowsAtOnce = 1000;

    /// <summary>How many rows the request that deleted something removes itself, about; the care job does the rest.</summary>
    private const int RowsInRequest = 1000;

    /// <summary>Removes the little that can go at once. Whatever stands in the way is left to the care job.</summary>
    public async Task BeginAsync(TeamId team, CancellationToken cancellationToken)
    {
        try
        {
            await RunAsync(team, RowsInRequest, cancellationToken);
        }
        catch (Exception error) when (error is DatabaseUnavailableException or ConcurrentChangeException or OperationCanceledException)
        {
            // It is deleted all the same: nobody sees it any more.
        }
    }

    /// <summary>Removes everything of the team that was deleted for good; answers how many rows went. It stops after the transaction that reaches <paramref name="mostRows"/>.</summary>
    internal async Task<long> RunAsync(TeamId team, long mostRows, CancellationToken cancellationToken)
    {
        var run = new Run(this, team, mostRows);
        await run.RemoveAllAsync(cancellationToken);
        return run.Rows;
    }

    private sealed class Run(Purge purge, TeamId team, long mostRows)
    {
        public long Rows { get; private set; }

        /// <summary>Another process is at it, or enough is done.</summary>
        public bool IsOver { get; private set; }

        /// <summary>Root by root, until none is left or nothing more can go: where something was put into one meanwhile, another look finds it.</summary>
        public async Task RemoveAllAsync(CancellationToken cancellationToken)
        {
            for (var before = -1L; before != Rows && !IsOver;)
            {
                before = Rows;
                var roots = await StepAsync(RootsAsync, cancellationToken) ?? [];
                await RemoveFilesAsync([.. roots.Where(e => e.Kind == Entry.File).Select(e => e.Id)], cancellationToken);
                await RemoveFoldersAsync([.. roots.Where(e => e.Kind == Entry.Folder).Select(e => e.Id)], cancellationToken);
            }
        }

        /// <summary>Depth first, but by whole sets of folders, so that many small folders cost no more than one large one.</summary>
        private async Task RemoveFoldersAsync(Guid[] folders, CancellationToken cancellationToken)
        {
            while (folders.Length > 0 && !IsOver)
            {
                var inside = await StepAsync(
                    session => session.SqlAsync<Found>(
                        $"""
                        select id as "Id", kind as "Kind" from entries where team_id = app_team() and parent_id = any({folders}) limit {RowsAtOnce}
                        """, cancellationToken), cancellationToken) ?? [];
                var before = Rows;
                await RemoveFilesAsync([.. inside.Where(e => e.Kind == Entry.File).Select(e => e.Id)], cancellationToken);
                await RemoveFoldersAsync([.. inside.Where(e => e.Kind == Entry.Folder).Select(e => e.Id)], cancellationToken);
                if (before == Rows)
                {
                    break; // nothing was in it, or nothing of it can go now
                }
            }
            while (folders.Length > 0 && !IsOver && await RemoveAsync(session => DropUploadsAsync(session, folders, cancellationToken), cancellationToken))
            {
                // The uploads into these folders, page by page.
            }
            if (folders.Length > 0 && !IsOver)
            {
                await RemoveAsync(session => DropEmptyAsync(session, folders, cancellationToken), cancellationToken);
            }
        }

        private async Task RemoveFilesAsync(Guid[] files, CancellationToken cancellationToken)
        {
            while (files.Length > 0 && !IsOver && await RemoveAsync(session => DropFilesAsync(session, files, cancellationToken), cancellationToken))
            {
                // Until there are none of them.
            }
        }

        /// <summary>One transaction that removes; the objects go once it is committed. Answers whether it left some of them.</summary>
        private async Task<bool> RemoveAsync(Func<TeamSession, Task<Removed>> work, CancellationToken cancellationToken)
        {
            if (await StepAsync(work, cancellationToken) is not { Rows: > 0 } removed)
            {
                return false;
            }
            Rows += removed.Rows;
            IsOver |= Rows >= mostRows;
            await purge.ForgetAsync(team, removed.Objects, cancellationToken);
            return removed.More;
        }

        private async Task<T?> StepAsync<T>(Func<TeamSession, Task<T>> work, CancellationToken cancellationToken) where T : class
        {
            await using var session = await purge.OpenAsync(team, cancellationToken);
            if (await session.SqlAsync<bool>(
                $"""select pg_try_advisory_xact_lock(hashtextextended('purge ' || app_team(), 0)) as "Value" """, cancellationToken) is not [true])
            {
                IsOver = true;
                return null;
            }
            var result = await work(session);
            await session.CommitAsync(cancellationToken);
            return result;
        }

        private static Task<List<Found>> RootsAsync(TeamSession session) => session.SqlAsync<Found>(
            $"""
            select id as "Id", kind as "Kind" from entries where team_id = app_team() and purged_at is not null order by purged_at, id limit {RowsAtOnce}
            """, CancellationToken.None);

        private static async Task<Removed> DropUploadsAsync(TeamSession session, Guid[] folders, CancellationToken cancellationToken)
        {
            var (rows, dropped) = await UploadRemoval.DropInAsync(session, folders, cancellationToken);
            return new Removed(rows, dropped, rows == UploadRemoval.MostAtOnce);
        }
    }

    private Task<TeamSession> OpenAsync(TeamId team, CancellationToken cancellationToken) => database.ForJobAsync(team, cancellationToken);

    private Task ForgetAsync(TeamId team, IReadOnlyList<Guid> gone, CancellationToken cancellationToken) => objects.RemoveAsync(team, gone, cancellationToken);

    /// <summary>Content first, then earlier versions, then the files: a step that finds more than it may take leaves the rest to the next.</summary>
    private static async Task<Removed> DropFilesAsync(TeamSession session, Guid[] files, CancellationToken cancellationToken)
    {
        // Whoever restores a version or uploads one into such a file at this moment comes before or after, not in between.
        await session.SqlAsync<Guid>($"""select id as "Value" from entries where team_id = app_team() and id = any({files}) order by id for update""", cancellationToken);
        var dropped = await session.SqlAsync<Guid>(
            $"""
            delete from segments where team_id = app_team() and (content_id, start) in (
                select s.content_id, s.start from segments s where s.team_id = app_team()
                  and s.content_id in (select content_id from versions where team_id = app_team() and entry_id = any({files})) limit {RowsAtOnce})
            returning object_id as "Value"
            """, cancellationToken);
        if (dropped.Count == RowsAtOnce)
        {
            return new Removed(dropped.Count, dropped, More: true);
        }
        var versions = await session.ExecuteAsync(
            $"""
            delete from versions where team_id = app_team() and (entry_id, id) in (
                select v.entry_id, v.id from versions v join entries e on e.team_id = app_team() and e.id = v.entry_id and e.current_version_id <> v.id
                where v.team_id = app_team() and v.entry_id = any({files}) limit {RowsAtOnce})
            """, cancellationToken);
        if (versions == RowsAtOnce)
        {
            return new Removed(versions, dropped, More: true);
        }
        await session.ExecuteAsync($"delete from versions where team_id = app_team() and entry_id = any({files})", cancellationToken);
        var gone = await session.ExecuteAsync($"delete from entries where team_id = app_team() and id = any({files}) and kind = 'file'", cancellationToken);
        return new Removed(dropped.Count + versions + gone, dropped, More: false);
    }

    /// <summary>Those of the folders that are empty. Locked first: nothing can be put into them between the look and the removal.</summary>
    private static async Task<Removed> DropEmptyAsync(TeamSession session, Guid[] folders, CancellationToken cancellationToken)
    {
        await session.SqlAsync<Guid>($"""select id as "Value" from entries where team_id = app_team() and id = any({folders}) order by id for update""", cancellationToken);
        return new Removed(await session.ExecuteAsync(
            $"""
            delete from entries e where e.team_id = app_team() and e.id = any({folders}) and e.kind = 'folder'
              and not exists (select from entries c where c.team_id = app_team() and c.parent_id = e.id)
              and not exists (select from uploads u where u.team_id = app_team() and u.folder_id = e.id)
            """, cancellationToken), [], More: false);
    }

    private sealed record Found(Guid Id, string Kind);

    private sealed record Removed(int Rows, IReadOnlyList<Guid> Objects, bool More);
}
