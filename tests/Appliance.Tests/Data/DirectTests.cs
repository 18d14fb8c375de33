using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Npgsql;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Data;

/// <summary>The door's fast side opens no further than the door.</summary>
public sealed class DirectTests : IAsyncLifetime
{
    private Database _database = null!;
    private UserId _anna, _ben;
    private TeamId _team;

    public async Task InitializeAsync()
    {
        var cluster = await PostgresCluster.SharedAsync();
        _database = DataServices.Open(cluster.Options(await cluster.CreateDatabaseAsync()), null);
        (_anna, _ben) = (await PersonAsync("anna"), await PersonAsync("ben"));
        _team = TeamId.New();
        await using var session = await _database.ForTeamAsync(_team, _anna, default);
        session.Add(new Team { Id = _team, Reference = Reference.New(), Name = "Team", CreatedAt = DateTimeOffset.UtcNow });
        session.Add(new Membership { TeamId = _team, UserId = _anna, Role = Membership.Owner, Since = DateTimeOffset.UtcNow, AddedBy = _anna });
        session.Record(new LedgerEvent("team.created"), new Origin(_anna, null));
        await session.CommitAsync(default);
    }

    public Task DisposeAsync()
    {
        _database.Dispose();
        return Task.CompletedTask;
    }

    [Fact, Trait("Requirement", "T1"), Trait("Requirement", "T2")]
    public async Task A_direct_read_shows_a_team_to_its_members_and_to_nobody_else()
    {
        (await NamesAsync(_team, _anna)).ShouldBe(["Team"]);
        (await NamesAsync(_team, _ben)).ShouldBeEmpty();
        (await NamesAsync(TeamId.New(), _ben)).ShouldBeEmpty();
        (await _database.ReadAsync($"select name from teams", row => row.Text(0), default)).ShouldBeEmpty();
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task Membership_that_ended_is_over_for_the_very_next_direct_read()
    {
        // Often enough for the statement to be prepared on its connection.
        for (var i = 0; i < 20; i++)
        {
            (await NamesAsync(_team, _anna)).ShouldBe(["Team"]);
        }
        await using (var session = await _database.ForTeamAsync(_team, _anna, default))
        {
            await session.ExecuteAsync($"delete from memberships where user_id = {_anna.Value}", default);
            await session.CommitAsync(default);
        }
        (await NamesAsync(_team, _anna)).ShouldBeEmpty();
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task Who_a_direct_read_was_for_does_not_linger_on_the_pooled_connection()
    {
        for (var i = 0; i < 50; i++)
        {
            (await NamesAsync(_team, _anna)).ShouldBe(["Team"]);
            await using var nobody = await _database.ForApplianceAsync(default);
            (await nobody.SqlAsync<string>($"""select coalesce(current_setting('app.team', true), '') || coalesce(current_setting('app.person', true), '') as "Value" """, default))
                .Single().ShouldBe("");
            // Nor does it stay read-only.
            await nobody.ExecuteAsync($"update users set email = null where id = {_anna.Value}", default);
        }
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task A_direct_read_cannot_write()
    {
        var refused = await Should.ThrowAsync<PostgresException>(() => _database.ReadAsync(
            $"insert into appliance_state (name, value) values ({"x"}, {"y"}) returning name", row => row.Text(0), default));
        refused.SqlState.ShouldBe(PostgresErrorCodes.ReadOnlySqlTransaction);
    }

    [Fact, Trait("Requirement", "T2")]
    public async Task A_direct_read_is_one_round_trip_and_its_values_are_never_text_of_the_statement()
    {
        const string Hostile = "'; drop table users; --";
        (await _database.ReadAsync($"select {Hostile}::text, {7}, {null}::integer", row => (row.Text(0), row.Int(1), row.IsNull(2)), default))
            .ShouldBe([(Hostile, 7, true)]);
        using var trips = new RoundTrips();
        await NamesAsync(_team, _anna);
        trips.Count.ShouldBe(1);
    }

    private Task<List<string>> NamesAsync(TeamId team, UserId person) =>
        _database.ReadAsync(team, person, $"select name from teams where id = {team.Value}", row => row.Text(0), default);

    private async Task<UserId> PersonAsync(string name)
    {
        var user = new User { Username = name, UsernameKey = name.ToUpperInvariant(), SecurityStamp = "s", ConcurrencyStamp = "c", CreatedAt = DateTimeOffset.UtcNow };
        await using var session = await _database.ForApplianceAsync(default);
        session.Add(user);
        await session.CommitAsync(default);
        return user.Id;
    }
}
