using System.Globalization;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;
using Appliance.Teams.Groups;
using Appliance.Vault;

namespace Appliance.Files;

/// <summary>Something in the trash. <c>DeletedBy</c>: a username; <c>From</c>: the names of the folders it was in, from the root; <c>Top</c>: the top-level one's reference, or its own.</summary>
public sealed record TrashedEntry(ListedEntry Entry, DateTimeOffset DeletedAt, string DeletedBy, IReadOnlyList<string> From, string? Top);

/// <summary>A part of the trash. <c>More</c>: where the next page begins, or null at the end.</summary>
public sealed record TrashPage(IReadOnlyList<TrashedEntry> Entries, TrashStart? More);

/// <summary>The entry after which a page of the trash begins.</summary>
public sealed record TrashStart(DateTimeOffset DeletedAt, Guid Id)
{
    /// <summary>As it stands in an address: opaque.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{(DeletedAt - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond:x16}{Id:N}");

    /// <summary>Null for what <see cref="ToString"/> never wrote.</summary>
    public static TrashStart? Parse(string? text) =>
        text is { Length: 48 } && long.TryParse(text.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
        && value is >= 0 and <= 253_402_300_799_999_999 && Guid.TryParseExact(text[16..], "N", out var id)
            ? new TrashStart(DateTimeOffset.UnixEpoch.AddTicks(value * TimeSpan.TicksPerMicrosecond), id)
            : null;
}

/// <summary>
/// What was deleted, for <see cref="FileLimits.TrashLifetime"/>. A folder lies there as one thing; what is in it comes back with it. Each method that
/// changes something commits all of it, or nothing.
/// </summary>
public sealed class Trash(Database database, EntryChanges changes, Purge purge, FileLimits limits, TimeProvider time)
{
    /// <summary>How many rows one transaction marks.</summary>
    private const int MostMarked = 10_000;

    /// <summary>Newest first.</summary>
    /// <param name="visit">Who, and in which team.</param>
    /// <param name="after">Where the page before ended; null for the first page.</param>
    /// <param name="limit">1 to <see cref="Listing.MostAtOnce"/>.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public async Task<TrashPage> ListAsync(TeamVisit visit, TrashStart? after, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var session = visit.Session;
        var (from, id) = (after?.DeletedAt ?? DateTimeOffset.MaxValue, after?.Id ?? Guid.Empty);
        var found = await session.SqlAsync<Row>(
            $"""
            select e.id as "Id", e.reference as "Reference", e.parent_id as "ParentId", e.kind as "Kind", e.name as "Name", e.name_key as "NameKey",
                   case when e.kind = 'file' then e.size end as "Size", e.media_type as "MediaType", e.revision as "Revision",
                   e.created_at as "CreatedAt", e.modified_at as "ModifiedAt", e.deleted_at as "DeletedAt", u.username as "DeletedBy"
            from entries e left join users u on u.id = e.deleted_by
            where e.team_id = app_team() and e.deleted_at is not null and e.purged_at is null and (e.deleted_at, e.id) < ({from}, {id})
            order by e.deleted_at desc, e.id desc limit {limit + 1}
            """, cancellationToken);
        var chains = await Ancestry.OfAsync(session, found.Select(e => e.ParentId), cancellationToken);
        var page = found.Take(limit).ToList();
        return new TrashPage(
            // What lies in a folder that was deleted for good goes with it.
            [.. page.Where(e => !chains(e.ParentId).IsPurged).Select(e => e.ToEntry(chains(e.ParentId)))],
            found.Count > limit ? new TrashStart(page[^1].DeletedAt, page[^1].Id) : null);
    }

