using Appliance.Data;

namespace Appliance.Teams.Groups;

/// <summary>
/// What the person of a session may in its team, as the database itself says it: the same functions that its policies ask. It decides nothing; it is what
/// pages show and hide by, and what a refusal is explained with.
/// </summary>
public sealed class Reach
{
    private readonly Dictionary<string, Level> _folders;

    private Reach(Dictionary<string, Level> folders, Level atTop, Level others, IReadOnlyList<string> permissions) =>
        (_folders, AtTop, Others, Permissions) = (folders, atTop, others, permissions);

    /// <summary>For files beside the top-level folders, and for making such folders.</summary>
    public Level AtTop { get; }

    /// <summary>For top-level folders that no group of theirs has a line for.</summary>
    public Level Others { get; }

    /// <summary>Some of <see cref="Permission.All"/>.</summary>
    public IReadOnlyList<string> Permissions { get; }

    /// <summary>The most that they have anywhere.</summary>
    public Level Highest => _folders.Values.Append(AtTop).Append(Others).Max();

    public bool May(string permission) => Permissions.Contains(permission);

    /// <summary>At what lies in a folder, by the reference of the top-level folder on the way to it; null: beside the top-level folders.</summary>
    public Level In(string? topFolder) => topFolder is null ? AtTop : _folders.GetValueOrDefault(topFolder, Others);

    /// <exception cref="DatabaseUnavailableException">The database does not answer.</exception>
    public static async Task<Reach> ReadAsync(TeamSession session, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        var rows = await session.SqlAsync<Row>(
            $"""
            select null::text as "Folder", app_level(null) as "Level",
                   case when app_else(3) then 3 when app_else(2) then 2 when app_else(1) then 1 else 0 end as "Others", app_permissions() as "Permissions"
            union all
            select e.reference, app_level(e.id), 0, null from entries e
            where e.team_id = app_team() and e.id in (select folder_id from team_group_folders where team_id = app_team())
            """, cancellationToken);
        var general = rows.Single(r => r.Folder is null);
        return new Reach(
            rows.Where(r => r.Folder is not null).ToDictionary(r => r.Folder!, r => (Level)r.Level, StringComparer.Ordinal), (Level)general.Level, (Level)general.Others,
            general.Permissions ?? []);
    }

    /// <summary>At each of these top-level folders, whether the person sees that it is there or not: for whoever looks at what another may.</summary>
    internal static async Task<Dictionary<Guid, Level>> AtAsync(TeamSession session, Guid[] folders, CancellationToken cancellationToken) =>
        (await session.SqlAsync<Place>($"""select id as "Id", app_level(id) as "Level" from unnest({folders}) as id""", cancellationToken)).ToDictionary(p => p.Id, p => (Level)p.Level);

    private sealed record Place(Guid Id, int Level);

    private sealed record Row(string? Folder, int Level, int Others, string[]? Permissions);
}
