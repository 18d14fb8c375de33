using System.Globalization;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;

namespace Appliance.Files;

/// <summary>A folder on the way from the team's root.</summary>
public sealed record FolderStep(Guid Id, string Reference, string Name);

/// <summary>
/// A row of the listing. <c>Reference</c>: what addresses call it; <c>Kind</c>: <see cref="Entry.Folder"/> or <see cref="Entry.File"/>;
/// <c>Size</c>: bytes of a file's current version, null for a folder.
/// </summary>
public sealed record ListedEntry(string Reference, string Kind, string Name, string NameKey, long? Size, DateTimeOffset ModifiedAt)
{
    public bool IsFolder => Kind == Entry.Folder;
}

/// <summary>A part of a listing. <c>More</c>: where the next page begins, or null at the end.</summary>
public sealed record ListedPage(IReadOnlyList<ListedEntry> Entries, PageStart? More);

/// <summary>The entry after which a page begins: a kind and a name, so that a page stays right while others add and remove entries.</summary>
public sealed record PageStart(string Kind, string NameKey)
{
    /// <summary>As it stands in an address.</summary>
    public override string ToString() => (Kind == Entry.Folder ? "d" : "f") + NameKey;

    /// <summary>Null for what is no such text: the first page.</summary>
    public static PageStart? Parse(string? text) => text switch
    {
        null or { Length: < 2 or > 1 + EntryName.MaxBytes } => null,
        _ when text.Contains('\0', StringComparison.Ordinal) || text.Any(char.IsSurrogate) && !IsWellFormed(text) => null,
        ['d', ..] => new PageStart(Entry.Folder, text[1..]),
        ['f', ..] => new PageStart(Entry.File, text[1..]),
        _ => null,
    };

    private static bool IsWellFormed(string text) => !text.EnumerateRunes().Any(r => r.Value == 0xFFFD);
}

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

    /// <summary>A page of what is in a folder (null: the root): folders first, then files, each by name.</summary>
    public async Task<ListedPage> ListAsync(TeamSession session, Guid? folder, PageStart? after, CancellationToken cancellationToken)
    {
        // Without a start: before everything. Folders come first, and no name is empty.
        var (kind, key) = (after?.Kind ?? Entry.Folder, after?.NameKey ?? "");
        var found = folder is { } parent
            ? await session.SqlAsync<ListedEntry>(
                $"""
                select e.reference as "Reference", e.kind as "Kind", e.name as "Name", e.name_key as "NameKey", v.size as "Size", e.modified_at as "ModifiedAt"
                from entries e left join versions v on v.id = e.current_version_id
                where e.team_id = app_team() and e.parent_id = {parent} and e.deleted_at is null
                  and (e.kind < {kind} or (e.kind = {kind} and e.name_key > {key}))
                order by e.kind desc, e.name_key limit {PageSize + 1}
                """, cancellationToken)
            : await session.SqlAsync<ListedEntry>(
                $"""
                select e.reference as "Reference", e.kind as "Kind", e.name as "Name", e.name_key as "NameKey", v.size as "Size", e.modified_at as "ModifiedAt"
                from entries e left join versions v on v.id = e.current_version_id
                where e.team_id = app_team() and e.parent_id is null and e.deleted_at is null
                  and (e.kind < {kind} or (e.kind = {kind} and e.name_key > {key}))
                order by e.kind desc, e.name_key limit {PageSize + 1}
                """, cancellationToken);
        return found.Count <= PageSize
            ? new ListedPage(found, null)
            : new ListedPage(found[..PageSize], new PageStart(found[PageSize - 1].Kind, found[PageSize - 1].NameKey));
    }

    /// <summary>Makes a folder and commits; answers its reference.</summary>
    /// <exception cref="EntryNameException">The name cannot be one.</exception>
    /// <exception cref="FileRuleException">There is something of that name, the parent is gone, or it is nested too deep.</exception>
    public async Task<string> CreateAsync(TeamVisit visit, string? parent, string? name, Origin origin, CancellationToken cancellationToken)
    {
        var session = visit.Session;
        var parsed = EntryName.Parse(name);
        var path = await PathAsync(session, parent, cancellationToken) ?? throw FileRuleException.FolderGone();
        if (path.Count >= MaxDepth)
        {
            throw new FileRuleException(FileRule.TooDeep, string.Create(CultureInfo.InvariantCulture, $"Folders nest at most {MaxDepth} deep. Make this one further up."));
        }
        var (id, reference, now) = (Guid.CreateVersion7(), Reference.New(), time.GetUtcNow());
        if (await session.ExecuteAsync(
            $"""
            insert into entries (id, team_id, reference, parent_id, kind, name, name_key, size, created_at, created_by, modified_at, modified_by)
            values ({id}, {visit.Team.Value}, {reference}, {(path is [.., var folder] ? folder.Id : (Guid?)null)}, 'folder', {parsed.Text}, {parsed.Key}, 0,
                    {now}, {visit.Person.Value}, {now}, {visit.Person.Value})
            on conflict (team_id, parent_id, name_key) where deleted_at is null do nothing
            """, cancellationToken) == 0)
        {
            throw new FileRuleException(FileRule.NameTaken, $"There is already a “{parsed}” here. Choose another name.");
        }
        session.Record(
            new LedgerEvent("folder.created", id.ToString("D"), new Dictionary<string, string?>(StringComparer.Ordinal) { ["name"] = parsed.Text }), origin);
        await session.CommitAsync(cancellationToken);
        return reference;
    }

    private sealed record Step(Guid Id, string Reference, string Name, bool Live);
}

public enum FileRule
{
    /// <summary>The folder is not there any more.</summary>
    FolderGone,

    /// <summary>Something else has the name.</summary>
    NameTaken,

    TooDeep,
}

/// <summary>A rule about files stands in the way. The message says which and what to do, for people.</summary>
public sealed class FileRuleException(FileRule rule, string message) : Exception(message)
{
    public FileRule Rule { get; } = rule;

    internal static FileRuleException FolderGone() => new(FileRule.FolderGone, "The folder is not there any more. Choose another one.");
}
