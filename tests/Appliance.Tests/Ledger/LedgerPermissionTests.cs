using Appliance.Data;
using Appliance.Ledger;
using Appliance.Vault;
using Npgsql;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Ledger;

/// <summary>What the database itself refuses, to the app's role and to the owner of the tables.</summary>
public sealed class LedgerPermissionTests : IAsyncLifetime
{
    private LedgerDatabase _ledger = null!;
    private UserId _anna;
    private UserId _ben;
    private TeamId _team;
    private TeamId _bens;

    public async Task InitializeAsync()
    {
        _ledger = await LedgerDatabase.CreateAsync();
        (_anna, _ben) = (await _ledger.PersonAsync("anna"), await _ledger.PersonAsync("ben"));
        _team = await _ledger.SealedTeamAsync(_anna, 3);
        _bens = await _ledger.SealedTeamAsync(_ben, 3);
    }

    public Task DisposeAsync()
    {
        _ledger.Dispose();
        return Task.CompletedTask;
    }

    public static TheoryData<string, string> Rewrites()
    {
        var data = new TheoryData<string, string>();
        foreach (var role in new[] { "appliance_app", "appliance_owner" })
        {
            data.Add(role, "update ledger_entries set action = 'x'");
            data.Add(role, "update ledger_leaves set index = index + 1");
            data.Add(role, "update ledger_heads set size = size + 1");
            foreach (var table in new[] { "ledger_entries", "ledger_leaves", "ledger_heads" })
            {
                data.Add(role, $"delete from {table}");
                data.Add(role, $"truncate {table}");
            }
        }
        return data;
    }

