using System.Collections;
using Appliance.Data;
using Appliance.Web;
using Npgsql;

namespace Appliance.Tests.Admin.BreakGlass;

/// <summary>What the database itself refuses, to whoever has its roles and may call its functions with whatever they like.</summary>
[Trait("Requirement", "O5")]
public sealed class BreakGlassDatabaseTests(BreakGlassHost host) : IClassFixture<BreakGlassHost>
{
    private static readonly string s_other = new('b', 64);

    [Fact, Trait("Requirement", "T1")]
    public async Task The_operators_role_cannot_talk_its_way_past_key_name_time_or_team()
    {
        using var glass = await host.GlassAsync("forged");
        var asked = await glass.AskAsync();
        var key = host.Ada.Fingerprint;
        await using var connection = await host.ConnectAsync("appliance_operator");
        const string Told = "gen_random_uuid(), now(), null";
        // Another time than the database's makes nothing longer or sooner.
        (await ValueAsync(connection, $"select operator_break_glass_approve('{asked}', 'ben', '{s_other}', now() + interval '3 days', {Told})")).ShouldBe("too-early");
        (await ValueAsync(connection, $"select operator_break_glass_approve('{asked}', 'ben', '{key}', now(), {Told})")).ShouldBe("own-key");
        (await ValueAsync(connection, $"select operator_break_glass_approve('{asked}', 'ADA', '{s_other}', now(), {Told})")).ShouldBe("own-name");
        (await RowsAsync(connection, $"select * from operator_break_glass_content('{asked}', 'ada', '{key}', '{glass.File}', now(), {Told})")).ShouldBe(0);
        (await RowsAsync(connection, $"select * from operator_break_glass_files('{asked}', 'ada', '{key}', null, null, null, 10, now(), {Told})")).ShouldBe(0);
        var backdated = await ValueAsync(connection, $"select operator_break_glass_ask('{glass.Team}', '{Reference.New()}', 'ada', '{key}', 'a good enough reason', 4, '1 hour', now() - interval '3 days', {Told})");
        backdated.ShouldBe("asked");
        (await host.ScalarAsync<bool>("select max(asked_at) > now() - interval '1 minute' from break_glass_grants")).ShouldBeTrue();
        foreach (var (hours, wait, reason) in new[] { (25, "1 day", "a good enough reason"), (0, "1 day", "a good enough reason"), (4, "59 minutes", "a good enough reason"), (4, "-1 days", "a good enough reason"), (4, "1 day", "short"), (4, "1 day", new string('x', 201)) })
        {
            await ShouldFailAsync(connection, PostgresErrorCodes.CheckViolation, $"select operator_break_glass_ask('{glass.Team}', '{Reference.New()}', 'ada', '{key}', '{reason}', {hours}, '{wait}', now(), {Told})");
        }

        using var open = await host.GlassAsync("forged.open");
        var grant = await open.OpenAsync(hours: 1);
        (await RowsAsync(connection, $"select * from operator_break_glass_content('{grant}', 'ada', '{key}', '{open.File}', now(), {Told})")).ShouldBe(1);
        foreach (var (who, file) in new[] { (s_other, open.File), ("", open.File), (key, glass.File), (key, "%"), (key, "' or true --".Replace("'", "''", StringComparison.Ordinal)) })
        {
            (await RowsAsync(connection, $"select * from operator_break_glass_content('{grant}', 'ada', '{who}', '{file}', now(), {Told})")).ShouldBe(0, file);
        }
        (await RowsAsync(connection, $"select * from operator_break_glass_content('{grant}', 'ada', null, '{open.File}', now(), {Told})")).ShouldBe(0);
        (await RowsAsync(connection, $"select * from operator_break_glass_files('{grant}', 'ada', '{s_other}', null, null, null, 10, now(), {Told})")).ShouldBe(0);
        // An hour is over for the database, whatever time is said; and for whoever opened a transaction before.
        await using (var before = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead))
        {
            (await ValueAsync(connection, "select 'x'")).ShouldBe("x");
            await open.AgeAsync(grant, 1);
            (await ValueAsync(connection, $"select operator_break_glass_standing('{grant}', '{key}', now() - interval '2 hours')")).ShouldBe("active"); // its snapshot is of before
            await ShouldFailAsync(connection, PostgresErrorCodes.SerializationFailure, $"select * from operator_break_glass_content('{grant}', 'ada', '{key}', '{open.File}', now() - interval '2 hours', {Told})");
        }
        (await RowsAsync(connection, $"select * from operator_break_glass_content('{grant}', 'ada', '{key}', '{open.File}', now() - interval '2 hours', {Told})")).ShouldBe(0);
        // Neither table nor the functions behind the functions, nor an entry in a team's name without a grant.
        foreach (var forbidden in new[]
        {
            "select * from break_glass_grants", $"update break_glass_grants set hours = 24", "select app_break_glass_untold(now())", "select break_glass_lives(null, null)",
            "select operator_record(gen_random_uuid(), now(), 'break-glass.read', null, null, '{}')",
            $"select break_glass_tell(null::break_glass_grants, {Told.Replace(", null", "", StringComparison.Ordinal)}, 'read', null, null, 'x', 'y', '{{}}')",
        })
        {
            await ShouldFailAsync(connection, PostgresErrorCodes.InsufficientPrivilege, forbidden);
        }
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task The_applications_role_lets_owners_answer_and_end_once_and_nobody_anything_else()
    {
        using var glass = await host.GlassAsync("app");
        using var member = await host.PersonAsync(BreakGlassHost.Name("glass.app.member"));
        using var stranger = await host.PersonAsync(BreakGlassHost.Name("glass.app.stranger"));
        await SignIn.Policy.PolicyJourneys.JoinAsync(glass.Owner, glass.Team, member);
        var (asked, open) = (await glass.AskAsync(), await glass.OpenAsync());
        var owner = await IdAsync(glass.Owner.Username);
        var consent = $"update break_glass_grants set answer = 'consented', answered_at = now(), answered_by = app_user(), ends_at = now() + interval '4 hours' where reference = '{asked}'";
        foreach (var (who, sees) in new[] { (await IdAsync(member.Username), 2L), (await IdAsync(stranger.Username), 0L) })
        {
            await using var connection = await InAsync(glass.Team, who);
            (await ValueAsync(connection, "select count(*) from break_glass_grants")).ShouldBe(sees);
            (await ChangedAsync(connection, consent)).ShouldBe(0);
            (await ChangedAsync(connection, $"update break_glass_grants set ended_at = now(), ended_by = app_user() where reference = '{open}'")).ShouldBe(0);
        }
        await using (var connection = await InAsync(glass.Team, owner))
        {
            foreach (var forbidden in new[]
            {
                "insert into break_glass_grants (reference) values ('x')", "delete from break_glass_grants", "update break_glass_grants set hours = 24", "update break_glass_grants set operator_key = repeat('b', 64)",
                "update break_glass_grants set approver = 'x'", "update break_glass_grants set approvable_at = now()", "update break_glass_grants set asked_at = now()", "update break_glass_grants set downloads = 0",
                consent.Replace("app_user()", $"'{await IdAsync(member.Username)}'", StringComparison.Ordinal), consent.Replace("'consented'", "'approved'", StringComparison.Ordinal),
                $"update break_glass_grants set answer = 'refused', ends_at = null, answered_by = app_user() where reference = '{open}'", $"update break_glass_grants set ends_at = ends_at + interval '1 hour' where reference = '{open}'",
                $"update break_glass_grants set told = array['asked','begun','read','ended'], ended_at = now(), ended_by = app_user() where reference = '{open}'",
                $"select * from operator_break_glass_content('{open}', 'ada', '{host.Ada.Fingerprint}', '{glass.File}', now(), gen_random_uuid(), now(), null)",
                $"select operator_break_glass_approve('{asked}', 'ben', repeat('b', 64), now(), gen_random_uuid(), now(), null)",
            })
            {
                await ShouldFailAsync(connection, PostgresErrorCodes.InsufficientPrivilege, forbidden);
            }
            await ShouldFailAsync(connection, PostgresErrorCodes.CheckViolation, consent.Replace("4 hours", "24 hours", StringComparison.Ordinal));
        }
        await using (var job = await InAsync(glass.Team, Guid.Empty))
        {
            await ShouldFailAsync(job, PostgresErrorCodes.InsufficientPrivilege, consent);
            await ShouldFailAsync(job, PostgresErrorCodes.InsufficientPrivilege, $"update break_glass_grants set ended_at = now(), ended_by = app_user() where reference = '{open}'");
            (await ChangedAsync(job, "update break_glass_grants set told = array['asked']")).ShouldBe(2);
        }
        (await glass.EndAsync(glass.Owner, open)).StatusCode.ShouldBe(System.Net.HttpStatusCode.Redirect);
        await using var afterwards = await InAsync(glass.Team, owner);
        (await ChangedAsync(afterwards, $"update break_glass_grants set ended_at = null, ended_by = null where reference = '{open}'")).ShouldBe(0);
        // Not even the owner of the tables opens again what was ended.
        await using var tables = await host.ConnectAsync("appliance_owner");
        await ShouldFailAsync(tables, PostgresErrorCodes.InsufficientPrivilege, $"update break_glass_grants set ended_at = null, ended_by = null where reference = '{open}'");
    }

