using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;

namespace Appliance.Files;

/// <summary>A folder on the way from the team's root.</summary>
public sealed record FolderStep(Guid Id, string Reference, string Name);

/// <summary>Where a team's files are: folders, and what is in them.</summary>
public sealed class Folders(TimeProvider time)
{
    public const int PageSize = 200;

    /// <summary>How deep folders may nest: what is deeper cannot be copied to other systems, whose paths are limited.</summary>
    public const int MaxDepth = 64;

    /// <summary>The folders from the root to this one; empty for the root itself (null), null for what is not there (any more).</summary>
    public async Task<IReadOnlyList<FolderStep>?> PathAsync(TeamSession session, string? folder, CancellationToken cancellationToken)
    {
        if (folder is null)
        {
            return [];
        }
        if (!Reference.IsWellFormed(folder))
        {
            return null;
        }
        // Up to the root. A folder in one that was deleted is as gone as that one. The depth bounds a loop that cannot be.
        var steps = await session.SqlAsync<Step>(
            $"""
            with recursive up as (
                select id, reference, name, kind, parent_id, deleted_at, 0 as depth from entries where team_id = app_team() and reference = {folder}
                union all
                select e.id, e.reference, e.name, e.kind, e.parent_id, e.deleted_at, up.depth + 1
                from up join entries e on e.team_id = app_team() and e.id = up.parent_id where up.depth < {MaxDepth}
            )
            select id as "Id", reference as "Reference", name as "Name", kind = 'folder' and deleted_at is null as "Live" from up order by depth desc
            """, cancellationToken);
        return steps.Count == 0 || steps.Exists(s => !s.Live) ? null : [.. steps.Select(s => new FolderStep(s.Id, s.Reference, s.Name))];
    }

    /// <summary>A page of what is in a folder (null: the root), as the pages show it: folders first, then files, each by name.</summary>
    public Task<ListedPage> ListAsync(TeamSession session, FolderStep? folder, PageStart? after, CancellationToken cancellationToken) =>
        Listing.PageAsync(session, folder, ListOrder.ByName, after?.Order == ListOrder.ByName ? after : null, PageSize, cancellationToken);

    /// <summary>Makes a folder and commits; answers its reference.</summary>
    /// <exception cref="EntryNameException">The name cannot be one.</exception>
    /// <exception cref="FileRuleException">There is something of that name, the parent is gone, or it is nested too deep.</exception>
    public async Task<string> CreateAsync(TeamVisit visit, string? parent, string? name, Origin origin, CancellationToken cancellationToken) =>
        (await CreateAsync(visit, parent, name, useExisting: false, origin, cancellationToken)).Entry.Reference;

    /// <summary>Makes a folder and commits. With <paramref name="useExisting"/>, a folder that has the name already is the answer.</summary>
    /// <exception cref="EntryNameException">The name cannot be one.</exception>
    /// <exception cref="FileRuleException">There is something of that name, the parent is gone, or it is nested too deep.</exception>
    public async Task<(ListedEntry Entry, bool IsNew)> CreateAsync(
        TeamVisit visit, string? parent, string? name, bool useExisting, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var session = visit.Session;
        var parsed = EntryName.Parse(name);
        await TreeLock.SharedAsync(session, cancellationToken);
        var path = await PathAsync(session, parent, cancellationToken) ?? throw FileRuleException.FolderGone();
        await FolderLevel.RequireWriteAsync(session, path, cancellationToken);
        var folder = path is [.., var last] ? last : null;
        if (path.Count >= MaxDepth)
        {
            throw FileRuleException.TooDeep();
        }
        var (id, now) = (Guid.CreateVersion7(), time.GetUtcNow());
        if (await session.ExecuteAsync(
            $"""
            insert into entries (id, team_id, reference, parent_id, kind, name, name_key, size, created_at, created_by, modified_at, modified_by)
            values ({id}, {visit.Team.Value}, {Reference.New()}, {folder?.Id}, 'folder', {parsed.Text}, {parsed.Key}, 0,
                    {now}, {visit.Person.Value}, {now}, {visit.Person.Value})
            on conflict (team_id, parent_id, name_key) where deleted_at is null do nothing
            """, cancellationToken) == 0)
        {
            return useExisting && await Entries.LookUpAsync(session, folder, [parsed.Text], cancellationToken) is [{ IsFolder: true } there]
                ? (there, false)
                : throw FileRuleException.NameTaken(parsed.Text);
        }
        session.Record(new LedgerEvent("folder.created", id.ToString("D"), EntryEvents.Details(("name", parsed.Text))), origin);
        var made = (await Entries.ReadAsync(session, [id], cancellationToken)).Single();
        await session.CommitAsync(cancellationToken);
        return (made, true);
    }

    private sealed record Step(Guid Id, string Reference, string Name, bool Live);
}
