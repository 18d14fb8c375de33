using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Tokens;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Appliance.Tests.Tus;
using Appliance.Web;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.Tokens;

/// <summary>The whole service, with one endpoint of the API that only tells who called it, and that it was changed.</summary>
public sealed class TokenHost : SignInHost
{
    protected override void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/api/v1/probe", (HttpContext http) => http.User.Identity!.Name).RequireAuthorization(Access.ApiRead);
        endpoints.MapPost("/api/v1/probe", (HttpContext http) => http.User.Identity!.Name).RequireAuthorization(Access.ApiWrite);
        endpoints.MapPost("/api/v1/probe/json", (Body body) => body.Name).RequireAuthorization(Access.ApiWrite);
    }

    internal sealed record Body(string Name);
}

[Trait("Requirement", "A16")]
public sealed partial class TokenTests(TokenHost host) : IClassFixture<TokenHost>
{
    private const string Probe = "/api/v1/probe";

    [Fact, Trait("Requirement", "W1")]
    public async Task What_a_token_changes_names_the_token_in_the_ledger_and_in_the_activity_and_never_its_secret()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        var bearer = await ApiClient.TokenAsync(host, anna.Id);
        var reference = (await host.Services.GetRequiredService<ApiTokens>().ListAsync(anna.Id, default)).Single().Reference;
        var password = await ApiClient.AppPasswordAsync(host, anna.Id);
        using var program = ApiClient.With(host, bearer);
        using var old = ApiClient.With(host, anna.Username, password);
        using var made = await program.PostAsync($"/api/v1/teams/{team}/files?name=a.txt", new ByteArrayContent([1, 2]));
        made.StatusCode.ShouldBe(HttpStatusCode.Created);
        var entry = JsonDocument.Parse(await made.Content.ReadAsStringAsync()).RootElement.GetProperty("reference").GetString();
        (await old.PatchAsync($"/api/v1/teams/{team}/entries/{entry}", JsonContent.Create(new { name = "b.txt" }))).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await anna.Http.PatchAsync($"/api/v1/teams/{team}/entries/{entry}", JsonContent.Create(new { name = "c.txt" }))).StatusCode.ShouldBe(HttpStatusCode.OK);

        // By session: no token; by app password and by token: theirs.
        var events = JsonDocument.Parse(await anna.Http.GetStringAsync($"/api/v1/teams/{team}/entries/{entry}/events")).RootElement.GetProperty("events").EnumerateArray()
            .Select(e => e.GetProperty("details")).ToList();
        events.Select(e => e.TryGetProperty("token", out _)).ShouldBe([false, true, true]);
        events[2].GetProperty("token").GetString().ShouldBe("a test");
        events[2].GetProperty("token_reference").GetString().ShouldBe(reference);
        events[1].GetProperty("token_reference").GetString().ShouldNotBe(reference);

        var ledger = WebUtility.HtmlDecode(await anna.Http.GetStringAsync($"/teams/{team}/ledger"));
        ledger.ShouldContain($"with token “a test” ({reference})");
        var activity = WebUtility.HtmlDecode(await anna.Http.GetStringAsync($"/teams/{team}/files/{entry}/details"));
        activity.Split("with token “<bdi>a test</bdi>”").Length.ShouldBe(3);
        foreach (var secret in new[] { bearer, password })
        {
            (ledger + activity).ShouldNotContain(secret);
            (ledger + activity).ShouldNotContain(secret[4..]);
        }
    }

    [Fact]
    public async Task A_token_opens_the_API_and_an_app_password_does_with_the_username_in_any_case()
    {
        using var anna = await Person.NewAsync(host);
        using var bearer = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id));
        var password = await ApiClient.AppPasswordAsync(host, anna.Id);
        (await bearer.GetStringAsync(Probe)).ShouldBe(anna.Username);
        foreach (var name in new[] { anna.Username, anna.Username.ToUpperInvariant() })
        {
            using var basic = ApiClient.With(host, name, password);
            (await basic.GetStringAsync(Probe)).ShouldBe(anna.Username);
            (await basic.PostAsync(Probe, null)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
    }

    [Fact]
    public async Task Neither_opens_any_page_or_the_account_or_anything_else_that_is_not_the_API()
    {
        using var anna = await Person.NewAsync(host);
        var clients = new[]
        {
            ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id)),
            ApiClient.With(host, anna.Username, await ApiClient.AppPasswordAsync(host, anna.Id)),
        };
        var (refused, answered) = (0, new SortedSet<string>(StringComparer.Ordinal));
        foreach (var client in clients)
        {
            using var stranger = host.Client();
            foreach (var endpoint in host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
            {
                var path = "/" + Parameter().Replace(endpoint.RoutePattern.RawText!.TrimStart('/'), _ => Reference.New());
                foreach (var method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET", "POST"])
                {
                    using var answer = await client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
                    using var without = await stranger.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
                    if (path.StartsWith("/api/v1/", StringComparison.Ordinal))
                    {
                        answer.StatusCode.ShouldNotBe(HttpStatusCode.Unauthorized, $"{method} {path}");
                        without.StatusCode.ShouldBe(HttpStatusCode.Unauthorized, $"{method} {path}");
                        answered.Add(endpoint.RoutePattern.RawText!);
                        continue;
                    }
                    // Exactly what somebody without it gets.
                    answer.StatusCode.ShouldBe(without.StatusCode, $"{method} {path}");
                    answer.Headers.Location?.ToString().ShouldBe(without.Headers.Location?.ToString(), $"{method} {path}");
                    refused++;
                }
            }
            client.Dispose();
        }
        refused.ShouldBeGreaterThan(60);
        answered.ShouldContain(Probe);
    }

    [Fact]
    public async Task A_token_beside_a_session_is_what_counts_and_no_token_that_works_is_nobody()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        using var request = new HttpRequestMessage(HttpMethod.Get, Probe);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await ApiClient.TokenAsync(host, ben.Id));
        (await (await anna.Http.SendAsync(request)).Content.ReadAsStringAsync()).ShouldBe(ben.Username);
        (await anna.Http.GetStringAsync(Probe)).ShouldBe(anna.Username);

        foreach (var header in new[] { "Bearer nonsense", "Basic nonsense", "Negotiate abc", "Bearer", "" })
        {
            using var wrong = new HttpRequestMessage(HttpMethod.Get, Probe);
            wrong.Headers.TryAddWithoutValidation("Authorization", header);
            (await anna.Http.SendAsync(wrong)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized, header);
        }
    }

    [Fact]
    public async Task What_is_not_exactly_a_secret_of_the_kind_it_is_sent_as_is_refused()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        var (token, password) = (await ApiClient.TokenAsync(host, anna.Id), await ApiClient.AppPasswordAsync(host, anna.Id));
        var wrong = new (string Scheme, string Value)[]
        {
            ("Bearer", password), ("Bearer", token[..^1]), ("Bearer", token + "A"), ("Bearer", token[4..]), ("Bearer", "app_" + token[4..]), ("Bearer", token.ToUpperInvariant()),
            ("Basic", Pair(anna.Username, token)), ("Basic", Pair(ben.Username, password)), ("Basic", Pair("", password)), ("Basic", Pair(anna.Username + " x", password)),
            ("Basic", Pair(anna.Username, password + "\n")), ("Basic", Pair(anna.Username, "")), ("Basic", "!!!!"), ("Basic", new string('A', 4000)),
            ("Basic", Convert.ToBase64String([0xFF, (byte)':', 0xFE])),
        };
        foreach (var (scheme, value) in wrong)
        {
            using var client = ApiClient.With(host, new AuthenticationHeaderValue(scheme, value));
            using var answer = await client.GetAsync(Probe);
            answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized, $"{scheme} {value}");
        }
        using var twice = host.Client();
        twice.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", [$"Bearer {token}", $"Bearer {token}"]);
        (await twice.GetAsync(Probe)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_refusal_is_a_problem_that_says_what_would_be_taken_and_a_browser_is_not_told_of_Basic()
    {
        using var client = ApiClient.With(host, "apt_" + new string('A', 43));
        using var answer = await client.GetAsync("/api/v1/teams");
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("code").GetString().ShouldBe("token-invalid");
        answer.Headers.WwwAuthenticate.Select(c => c.Scheme).ShouldBe(["Bearer", "Basic"]);

        using var browser = host.Client();
        browser.DefaultRequestHeaders.Add("Sec-Fetch-Mode", "cors");
        using var told = await browser.GetAsync("/api/v1/teams");
        told.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        told.Headers.WwwAuthenticate.Select(c => c.Scheme).ShouldBe(["Bearer"]);
        (await told.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("type").GetString().ShouldBe("urn:appliance:problem:sign-in-required");
    }

    [Fact]
    public async Task A_token_that_may_only_read_reads_and_changes_nothing()
    {
        using var anna = await Person.NewAsync(host);
        using var reader = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id, mayWrite: false));
        (await reader.GetStringAsync(Probe)).ShouldBe(anna.Username);
        using var refused = await reader.PostAsync(Probe, null);
        refused.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await refused.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("code").GetString().ShouldBe("token-may-not-write");
        var changing = 0;
        foreach (var endpoint in host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            var path = "/" + Parameter().Replace(endpoint.RoutePattern.RawText!.TrimStart('/'), _ => Reference.New());
            foreach (var method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? [])
            {
                if (path.StartsWith("/api/v1/", StringComparison.Ordinal) && method is "PUT" or "PATCH" or "DELETE")
                {
                    using var answer = await reader.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
                    answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden, $"{method} {path}");
                    changing++;
                }
            }
        }
        changing.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task A_token_for_one_team_opens_no_other_and_one_for_all_opens_each()
    {
        using var anna = await Person.NewAsync(host);
        var (one, other) = (await anna.TeamAsync("One"), await anna.TeamAsync("Other"));
        using var narrow = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id, team: one));
        using var wide = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id));
        (await TeamsAsync(narrow)).ShouldBe([one]);
        (await TeamsAsync(wide)).ShouldBe([one, other], ignoreOrder: true);
        (await narrow.GetAsync($"/api/v1/teams/{one}")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await wide.GetAsync($"/api/v1/teams/{other}")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await narrow.GetAsync($"/api/v1/teams/{other}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_token_of_somebody_who_left_the_team_opens_it_no_more()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        var team = await anna.TeamAsync();
        await anna.InviteAsync(team, ben);
        using var program = ApiClient.With(host, await ApiClient.TokenAsync(host, ben.Id, team: team));
        (await TeamsAsync(program)).ShouldBe([team]);
        (await anna.PostAsync($"/teams/{team}/members?handler=Remove", ("Username", ben.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await TeamsAsync(program)).ShouldBeEmpty();
        (await program.GetAsync($"/api/v1/teams/{team}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    /// <summary>What downloads and small uploads ask comes in one flight with the token; the answers must be as if it had come after it.</summary>
    [Fact, Trait("Requirement", "T1")]
    public async Task What_is_read_along_with_a_token_is_refused_like_everything_else()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        var (team, other) = (await anna.TeamAsync("One"), await anna.TeamAsync("Other"));
        await anna.InviteAsync(team, ben);
        var tokens = host.Services.GetRequiredService<ApiTokens>();
        async Task<(string Text, string Reference)> NewAsync(Person person, string? of = null, bool mayWrite = true)
        {
            var text = await ApiClient.TokenAsync(host, person.Id, of, mayWrite);
            return (text, (await tokens.ListAsync(person.Id, default))[0].Reference);
        }
        var (wide, narrow, bens, reading) = (await NewAsync(anna), await NewAsync(anna, other), await NewAsync(ben), await NewAsync(anna, mayWrite: false));
        using var all = ApiClient.With(host, wide.Text);
        using var one = ApiClient.With(host, narrow.Text);
        using var member = ApiClient.With(host, bens.Text);
        using var reader = ApiClient.With(host, reading.Text);
        var count = 0;
        Task<HttpResponseMessage> UploadAsync(HttpClient from, string to) => from.PostAsync($"/api/v1/teams/{to}/files?name=f{++count}", new ByteArrayContent([1, 2, 3]));
        using var made = await UploadAsync(all, team);
        made.StatusCode.ShouldBe(HttpStatusCode.Created);
        var content = made.Headers.Location + "/content";
        // Twice each: the first request of a team takes the longer way.
        for (var i = 0; i < 2; i++)
        {
            (await all.GetByteArrayAsync(content)).ShouldBe([1, 2, 3]);
            (await member.GetByteArrayAsync(content)).ShouldBe([1, 2, 3]);
            (await UploadAsync(member, team)).StatusCode.ShouldBe(HttpStatusCode.Created);
            (await anna.Http.GetByteArrayAsync(content)).ShouldBe([1, 2, 3]);
            (await reader.GetByteArrayAsync(content)).ShouldBe([1, 2, 3]);
            (await UploadAsync(reader, team)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
            // A token for another team, and one of somebody who is not in it.
            (await one.GetAsync(content)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await UploadAsync(one, team)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await UploadAsync(one, other)).StatusCode.ShouldBe(HttpStatusCode.Created);
            (await member.GetAsync(content.Replace(team, other, StringComparison.Ordinal))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await UploadAsync(member, other)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }

        (await anna.PostAsync($"/teams/{team}/members?handler=Remove", ("Username", ben.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await member.GetAsync(content)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await UploadAsync(member, team)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await ben.Http.GetAsync(content)).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        (await tokens.RevokeAsync(wide.Reference, new Origin(anna.Id, null), default)).ShouldBeTrue();
        (await all.GetAsync(content)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await UploadAsync(all, team)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        var before = (long)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select count(*) from entries e join teams t on t.id = e.team_id where t.reference = '{team}'"))!;
        before.ShouldBe(3); // the first, and Ben's two
    }

    [Fact]
    public async Task A_token_is_over_when_it_expires_and_when_it_is_revoked_and_stays_one_persons()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        using var week = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id, days: 7));
        using var month = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id, days: 30));
        var tokens = host.Services.GetRequiredService<ApiTokens>();
        (await week.GetAsync(Probe)).StatusCode.ShouldBe(HttpStatusCode.OK);
        host.Clock.Move(TimeSpan.FromDays(7));
        try
        {
            (await week.GetAsync(Probe)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
            (await month.GetAsync(Probe)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        finally
        {
            host.Clock.Move(TimeSpan.FromDays(-7));
        }
        var listed = (await tokens.ListAsync(anna.Id, default)).Single(t => t.ExpiresAt - t.CreatedAt == TimeSpan.FromDays(30));
        (await tokens.RevokeAsync(listed.Reference, new Origin(ben.Id, null), default)).ShouldBeFalse();
        (await month.GetAsync(Probe)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await tokens.RevokeAsync(listed.Reference, new Origin(anna.Id, null), default)).ShouldBeTrue();
        (await month.GetAsync(Probe)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await tokens.RevokeAsync(listed.Reference, new Origin(anna.Id, null), default)).ShouldBeFalse();
        (await host.LedgerAsync("token.revoked")).ShouldContain(e => e.Actor == anna.Id);
    }

    [Fact]
    public async Task A_token_that_is_revoked_while_it_sends_brings_nothing_in()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        using var program = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id));
        using var made = await program.SendAsync(TusClient.Request(
            HttpMethod.Post, $"/api/v1/teams/{team}/uploads", ("Upload-Length", "10"), ("Upload-Metadata", TusClient.Metadata("late"))));
        made.StatusCode.ShouldBe(HttpStatusCode.Created);
        var upload = made.Headers.Location!.ToString();
        var request = TusClient.Request(HttpMethod.Patch, upload, ("Upload-Offset", "0"));
        var body = new Stalls(new byte[10], 4);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/offset+octet-stream");
        request.Content = body;
        var running = program.SendAsync(request);
        await body.Stalled;

        var tokens = host.Services.GetRequiredService<ApiTokens>();
        (await tokens.RevokeAsync((await tokens.ListAsync(anna.Id, default)).Single().Reference, new Origin(anna.Id, null), default)).ShouldBeTrue();
        body.GoOn();
        (await running).StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await program.SendAsync(TusClient.Request(HttpMethod.Head, upload))).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        // The upload itself is still its person's.
        (await new TusClient(anna, team).OffsetAsync(upload)).ShouldBe(0);
    }

    [Fact]
    public async Task Its_last_use_is_kept_to_the_minute_and_its_secret_nowhere()
    {
        using var anna = await Person.NewAsync(host);
        var secret = await ApiClient.TokenAsync(host, anna.Id);
        using var client = ApiClient.With(host, secret);
        var tokens = host.Services.GetRequiredService<ApiTokens>();
        (await tokens.ListAsync(anna.Id, default)).Single().LastUsedAt.ShouldBeNull();
        await client.GetStringAsync(Probe);
        var first = (await tokens.ListAsync(anna.Id, default)).Single();
        first.LastUsedAt.ShouldNotBeNull();
        first.LastAddress.ShouldBe("127.0.0.1");
        host.Clock.Move(TimeSpan.FromSeconds(20));
        await client.GetStringAsync(Probe);
        (await tokens.ListAsync(anna.Id, default)).Single().LastUsedAt.ShouldBe(first.LastUsedAt);
        host.Clock.Move(TimeSpan.FromSeconds(60));
        await client.GetStringAsync(Probe);
        (await tokens.ListAsync(anna.Id, default)).Single().LastUsedAt!.Value.ShouldBeGreaterThan(first.LastUsedAt!.Value.AddSeconds(59));

        var dump = await host.DumpAsync();
        dump.ShouldNotContain(secret[4..], Case.Sensitive);
        dump.ShouldContain(first.Reference);
    }

    [Fact]
    public async Task The_antiforgery_check_lets_off_what_a_token_signed_in_and_not_what_merely_carries_a_header()
    {
        using var anna = await Person.NewAsync(host);
        using var bearer = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id));
        using var basic = ApiClient.With(host, anna.Username, await ApiClient.AppPasswordAsync(host, anna.Id));
        (await bearer.PostAsync(Probe, null)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await basic.PostAsync(Probe, null)).StatusCode.ShouldBe(HttpStatusCode.OK);

        // A browser that had kept the app password, led here by another site.
        basic.DefaultRequestHeaders.Add("Sec-Fetch-Site", "cross-site");
        (await basic.PostAsync(Probe, null)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);

        // A session without the token of the form, with a header of Authorization at a page, where it signs nobody in.
        anna.Http.DefaultRequestHeaders.Remove("RequestVerificationToken");
        (await anna.Http.PostAsync(Probe, null)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        anna.Http.DefaultRequestHeaders.Authorization = bearer.DefaultRequestHeaders.Authorization;
        (await anna.PostAsync("/teams", ("Name", "x"))).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await anna.PostAsync("/lock")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task The_APIs_JSON_is_read_strictly()
    {
        using var anna = await Person.NewAsync(host);
        using var client = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id));
        (await SendAsync(client, """{"name":"x"}""")).ShouldBe(HttpStatusCode.OK);
        foreach (var body in new[] { """{"name":"x","nmae":1}""", """{"name":"x","name":"y"}""", """{"Name":"x"}""", """{"name":null}""", "{}", """{"name":"x"}}""", "", "[]", """{"name":1}""" })
        {
            (await SendAsync(client, body)).ShouldBe(HttpStatusCode.BadRequest, body);
        }
        using var unknown = await client.GetAsync("/api/v1/nothing");
        unknown.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        unknown.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        using var wrongMethod = await client.DeleteAsync("/api/v1/teams");
        wrongMethod.StatusCode.ShouldBe(HttpStatusCode.MethodNotAllowed);
        wrongMethod.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
    }

    [Fact]
    public async Task Making_one_takes_a_name_an_end_and_a_team_of_ones_own()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        var (tokens, origin) = (host.Services.GetRequiredService<ApiTokens>(), new Origin(anna.Id, null));
        var foreign = await ben.TeamAsync();
        var refusals = new Func<Task>[]
        {
            () => tokens.CreateAsync(ApiToken.Bearer, "", null, true, 7, origin, default),
            () => tokens.CreateAsync(ApiToken.Bearer, new string('x', 101), null, true, 7, origin, default),
            () => tokens.CreateAsync(ApiToken.Bearer, "x\ny", null, true, 7, origin, default),
            () => tokens.CreateAsync(ApiToken.Bearer, "x", null, true, null, origin, default),
            () => tokens.CreateAsync(ApiToken.AppPassword, "x", null, true, 8, origin, default),
            () => tokens.CreateAsync("session", "x", null, true, 7, origin, default),
            () => tokens.CreateAsync(ApiToken.Bearer, "x", foreign, true, 7, origin, default),
        };
        foreach (var refused in refusals)
        {
            await refused.ShouldThrowAsync<TokenRuleException>();
        }
        (await tokens.ListAsync(anna.Id, default)).ShouldBeEmpty();
    }

    private static async Task<HttpStatusCode> SendAsync(HttpClient client, string json)
    {
        using var answer = await client.PostAsync(Probe + "/json", new StringContent(json, Encoding.UTF8, "application/json"));
        return answer.StatusCode;
    }

    private static async Task<IReadOnlyList<string>> TeamsAsync(HttpClient client) =>
        [.. (await client.GetFromJsonAsync<JsonElement>("/api/v1/teams")).GetProperty("teams").EnumerateArray().Select(t => t.GetProperty("reference").GetString()!)];

    private static string Pair(string username, string password) => Convert.ToBase64String(Encoding.UTF8.GetBytes($"{username}:{password}"));

    [GeneratedRegex("\\{[^}]+\\}", RegexOptions.None, 1000)]
    private static partial Regex Parameter();
}
