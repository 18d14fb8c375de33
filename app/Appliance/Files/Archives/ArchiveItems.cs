using Appliance.Data;

namespace Appliance.Files;

/// <summary>What an archive will hold: the items as they stand in it, and whose segments each file's bytes are.</summary>
internal sealed record ArchivePlan(IReadOnlyList<ZipItem> Items, IReadOnlyList<Guid> Contents);

/// <summary>Finds what is below the chosen entries, in the visit's transaction and so as of one moment.</summary>
internal static class ArchiveItems
{
    /// <summary>The archive of these entries: folders before what is in them. Null where one of them is not there; what is chosen and also lies in a
    /// folder that is chosen comes once.</summary>
    /// <exception cref="ArchiveTooLargeException">There are more than <paramref name="most"/>.</exception>
    public static async Task<ArchivePlan?> FindAsync(TeamSession session, IReadOnlyCollection<string> references, int most, CancellationToken cancellationToken)
    {
        var chosen = references.Distinct(StringComparer.Ordinal).ToArray();
        if (!chosen.All(Reference.IsWellFormed))
        {
            return null;
        }
        var roots = await session.SqlAsync<Root>(
            $"""
            with recursive up as (
                select id as root, id, parent_id, deleted_at, 0 as depth from entries where team_id = app_team() and reference = any({chosen}) and purged_at is null
                union all
                select up.root, e.id, e.parent_id, e.deleted_at, up.depth + 1
                from up join entries e on e.team_id = app_team() and e.id = up.parent_id where up.depth <= {Folders.MaxDepth}
            )
            select root as "Id", bool_and(deleted_at is null) as "Live",
                   bool_or(depth > 0 and id in (select root from up)) as "Inside"
            from up group by root
            """, cancellationToken);
        if (roots.Count != chosen.Length || roots.Exists(r => !r.Live))
        {
            return null;
        }
        var top = roots.Where(r => !r.Inside).Select(r => r.Id).ToArray();
        var found = await session.SqlAsync<Found>(
            $"""
            with recursive down as (
                select e.id, null::uuid as above, e.kind, e.name, e.name_key, e.size, e.current_version_id, e.modified_at, 0 as depth
                from entries e where e.team_id = app_team() and e.id = any({top})
                union all
                select e.id, e.parent_id, e.kind, e.name, e.name_key, e.size, e.current_version_id, e.modified_at, down.depth + 1
                from down join entries e on e.team_id = app_team() and e.parent_id = down.id and e.deleted_at is null
                where down.kind = 'folder' and down.depth <= {Folders.MaxDepth}
            )
            select d.id as "Id", d.above as "Above", d.kind = 'folder' as "IsFolder", d.name as "Name", coalesce(v.size, 0) as "Size",
                   v.content_id as "ContentId", d.modified_at as "Modified"
            from down d left join versions v on v.team_id = app_team() and v.entry_id = d.id and v.id = d.current_version_id
            order by d.depth, d.above, d.name_key limit {most + 1}
            """, cancellationToken);
        return found.Count <= most ? Plan(found) : throw new ArchiveTooLargeException(most);
    }

    private static ArchivePlan Plan(List<Found> found)
    {
        var (items, contents) = (new List<ZipItem>(found.Count), new List<Guid>(found.Count));
        var places = new Dictionary<Guid, int>();
        // In one folder no two have the same name. What is chosen may come from several folders.
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var one in found)
        {
            if (one.IsFolder)
            {
                places[one.Id] = items.Count;
            }
            var name = one.Above is null ? FreeName(one, taken) : one.Name;
            items.Add(new ZipItem(one.Above is { } above ? places[above] : -1, name, one.IsFolder, one.IsFolder ? 0 : one.Size, one.Modified));
            contents.Add(one.ContentId ?? Guid.Empty);
        }
        return new ArchivePlan(items, contents);
    }

    private static string FreeName(Found one, HashSet<string> taken)
    {
        var (stem, ending) = FileKind.Split(one.Name, one.IsFolder);
        var name = one.Name;
        for (var n = 2; !taken.Add(name); n++)
        {
            name = $"{stem} ({n}){ending}";
        }
        return name;
    }

    private sealed record Root(Guid Id, bool Live, bool Inside);

    private sealed record Found(Guid Id, Guid? Above, bool IsFolder, string Name, long Size, Guid? ContentId, DateTimeOffset Modified);
}

/// <summary>More entries than an archive may have. The message is for people.</summary>
internal sealed class ArchiveTooLargeException(int most) : Exception(
    $"These are more than {most:N0} files and folders, too many for one archive. Download a part of them at a time.");
