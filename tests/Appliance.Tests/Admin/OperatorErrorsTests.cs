using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Appliance.Tests.TestServers;
using Appliance.Tests.Web;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.Admin;

/// <summary>With endpoints that fail.</summary>
public sealed class FailingOperatorHost : OperatorHost
{
    protected override void Map(IEndpointRouteBuilder endpoints) => Probes.Map(endpoints);
}

/// <summary>What a person was given a reference for, an operator finds, grouped, and closes; in the API and on the pages.</summary>
[Trait("Requirement", "O10")]
public sealed partial class OperatorErrorsTests(FailingOperatorHost host) : IClassFixture<FailingOperatorHost>
{
    [Fact]
    public async Task An_error_is_found_by_the_reference_that_the_person_was_given_counted_and_closed_until_it_happens_again()
    {
        using var client = host.Operator(host.Ada);
        var references = new List<string>();
        for (var i = 0; i < 12; i++)
        {
            references.Add(await FailAsync("/api/probe/throw"));
        }
        await WriteAsync();
        var found = (await ListAsync(client, $"?reference={references[^1]}")).Single();
        (found.GetProperty("kind").GetString(), found.GetProperty("place").GetString(), found.GetProperty("count").GetInt64()).ShouldBe(("InvalidOperationException", "GET /api/probe/throw", 12));
        found.GetProperty("latest").EnumerateArray().Select(r => r.GetString()).ShouldBe(Enumerable.Reverse(references).Take(10));
        (await client.GetStringAsync("/admin/v1/errors")).ShouldNotContain(Probes.Secret);
        (await ListAsync(client, $"?reference={references[0]}")).ShouldBeEmpty();

        var group = found.GetProperty("reference").GetString();
        (await client.PostAsync($"/admin/v1/errors/{group}/close", null)).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await ListAsync(client, "")).ShouldNotContain(e => e.GetProperty("reference").GetString() == group);
        (await ListAsync(client, "?all=true")).ShouldContain(e => e.GetProperty("reference").GetString() == group);
        (await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select details from ledger_entries where action = 'operator.error-closed' and subject = '{group}'")).ShouldNotBeNull();
        await FailAsync("/api/probe/throw");
        await WriteAsync();
        (await ListAsync(client, "")).Single(e => e.GetProperty("reference").GetString() == group).GetProperty("count").GetInt64().ShouldBe(13);

        (await client.PostAsync($"/admin/v1/errors/{Appliance.Data.Reference.New()}/close", null)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await client.GetAsync("/admin/v1/errors?reference=%27")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task What_is_kept_is_bounded_and_the_application_can_only_add()
    {
        var name = host.Settings.DatabaseName;
        await host.Cluster.SuperuserAsync(name, """
            set role appliance_app;
            select count(app_note_error('x' || i, repeat('k', 500), 'GET /' || i, 1, now() - interval '1 day', now() - interval '1 day', array_fill('E'::text, array[50]), repeat('v', 100))) from generate_series(1, 1100) i
            """);
        (await host.Cluster.SuperuserAsync(name, "select count(*) <= 1000 and max(cardinality(latest)) = 10 and max(char_length(kind)) = 200 from errors")).ShouldBe(true);
        foreach (var statement in new[] { "select * from errors", "delete from errors", "update errors set count = 1", "select operator_close_error('x1', now())", "select operator_errors(true, null)" })
        {
            (await Should.ThrowAsync<Npgsql.PostgresException>(() => host.Cluster.SuperuserAsync(name, "set role appliance_app; " + statement))).SqlState.ShouldBe("42501", statement);
        }
        await host.Cluster.SuperuserAsync(name, "delete from errors where kind like 'kkk%'");
    }

    [Fact]
    public async Task Errors_wait_while_the_database_is_away()
    {
        var reference = await FailAsync("/probe/throw");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "revoke execute on function app_note_error from appliance_app");
        await WriteAsync();
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "grant execute on function app_note_error to appliance_app");
        await WriteAsync();
        using var client = host.Operator(host.Ada);
        (await ListAsync(client, $"?reference={reference}")).Count.ShouldBe(1);
    }

