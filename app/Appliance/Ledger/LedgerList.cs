using Appliance.Accounts;
using Appliance.Data;
using Appliance.Teams;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Ledger;

/// <summary>A team's ledger as its owners read it, and who has the permission by a group.</summary>
public sealed class LedgerList(Database database)
{
    public const int PageSize = 50;

    private const int MostPeople = 200;
    private const int MostActions = 1000;

    /// <summary>The team of that reference, where the person may read its ledger; null for everybody else, and where there is none.</summary>
    public async Task<LedgerTeam?> FindAsync(string team, UserId user, CancellationToken cancellationToken)
    {
        if (!Reference.IsWellFormed(team))
        {
            return null;
        }
        LedgerTeam? found;
        await using (var session = await database.ForUserAsync(user, cancellationToken))
        {
            found = await session.Query<Team>()
                .Where(t => t.Reference == team)
                .Join(session.Query<Membership>().Where(m => m.UserId == user), t => t.Id, m => m.TeamId, (t, _) => t)
                .Select(t => new LedgerTeam(t.Id, t.Reference, t.Name))
                .SingleOrDefaultAsync(cancellationToken);
        }
        if (found is null)
        {
            return null;
        }
        await using var theirs = await database.ForTeamAsync(found.Id, user, cancellationToken);
        return (await theirs.SqlAsync<bool>($"""select app_reads_ledger() as "Value" """, cancellationToken)).Single() ? found : null;
    }