    /// <summary>Brings all of them back, or none. One whose name was taken meanwhile gets a number.</summary>
    /// <param name="visit">Who, and in which team.</param>
    /// <param name="entries">1 to <see cref="Entries.MostAtOnce"/> references.</param>
    /// <param name="elsewhere">Whether <paramref name="folder"/> counts; otherwise each goes to where it was.</param>
    /// <param name="folder">The reference of the folder to bring them to; null for the root.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    /// <exception cref="FileRuleException">One is not in the trash; or its folder is gone; or it would lie too deep.</exception>
    public async Task<IReadOnlyList<ListedEntry>> RestoreAsync(
        TeamVisit visit, IReadOnlyCollection<string> entries, bool elsewhere, string? folder, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var session = visit.Session;
        await TreeLock.ExclusiveAsync(session, cancellationToken);
        var (locked, chains) = await LockAsync(session, entries, cancellationToken);
        FolderLevel.RequireChange(locked);
        if (elsewhere)
        {
            var target = await changes.TargetAsync(session, folder, cancellationToken);
            await EntryChanges.RequirePlaceAsync(session, target, locked, cancellationToken);
            await RestoreToAsync(session, target.Folder, locked, origin, cancellationToken);
        }
        else
        {
            // A folder that comes back in the same moment is there for what was in it.
            var back = locked.Select(e => e.Id).ToHashSet();
            if (locked.Any(e => chains(e.ParentId).Steps.Any(s => s.Deleted && !back.Contains(s.Id))))
            {
                throw new FileRuleException(FileRule.FolderGone, "The folder it was in is gone. Restore that first, or choose another folder.");
            }
            foreach (var together in locked.GroupBy(e => e.ParentId))
            {
                await RestoreToAsync(session, together.Key, [.. together], origin, cancellationToken);
            }
        }
        var restored = await Entries.ReadAsync(session, [.. locked.Select(e => e.Id)], cancellationToken);
        await session.CommitAsync(cancellationToken);
        return restored;
    }

    /// <summary>Deletes all of them for good, or none: they are gone for everybody when this returns, and their content soon after.</summary>
    /// <exception cref="FileRuleException">One is not in the trash.</exception>
    public async Task DeleteAsync(TeamVisit visit, IReadOnlyCollection<string> entries, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var session = visit.Session;
        await TreeLock.ExclusiveAsync(session, cancellationToken);
        var (locked, _) = await LockAsync(session, entries, cancellationToken);
        FolderLevel.RequireManage(locked);
        var ids = locked.Select(e => e.Id).ToArray();
        await session.ExecuteAsync($"update entries set purged_at = {time.GetUtcNow()}, revision = revision + 1 where team_id = app_team() and id = any({ids})", cancellationToken);
        foreach (var entry in locked)
        {
            session.Record(new LedgerEvent("entry.deleted", entry.Id.ToString("D"), EntryEvents.Details(("name", entry.Name), ("kind", entry.Kind))), origin);
        }
        await session.CommitAsync(cancellationToken);
        await purge.BeginAsync(visit.Team, cancellationToken);
    }

    /// <summary>
    /// Deletes everything in the trash that the person manages for good; answers how many things that was. Very many go in several transactions, each of which is in the
    /// ledger; whoever is interrupted empties the rest by asking again.
    /// </summary>
    /// <exception cref="FileRuleException">They manage nothing in this team.</exception>
    public async Task<int> EmptyAsync(TeamVisit visit, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        if (!(await visit.Session.SqlAsync<bool>($"""select app_else(3) or app_except(3) <> array[]::uuid[] as "Value" """, cancellationToken)).Single())
        {
            throw FileRuleException.NotAllowed(Level.Manage);
        }
        var emptied = await MarkAllAsync(visit.Session, origin, cancellationToken);
        for (var marked = emptied; marked == MostMarked; emptied += marked)
        {
            await using var session = await database.ForTeamAsync(visit.Team, visit.Person, cancellationToken);
            marked = await MarkAllAsync(session, origin, cancellationToken);
        }
        await purge.BeginAsync(visit.Team, cancellationToken);
        return emptied;
    }

