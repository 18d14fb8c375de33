using System.Text;
using Appliance.Data;
using Appliance.Teams;

namespace Appliance.Files;

/// <summary>Something that was found, and the folders it is in, from the root.</summary>
public sealed record FoundEntry(ListedEntry Entry, IReadOnlyList<FolderStep> Path);

/// <summary>What was found. <c>More</c>: whether there is more of it than was asked for.</summary>
public sealed record FoundEntries(IReadOnlyList<FoundEntry> Entries, bool More);

/// <summary>
/// Search by name in the whole team. Every word must be in the name, whatever its case and form; nothing in it has a meaning of its own. Names that
/// begin with the first word come first. A word of one or two letters finds only names that begin with it.
/// </summary>
public static class Search
{
    /// <summary>Characters of what is looked for.</summary>
    public const int MaxLength = 200;

    /// <summary>How much one search answers at most.</summary>
    public const int MostAtOnce = 200;

    /// <exception cref="FileRuleException">There is nothing to look for, or too much.</exception>
    public static async Task<FoundEntries> FindAsync(TeamVisit visit, string? text, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, MostAtOnce);
        if (text is null || text.Length > MaxLength || string.IsNullOrWhiteSpace(text))
        {
            throw new FileRuleException(FileRule.BadSearch, $"Search for 1 to {MaxLength} characters of a name.");
        }
        if (Words(text) is not { } words)
        {
            return new FoundEntries([], false); // half a character, or a control character: no name has one
        }
        var session = visit.Session;
        var found = await session.SqlAsync<Row>(
            $"""
            select s.reference as "Reference", s.kind as "Kind", s.name as "Name", e.name_key as "NameKey", s.parent_id as "ParentId",
                   case when s.kind = 'file' then s.size end as "Size", s.media_type as "MediaType", s.revision as "Revision",
                   e.created_at as "CreatedAt", s.modified_at as "ModifiedAt"
            from app_search({words}, {limit + 1}) with ordinality as s (id, reference, parent_id, kind, name, size, media_type, modified_at, revision, place)
            join entries e on e.team_id = app_team() and e.id = s.id order by s.place
            """, cancellationToken);
        var rows = found.Take(limit).ToList();
        var chains = await Ancestry.OfAsync(session, rows.Select(r => r.ParentId), cancellationToken);
        return new FoundEntries([.. rows.Select(r => r.ToFound(chains(r.ParentId)))], found.Count > limit);
    }

    /// <summary>As the names' keys are made (<see cref="EntryName.Key"/>); null where no name can hold them.</summary>
    internal static string[]? Words(string text)
    {
        if (text.EnumerateRunes().Any(r => r.Value == 0xFFFD || (Rune.IsControl(r) && !Rune.IsWhiteSpace(r))))
        {
            return null;
        }
        return [.. text.Normalize(NormalizationForm.FormC).ToUpperInvariant().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Distinct(StringComparer.Ordinal)];
    }

    private sealed record Row(
        string Reference, string Kind, string Name, string NameKey, Guid? ParentId, long? Size, string? MediaType, long Revision,
        DateTimeOffset CreatedAt, DateTimeOffset ModifiedAt)
    {
        public FoundEntry ToFound(FolderChain chain) => new(
            new ListedEntry(Reference, Kind, Name, NameKey, chain.Steps is [.., var folder] ? folder.Reference : null, Size, MediaType, Revision, CreatedAt, ModifiedAt),
            chain.Path);
    }
}
