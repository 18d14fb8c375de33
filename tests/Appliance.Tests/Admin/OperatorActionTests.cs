using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Appliance.Tests.Files;
using Appliance.Tests.Teams;

namespace Appliance.Tests.Admin;

/// <summary>What an operator sees and changes, and that the ledger has each of it.</summary>
[Trait("Requirement", "O5")]
public sealed class OperatorActionTests(OperatorHost host) : IClassFixture<OperatorHost>
{
    [Theory]
    [InlineData("GET", "/admin/v1/status", "operator.looked", "\"what\":\"status\"")]
    [InlineData("GET", "/admin/v1/teams", "operator.looked", "\"what\":\"teams\"")]
    [InlineData("GET", "/admin/v1/users", "operator.looked", "\"what\":\"users\"")]
    [InlineData("GET", "/admin/v1/config", "operator.looked", "\"what\":\"config\"")]
    [InlineData("POST", "/admin/v1/ledger/verify", "operator.looked", "\"what\":\"ledger\"")]
    [InlineData("GET", "/admin/v1/errors", "operator.looked", "\"what\":\"errors\"")]
    [InlineData("GET", "/admin/v1/keys", "operator.looked", "\"what\":\"keys\"")]
    [InlineData("GET", "/admin/v1/ledger/export", "operator.ledger-exported", "\"from\":\"0\"")]
    [InlineData("GET", "/admin/v1/ledger/heads", "operator.looked", "\"what\":\"ledger-heads\"")]
    public async Task Each_action_is_in_the_ledger_with_name_and_key_and_address(string method, string path, string action, string detail)
    {
        var before = await CountAsync();
        using var client = host.Operator(host.Ada);
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        (await client.SendAsync(request)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await CountAsync()).ShouldBe(before + 1);
        var entry = (string)(await SqlAsync($"select action || ' ' || coalesce(address, 'nowhere') || ' ' || coalesce(actor::text, 'nobody') || ' ' || details from ledger_entries where tree = '{Guid.Empty}' and action like 'operator.%' order by id desc limit 1"))!;
        entry.ShouldStartWith($"{action} 127.0.0.1 nobody ");
        entry.ShouldContain(detail);
        entry.ShouldContain($"\"operator\":\"ada\",\"operator_key\":\"{host.Ada.Fingerprint}\"");
    }

    [Fact]
    public async Task Teams_are_shown_with_sizes_and_never_with_what_they_hold()
    {
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        var files = new FilesClient(person, team);
        await files.FileAsync("a-secret-name.txt", new byte[1000]);
        await files.FileAsync("another.txt", new byte[24]);
        using var client = host.Operator(host.Ada);
        var text = await client.GetStringAsync("/admin/v1/teams");
        text.ShouldNotContain("secret-name");
        var found = JsonDocument.Parse(text).RootElement.GetProperty("teams").EnumerateArray().Single(t => t.GetProperty("reference").GetString() == team);
        (found.GetProperty("bytes").GetInt64(), found.GetProperty("files").GetInt64(), found.GetProperty("members").GetInt64()).ShouldBe((1024, 2, 1));
        var users = await client.GetStringAsync("/admin/v1/users");
        users.ShouldContain($"\"username\":\"{person.Username}\"");
        var counts = (await client.GetFromJsonAsync<JsonElement>("/admin/v1/status")).GetProperty("counts");
        counts.GetProperty("files").GetInt64().ShouldBeGreaterThanOrEqualTo(2);
    }

    [Fact]
    public async Task Teams_and_people_come_in_pages()
    {
        // 450 of each, written past the service.
        await SqlAsync("""
            insert into teams (id, reference, name, created_at) select gen_random_uuid(), 'zzzz' || translate(lpad(i::text, 22, '0'), '0189', 'abcd'), 'Many', now() from generate_series(1, 450) i;
            insert into users (id, username, username_key, security_stamp, concurrency_stamp, created_at) select gen_random_uuid(), 'many' || i, 'MANY' || i, 'x', 'x', now() from generate_series(1, 450) i
            """);
        using var client = host.Operator(host.Ada);
        (await AllAsync(client, "teams", "reference")).Count(r => r.StartsWith("zzzz", StringComparison.Ordinal)).ShouldBe(450);
        (await AllAsync(client, "users", "username")).Count(u => u.StartsWith("many", StringComparison.Ordinal)).ShouldBe(450);
        (await client.GetAsync("/admin/v1/teams?after=%27%3B--")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await client.GetAsync("/admin/v1/users?after=" + new string('a', 300))).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await client.GetAsync("/admin/v1/users?after=%00")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        await SqlAsync("delete from teams where reference like 'zzzz%'; delete from users where username like 'many%'");
    }

    [Fact, Trait("Requirement", "F10")]
    public async Task A_quota_is_changed_holds_at_once_and_is_told_to_the_team_and_to_the_appliance()
    {
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        var files = new FilesClient(person, team);
        using var client = host.Operator(host.Ada);
        var answer = await client.PutAsJsonAsync($"/admin/v1/teams/{team}/quota", new { bytes = "1000", files = "none" });
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        var size = await answer.Content.ReadFromJsonAsync<JsonElement>();
        (size.GetProperty("maxBytes").GetInt64(), size.GetProperty("maxFiles").ValueKind, size.GetProperty("filesByDefault").GetBoolean()).ShouldBe((1000, JsonValueKind.Null, false));
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("b"), new byte[1001], HttpStatusCode.InsufficientStorage, "quota-exceeded");
        await files.FileAsync("a", new byte[1000]);

