using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Data;

/// <summary>The one door, attacked: what a person, a wrong handler and the app's own role can reach in the real database.</summary>
public sealed class TeamSessionTests : IAsyncLifetime
{
    private PostgresCluster _cluster = null!;
    private string _name = "";
    private Database _database = null!;

    public async Task InitializeAsync()
    {
        _cluster = await PostgresCluster.SharedAsync();
        _name = await _cluster.CreateDatabaseAsync();
        _database = DataServices.Open(_cluster.Options(_name), null);
    }

    public Task DisposeAsync()
    {
        _database.Dispose();
        return Task.CompletedTask;
    }

    [Fact, Trait("Requirement", "T1"), Trait("Requirement", "T2")]
    public async Task A_team_is_visible_to_its_members_and_to_nobody_else()
    {
        var (anna, ben) = (await PersonAsync("anna"), await PersonAsync("ben"));
        var team = await TeamAsync(anna);

        await using (var own = await _database.ForTeamAsync(team, anna, default))
        {
            (await own.Query<Team>().SingleAsync()).Id.ShouldBe(team);
            (await own.Query<Membership>().SingleAsync()).UserId.ShouldBe(anna);
        }
        // A handler that opens the wrong team for a person finds nothing in it.
        await using (var foreign = await _database.ForTeamAsync(team, ben, default))
        {
            (await foreign.Query<Team>().ToListAsync()).ShouldBeEmpty();
            (await foreign.Query<Membership>().ToListAsync()).ShouldBeEmpty();
        }
        await using (var outside = await _database.ForUserAsync(ben, default))
        {
            (await outside.Query<Team>().ToListAsync()).ShouldBeEmpty();
        }
        await using (var nobody = await _database.ForApplianceAsync(default))
        {
            (await nobody.Query<Team>().ToListAsync()).ShouldBeEmpty();
            (await nobody.SqlAsync<int>($"""select count(*)::int as "Value" from memberships""", default)).Single().ShouldBe(0);
        }
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task A_stranger_cannot_write_themselves_into_a_team()
    {
        var (anna, ben) = (await PersonAsync("anna"), await PersonAsync("ben"));
        var team = await TeamAsync(anna);

        await using var session = await _database.ForTeamAsync(team, ben, default);
        session.Add(new Membership { TeamId = team, UserId = ben, Role = Membership.Owner, Since = DateTimeOffset.UtcNow, AddedBy = ben });
        await Should.ThrowAsync<ForbiddenByDatabaseException>(() => session.CommitAsync(default));
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task The_identity_of_one_session_does_not_linger_on_the_pooled_connection()
    {
        var anna = await PersonAsync("anna");
        var team = await TeamAsync(anna);
        for (var i = 0; i < 50; i++)
        {
            await using (var own = await _database.ForTeamAsync(team, anna, default))
            {
                (await own.Query<Team>().CountAsync()).ShouldBe(1);
            }
            await using var nobody = await _database.ForApplianceAsync(default);
            (await nobody.SqlAsync<string>($"""select coalesce(current_setting('app.team', true), '') || coalesce(current_setting('app.person', true), '') as "Value" """, default))
                .Single().ShouldBe("");
        }
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task A_session_that_is_not_committed_leaves_nothing()
    {
        var anna = await PersonAsync("anna");
        var team = await TeamAsync(anna);
        await using (var session = await _database.ForTeamAsync(team, anna, default))
        {
            (await session.Query<Team>().SingleAsync()).Name = "changed";
            session.Record(new LedgerEvent("team.renamed"), new Origin(anna, null));
            await session.SaveAsync(default);
        }
        await using var after = await _database.ForTeamAsync(team, anna, default);
        (await after.Query<Team>().SingleAsync()).Name.ShouldBe("Team");
        (await after.Query<LedgerEntry>().CountAsync(e => e.Action == "team.renamed")).ShouldBe(0);
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task A_session_disposed_twice_does_not_make_two_later_ones_share_a_connection()
    {
        var (anna, ben) = (await PersonAsync("anna"), await PersonAsync("ben"));
        var session = await _database.ForApplianceAsync(default);
        await session.DisposeAsync();
        await session.DisposeAsync();

        await using var annas = await _database.ForUserAsync(anna, default);
        await using var bens = await _database.ForUserAsync(ben, default);
        (await annas.SqlAsync<Guid>($"""select app_user() as "Value" """, default)).Single().ShouldBe(anna.Value);
        (await bens.SqlAsync<Guid>($"""select app_user() as "Value" """, default)).Single().ShouldBe(ben.Value);
    }

    [Fact, Trait("Requirement", "T2")]
    public async Task Work_without_a_team_throws_instead_of_returning_nothing()
    {
        await Should.ThrowAsync<ArgumentException>(() => _database.ForJobAsync(default, default));
        await Should.ThrowAsync<ArgumentException>(() => _database.ForTeamAsync(default, UserId.New(), default));
        await Should.ThrowAsync<ArgumentException>(() => _database.ForTeamAsync(TeamId.New(), UserId.Appliance, default));
        await using var session = await _database.ForApplianceAsync(default);
        Should.Throw<InvalidOperationException>(() => session.Record(new LedgerEvent("x"), new Origin(null, null)));
    }

    [Fact, Trait("Requirement", "T2")]
    public async Task Team_and_user_ride_in_the_round_trip_of_the_first_query()
    {
        var anna = await PersonAsync("anna");
        var team = await TeamAsync(anna);
        // Warm: what follows counts the statements of a usual request, not of a first connection.
        await using (var warm = await _database.ForTeamAsync(team, anna, default))
        {
            await warm.Query<Team>().CountAsync();
        }
        using var trips = new RoundTrips();
        await using (var session = await _database.ForTeamAsync(team, anna, default))
        {
            (await session.Query<Team>().CountAsync()).ShouldBe(1);
            trips.Count.ShouldBe(1);
        }
    }

    private async Task<UserId> PersonAsync(string name)
    {
        var user = new User { Username = name, UsernameKey = name.ToUpperInvariant(), SecurityStamp = "s", ConcurrencyStamp = "c", CreatedAt = DateTimeOffset.UtcNow };
        await using var session = await _database.ForApplianceAsync(default);
        session.Add(user);
        await session.CommitAsync(default);
        return user.Id;
    }

    private async Task<TeamId> TeamAsync(UserId owner)
    {
        var team = TeamId.New();
        await using var session = await _database.ForTeamAsync(team, owner, default);
        session.Add(new Team { Id = team, Reference = Reference.New(), Name = "Team", CreatedAt = DateTimeOffset.UtcNow });
        session.Add(new Membership { TeamId = team, UserId = owner, Role = Membership.Owner, Since = DateTimeOffset.UtcNow, AddedBy = owner });
        session.Record(new LedgerEvent("team.created"), new Origin(owner, null));
        await session.CommitAsync(default);
        return team;
    }
}