    [Fact]
    public async Task In_a_browser_errors_are_found_and_closed_with_the_certificate_and_a_form_of_the_page_alone()
    {
        var reference = await FailAsync("/probe/throw");
        await WriteAsync();
        using var client = Browser(host.Ada);
        var status = await client.GetAsync("/admin");
        status.StatusCode.ShouldBe(HttpStatusCode.OK);
        status.Headers.GetValues("Content-Security-Policy").Single().ShouldContain("script-src 'self'");
        var html = await status.Content.ReadAsStringAsync();
        html.ShouldContain("Database, object store and keys answer.");
        html.ShouldContain("Operator <bdi>ada</bdi>");
        (await client.GetAsync("/css/tokens.css")).StatusCode.ShouldBe(HttpStatusCode.OK);

        var answer = await client.GetAsync("/admin/errors?reference=" + reference);
        var page = await answer.Content.ReadAsStringAsync();
        page.ShouldContain("GET /probe/throw");
        page.ShouldContain(reference);
        var group = Group().Match(page).Groups["value"].Value;
        var token = Token().Match(page).Groups["value"].Value;
        var cookie = answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        cookie.ShouldStartWith("__Host-appliance-antiforgery=");
        foreach (var (form, sent, status2) in new[] { ("", cookie, 400), (token, "", 400), (token, cookie, 302) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/admin/errors?handler=Close")
            {
                Content = new FormUrlEncodedContent(new Dictionary<string, string> { ["reference"] = group, ["RequestVerificationToken"] = form }),
                Headers = { { "Sec-Fetch-Site", "same-origin" }, { "Origin", "null" } },
            };
            if (sent.Length > 0)
            {
                request.Headers.Add("Cookie", sent);
            }
            ((int)(await client.SendAsync(request)).StatusCode).ShouldBe(status2);
        }
        (await client.GetStringAsync("/admin/errors")).ShouldNotContain(group);
        (await client.GetStringAsync("/admin/errors?reference=" + reference)).ShouldContain("Closed");
        (await client.GetStringAsync("/admin/errors?reference=nonsense")).ShouldContain("Nothing under this reference");
    }

    [Fact]
    public async Task The_pages_too_ask_for_the_action_and_are_nowhere_else()
    {
        var ben = new TestOperator("ben");
        await host.AllowAsync(host.Ada.Line("actions=all"), ben.Line("actions=status"));
        using var client = Browser(ben);
        (await client.GetStringAsync("/admin")).ShouldNotContain("/admin/errors");
        (await client.GetAsync("/admin/errors")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        await host.AllowAsync(host.Ada.Line("actions=all"));
        var owner = await SignedIn.AsAsync(host, owner: true);
        (await owner.Client.GetAsync("/admin")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await owner.Client.GetAsync("/admin/errors")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    private HttpClient Browser(TestOperator operators)
    {
        var client = host.Operator(operators.Certificate, cookies: false);
        client.DefaultRequestHeaders.Accept.ParseAdd("text/html");
        return client;
    }

    private Task WriteAsync() => host.Services.GetRequiredService<ErrorGroups>().WriteAsync(default);

    private static async Task<List<JsonElement>> ListAsync(HttpClient client, string query) =>
        [.. (await client.GetFromJsonAsync<JsonElement>("/admin/v1/errors" + query)).GetProperty("errors").EnumerateArray()];

    private async Task<string> FailAsync(string path)
    {
        using var client = host.Client();
        using var answer = await client.GetAsync(path);
        answer.StatusCode.ShouldBe(HttpStatusCode.InternalServerError);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("reference").GetString()!;
    }

    [GeneratedRegex("name=\"reference\" value=\"(?<value>[a-z2-7]{26})\"", RegexOptions.None, 1000)]
    private static partial Regex Group();

    [GeneratedRegex("<meta name=\"csrf\" content=\"(?<value>[^\"]+)\"", RegexOptions.None, 1000)]
    private static partial Regex Token();
}
