using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;

namespace Appliance.Files;

/// <summary>What is to become of an entry: another name, another folder, or both. What is null stays.</summary>
/// <param name="Name">As somebody typed it.</param>
/// <param name="Moves">Whether <paramref name="Folder"/> counts.</param>
/// <param name="Folder">The reference of the folder to move it to; null for the root.</param>
public sealed record EntryChange(string? Name, bool Moves = false, string? Folder = null);

/// <summary>Renaming, moving, and the way into the trash. Each commits all of what was asked, or nothing.</summary>
/// <remarks>
/// All throw <see cref="FileRuleException"/> where a rule stands in the way, and <see cref="EntryNameException"/> where a name cannot be one. A revision
/// that is given is compared while the entry is locked: of two who change what they both saw, the second is told.
/// </remarks>
public sealed class EntryChanges(Folders folders, TimeProvider time)
{
    public Task<ListedEntry> RenameAsync(TeamVisit visit, string entry, string? name, long? revision, Origin origin, CancellationToken cancellationToken) =>
        ChangeAsync(visit, entry, new EntryChange(name ?? ""), revision, origin, cancellationToken);

    /// <summary>Renames, moves, or both in one.</summary>
    public async Task<ListedEntry> ChangeAsync(
        TeamVisit visit, string entry, EntryChange change, long? revision, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        ArgumentNullException.ThrowIfNull(change);
        var session = visit.Session;
        if (change.Moves)
        {
            await TreeLock.ExclusiveAsync(session, cancellationToken);
        }
        var (locked, chains) = await Entries.LockLiveAsync(session, [entry], cancellationToken);
        FolderLevel.RequireChange(locked);
        var old = locked[0];
        RequireRevision(old, revision);
        var name = change.Name is { } typed ? EntryName.Parse(typed) : EntryName.Parse(old.Name);
        var target = new Target(old.ParentId, null);
        if (change.Moves)
        {
            target = await TargetAsync(session, change.Folder, cancellationToken);
            await RequirePlaceAsync(session, target, [old], cancellationToken);
        }
        if (name.Text != old.Name || target.Folder != old.ParentId)
        {
            try
            {
                await PlaceAsync(session, target.Folder, [old], [name], cancellationToken);
            }
            catch (DuplicateException)
            {
                throw FileRuleException.NameTaken(name.Text);
            }
            Tell(session, old, name, target, chains(old.ParentId), origin);
        }
        var changed = (await Entries.ReadAsync(session, [old.Id], cancellationToken)).Single();
        await session.CommitAsync(cancellationToken);
        return changed;
    }

