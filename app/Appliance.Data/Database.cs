using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace Appliance.Data;

/// <summary>
/// Opens <see cref="TeamSession"/>s: the only way to the database. Opening takes a connection from the pool and costs no round
/// trip; the transaction begins, and team and user are set, in the round trip of the session's first query.
/// All members throw <see cref="DatabaseUnavailableException"/> where the database does not answer.
/// </summary>
public sealed class Database : IDisposable
{
    private readonly NpgsqlDataSource _source;
    private readonly PooledDbContextFactory<ApplianceContext> _contexts;

    internal Database(NpgsqlDataSource source, DbContextOptions<ApplianceContext> options)
    {
        _source = source;
        _contexts = new PooledDbContextFactory<ApplianceContext>(options);
    }

    /// <summary>A person at work in one team. Where that person is no member, the team is empty to them.</summary>
    public Task<TeamSession> ForTeamAsync(TeamId team, UserId user, CancellationToken cancellationToken) =>
        OpenAsync(NotNil(team), Person(user), cancellationToken);

    /// <summary>A person outside of any team: their own account, and the list of their own teams.</summary>
    public Task<TeamSession> ForUserAsync(UserId user, CancellationToken cancellationToken) =>
        OpenAsync(null, Person(user), cancellationToken);

    /// <summary>Nobody, in no team: what is not tenant data.</summary>
    public Task<TeamSession> ForApplianceAsync(CancellationToken cancellationToken) => OpenAsync(null, null, cancellationToken);

    /// <summary>One of the appliance's own jobs at work in one team.</summary>
    /// <exception cref="ArgumentException">No team: a job without a team has no business with tenant data.</exception>
    public Task<TeamSession> ForJobAsync(TeamId team, CancellationToken cancellationToken) =>
        OpenAsync(NotNil(team), UserId.Appliance, cancellationToken);

    /// <summary>Every team's id, for jobs that then enter one team after the other.</summary>
    public async Task<IReadOnlyList<TeamId>> AllTeamsAsync(CancellationToken cancellationToken)
    {
        await using var session = await ForApplianceAsync(cancellationToken);
        var ids = await session.SqlAsync<Guid>($"""select app_all_teams() as "Value" """, cancellationToken);
        return [.. ids.Select(id => new TeamId(id))];
    }

    /// <summary>For readiness: one query on a pooled connection.</summary>
    public async Task CheckReachableAsync(CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand("select 1");
        await command.ExecuteScalarAsync(cancellationToken).Translated();
    }

    /// <summary>Closes the pooled connections; one that is in use, when its session ends.</summary>
    public void Dispose() => _source.Dispose();

    /// <summary>Several statements for one flight, on a pooled connection.</summary>
    internal NpgsqlBatch CreateBatch() => _source.CreateBatch();

    internal ApplianceContext CreateContext() => _contexts.CreateDbContext();

    private async Task<TeamSession> OpenAsync(TeamId? team, UserId? user, CancellationToken cancellationToken)
    {
        var context = CreateContext();
        try
        {
            context.Identity = new SessionIdentity(team, user);
            var transaction = await context.Database.BeginTransactionAsync(cancellationToken).Translated();
            return new TeamSession(context, transaction, team, user);
        }
        catch
        {
            await context.DisposeAsync();
            throw;
        }
    }

    private static TeamId NotNil(TeamId team) => team.Value == Guid.Empty
        ? throw new ArgumentException("A session in a team needs the team.", nameof(team))
        : team;

    private static UserId Person(UserId user) => user == UserId.Appliance
        ? throw new ArgumentException("A person's session needs a person.", nameof(user))
        : user;
}