    [Theory, Trait("Requirement", "W1"), MemberData(nameof(Rewrites))]
    public async Task Nobody_who_serves_or_migrates_rewrites_the_ledger(string role, string sql) =>
        (await RefusedAsync(role, Job(_team) + sql)).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);

    [Theory, Trait("Requirement", "W1")]
    [InlineData("insert into ledger_queue (tree, entry_id) values ('{0}', gen_random_uuid())")]
    [InlineData("delete from ledger_queue")]
    [InlineData("update ledger_queue set tree = '{0}'")]
    [InlineData("truncate ledger_queue")]
    [InlineData("alter table ledger_entries disable trigger all")]
    [InlineData("drop table ledger_heads")]
    [InlineData("set session_replication_role = replica")]
    [InlineData("set role appliance_owner")]
    [InlineData("select ledger_enqueue()")]
    [InlineData("create or replace function ledger_enqueue() returns trigger language plpgsql as $$ begin return null; end $$")]
    [InlineData("create table ledger_queue2 (x int)")]
    [InlineData("create schema mine")]
    [InlineData("create temp table ledger_queue (x int)")]
    public async Task The_app_neither_touches_the_queue_nor_gets_around_it(string sql) =>
        (await RefusedAsync("appliance_app", Job(_team) + sql.Replace("{0}", _team.ToString(), StringComparison.Ordinal)))
            .ShouldBe(PostgresErrorCodes.InsufficientPrivilege);

    [Fact, Trait("Requirement", "W1"), Trait("Requirement", "T2")]
    public async Task Another_teams_tree_is_neither_written_nor_read()
    {
        foreach (var insert in new[]
        {
            $"insert into ledger_entries (id, tree, at, action, details) values (gen_random_uuid(), '{_bens}', now(), 'x', '{{}}')",
            $"insert into ledger_leaves (tree, index, entry_id, hash) values ('{_bens}', 3, gen_random_uuid(), sha256(''))",
            $"insert into ledger_heads (tree, size, root, frontier, signed_at, key_id, signature) values ('{_bens}', 4, sha256(''), '', now(), '', '')",
        })
        {
            (await RefusedAsync("appliance_app", Person(_team, _anna) + insert)).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
            (await RefusedAsync("appliance_app", Job(_team) + insert)).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
            // Naming the team does not make a stranger one of its writers.
            (await RefusedAsync("appliance_app", Person(_bens, _anna) + insert)).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
            (await RefusedAsync("appliance_app", insert)).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
        }
        await _ledger.RecordAsync(_bens, _ben, "waiting");
        foreach (var table in new[] { "ledger_entries", "ledger_leaves", "ledger_heads", "ledger_queue" })
        {
            (await AppAsync(Job(_bens) + $"select count(*) from {table}")).ShouldNotBe(0L);
            (await AppAsync(Person(_bens, _anna) + $"select count(*) from {table}")).ShouldBe(0L);
            (await AppAsync(Person(_team, _anna) + $"select count(*) from {table} where tree = '{_bens}'")).ShouldBe(0L);
            (await AppAsync($"select count(*) from {table}")).ShouldBe(0L);
        }
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task The_appliances_tree_is_not_read_by_a_person()
    {
        await using (var session = await _ledger.Database.ForUserAsync(_anna, default))
        {
            session.RecordForAppliance(new LedgerEvent("sign-in.failed"), new Origin(null, "192.0.2.7"));
            await session.CommitAsync(default);
        }
        (await AppAsync($"set local app.person = '{_anna}'; select count(*) from ledger_entries")).ShouldBe(0L);
        (await AppAsync(Person(_team, _anna) + $"select count(*) from ledger_entries where tree = '{Guid.Empty}'")).ShouldBe(0L);
        (await AppAsync("select count(*) from ledger_entries")).ShouldBe(1L);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task A_person_cannot_seal()
    {
        await _ledger.RecordAsync(_team, _anna, "waiting");
        var entry = await _ledger.Cluster.SuperuserAsync(_ledger.Name, $"select entry_id from ledger_queue where tree = '{_team}'");
        var leaf = $"insert into ledger_leaves (tree, index, entry_id, hash) values ('{_team}', 3, '{entry}', sha256(''))";
        (await RefusedAsync("appliance_app", Person(_team, _anna) + leaf)).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
        await AppAsync(Job(_team) + leaf); // what is refused is the person, not the statement
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task A_leaf_is_refused_for_an_entry_that_does_not_wait()
    {
        var entry = await _ledger.Cluster.SuperuserAsync(_ledger.Name, $"select entry_id from ledger_queue limit 1");
        entry.ShouldBeNull();
        (await RefusedAsync("appliance_app", Job(_team) + $"insert into ledger_leaves (tree, index, entry_id, hash) values ('{_team}', 3, gen_random_uuid(), sha256(''))"))
            .ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task The_owners_functions_are_not_led_astray_by_a_search_path_of_the_caller()
    {
        // Worse than it is: let the app make temporary tables, which come first on any path that does not say otherwise.
        await _ledger.Cluster.SuperuserAsync(_ledger.Name, $"grant temporary on database {_ledger.Name} to appliance_app");
        const string Shadow = """
            create temp table ledger_queue (tree uuid, position bigint, entry_id uuid);
            create temp table memberships (team_id uuid, user_id uuid);
            grant all on pg_temp.ledger_queue, pg_temp.memberships to public;
            set local search_path = pg_temp, public;
            """;
        // An entry is queued where the sealer looks …
        await AppAsync(Shadow + Person(_team, _anna)
            + $"insert into ledger_entries (id, tree, at, action, details) values (gen_random_uuid(), '{_team}', now(), 'shadowed', '{{}}'); select count(*) from pg_temp.ledger_queue", expected: 0L);
        (await _ledger.Cluster.SuperuserAsync(_ledger.Name, "select count(*) from public.ledger_queue")).ShouldBe(1L);
        (await AppAsync(Shadow + "select count(*) from ledger_waiting_trees()")).ShouldBe(1L);
        // … and a membership of one's own making opens nothing.
        (await AppAsync(Shadow + Person(_bens, _anna) + $"insert into pg_temp.memberships values ('{_bens}', '{_anna}'); select count(*) from public.ledger_entries")).ShouldBe(0L);
    }

    private static string Job(TeamId team) => $"set local app.team = '{team}'; set local app.person = '{Guid.Empty}'; ";

    private static string Person(TeamId team, UserId user) => $"set local app.team = '{team}'; set local app.person = '{user}'; ";

    private async Task AppAsync(string sql, object expected) => (await AppAsync(sql)).ShouldBe(expected);

    private Task<object?> AppAsync(string sql) => AsAsync("appliance_app", sql);

    private async Task<string> RefusedAsync(string role, string sql) =>
        (await Should.ThrowAsync<PostgresException>(() => AsAsync(role, sql))).SqlState;

    /// <summary>A transaction of that role; answers the last statement's first value.</summary>
    private async Task<object?> AsAsync(string role, string sql)
    {
        await using var connection = new NpgsqlConnection($"Host={_ledger.Cluster.Socket};Username={role};Database={_ledger.Name};Pooling=false");
        await connection.OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand(sql, connection, transaction);
        object? value = null;
        await using (var reader = await command.ExecuteReaderAsync())
        {
            do
            {
                while (await reader.ReadAsync())
                {
                    value = reader.GetValue(0);
                }
            }
            while (await reader.NextResultAsync());
        }
        await transaction.CommitAsync();
        return value;
    }
}
