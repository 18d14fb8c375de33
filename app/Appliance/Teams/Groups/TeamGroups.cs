using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;

namespace Appliance.Teams.Groups;

/// <summary>A group as lists show it.</summary>
public sealed record ListedGroup(string Reference, string Name, bool Everyone, int Members, int Folders, Level AtTop, Level Others, IReadOnlyList<string> Permissions);

/// <summary>A top-level folder and what a group says of it; null: nothing of its own.</summary>
public sealed record FolderGrant(string Reference, string Name, Level? Level);

/// <summary>Somebody in a group.</summary>
public sealed record GroupMember(string Username, string Role, DateTimeOffset Since);

/// <summary>All of a group.</summary>
public sealed record GroupDetails(ListedGroup Group, long Revision, IReadOnlyList<GroupMember> Members, IReadOnlyList<FolderGrant> Folders);

/// <summary>What a group is to grant. <c>Folders</c>: a level, or null for what the others have, by the folder's reference; a folder that is not named keeps what it has.</summary>
public sealed record GroupGrants(Level AtTop, Level Others, IReadOnlyCollection<string> Permissions, IReadOnlyDictionary<string, Level?> Folders);

/// <summary>One place of a team and what somebody may there, with the groups that say so.</summary>
public sealed record PlaceReach(string? Reference, string Name, Level Level, IReadOnlyList<string> By);

/// <summary>What one member may.</summary>
public sealed record MemberReach(string Username, bool IsOwner, IReadOnlyList<string> Permissions, IReadOnlyList<PlaceReach> Places, IReadOnlyList<string> Groups);

/// <summary>A team's groups, for its owners. Each method that changes something commits it with its ledger entry, or nothing.</summary>
public sealed class TeamGroups(Database database, TimeProvider time)
{
    public const int MostGroups = 100;
    public const int MostNameLength = 100;

    /// <summary>How many folders a page of grants shows, and how many lines one change may hold.</summary>
    public const int MostFolders = 500;

    /// <summary>The group of everyone first, then by name.</summary>
    public static async Task<IReadOnlyList<ListedGroup>> ListAsync(TeamSession session, CancellationToken cancellationToken) =>
        [.. (await session.SqlAsync<Row>(
            $"""
            select g.id as "Id", g.reference as "Reference", g.name as "Name", g.everyone as "Everyone", g.at_top::int as "AtTop", g.others::int as "Others", g.permissions as "Permissions", g.revision as "Revision",
                   case when g.everyone then (select count(*)::int from memberships where team_id = app_team())
                        else (select count(*)::int from team_group_members m where m.team_id = g.team_id and m.group_id = g.id) end as "Members",
                   (select count(*)::int from team_group_folders f where f.team_id = g.team_id and f.group_id = g.id) as "Folders"
            from team_groups g where g.team_id = app_team() order by not g.everyone, g.name_key
            """, cancellationToken)).Select(r => r.ToListed())];

    /// <summary>Null where there is no such group.</summary>
    public static async Task<GroupDetails?> FindAsync(TeamVisit visit, string? reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        RequireOwner(visit);
        if (await RowAsync(visit.Session, reference, cancellationToken) is not { } group)
        {
            return null;
        }
        var members = group.Everyone
            ? []
            : await visit.Session.SqlAsync<GroupMember>(
                $"""
                select u.username as "Username", t.role as "Role", m.since as "Since" from team_group_members m join users u on u.id = m.user_id
                join memberships t on t.team_id = m.team_id and t.user_id = m.user_id where m.team_id = app_team() and m.group_id = {group.Id} order by u.username_key
                """, cancellationToken);
        // Those with a line come first: a page that cannot show all shows what is granted.
        var folders = await visit.Session.SqlAsync<FolderRow>(
            $"""
            select e.reference as "Reference", e.name as "Name", f.level::int as "Level" from entries e
            left join team_group_folders f on f.team_id = e.team_id and f.folder_id = e.id and f.group_id = {group.Id}
            where e.team_id = app_team() and e.parent_id is null and e.kind = 'folder' and e.deleted_at is null
            order by f.level is null, e.name_key limit {MostFolders}
            """, cancellationToken);
        return new GroupDetails(
            group.ToListed(), group.Revision, members,
            [.. folders.Select(f => new FolderGrant(f.Reference, f.Name, (Level?)f.Level)).OrderBy(f => f.Name, StringComparer.CurrentCultureIgnoreCase)]);
    }

