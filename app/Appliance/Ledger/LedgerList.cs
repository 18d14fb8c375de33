using Appliance.Data;
using Appliance.Teams;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Ledger;

/// <summary>A team's ledger as its owners read it.</summary>
public sealed class LedgerList(Database database)
{
    public const int PageSize = 50;

    /// <summary>The team of that reference, where the person is one of its owners; null for everybody else, and where there is none.</summary>
    public async Task<LedgerTeam?> FindAsync(string team, UserId user, CancellationToken cancellationToken)
    {
        if (!Reference.IsWellFormed(team))
        {
            return null;
        }
        await using var session = await database.ForUserAsync(user, cancellationToken);
        return await session.Query<Team>()
            .Where(t => t.Reference == team)
            .Join(session.Query<Membership>().Where(m => m.UserId == user && m.Role == Membership.Owner), t => t.Id, m => m.TeamId, (t, _) => t)
            .Select(t => new LedgerTeam(t.Id, t.Reference, t.Name))
            .SingleOrDefaultAsync(cancellationToken);
    }

    /// <summary>Newest first, <see cref="PageSize"/> at most.</summary>
    /// <param name="team">From <see cref="FindAsync"/>.</param>
    /// <param name="user">An owner of the team.</param>
    /// <param name="before">Only entries older than this one; null from the newest.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public async Task<LedgerSlice> ReadAsync(TeamId team, UserId user, Guid? before, CancellationToken cancellationToken)
    {
        await using var session = await database.ForTeamAsync(team, user, cancellationToken);
        var from = before ?? new Guid("ffffffff-ffff-ffff-ffff-ffffffffffff");
        var lines = await session.SqlAsync<LedgerLine>($"""
            select e.id as "Id", e.at as "At", u.username as "Who", e.action as "Action", e.subject as "Subject", e.address as "Address",
                   e.details as "Details", l.index as "Index"
              from ledger_entries e
              left join users u on u.id = e.actor
              left join ledger_leaves l on l.entry_id = e.id and l.tree = e.tree
             where e.tree = {team.Value} and e.id < {from}
             order by e.id desc limit {PageSize + 1}
            """, cancellationToken);
        var more = lines.Count > PageSize;
        return new LedgerSlice(more ? lines[..PageSize] : lines, more ? lines[PageSize - 1].Id : null);
    }
}

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
