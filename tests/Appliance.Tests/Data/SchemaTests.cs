using Appliance.Data;
using Appliance.Tests.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Npgsql;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Data;

/// <summary>What the SQL made, held against what the model says and against the list of what is not tenant data.</summary>
public sealed class SchemaTests : IAsyncLifetime
{
    /// <summary>
    /// The tables that are not tenant data, each with its reason. A table that is neither here nor under forced row-level
    /// security fails the test.
    /// </summary>
    private static readonly Dictionary<string, string> GlobalTables = new(StringComparer.Ordinal)
    {
        ["__EFMigrationsHistory"] = "the migrator's own, not granted to the app",
        ["appliance_state"] = "facts about the installation",
        ["data_protection_keys"] = "the framework's keys, sealed before they come here",
        ["appliance_policy"] = "one row, what is asked of everybody",
        ["users"] = "a person can be in several teams",
        ["security_keys"] = "a person's, not a team's",
        ["security_key_ceremonies"] = "questions to a person's keys, five minutes old at most",
        ["key_models"] = "which models of keys may be used on the whole appliance",
        ["fido_metadata"] = "what the FIDO Alliance publishes of every model",
        ["authenticator_apps"] = "a person's, its secret sealed",
        ["phones"] = "a person's, its number sealed",
        ["sms_codes"] = "MACs of codes on their way to people, who may have no account yet",
        ["sessions"] = "a person's, looked up by token before anybody is known",
        ["sign_ins"] = "the same, between password and key",
        ["sign_in_delays"] = "MACs of names and addresses, whether anybody has them or not",
        ["sign_in_places"] = "MACs of accounts and addresses",
        ["remembered_devices"] = "a person's, looked up by selector before anybody is known",
        ["recovery_codes"] = "a person's, as MACs",
        ["notices"] = "a person's",
        ["mails"] = "to people, who can be in several teams; sealed",
        ["mail_budgets"] = "counts under MACs",
        ["mail_links"] = "of people, looked up by token before anybody is known",
        ["lost_key_requests"] = "of people, and of the appliance's owners; the code as a MAC",
        ["recovery_requests"] = "of nobody known yet; what was typed is sealed",
        ["known_origins"] = "MACs of people with browsers and networks",
        ["set_up_links"] = "of people who have no account yet",
        ["errors"] = "kinds and places of errors, nothing of anybody's; not granted to the app",
        ["key_rotations"] = "how far keys are rotated: ids, numbers, times, operators' names",
        ["api_tokens"] = "a person's, looked up by token before anybody is known",
    };

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
    public async Task Every_table_forces_row_level_security_or_is_on_the_list_of_global_tables()
    {
        var tables = await RowsAsync("""
            select c.relname, c.relrowsecurity and c.relforcerowsecurity, exists (select from pg_policy p where p.polrelid = c.oid)
              from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'public' and c.relkind in ('r', 'p') order by 1
            """);
        tables.Count.ShouldBeGreaterThan(5);
        foreach (var row in tables)
        {
            var (table, forced, hasPolicy) = ((string)row[0], (bool)row[1], (bool)row[2]);
            (forced && hasPolicy).ShouldBe(!GlobalTables.ContainsKey(table), $"table {table}");
        }
        GlobalTables.Keys.Except(tables.Select(t => (string)t[0])).ShouldBeEmpty("the list names tables that do not exist");
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task Every_entity_of_a_team_is_under_row_level_security_and_every_other_is_on_the_list()
    {
        await using var context = Context();
        foreach (var entity in context.Model.GetEntityTypes())
        {
            var table = entity.GetTableName()!;
            var tenant = entity.ClrType.IsAssignableTo(typeof(ITeamOwned)) || entity.FindProperty("Tree") is not null;
            GlobalTables.ContainsKey(table).ShouldBe(!tenant, $"{entity.ClrType.Name} ({table})");
        }
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task The_apps_role_owns_nothing_bypasses_nothing_and_cannot_become_the_owner()
    {
        var role = (await RowsAsync("select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles where rolname = 'appliance_app'")).Single();
        role.ShouldAllBe(flag => !(bool)flag);
        (await RowsAsync("select relname from pg_class where relowner = 'appliance_app'::regrole")).ShouldBeEmpty();
        (await RowsAsync("select 1 from pg_auth_members where member = 'appliance_app'::regrole")).ShouldBeEmpty();
        (await RowsAsync("select has_schema_privilege('appliance_app', 'public', 'create') or has_database_privilege('appliance_app', current_database(), 'temp')"))
            .Single()[0].ShouldBe(false);
        // It may not even read how far the schema is.
        (await RowsAsync("""select has_table_privilege('appliance_app', '"__EFMigrationsHistory"', 'select')""")).Single()[0].ShouldBe(false);
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task Functions_that_run_as_the_owner_fix_their_search_path_and_are_not_for_everybody()
    {
        var definers = await RowsAsync("""
            select p.proname, coalesce(array_to_string(p.proconfig, ','), ''), p.prorettype = 'trigger'::regtype
                   or not has_function_privilege('public', p.oid, 'execute')
              from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'public' and p.prosecdef
            """);
        definers.ShouldNotBeEmpty();
        foreach (var row in definers)
        {
            ((string)row[1]).ShouldContain("search_path=public, pg_temp", customMessage: (string)row[0]);
            ((bool)row[2]).ShouldBeTrue((string)row[0]);
        }
    }

    [Fact]
    public async Task The_schema_is_what_the_model_says()
    {
        var columns = (await RowsAsync("""
            select table_name, column_name, is_nullable = 'YES', udt_name from information_schema.columns where table_schema = 'public'
            """)).ToDictionary(r => ((string)r[0], (string)r[1]), r => ((bool)r[2], (string)r[3]));
        await using var context = Context();
        foreach (var entity in context.Model.GetEntityTypes())
        {
            var table = StoreObjectIdentifier.Table(entity.GetTableName()!, entity.GetSchema());
            foreach (var property in entity.GetProperties())
            {
                var column = property.GetColumnName(table)!;
                columns.TryGetValue((table.Name, column), out var actual).ShouldBeTrue($"{table.Name}.{column} is in the model, not in the schema");
                actual.Item1.ShouldBe(property.IsNullable, $"{table.Name}.{column} nullable");
                actual.Item2.ShouldBe(Udt(property.GetColumnType(table)), $"{table.Name}.{column} type");
            }
            var key = entity.FindPrimaryKey()!.Properties.Select(p => p.GetColumnName(table)!).Order(StringComparer.Ordinal);
            (await PrimaryKeyAsync(table.Name)).ShouldBe(key, $"{table.Name} primary key");
        }
    }

    private async Task<IEnumerable<string>> PrimaryKeyAsync(string table) => (await RowsAsync($"""
        select a.attname::text from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
         where i.indrelid = '"{table}"'::regclass and i.indisprimary
        """)).Select(r => (string)r[0]).Order(StringComparer.Ordinal);

    private static string Udt(string type) => type switch
    {
        "timestamp with time zone" => "timestamptz",
        "boolean" => "bool",
        "bigint" => "int8",
        "integer" => "int4",
        "smallint" => "int2",
        "text[]" => "_text",
        "uuid[]" => "_uuid",
        _ => type,
    };

    private ApplianceContext Context() => _database.CreateContext();

    private async Task<List<object[]>> RowsAsync(string sql)
    {
        await using var connection = new NpgsqlConnection($"Host={_cluster.Socket};Username=postgres;Database={_name};Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<object[]>();
        while (await reader.ReadAsync())
        {
            var row = new object[reader.FieldCount];
            reader.GetValues(row);
            rows.Add(row);
        }
        return rows;
    }
}
