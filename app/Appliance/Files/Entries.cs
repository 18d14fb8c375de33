using Appliance.Data;
using Appliance.Teams.Groups;

namespace Appliance.Files;

/// <summary>
/// An entry as lists show it. <c>Reference</c>: what addresses call it; <c>Kind</c>: <see cref="Entry.Folder"/> or <see cref="Entry.File"/>;
/// <c>Folder</c>: the reference of the folder it is in, null at the root; <c>Size</c>: bytes of a file's current version, null for a folder, as is
/// <c>MediaType</c>; <c>Revision</c>: see <see cref="Entry.Revision"/>; <c>ModifiedAt</c>: when a file got its content, or a folder was made.
/// </summary>
public sealed record ListedEntry(
    string Reference, string Kind, string Name, string NameKey, string? Folder, long? Size, string? MediaType, long Revision,
    DateTimeOffset CreatedAt, DateTimeOffset ModifiedAt)
{
    public bool IsFolder => Kind == Entry.Folder;
}

/// <summary>
/// One entry with everything about it. <c>Path</c>: the folders it is in, from the root; <c>Version</c>: the current version's number, and
/// <c>CurrentVersion</c> its id, both null for a folder.
/// </summary>
public sealed record EntryDetails(ListedEntry Entry, string CreatedBy, string ModifiedBy, int? Version, Guid? CurrentVersion, IReadOnlyList<FolderStep> Path);

/// <summary>An entry as it stands while it is locked.</summary>
internal sealed record LockedEntry(Guid Id, string Reference, Guid? ParentId, string Kind, string Name, string NameKey, long Revision, Guid? CurrentVersionId, DateTimeOffset? DeletedAt, Level Level)
{
    public bool IsFolder => Kind == Entry.Folder;
}

/// <summary>Finding entries by their references.</summary>
public static class Entries
{
    /// <summary>How many entries one request may name.</summary>
    public const int MostAtOnce = 1000;

    /// <summary>Null for what is not there: unknown, in the trash, or below a folder that is.</summary>
    public static async Task<EntryDetails?> FindAsync(TeamSession session, string? reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        if (!Reference.IsWellFormed(reference))
        {
            return null;
        }
        var found = await session.SqlAsync<Found>(
            $"""
            select e.reference as "Reference", e.kind as "Kind", e.name as "Name", e.name_key as "NameKey", e.parent_id as "ParentId",
                   case when e.kind = 'file' then e.size end as "Size", e.media_type as "MediaType", e.revision as "Revision",
                   e.created_at as "CreatedAt", e.modified_at as "ModifiedAt", c.username as "CreatedBy", m.username as "ModifiedBy", v.number as "Version", e.current_version_id as "CurrentVersion"
            from entries e join users c on c.id = e.created_by join users m on m.id = e.modified_by
            left join versions v on v.team_id = e.team_id and v.entry_id = e.id and v.id = e.current_version_id
            where e.team_id = app_team() and e.reference = {reference} and e.deleted_at is null
            """, cancellationToken);
        if (found is not [var entry])
        {
            return null;
        }
        var chain = (await Ancestry.OfAsync(session, [entry.ParentId], cancellationToken))(entry.ParentId);
        return chain.IsLive
            ? new EntryDetails(
                new ListedEntry(
                    entry.Reference, entry.Kind, entry.Name, entry.NameKey, chain.Steps is [.., var folder] ? folder.Reference : null, entry.Size, entry.MediaType,
                    entry.Revision, entry.CreatedAt, entry.ModifiedAt),
                entry.CreatedBy, entry.ModifiedBy, entry.Version, entry.CurrentVersion, chain.Path)
            : null;
    }

    /// <summary>Those entries of a folder (null: the root) that have one of these names; a name that cannot be one has nothing.</summary>
    /// <exception cref="FileRuleException">The folder is gone, or these are too many.</exception>
    public static async Task<IReadOnlyList<ListedEntry>> LookUpAsync(
        TeamSession session, FolderStep? folder, IReadOnlyCollection<string> names, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        RequireFew(names);
        var keys = names.Select(KeyOf).OfType<string>().Distinct(StringComparer.Ordinal).ToArray();
        return await session.SqlAsync<ListedEntry>(
            $"""
            select reference as "Reference", kind as "Kind", name as "Name", name_key as "NameKey", {folder?.Reference}::text as "Folder",
                   case when kind = 'file' then size end as "Size", media_type as "MediaType", revision as "Revision", created_at as "CreatedAt", modified_at as "ModifiedAt"
            from entries
            where team_id = app_team() and parent_id is not distinct from {folder?.Id}::uuid and name_key = any({keys}) and deleted_at is null order by name_key
            """, cancellationToken);
    }