    /// <summary>Makes a group that grants nothing yet; answers its reference.</summary>
    /// <exception cref="TeamRuleException">The name cannot be one, is taken, or there are too many groups.</exception>
    public async Task<string> CreateAsync(TeamVisit visit, string? name, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        RequireOwner(visit);
        name = CheckedName(name);
        var session = visit.Session;
        if ((await session.SqlAsync<int>($"""select count(*)::int as "Value" from team_groups where team_id = app_team()""", cancellationToken)).Single() > MostGroups)
        {
            throw new TeamRuleException($"A team has at most {MostGroups} groups.");
        }
        var (id, reference) = (Guid.CreateVersion7(), Reference.New());
        session.Add(new TeamGroup
        {
            TeamId = visit.Team,
            Id = id,
            Reference = reference,
            Name = name,
            NameKey = NameKey.Of(name),
            AtTop = Level.None,
            Others = Level.None,
            Permissions = [],
            Revision = 1,
            CreatedAt = time.GetUtcNow(),
            CreatedBy = visit.Person,
        });
        await SaveAsync(session, name, "group.created", id, [("name", name)], origin, cancellationToken);
        return reference;
    }

    /// <exception cref="TeamRuleException">The name cannot be one or is taken, or it is the group of everyone.</exception>
    public async Task RenameAsync(TeamVisit visit, string? reference, string? name, Origin origin, CancellationToken cancellationToken)
    {
        var group = await RequireAsync(visit, reference, cancellationToken);
        RequireOwn(group);
        name = CheckedName(name);
        try
        {
            await visit.Session.ExecuteAsync(
                $"update team_groups set name = {name}, name_key = {NameKey.Of(name)}, revision = revision + 1 where team_id = app_team() and id = {group.Id}", cancellationToken);
        }
        catch (DuplicateException)
        {
            throw Taken(name);
        }
        await SaveAsync(visit.Session, name, "group.renamed", group.Id, [("from", group.Name), ("name", name)], origin, cancellationToken);
    }

    /// <summary>Its members lose what it alone gave them, at once.</summary>
    /// <exception cref="TeamRuleException">It is the group of everyone.</exception>
    public async Task DeleteAsync(TeamVisit visit, string? reference, Origin origin, CancellationToken cancellationToken)
    {
        var group = await RequireAsync(visit, reference, cancellationToken);
        RequireOwn(group);
        await visit.Session.ExecuteAsync($"delete from team_groups where team_id = app_team() and id = {group.Id}", cancellationToken);
        await SaveAsync(visit.Session, group.Name, "group.deleted", group.Id, [("name", group.Name)], origin, cancellationToken);
    }

    /// <exception cref="TeamRuleException">They are no member of the team, or it is the group of everyone.</exception>
    public async Task AddAsync(TeamVisit visit, string? reference, string? username, Origin origin, CancellationToken cancellationToken)
    {
        var group = await RequireAsync(visit, reference, cancellationToken);
        RequireOwn(group);
        var member = await Members.FindAsync(visit.Session, username, cancellationToken)
            ?? throw new TeamRuleException("Nobody in this team has that username. Let them into the team first.");
        if (await visit.Session.ExecuteAsync(
            $"""
            insert into team_group_members (team_id, group_id, user_id, since, added_by) values (app_team(), {group.Id}, {member.UserId}, {time.GetUtcNow()}, {visit.Person.Value})
            on conflict do nothing
            """, cancellationToken) == 1)
        {
            await SaveAsync(visit.Session, group.Name, "group.member-added", group.Id, [("name", group.Name), ("username", member.Username)], origin, cancellationToken);
        }
    }

    /// <summary>They lose what this group alone gave them, at once.</summary>
    /// <exception cref="TeamRuleException">They are not in it.</exception>
    public async Task RemoveAsync(TeamVisit visit, string? reference, string? username, Origin origin, CancellationToken cancellationToken)
    {
        var group = await RequireAsync(visit, reference, cancellationToken);
        var member = await Members.FindAsync(visit.Session, username, cancellationToken);
        if (member is null || await visit.Session.ExecuteAsync(
            $"delete from team_group_members where team_id = app_team() and group_id = {group.Id} and user_id = {member.UserId}", cancellationToken) == 0)
        {
            throw new TeamRuleException("They are not in this group any more.");
        }
        await SaveAsync(visit.Session, group.Name, "group.member-removed", group.Id, [("name", group.Name), ("username", member.Username)], origin, cancellationToken);
    }