    [Fact]
    public async Task Of_owner_and_operators_who_answer_at_one_moment_one_does()
    {
        using var glass = await host.GlassAsync("race");
        var grant = await glass.AskAsync();
        await glass.AgeAsync(grant, 25);
        var form = await glass.Owner.HtmlAsync($"{glass.Page}/{grant}");
        await Task.WhenAll(glass.Owner.PostAsync(form, $"{glass.Page}/{grant}?handler=Refuse"), glass.ApproveAsync(host.Ben, grant), glass.Owner.PostAsync(form, $"{glass.Page}/{grant}"), glass.EndAsync(host.Ben, grant));
        (await glass.ActionsAsync()).Count(a => a is "break-glass.consented" or "break-glass.refused" or "break-glass.approved" or "break-glass.withdrawn").ShouldBe(1);
    }

    [Theory]
    [InlineData(null, 24)]
    [InlineData("1", 1)]
    [InlineData("144", 144)]
    [InlineData("0", null)]
    [InlineData("145", null)]
    [InlineData("1h", null)]
    public void How_long_owners_have_is_a_setting_of_an_hour_at_least(string? text, int? hours)
    {
        var environment = new Hashtable { ["APPLIANCE_OPERATOR_KEYS"] = host.Ada.Line() };
        if (text is not null)
        {
            environment["APPLIANCE_BREAKGLASS_WAIT"] = text;
        }
        if (hours is { } expected)
        {
            SettingsReader.Read(environment).Admin!.BreakGlassWait.ShouldBe(TimeSpan.FromHours(expected));
        }
        else
        {
            Should.Throw<SettingsException>(() => SettingsReader.Read(environment)).Message.ShouldContain("APPLIANCE_BREAKGLASS_WAIT");
        }
    }

    private Task<Guid> IdAsync(string username) => host.ScalarAsync<Guid>($"select id from users where username = '{username}'");

    /// <summary>The application's role, as this person in this team.</summary>
    private async Task<NpgsqlConnection> InAsync(string team, Guid person)
    {
        var connection = await host.ConnectAsync("appliance_app");
        var id = await host.ScalarAsync<Guid>($"select id from teams where reference = '{team}'");
        await using var command = new NpgsqlCommand($"select set_config('app.team', '{id}', false), set_config('app.person', '{person}', false)", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    private static async Task<object?> ValueAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    private static async Task<int> RowsAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = 0;
        while (await reader.ReadAsync())
        {
            rows++;
        }
        return rows;
    }

    private static async Task<int> ChangedAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteNonQueryAsync();
    }

    private static async Task ShouldFailAsync(NpgsqlConnection connection, string state, string sql) =>
        (await Should.ThrowAsync<PostgresException>(() => RowsAsync(connection, sql), sql)).SqlState.ShouldBe(state, sql);
}