        // What is not named stays as it is.
        await client.PutAsJsonAsync($"/admin/v1/teams/{team}/quota", new { files = "7" });
        size = await client.GetFromJsonAsync<JsonElement>($"/admin/v1/teams/{team}/quota");
        (size.GetProperty("maxBytes").GetInt64(), size.GetProperty("maxFiles").GetInt64()).ShouldBe((1000, 7));
        await client.PutAsJsonAsync($"/admin/v1/teams/{team}/quota", new { bytes = "default", files = "default" });
        (await client.GetFromJsonAsync<JsonElement>($"/admin/v1/teams/{team}/quota")).GetProperty("bytesByDefault").GetBoolean().ShouldBeTrue();

        var told = (string)(await SqlAsync($"select string_agg(details, ' ' order by id) from ledger_entries where action = 'quota.changed' and tree = (select id from teams where reference = '{team}')"))!;
        told.ShouldContain($"\"bytes\":\"1000\",\"files\":\"none\",\"operator\":\"ada\",\"operator_key\":\"{host.Ada.Fingerprint}\"");
        ((string)(await SqlAsync($"select string_agg(details, ' ' order by id) from ledger_entries where action = 'operator.quota-changed' and subject = '{team}'"))!).ShouldContain("\"bytes\":\"1000\",\"files\":\"none\"");
        // The team's owner reads who it was, and the ledger is whole.
        var page = await person.Http.GetStringAsync($"/teams/{team}/ledger");
        page.ShouldContain("Quota changed");
        page.ShouldContain("by operator");
        (await client.PostAsync($"/admin/v1/ledger/verify?tree={team}", null)).StatusCode.ShouldBe(HttpStatusCode.OK);
        var verified = await (await client.PostAsync("/admin/v1/ledger/verify", null)).Content.ReadFromJsonAsync<JsonElement>();
        verified.GetProperty("intact").GetBoolean().ShouldBeTrue();
    }

    [Fact]
    public async Task What_cannot_be_written_to_the_ledger_is_not_done()
    {
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        using var client = host.Operator(host.Ada);
        await SqlAsync("alter table ledger_entries add constraint closed check (action not like 'operator.%') not valid");
        try
        {
            (await client.PutAsJsonAsync($"/admin/v1/teams/{team}/quota", new { bytes = "1" })).IsSuccessStatusCode.ShouldBeFalse();
            (await client.GetAsync("/admin/v1/teams")).IsSuccessStatusCode.ShouldBeFalse();
        }
        finally
        {
            await SqlAsync("alter table ledger_entries drop constraint closed");
        }
        (await client.GetFromJsonAsync<JsonElement>($"/admin/v1/teams/{team}/quota")).GetProperty("maxBytes").ValueKind.ShouldBe(JsonValueKind.Null);
        (await SqlAsync($"select count(*) from ledger_entries where action = 'quota.changed' and tree = (select id from teams where reference = '{team}')")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_team_that_is_not_there_is_not_found_and_an_unknown_tree_neither()
    {
        using var client = host.Operator(host.Ada);
        foreach (var team in new[] { Appliance.Data.Reference.New(), "x", "%27" })
        {
            (await client.GetAsync($"/admin/v1/teams/{team}/quota")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await client.PutAsJsonAsync($"/admin/v1/teams/{team}/quota", new { bytes = "1" })).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await client.PostAsync($"/admin/v1/ledger/verify?tree={team}", null)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
    }

    [Fact]
    public async Task While_the_database_does_not_let_the_role_in_status_and_config_say_so_and_the_rest_waits()
    {
        await using var own = new OperatorHost();
        await own.InitializeAsync();
        await own.Cluster.SuperuserAsync("postgres", $"revoke connect on database {own.Settings.DatabaseName} from appliance_operator");
        using var client = own.Operator(own.Ada);
        var status = await client.GetFromJsonAsync<JsonElement>("/admin/v1/status");
        status.GetProperty("counts").ValueKind.ShouldBe(JsonValueKind.Null);
        var config = await client.GetStringAsync("/admin/v1/config");
        config.ShouldContain("roles.sql");
        (await client.GetAsync("/admin/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
    }

    private static async Task<List<string>> AllAsync(HttpClient client, string what, string name)
    {
        var (found, after) = (new List<string>(), (string?)null);
        do
        {
            var page = await client.GetFromJsonAsync<JsonElement>($"/admin/v1/{what}" + (after is null ? "" : "?after=" + Uri.EscapeDataString(after)));
            found.AddRange(page.GetProperty(what).EnumerateArray().Select(one => one.GetProperty(name).GetString()!));
            after = page.GetProperty("next").GetString();
        }
        while (after is not null);
        found.ShouldBeUnique();
        return found;
    }

    private async Task<long> CountAsync() => (long)(await SqlAsync($"select count(*) from ledger_entries where tree = '{Guid.Empty}' and action like 'operator.%'"))!;

    private Task<object?> SqlAsync(string sql) => host.Cluster.SuperuserAsync(host.Settings.DatabaseName, sql);
}