    /// <summary>As they are now, in the order of <paramref name="ids"/>.</summary>
    internal static async Task<IReadOnlyList<ListedEntry>> ReadAsync(TeamSession session, IReadOnlyList<Guid> ids, CancellationToken cancellationToken)
    {
        var asked = ids.ToArray();
        return await session.SqlAsync<ListedEntry>(
            $"""
            select e.reference as "Reference", e.kind as "Kind", e.name as "Name", e.name_key as "NameKey", p.reference as "Folder",
                   case when e.kind = 'file' then e.size end as "Size", e.media_type as "MediaType", e.revision as "Revision",
                   e.created_at as "CreatedAt", e.modified_at as "ModifiedAt"
            from unnest({asked}) with ordinality as asked (id, place) join entries e on e.team_id = app_team() and e.id = asked.id
            left join entries p on p.team_id = app_team() and p.id = e.parent_id order by asked.place
            """, cancellationToken);
    }

    /// <summary>Locks these entries until the commit, deleted or not; all of them, or it throws. In the order of their ids, so that no two wait for each
    /// other; what goes into a folder meanwhile does not wait.</summary>
    /// <exception cref="FileRuleException">One is not there, or these are too many.</exception>
    internal static async Task<IReadOnlyList<LockedEntry>> LockAsync(TeamSession session, IReadOnlyCollection<string> references, CancellationToken cancellationToken)
    {
        RequireFew(references);
        var asked = references.Distinct(StringComparer.Ordinal).ToArray();
        if (!asked.All(Reference.IsWellFormed))
        {
            throw FileRuleException.EntryGone();
        }
        var locked = await session.SqlAsync<LockedEntry>(
            $"""
            select id as "Id", reference as "Reference", parent_id as "ParentId", kind as "Kind", name as "Name", name_key as "NameKey", revision as "Revision",
                   current_version_id as "CurrentVersionId", deleted_at as "DeletedAt", case when (select app_reaches_all(3)) then 3 else app_level(top_id) end as "Level"
            from entries where team_id = app_team() and reference = any({asked}) and purged_at is null order by id for no key update
            """, cancellationToken);
        if (locked.Count == asked.Length)
        {
            return locked;
        }
        // What one may read and not change cannot be locked.
        var seen = await session.SqlAsync<int>($"""select count(*)::int as "Value" from entries where team_id = app_team() and reference = any({asked}) and purged_at is null""", cancellationToken);
        throw seen.Single() == asked.Length ? FileRuleException.NotAllowed(Level.Write) : FileRuleException.EntryGone();
    }

    /// <summary>As <see cref="LockAsync"/>, and none is in the trash or below a folder that is. Answers their chains, too.</summary>
    internal static async Task<(IReadOnlyList<LockedEntry> Locked, Func<Guid?, FolderChain> Chains)> LockLiveAsync(
        TeamSession session, IReadOnlyCollection<string> references, CancellationToken cancellationToken)
    {
        var locked = await LockAsync(session, references, cancellationToken);
        var chains = await Ancestry.OfAsync(session, locked.Select(e => e.ParentId), cancellationToken);
        return locked.All(e => e.DeletedAt is null && chains(e.ParentId).IsLive) ? (locked, chains) : throw FileRuleException.EntryGone();
    }

    /// <summary>Without those that lie below another one of them: they go with it.</summary>
    internal static List<LockedEntry> Topmost(IReadOnlyList<LockedEntry> entries, Func<Guid?, FolderChain> chains)
    {
        var chosen = entries.Select(e => e.Id).ToHashSet();
        return [.. entries.Where(e => !chains(e.ParentId).HasAnyOf(chosen))];
    }

    private static void RequireFew(IReadOnlyCollection<string> named)
    {
        if (named.Count is 0 or > MostAtOnce)
        {
            throw new FileRuleException(FileRule.TooMany, $"Name 1 to {MostAtOnce} at once.");
        }
    }

    private static string? KeyOf(string name)
    {
        try
        {
            return EntryName.Parse(name).Key;
        }
        catch (EntryNameException)
        {
            return null;
        }
    }

    private sealed record Found(
        string Reference, string Kind, string Name, string NameKey, Guid? ParentId, long? Size, string? MediaType, long Revision,
        DateTimeOffset CreatedAt, DateTimeOffset ModifiedAt, string CreatedBy, string ModifiedBy, int? Version, Guid? CurrentVersion);
}
