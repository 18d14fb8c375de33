using Appliance.Data;
using Appliance.Tests.TestServers;
using Npgsql;

namespace Appliance.Tests.Admin;

/// <summary>What the database lets the operators' role do, shown by trying, against operator-role.txt, which a reviewer can read.</summary>
[Trait("Requirement", "O5")]
public sealed class OperatorRoleTests : IAsyncLifetime
{
    private PostgresCluster _cluster = null!;
    private string _name = "";

    public async Task InitializeAsync()
    {
        _cluster = await PostgresCluster.SharedAsync();
        _name = await _cluster.CreateDatabaseAsync();
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task It_can_read_and_change_no_table_whatever_it_says_of_itself()
    {
        var tables = await ListAsync("postgres", "select quote_ident(relname) from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f', 'S') order by 1");
        tables.Count.ShouldBeGreaterThan(30);
        var allowed = new List<string>();
        await using var connection = await ConnectAsync("appliance_operator");
        foreach (var table in tables)
        {
            var columns = await ListAsync("postgres", $"select quote_ident(attname) from pg_attribute where attrelid = 'public.{table}'::regclass and attnum > 0 and not attisdropped");
            string[] statements =
            [
                $"select from {table}", $"select count(*) from {table}", $"insert into {table} default values", $"delete from {table}", $"truncate {table}", $"lock {table}", $"table {table}",
                .. columns.Select(column => $"select {column} from {table}"), .. columns.Select(column => $"update {table} set {column} = default"),
                $"select nextval('{table}')",
            ];
            foreach (var statement in statements)
            {
                if (await TryAsync(connection, statement) is not PostgresErrorCodes.InsufficientPrivilege and var state && !(state == PostgresErrorCodes.WrongObjectType && statement.Contains("nextval", StringComparison.Ordinal)))
                {
                    // A sequence is no table to insert into; what matters is what went through.
                    allowed.Add($"{statement}: {state ?? "went through"}");
                }
            }
        }
        allowed.Where(line => line.EndsWith("went through", StringComparison.Ordinal)).ShouldBeEmpty();
        allowed.Where(line => !line.Contains("42809", StringComparison.Ordinal) && !line.Contains("0A000", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    [Fact]
    public async Task It_may_run_exactly_the_functions_of_the_approved_list()
    {
        var functions = await ListAsync("postgres", """
            select p.oid::regprocedure::text from pg_proc p
             where p.pronamespace = 'public'::regnamespace and has_function_privilege('appliance_operator', p.oid, 'execute')
               and p.prorettype <> 'trigger'::regtype and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e') order by p.oid::regprocedure::text collate "C"
            """);
        var approved = (await File.ReadAllLinesAsync(Path.Combine(AppContext.BaseDirectory, "Admin", "operator-role.txt"))).Where(line => line.Length > 0 && line[0] != '#');
        functions.ShouldBe(approved, "what the role may run, and tests/Appliance.Tests/Admin/operator-role.txt");
    }

    [Fact]
    public async Task It_owns_nothing_bypasses_nothing_and_cannot_become_another()
    {
        (await ListAsync("postgres", "select 'x' from pg_roles where rolname = 'appliance_operator' and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)")).ShouldBeEmpty();
        (await ListAsync("postgres", "select 'x' from pg_auth_members where member = 'appliance_operator'::regrole or roleid = 'appliance_operator'::regrole")).ShouldBeEmpty();
        (await ListAsync("postgres", "select relname from pg_class where relowner = 'appliance_operator'::regrole")).ShouldBeEmpty();
        await using var connection = await ConnectAsync("appliance_operator");
        foreach (var statement in new[]
        {
            "set role appliance_app", "set role appliance_owner", "set session authorization appliance_app", "create table mine (x int)", "create temporary table mine (x int)",
            "create function mine() returns int language sql as 'select 1'", "select pg_read_file('/etc/passwd')", "copy (select 1) to program 'true'", "select lo_import('/etc/passwd')",
            "alter role appliance_operator superuser",
        })
        {
            (await TryAsync(connection, statement)).ShouldBe(PostgresErrorCodes.InsufficientPrivilege, statement);
        }
        // Saying that it is a team's job changes nothing.
        await using var told = new NpgsqlCommand("select set_config('app.team', gen_random_uuid()::text, false), set_config('app.person', '00000000-0000-0000-0000-000000000000', false)", connection);
        await told.ExecuteNonQueryAsync();
        (await TryAsync(connection, "select * from entries")).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
        (await TryAsync(connection, "select app_all_teams()")).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
        (await TryAsync(connection, "select app_search(array['A'], 10)")).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
        (await TryAsync(connection, "select app_content('a', 1)")).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
    }

    [Fact]
    public async Task It_writes_to_the_ledger_only_as_an_operator()
    {
        await using var connection = await ConnectAsync("appliance_operator");
        (await TryAsync(connection, "select operator_record(gen_random_uuid(), now(), 'operator.looked', null, null, '{}')")).ShouldBeNull();
        (await TryAsync(connection, "select operator_record(gen_random_uuid(), now(), 'sign-in.failed', null, null, '{}')")).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
        (await TryAsync(connection, "select operator_record(gen_random_uuid(), now(), 'quota.changed ', null, null, '{}')")).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
    }

    [Fact]
    public async Task Where_the_role_came_after_the_schema_running_roles_sql_again_gives_it_the_functions()
    {
        await _cluster.SuperuserAsync(_name, "do $$ declare f regprocedure; begin for f in select oid::regprocedure from pg_proc where proname like 'operator\\_%' loop execute format('revoke all on function %s from appliance_operator', f); end loop; end $$");
        await using (var before = await ConnectAsync("appliance_operator"))
        {
            (await TryAsync(before, "select operator_counts()")).ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
        }
        await ChildProcess.RunAsync("psql", "-qX", "-h", _cluster.Socket, "-U", "postgres", "-v", "database=" + _name, "-f", Path.Combine(Repository.Root, "app/Appliance.Data/roles.sql"));
        await using var after = await ConnectAsync("appliance_operator");
        (await TryAsync(after, "select operator_counts()")).ShouldBeNull();
    }

    private async Task<NpgsqlConnection> ConnectAsync(string role)
    {
        var connection = new NpgsqlConnection($"Host={_cluster.Socket};Username={role};Database={_name};Pooling=false");
        await connection.OpenAsync();
        return connection;
    }

    private async Task<List<string>> ListAsync(string role, string sql)
    {
        await using var connection = await ConnectAsync(role);
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
        {
            rows.Add(reader.GetString(0));
        }
        return rows;
    }

    /// <summary>The SQLSTATE of the refusal; null: it went through. Rolled back either way.</summary>
    private static async Task<string?> TryAsync(NpgsqlConnection connection, string sql)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        try
        {
            await using var command = new NpgsqlCommand(sql, connection, transaction);
            await command.ExecuteNonQueryAsync();
            return null;
        }
        catch (PostgresException refused)
        {
            return refused.SqlState;
        }
    }
}