    /// <summary>Says anew what a group may.</summary>
    /// <param name="visit">An owner of the team.</param>
    /// <param name="reference">Which group.</param>
    /// <param name="grants">What it may from now on.</param>
    /// <param name="revision">What the owner saw: of two who change it at once, the second is told.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    /// <exception cref="TeamRuleException">It was changed meanwhile, or something in it does not exist.</exception>
    public async Task GrantAsync(TeamVisit visit, string? reference, GroupGrants grants, long revision, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(grants);
        var group = await RequireAsync(visit, reference, cancellationToken);
        var permissions = Permission.All.Where(grants.Permissions.Contains).ToArray();
        if (grants.Folders.Count > MostFolders || permissions.Length != grants.Permissions.Distinct(StringComparer.Ordinal).Count() || !Enum.IsDefined(grants.AtTop) || !Enum.IsDefined(grants.Others)
            || grants.Folders.Values.Any(l => l is { } level && !Enum.IsDefined(level)))
        {
            throw new TeamRuleException("That cannot be granted. Load the page anew.");
        }
        var session = visit.Session;
        if (await session.ExecuteAsync(
            $"""
            update team_groups set at_top = {(short)grants.AtTop}, others = {(short)grants.Others}, permissions = {permissions}, revision = revision + 1
            where team_id = app_team() and id = {group.Id} and revision = {revision}
            """, cancellationToken) == 0)
        {
            throw new TeamRuleException("Somebody changed this group meanwhile. Look at it again, then decide.");
        }
        var (set, unset) = (grants.Folders.Where(f => f.Value is not null).ToList(), grants.Folders.Where(f => f.Value is null).Select(f => f.Key).ToArray());
        await session.ExecuteAsync(
            $"""
            delete from team_group_folders where team_id = app_team() and group_id = {group.Id}
              and folder_id in (select id from entries where team_id = app_team() and reference = any({unset}))
            """, cancellationToken);
        var (folders, levels) = (set.Select(f => f.Key).ToArray(), set.Select(f => (short)f.Value!.Value).ToArray());
        var written = await session.ExecuteAsync(
            $"""
            insert into team_group_folders (team_id, group_id, folder_id, level)
            select app_team(), {group.Id}, e.id, l.level from unnest({folders}, {levels}) as l (reference, level)
            join entries e on e.team_id = app_team() and e.reference = l.reference and e.parent_id is null and e.kind = 'folder'
            on conflict (team_id, group_id, folder_id) do update set level = excluded.level
            """, cancellationToken);
        if (written != set.Count)
        {
            throw new TeamRuleException("One of the folders is not there any more. Look at it again, then decide.");
        }
        var details = new List<(string, string?)> { ("name", group.Name), ("beside folders", Word(grants.AtTop)), ("other folders", Word(grants.Others)), ("permissions", string.Join(' ', permissions)) };
        details.AddRange(await LinesAsync(session, group.Id, cancellationToken));
        await SaveAsync(session, group.Name, "group.granted", group.Id, details, origin, cancellationToken);
    }

    /// <summary>
    /// What a member may, asked of the database in their own name: what is shown is what is so. Of folders it says the names, which owners see anyhow; nothing of what is in them.
    /// Null where there is no such member.
    /// </summary>
    public async Task<MemberReach?> ReachOfAsync(TeamVisit visit, string? username, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        RequireOwner(visit);
        if (await Members.FindAsync(visit.Session, username, cancellationToken) is not { } member)
        {
            return null;
        }
        var places = await visit.Session.SqlAsync<PlaceRow>(
            $"""
            select id as "Id", reference as "Reference", name as "Name" from entries
            where team_id = app_team() and parent_id is null and kind = 'folder' and deleted_at is null order by name_key limit {MostFolders}
            """, cancellationToken);
        var lines = await visit.Session.SqlAsync<LineRow>(
            $"""
            select g.name as "Group", e.reference as "Folder", g.at_top::int as "AtTop", g.others::int as "Others", f.level::int as "Level"
            from team_groups g left join team_group_folders f on f.team_id = g.team_id and f.group_id = g.id
            left join entries e on e.team_id = f.team_id and e.id = f.folder_id
            where g.team_id = app_team() and (g.everyone or exists (
                select from team_group_members m where m.team_id = g.team_id and m.group_id = g.id and m.user_id = {member.UserId})) order by not g.everyone, g.name_key
            """, cancellationToken);
        var isOwner = member.Role == Membership.Owner;
        var groups = lines.GroupBy(l => l.Group, StringComparer.Ordinal).ToList();
        await using var theirs = await database.ForTeamAsync(visit.Team, new UserId(member.UserId), cancellationToken);
        var reach = await Reach.ReadAsync(theirs, cancellationToken);
        var levels = await Reach.AtAsync(theirs, [.. places.Select(p => p.Id)], cancellationToken);
        return new MemberReach(
            member.Username, isOwner, reach.Permissions,
            [
                new PlaceReach(null, "Beside the folders", reach.AtTop, By(null, reach.AtTop)),
                .. places.Select(p => new PlaceReach(p.Reference, p.Name, levels[p.Id], By(p.Reference, levels[p.Id]))),
            ],
            [.. groups.Select(g => g.Key)]);

        IReadOnlyList<string> By(string? folder, Level level) => isOwner ? ["owner"] : level == Level.None ? [] :
            [.. groups.Where(g => (folder is null ? g.First().AtTop : g.FirstOrDefault(l => l.Folder == folder)?.Level ?? g.First().Others) == (int)level).Select(g => g.Key)];
    }

