using Appliance.Data;

namespace Appliance.Teams.Groups;

/// <summary>What each member reaches and by which group, in a line of words: for lists and reviews.</summary>
public static class GroupSummary
{
    /// <summary>How many folders of a group are named; of more, their number.</summary>
    private const int MostNamed = 5;

    /// <summary>By the member's id. An owner's says so and nothing more.</summary>
    public static async Task<IReadOnlyDictionary<Guid, string>> ReadAsync(TeamSession session, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        var groups = await session.SqlAsync<Row>(
            $"""
            select g.id as "Id", g.name as "Name", g.everyone as "Everyone", g.at_top::int as "AtTop", g.others::int as "Others", g.permissions as "Permissions",
                   e.name as "Folder", f.level::int as "Level"
            from team_groups g left join team_group_folders f on f.team_id = g.team_id and f.group_id = g.id left join entries e on e.team_id = f.team_id and e.id = f.folder_id
            where g.team_id = app_team() order by not g.everyone, g.name_key, e.name_key
            """, cancellationToken);
        var words = groups.GroupBy(g => g.Id).ToDictionary(g => g.Key, g => InWords([.. g]));
        var everyone = groups.First(g => g.Everyone).Id;
        var members = await session.SqlAsync<MemberRow>(
            $"""
            select m.user_id as "UserId", m.role as "Role", array(
                select g.id from team_group_members i join team_groups g on g.team_id = i.team_id and g.id = i.group_id
                where i.team_id = m.team_id and i.user_id = m.user_id order by g.name_key) as "Groups"
            from memberships m where m.team_id = app_team()
            """, cancellationToken);
        return members.ToDictionary(
            m => m.UserId, m => m.Role == Membership.Owner ? "everything, as an owner" : string.Join("; ", m.Groups.Prepend(everyone).Select(g => words[g])));
    }

    private static string InWords(IReadOnlyList<Row> rows)
    {
        var group = rows[0];
        var lines = rows.Where(r => r.Folder is not null).ToList();
        var folders = lines.Count > MostNamed
            ? [$"other levels in {lines.Count} folders"]
            : lines.Select(l => $"“{l.Folder}” {TeamGroups.Word((Level)l.Level!.Value)}");
        var parts = new[] { "folders " + TeamGroups.Word((Level)group.Others), "beside them " + TeamGroups.Word((Level)group.AtTop) }.Concat(folders).Concat(group.Permissions.Select(GroupWords.Short));
        return $"{group.Name}: {string.Join(", ", parts)}";
    }

    private sealed record Row(Guid Id, string Name, bool Everyone, int AtTop, int Others, string[] Permissions, string? Folder, int? Level);

    private sealed record MemberRow(Guid UserId, string Role, Guid[] Groups);
}
