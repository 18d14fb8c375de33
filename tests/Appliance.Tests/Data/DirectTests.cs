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

    [Fact, Trait("Requirement", "T1"), Trait("Requirement", "T2")]
    public async Task What_is_read_along_is_seen_by_the_person_that_the_first_statement_found_and_by_nobody_else()
    {
        (await AlongAsync(_anna)).ShouldBe(["Team"]);
        (await AlongAsync(_ben)).ShouldBeEmpty(); // no member
        (await AlongAsync(UserId.New())).ShouldBeEmpty(); // found nobody
        (await AlongAsync(_anna, become: false)).ShouldBeEmpty(); // found, but may not enter now
        // Whom it was for lingers nowhere.
        (await NamesAsync(_team, _ben)).ShouldBeEmpty();
        await using (var session = await _database.ForTeamAsync(_team, _anna, default))
        {
            await session.ExecuteAsync($"delete from memberships where user_id = {_anna.Value}", default);
            await session.CommitAsync(default);
        }
        (await AlongAsync(_anna)).ShouldBeEmpty();
    }

    [Fact, Trait("Requirement", "T2")]
    public async Task Who_and_what_are_read_in_one_round_trip()
    {
        using var trips = new RoundTrips();
        (await AlongAsync(_anna)).ShouldBe(["Team"]);
        trips.Count.ShouldBe(1);
    }

    [Fact, Trait("Requirement", "T1"), Trait("Requirement", "T7")]
    public async Task A_direct_write_is_committed_in_one_round_trip_or_refused_by_the_database()
    {
        FormattableString rename = $"update teams set name = {"Renamed"} where id = {_team.Value} returning name";
        using var trips = new RoundTrips();
        (await _database.WriteAsync(_team, _anna, rename, row => row.Text(0))).ShouldBe(["Renamed"]);
        trips.Count.ShouldBe(1);
        (await NamesAsync(_team, _anna)).ShouldBe(["Renamed"]);
        // To who is no member the team is not there, and cannot be added to.
        (await _database.WriteAsync(_team, _ben, rename, row => row.Text(0))).ShouldBeEmpty();
        await Should.ThrowAsync<ForbiddenByDatabaseException>(() => _database.WriteAsync(
            _team, _ben, $"insert into segments (team_id, content_id, start, length, object_id) values ({_team.Value}, {_team.Value}, 0, 1, {_team.Value})", row => row));
        (await NamesAsync(_team, _ben)).ShouldBeEmpty();
    }

    /// <summary>What is checked at the commit alone (a deferred foreign key) comes after the last row.</summary>
    [Fact, Trait("Requirement", "T7")]
    public async Task A_direct_write_whose_commit_fails_throws_and_leaves_nothing()
    {
        var id = Guid.CreateVersion7();
        await Should.ThrowAsync<ConcurrentChangeException>(() => _database.WriteAsync(_team, _anna,
            $"""
            insert into entries (id, team_id, reference, kind, name, name_key, current_version_id, size, media_type, created_at, created_by, modified_at, modified_by)
            values ({id}, {_team.Value}, {Reference.New()}, 'file', 'a', 'A', {id}, 1, 'text/plain', now(), {_anna.Value}, now(), {_anna.Value}) returning id
            """, row => row.Id(0)));
        (await _database.ReadAsync(_team, _anna, $"select id from entries", row => row.Id(0), default)).ShouldBeEmpty();
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task A_direct_write_whose_answer_is_lost_says_that_nobody_knows()
    {
        var lost = await Should.ThrowAsync<InDoubtException>(() => _database.WriteAsync(_team, _anna, $"select pg_terminate_backend(pg_backend_pid())", row => row.Bool(0)));
        DatabaseErrors.Translate(lost).ShouldBeOfType<DatabaseUnavailableException>();
        (await NamesAsync(_team, _anna)).ShouldBe(["Team"]);
    }

    [Fact]
    public void A_null_reference_of_the_driver_means_a_lost_connection_and_one_of_ours_means_a_mistake()
    {
        DatabaseErrors.Translate(NullReference("Npgsql")).ShouldBeOfType<DatabaseUnavailableException>();
        DatabaseErrors.Translate(NullReference("Appliance.Data")).ShouldBeNull();
        DatabaseErrors.Translate(NullReference(null)).ShouldBeNull();
    }

    private static NullReferenceException NullReference(string? source)
    {
        var e = Should.Throw<NullReferenceException>(() => ((Names)null!).Found.Count);
        e.Source = source;
        return e;
    }

    private async Task<List<string>> AlongAsync(UserId person, bool become = true)
    {
        var names = new Names(_team);
        await _database.ReadWithAsync(
            $"select set_config('app.person', case when {become} then id::text else '' end, true) from users where id = {person.Value}", row => row.Text(0), names, default);
        return names.Found;
    }

    private sealed class Names(TeamId team) : Companion(team)
    {
        public List<string> Found { get; } = [];

        protected internal override FormattableString Sql => $"select name from teams where id = app_team()";

        protected internal override void Take(Row row) => Found.Add(row.Text(0));
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