    /// <summary>Newest first, <see cref="PageSize"/> at most.</summary>
    /// <param name="team">From <see cref="FindAsync"/>.</param>
    /// <param name="user">Who may read it.</param>
    /// <param name="filter">Which of them.</param>
    /// <param name="before">Only entries older than this one; null from the newest.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public async Task<LedgerSlice> ReadAsync(TeamId team, UserId user, LedgerFilter filter, Guid? before, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);
        await using var session = await database.ForTeamAsync(team, user, cancellationToken);
        var lines = await LinesAsync(session, team.Value, filter, before, cancellationToken);
        var more = lines.Count > PageSize;
        return new LedgerSlice(more ? lines[..PageSize] : lines, more ? lines[PageSize - 1].Id : null);
    }

    /// <summary>What there is to choose from: every action in the team's ledger, and its members.</summary>
    public async Task<LedgerChoices> ChoicesAsync(TeamId team, UserId user, CancellationToken cancellationToken)
    {
        await using var session = await database.ForTeamAsync(team, user, cancellationToken);
        return new LedgerChoices(
            await ActionsAsync(session, team.Value, null, cancellationToken),
            await session.SqlAsync<string>($"""
                select u.username as "Value" from memberships m join users u on u.id = m.user_id where m.team_id = {team.Value} order by u.username limit {MostPeople}
                """, cancellationToken));
    }

    private static async Task<List<LedgerLine>> LinesAsync(TeamSession session, Guid tree, LedgerFilter filter, Guid? before, CancellationToken cancellationToken)
    {
        var (lowest, highest) = (filter.LowestId, before is { } one && one.CompareTo(filter.HighestId) < 0 ? one : filter.HighestId);
        if (filter.From is not null && (await session.SqlAsync<Guid>($"""select id as "Value" from ledger_entries where tree = {tree} order by id limit 1""", cancellationToken)) is [var first]
            && first.CompareTo(LedgerFilter.FirstTimed) < 0)
        {
            lowest = Guid.Empty; // a version before this one wrote ids that say nothing of the day
        }
        if (filter is { Person: null, Action: null })
        {
            return await session.SqlAsync<LedgerLine>($"""
                select e.id as "Id", e.at as "At", u.username as "Who", e.action as "Action", e.subject as "Subject", e.address as "Address",
                       e.details as "Details", l.index as "Index"
                  from ledger_entries e
                  left join users u on u.id = e.actor
                  left join ledger_leaves l on l.entry_id = e.id and l.tree = e.tree
                 where e.tree = {tree} and e.id < {highest} and e.id >= {lowest} and e.at >= {filter.Since} and e.at < {filter.Until}
                 order by e.id desc limit {PageSize + 1}
                """, cancellationToken);
        }
        Guid? actor = null;
        if (filter.Person is { } name)
        {
            // A name that nobody has and one that did nothing here are the same: no entries.
            var people = await session.SqlAsync<Guid>($"""select id as "Value" from users where username_key = {NameKey.Of(name)}""", cancellationToken);
            if (people is not [var person])
            {
                return [];
            }
            actor = person;
        }
        var actions = await ActionsAsync(session, tree, actor, cancellationToken);
        string[] wanted = filter.Prefix is { } prefix ? [.. actions.Where(action => action.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))] : [.. actions];
        // The newest of each action, from the end of its own stretch of the index; of those, the newest.
        return actor is { } id
            ? await session.SqlAsync<LedgerLine>($"""
                select e.id as "Id", e.at as "At", u.username as "Who", e.action as "Action", e.subject as "Subject", e.address as "Address",
                       e.details as "Details", l.index as "Index"
                  from (select n.* from unnest({wanted}) as a (action) cross join lateral (
                            select * from ledger_entries
                             where tree = {tree} and actor = {id} and action = a.action and id < {highest} and id >= {lowest} and at >= {filter.Since} and at < {filter.Until}
                             order by id desc limit {PageSize + 1}) n order by n.id desc limit {PageSize + 1}) e
                  left join users u on u.id = e.actor
                  left join ledger_leaves l on l.entry_id = e.id and l.tree = {tree}
                 order by e.id desc
                """, cancellationToken)
            : await session.SqlAsync<LedgerLine>($"""
                select e.id as "Id", e.at as "At", u.username as "Who", e.action as "Action", e.subject as "Subject", e.address as "Address",
                       e.details as "Details", l.index as "Index"
                  from (select n.* from unnest({wanted}) as a (action) cross join lateral (
                            select * from ledger_entries
                             where tree = {tree} and action = a.action and id < {highest} and id >= {lowest} and at >= {filter.Since} and at < {filter.Until}
                             order by id desc limit {PageSize + 1}) n order by n.id desc limit {PageSize + 1}) e
                  left join users u on u.id = e.actor
                  left join ledger_leaves l on l.entry_id = e.id and l.tree = {tree}
                 order by e.id desc
                """, cancellationToken);
    }

    /// <summary>Which actions there are: one index look-up for each, however many entries.</summary>
    private static Task<List<string>> ActionsAsync(TeamSession session, Guid tree, Guid? actor, CancellationToken cancellationToken) => actor is { } id
        ? session.SqlAsync<string>($"""
            with recursive a as (
                (select action from ledger_entries where tree = {tree} and actor = {id} order by action limit 1)
                union all
                select (select e.action from ledger_entries e where e.tree = {tree} and e.actor = {id} and e.action > a.action order by e.action limit 1) from a where a.action is not null
            ) select action as "Value" from a where action is not null limit {MostActions}
            """, cancellationToken)
        : session.SqlAsync<string>($"""
            with recursive a as (
                (select action from ledger_entries where tree = {tree} order by action limit 1)
                union all
                select (select e.action from ledger_entries e where e.tree = {tree} and e.action > a.action order by e.action limit 1) from a where a.action is not null
            ) select action as "Value" from a where action is not null limit {MostActions}
            """, cancellationToken);
}

/// <summary>What a filter can name.</summary>
public sealed record LedgerChoices(IReadOnlyList<string> Actions, IReadOnlyList<string> People);

public sealed record LedgerTeam(TeamId Id, string Reference, string Name);

/// <summary>A page of it; <paramref name="Next"/> is where the next, older one starts, or null.</summary>
public sealed record LedgerSlice(IReadOnlyList<LedgerLine> Lines, Guid? Next);

/// <summary>An entry for reading.</summary>
public sealed class LedgerLine
{
    public required Guid Id { get; init; }

    public required DateTimeOffset At { get; init; }

    /// <summary>The person's username; null where it was the appliance, or nobody signed in.</summary>
    public string? Who { get; init; }

    public required string Action { get; init; }

    public string? Subject { get; init; }

    public string? Address { get; init; }

    /// <summary>A JSON object.</summary>
    public required string Details { get; init; }

    /// <summary>Its place in the tree; null while it waits to be sealed.</summary>
    public long? Index { get; init; }
}