    private async Task<int> MarkAllAsync(TeamSession session, Origin origin, CancellationToken cancellationToken)
    {
        await TreeLock.ExclusiveAsync(session, cancellationToken);
        var marked = await session.ExecuteAsync(
            $"""
            update entries set purged_at = {time.GetUtcNow()}, revision = revision + 1
            where team_id = app_team() and id in (
                select id from entries where team_id = app_team() and deleted_at is not null and purged_at is null
                  and ((select app_reaches_all(3)) or app_level(top_id) >= 3) order by deleted_at, id limit {MostMarked} for update)
            """, cancellationToken);
        if (marked > 0)
        {
            session.Record(new LedgerEvent("trash.emptied", null, EntryEvents.Details(("entries", marked.ToString(CultureInfo.InvariantCulture)))), origin);
        }
        await session.CommitAsync(cancellationToken);
        return marked;
    }

    /// <summary>Deletes for good what has lain there for its time; answers how many, 1000 at most. For the care job.</summary>
    internal async Task<int> ExpireAsync(TeamId team, CancellationToken cancellationToken)
    {
        await using var session = await database.ForJobAsync(team, cancellationToken);
        await TreeLock.ExclusiveAsync(session, cancellationToken);
        var now = time.GetUtcNow();
        var expired = await session.SqlAsync<Expired>(
            $"""
            update entries set purged_at = {now}, revision = revision + 1
            where team_id = app_team() and id in (
                select id from entries where team_id = app_team() and deleted_at <= {now - limits.TrashLifetime} and deleted_at is not null and purged_at is null
                order by deleted_at limit {Entries.MostAtOnce} for update)
            returning id as "Id", name as "Name", kind as "Kind"
            """, cancellationToken);
        foreach (var entry in expired)
        {
            session.Record(
                new LedgerEvent("entry.deleted", entry.Id.ToString("D"), EntryEvents.Details(("name", entry.Name), ("kind", entry.Kind), ("reason", "its time in the trash is over"))),
                new Origin(null, null));
        }
        await session.CommitAsync(cancellationToken);
        return expired.Count;
    }

    private static async Task<(IReadOnlyList<LockedEntry> Locked, Func<Guid?, FolderChain> Chains)> LockAsync(
        TeamSession session, IReadOnlyCollection<string> entries, CancellationToken cancellationToken)
    {
        var locked = await Entries.LockAsync(session, entries, cancellationToken);
        var chains = await Ancestry.OfAsync(session, locked.Select(e => e.ParentId), cancellationToken);
        return locked.All(e => e.DeletedAt is not null && !chains(e.ParentId).IsPurged) ? (locked, chains) : throw FileRuleException.EntryGone();
    }

    private static async Task RestoreToAsync(
        TeamSession session, Guid? folder, IReadOnlyList<LockedEntry> entries, Origin origin, CancellationToken cancellationToken)
    {
        var names = await EntryChanges.PlaceNumberedAsync(session, folder, entries, cancellationToken);
        foreach (var (entry, name) in entries.Zip(names))
        {
            session.Record(
                new LedgerEvent("entry.restored", entry.Id.ToString("D"), EntryEvents.Details(("name", name.Text), ("was", name.Text == entry.Name ? null : entry.Name))), origin);
        }
    }

    private sealed record Expired(Guid Id, string Name, string Kind);

    private sealed record Row(
        Guid Id, string Reference, Guid? ParentId, string Kind, string Name, string NameKey, long? Size, string? MediaType, long Revision,
        DateTimeOffset CreatedAt, DateTimeOffset ModifiedAt, DateTimeOffset DeletedAt, string? DeletedBy)
    {
        public TrashedEntry ToEntry(FolderChain chain) => new(
            new ListedEntry(Reference, Kind, Name, NameKey, chain.Steps is [.., var folder] ? folder.Reference : null, Size, MediaType, Revision, CreatedAt, ModifiedAt),
            DeletedAt, DeletedBy ?? "", [.. chain.Steps.Select(s => s.Name)], chain.Steps is [var top, ..] ? top.Reference : Kind == Entry.Folder ? Reference : null);
    }
}
