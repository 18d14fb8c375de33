using Appliance.Data;

namespace Appliance.Files;

/// <summary>A folder and those above it, from the root.</summary>
internal sealed class FolderChain(IReadOnlyList<FolderChain.Step> steps)
{
    public static readonly FolderChain Root = new([]);

    public IReadOnlyList<Step> Steps { get; } = steps;

    /// <summary>None of them is in the trash.</summary>
    public bool IsLive => Steps.All(s => !s.Deleted);

    /// <summary>One of them was deleted for good.</summary>
    public bool IsPurged => Steps.Any(s => s.Purged);

    public bool HasAnyOf(HashSet<Guid> folders) => Steps.Any(s => folders.Contains(s.Id));

    public IReadOnlyList<FolderStep> Path => [.. Steps.Select(s => new FolderStep(s.Id, s.Reference, s.Name))];

    internal sealed record Step(Guid Start, Guid Id, string Reference, string Name, bool Deleted, bool Purged);
}

/// <summary>Where folders are, many in one query.</summary>
internal static class Ancestry
{
    /// <summary>The chain of each of these folders (null: the root), as many as there are rows of one request at most.</summary>
    public static async Task<Func<Guid?, FolderChain>> OfAsync(TeamSession session, IEnumerable<Guid?> folders, CancellationToken cancellationToken)
    {
        var asked = folders.OfType<Guid>().Distinct().ToArray();
        if (asked.Length == 0)
        {
            return _ => FolderChain.Root;
        }
        // The depth bounds a loop that cannot be.
        var steps = await session.SqlAsync<FolderChain.Step>(
            $"""
            with recursive up as (
                select id as start, id, reference, name, parent_id, deleted_at, purged_at, 1 as depth from entries
                where team_id = app_team() and id = any({asked}) and kind = 'folder'
                union all
                select up.start, e.id, e.reference, e.name, e.parent_id, e.deleted_at, e.purged_at, up.depth + 1
                from up join entries e on e.team_id = app_team() and e.id = up.parent_id where up.depth < {Folders.MaxDepth}
            )
            select start as "Start", id as "Id", reference as "Reference", name as "Name", deleted_at is not null as "Deleted", purged_at is not null as "Purged"
            from up order by depth desc
            """, cancellationToken);
        var chains = steps.GroupBy(s => s.Start).ToDictionary(g => g.Key, g => new FolderChain([.. g]));
        return folder => folder is { } id ? chains[id] : FolderChain.Root;
    }
}