    /// <summary>
    /// Moves all of them, or none. What is there already stays as it is, and so does what lies in a folder that moves along.
    /// </summary>
    /// <param name="visit">Who, and in which team.</param>
    /// <param name="entries">1 to <see cref="Entries.MostAtOnce"/> references.</param>
    /// <param name="folder">The reference of the folder to move to; null for the root.</param>
    /// <param name="keepBoth">Whether one whose name is taken there gets a number, instead of refusing all.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    public async Task<IReadOnlyList<ListedEntry>> MoveAsync(
        TeamVisit visit, IReadOnlyCollection<string> entries, string? folder, bool keepBoth, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var session = visit.Session;
        await TreeLock.ExclusiveAsync(session, cancellationToken);
        var (locked, chains) = await Entries.LockLiveAsync(session, entries, cancellationToken);
        var target = await TargetAsync(session, folder, cancellationToken);
        var moving = Entries.Topmost(locked, chains).FindAll(e => e.ParentId != target.Folder);
        FolderLevel.RequireChange(moving);
        await RequirePlaceAsync(session, target, moving, cancellationToken);
        if (moving.Count > 0)
        {
            var names = keepBoth
                ? await PlaceNumberedAsync(session, target.Folder, moving, cancellationToken)
                : await PlaceAllAsync(session, target.Folder, moving, cancellationToken);
            foreach (var (old, name) in moving.Zip(names))
            {
                Tell(session, old, name, target, chains(old.ParentId), origin);
            }
        }
        var moved = await Entries.ReadAsync(session, [.. locked.Select(e => e.Id)], cancellationToken);
        await session.CommitAsync(cancellationToken);
        return moved;
    }

    /// <summary>Puts all of them into the trash, or none; answers them as they were.</summary>
    /// <param name="visit">Who, and in which team.</param>
    /// <param name="entries">1 to <see cref="Entries.MostAtOnce"/> references.</param>
    /// <param name="revision">For a single one, the revision that the caller saw.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    public async Task<IReadOnlyList<ListedEntry>> TrashAsync(
        TeamVisit visit, IReadOnlyCollection<string> entries, long? revision, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var session = visit.Session;
        var (locked, chains) = await Entries.LockLiveAsync(session, entries, cancellationToken);
        RequireRevision(locked[0], revision);
        FolderLevel.RequireChange(locked);
        var going = Entries.Topmost(locked, chains);
        var ids = going.Select(e => e.Id).ToArray();
        await session.ExecuteAsync(
            $"""
            update entries set deleted_at = {time.GetUtcNow()}, deleted_by = {visit.Person.Value}, revision = revision + 1
            where team_id = app_team() and id = any({ids})
            """, cancellationToken);
        foreach (var entry in going)
        {
            session.Record(new LedgerEvent("entry.trashed", entry.Id.ToString("D"), EntryEvents.Details(("name", entry.Name), ("kind", entry.Kind))), origin);
        }
        var trashed = await Entries.ReadAsync(session, [.. locked.Select(e => e.Id)], cancellationToken);
        await session.CommitAsync(cancellationToken);
        return trashed;
    }

    /// <summary>Where entries are put, and how deep that is. The depth is null where nothing moves.</summary>
    internal sealed record Target(Guid? Folder, IReadOnlyList<FolderStep>? Path);

    /// <summary>The folder, locked against going while something is put into it. The caller holds the tree.</summary>
    internal async Task<Target> TargetAsync(TeamSession session, string? folder, CancellationToken cancellationToken)
    {
        var path = await folders.PathAsync(session, folder, cancellationToken) ?? throw FileRuleException.FolderGone();
        await FolderLevel.RequireWriteAsync(session, path, cancellationToken);
        return new Target(path is [.., var last] ? last.Id : null, path);
    }

    /// <summary>No folder comes to lie in itself, and none too deep.</summary>
    internal static async Task RequirePlaceAsync(TeamSession session, Target target, IReadOnlyList<LockedEntry> moving, CancellationToken cancellationToken)
    {
        var moved = moving.Where(e => e.IsFolder).ToList();
        if (moved.Find(e => target.Path!.Any(step => step.Id == e.Id)) is { } inItself)
        {
            throw new FileRuleException(FileRule.IntoItself, $"“{inItself.Name}” cannot be moved into itself. Choose another folder.");
        }
        if (moved.Count == 0)
        {
            return;
        }
        var ids = moved.Select(e => e.Id).ToArray();
        // What lies in the trash counts, too: it can come back to where it was.
        var height = await session.SqlAsync<int>(
            $"""
            with recursive down as (
                select id, 1 as height from entries where team_id = app_team() and id = any({ids})
                union all
                select e.id, down.height + 1 from down join entries e on e.team_id = app_team() and e.parent_id = down.id and e.kind = 'folder'
                where down.height <= {Folders.MaxDepth}
            )
            select max(height) as "Value" from down
            """, cancellationToken);
        if (target.Path!.Count + height.Single() > Folders.MaxDepth)
        {
            throw FileRuleException.TooDeep();
        }
    }

    /// <summary>Puts them there under numbered names, where theirs are taken. Somebody may take a name at the same moment: then it looks again.</summary>
    internal static async Task<EntryName[]> PlaceNumberedAsync(
        TeamSession session, Guid? folder, IReadOnlyList<LockedEntry> entries, CancellationToken cancellationToken)
    {
        const int MostTries = 10;
        var wanted = entries.Select(e => new WantedName(EntryName.Parse(e.Name), e.IsFolder)).ToList();
        for (var attempt = 1; ; attempt++)
        {
            var names = await FreeNames.ChooseAsync(session, folder, wanted, cancellationToken);
            await session.ExecuteAsync($"savepoint before_placing", cancellationToken);
            try
            {
                await PlaceAsync(session, folder, entries, names, cancellationToken);
                return names;
            }
            catch (DuplicateException) when (attempt < MostTries)
            {
                await session.ExecuteAsync($"rollback to savepoint before_placing", cancellationToken);
            }
        }
    }

    private static async Task<EntryName[]> PlaceAllAsync(TeamSession session, Guid? folder, IReadOnlyList<LockedEntry> entries, CancellationToken cancellationToken)
    {
        var taken = await FreeNames.TakenAsync(session, folder, [.. entries.Select(e => e.NameKey)], cancellationToken);
        var twice = entries.FirstOrDefault(e => !taken.Add(e.NameKey));
        if (twice is not null)
        {
            throw FileRuleException.NameTaken(twice.Name);
        }
        var names = entries.Select(e => EntryName.Parse(e.Name)).ToArray();
        try
        {
            await PlaceAsync(session, folder, entries, names, cancellationToken);
        }
        catch (DuplicateException)
        {
            throw new FileRuleException(FileRule.NameTaken, "One of the names was taken there just now. Look again, then decide.");
        }
        return names;
    }

    private static Task<int> PlaceAsync(TeamSession session, Guid? folder, IReadOnlyList<LockedEntry> entries, IReadOnlyList<EntryName> names, CancellationToken cancellationToken)
    {
        var (ids, texts, keys) = (entries.Select(e => e.Id).ToArray(), names.Select(n => n.Text).ToArray(), names.Select(n => n.Key).ToArray());
        return session.ExecuteAsync(
            $"""
            update entries e set parent_id = {folder}, name = n.name, name_key = n.name_key, deleted_at = null, deleted_by = null, revision = e.revision + 1
            from unnest({ids}, {texts}, {keys}) as n (id, name, name_key) where e.team_id = app_team() and e.id = n.id
            """, cancellationToken);
    }

    private static void RequireRevision(LockedEntry entry, long? revision)
    {
        if (revision is { } seen && seen != entry.Revision)
        {
            throw FileRuleException.Changed();
        }
    }

    private static void Tell(TeamSession session, LockedEntry old, EntryName name, Target target, FolderChain from, Origin origin)
    {
        if (name.Text != old.Name)
        {
            session.Record(new LedgerEvent("entry.renamed", old.Id.ToString("D"), EntryEvents.Details(("from", old.Name), ("name", name.Text))), origin);
        }
        if (target.Folder != old.ParentId)
        {
            session.Record(
                new LedgerEvent("entry.moved", old.Id.ToString("D"), EntryEvents.Details(
                    ("name", name.Text), ("from", EntryEvents.PathText(from.Path)), ("to", EntryEvents.PathText(target.Path!)))), origin);
        }
    }
}

/// <summary>What the ledger keeps of an entry's events.</summary>
internal static class EntryEvents
{
    public static Dictionary<string, string?> Details(params ReadOnlySpan<(string Name, string? Value)> details)
    {
        var all = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var (name, value) in details)
        {
            all[name] = value;
        }
        return all;
    }

    public static string PathText(IReadOnlyList<FolderStep> path) => "/" + string.Join('/', path.Select(s => s.Name));
}