    public static string Word(Level level) => level switch
    {
        Level.None => "nothing",
        Level.Read => "read",
        Level.Write => "read and write",
        _ => "manage",
    };

    private static async Task<IEnumerable<(string, string?)>> LinesAsync(TeamSession session, Guid group, CancellationToken cancellationToken)
    {
        const int MostTold = 50;
        var rows = await session.SqlAsync<FolderRow>(
            $"""
            select e.reference as "Reference", e.name as "Name", f.level::int as "Level" from team_group_folders f join entries e on e.team_id = f.team_id and e.id = f.folder_id
            where f.team_id = app_team() and f.group_id = {group} and e.deleted_at is null order by e.name_key limit {MostTold + 1}
            """, cancellationToken);
        return rows.Take(MostTold).Select(r => ("folder " + r.Name, (string?)Word((Level)r.Level!.Value)))
            .Concat(rows.Count > MostTold ? [("more folders", "see the page")] : []);
    }

    private static async Task<Row?> RowAsync(TeamSession session, string? reference, CancellationToken cancellationToken) =>
        (await session.SqlAsync<Row>(
            $"""
            select g.id as "Id", g.reference as "Reference", g.name as "Name", g.everyone as "Everyone", g.at_top::int as "AtTop", g.others::int as "Others", g.permissions as "Permissions", g.revision as "Revision",
                   0 as "Members", 0 as "Folders"
            from team_groups g where g.team_id = app_team() and g.reference = {reference ?? ""}
            """, cancellationToken)).SingleOrDefault();

    private static async Task<Row> RequireAsync(TeamVisit visit, string? reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        RequireOwner(visit);
        return await RowAsync(visit.Session, reference, cancellationToken) ?? throw new TeamRuleException("There is no such group any more.");
    }

    private static async Task SaveAsync(
        TeamSession session, string name, string action, Guid group, IReadOnlyList<(string Name, string? Value)> details, Origin origin, CancellationToken cancellationToken)
    {
        session.Record(new LedgerEvent(action, group.ToString("D"), details.ToDictionary(d => d.Name, d => d.Value, StringComparer.Ordinal)), origin);
        try
        {
            await session.CommitAsync(cancellationToken);
        }
        catch (DuplicateException)
        {
            throw Taken(name);
        }
    }

    private static void RequireOwner(TeamVisit visit)
    {
        if (!visit.IsOwner)
        {
            throw new TeamRuleException("Only an owner of the team decides who may do what.");
        }
    }

    private static void RequireOwn(Row group)
    {
        if (group.Everyone)
        {
            throw new TeamRuleException("All members are in this group, and it stays. Change what it grants instead.");
        }
    }

    private static string CheckedName(string? name) => TeamDirectory.CheckedName(name, "A group’s name");

    private static TeamRuleException Taken(string name) => new($"There is a group called “{name}” already. Choose another name.");

    private sealed record Row(
        Guid Id, string Reference, string Name, bool Everyone, int AtTop, int Others, string[] Permissions, long Revision, int Members, int Folders)
    {
        public ListedGroup ToListed() => new(Reference, Name, Everyone, Members, Folders, (Level)AtTop, (Level)Others, Permissions);
    }

    private sealed record FolderRow(string Reference, string Name, int? Level);

    private sealed record PlaceRow(Guid Id, string Reference, string Name);

    private sealed record LineRow(string Group, string? Folder, int AtTop, int Others, int? Level);
}
