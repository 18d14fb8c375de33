using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.Tests.Tus;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Teams;

/// <summary>
/// Every endpoint inside a team, found by enumeration so that a new one is tested the day it is made: to a stranger, another team's things are
/// exactly what things that do not exist are.
/// </summary>
[Trait("Requirement", "T1"), Trait("Requirement", "T3")]
public sealed partial class IsolationTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    [Fact]
    public async Task Another_teams_things_answer_as_things_that_do_not_exist()
    {
        using var anna = await Person.NewAsync(host);
        var theirs = await WorldAsync(anna);
        using var mallory = await Person.NewAsync(host, "mallory");
        var own = await WorldAsync(mallory);
        var tested = 0;
        foreach (var (method, template) in Endpoints())
        {
            var unknown = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var name in Parameters().Matches(template).Select(m => m.Groups["name"].Value))
            {
                theirs.ShouldContainKey(name, $"{template} has a parameter that this test does not know: give it a value of the other team");
                unknown[name] = name is "number" or "index" ? theirs[name] : Reference.New();
            }
            // The other team itself, and the other team's things inside the own team.
            await SameAsync(mallory, method, template, theirs, unknown);
            tested++;
            if (unknown.Count > 1)
            {
                await SameAsync(mallory, method, template, new(theirs) { ["team"] = own["team"], ["index"] = "999999" }, new(unknown) { ["team"] = own["team"], ["index"] = "999999" });
            }
        }
        tested.ShouldBeGreaterThanOrEqualTo(15);
        // Nothing of it happened.
        (await anna.ListAsync(theirs["team"])).Select(e => e.Name).ShouldBe(["Folder", "file"]);
        (await new TusClient(anna, theirs["team"]).OffsetAsync($"/api/v1/teams/{theirs["team"]}/uploads/{theirs["upload"]}")).ShouldBe(5);
    }

    [Fact]
    public async Task Somebody_who_is_not_signed_in_reaches_nothing()
    {
        using var anna = await Person.NewAsync(host);
        var theirs = await WorldAsync(anna);
        using var nobody = host.Client();
        foreach (var (method, template) in Endpoints())
        {
            using var answer = await nobody.SendAsync(Request(method, template, theirs));
            ((int)answer.StatusCode).ShouldBeOneOf(302, 401, 403);
        }
    }

    [Fact]
    public async Task Who_is_removed_loses_everything_at_once()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        var team = await anna.TeamAsync();
        await anna.InviteAsync(team, ben);
        var tus = new TusClient(ben, team);
        var upload = await tus.CreateAsync("a", 10);
        (await tus.PatchAsync(upload, 0, new byte[4])).EnsureSuccessStatusCode();
        await new TusClient(anna, team).UploadAsync("b", [1]);
        var entry = (await ben.ListAsync(team)).Single().Reference;
        var stalled = new Stalls(new byte[6], 3);
        var running = tus.PatchAsync(upload, 4, stalled);
        await stalled.Stalled;

        (await anna.PostAsync($"/teams/{team}/members?handler=Remove", ("Username", ben.Username))).StatusCode.ShouldBe(System.Net.HttpStatusCode.Redirect);

        // Even the request that was running when it happened.
        stalled.GoOn();
        ((int)(await running).StatusCode).ShouldBeOneOf(404, 410);
        foreach (var path in new[] { $"/teams/{team}/files", $"/teams/{team}/members", $"/teams/{team}/files/{entry}/content" })
        {
            (await ben.Http.GetAsync(path)).StatusCode.ShouldBe(System.Net.HttpStatusCode.NotFound);
        }
        (await tus.HeadAsync(upload)).StatusCode.ShouldBe(System.Net.HttpStatusCode.NotFound);
        (await ben.Http.GetStringAsync("/teams")).ShouldNotContain(team);
    }

    /// <summary>What the API takes in JSON, with the places where it names things.</summary>
    private static readonly Dictionary<string, string> s_bodies = new(StringComparer.Ordinal)
    {
        ["POST /api/v1/teams/{team}/folders"] = """{"name":"new","folder":"{folder}"}""",
        ["POST /api/v1/teams/{team}/entries/lookup"] = """{"folder":"{folder}","names":["file"]}""",
        ["POST /api/v1/teams/{team}/entries/move"] = """{"entries":["{entry}"],"folder":null}""",
        ["POST /api/v1/teams/{team}/entries/trash"] = """{"entries":["{entry}"]}""",
        ["PATCH /api/v1/teams/{team}/entries/{entry}"] = """{"name":"new"}""",
        ["POST /api/v1/teams/{team}/trash/restore"] = """{"entries":["{trashed}"]}""",
        ["POST /api/v1/teams/{team}/trash/delete"] = """{"entries":["{trashed}"]}""",
    };

    /// <summary>Requests in one's own team that name something in their body or query; the second group names one's own thing, and moves it to the other's place.</summary>
    private static readonly (string Method, string Path, string? Json)[] s_naming =
    [
        .. s_bodies.Select(b => (b.Key.Split(' ')[0], b.Key.Split(' ')[1].Replace("{team}", "{own-team}", StringComparison.Ordinal), (string?)b.Value)),
        ("GET", "/api/v1/teams/{own-team}/entries?folder={folder}", null),
        ("POST", "/api/v1/teams/{own-team}/files?name=new&folder={folder}", null),
        ("GET", "/api/v1/teams/{own-team}/archive?entry={entry}", null),
        ("POST", "/api/v1/teams/{own-team}/entries/move", """{"entries":["{own-entry}"],"folder":"{folder}"}"""),
        ("PATCH", "/api/v1/teams/{own-team}/entries/{own-entry}", """{"folder":"{folder}"}"""),
        ("POST", "/api/v1/teams/{own-team}/entries/move", """{"entries":["{own-entry}","{entry}"],"folder":"{own-folder}"}"""),
        ("POST", "/api/v1/teams/{own-team}/trash/restore", """{"entries":["{own-trashed}"],"folder":"{folder}"}"""),
    ];

    [Fact]
    public async Task What_a_body_or_query_names_of_another_team_is_as_unknown_as_what_does_not_exist()
    {
        using var anna = await Person.NewAsync(host);
        var theirs = await WorldAsync(anna);
        using var mallory = await Person.NewAsync(host, "mallory");
        var own = (await WorldAsync(mallory)).ToDictionary(v => "own-" + v.Key, v => v.Value, StringComparer.Ordinal);
        var unknown = theirs.ToDictionary(v => v.Key, v => v.Key == "number" ? "1" : Reference.New(), StringComparer.Ordinal);
        foreach (var (method, path, json) in s_naming)
        {
            var answers = new List<(int, string)>();
            foreach (var values in new[] { theirs, unknown })
            {
                var all = values.Concat(own).ToDictionary(StringComparer.Ordinal);
                var request = TusClient.Request(HttpMethod.Parse(method), Fill(path, all));
                request.Content = json is not null ? new StringContent(Fill(json, all), Encoding.UTF8, "application/json") : method == "POST" ? new ByteArrayContent([1]) : null;
                using var answer = await mallory.Http.SendAsync(request);
                var text = await answer.Content.ReadAsStringAsync();
                ((int)answer.StatusCode).ShouldBeOneOf([404, 409], $"{method} {path} {json}: {text}");
                answers.Add(((int)answer.StatusCode, TraceIds().Replace(text, "trace")));
            }
            answers[1].ShouldBe(answers[0], $"{method} {path} {json}");
        }
        // Every endpoint that takes JSON is among them.
        var taking = host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.RoutePattern.RawText!.StartsWith("/api/v1/teams/{team}", StringComparison.Ordinal) && e.Metadata.GetMetadata<IAcceptsMetadata>() is { } takes && takes.ContentTypes.Contains("application/json"))
            .SelectMany(e => e.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods.Select(m => $"{m} {e.RoutePattern.RawText}"));
        taking.ShouldBeSubsetOf(s_bodies.Keys);
        (await anna.ListAsync(theirs["team"])).Select(e => e.Name).ShouldBe(["Folder", "file"]);
        (await mallory.ListAsync(own["own-team"])).Select(e => e.Name).ShouldBe(["Folder", "file"]);
    }

    private static string Fill(string text, Dictionary<string, string> values) => values.Aggregate(text, (filled, v) => filled.Replace("{" + v.Key + "}", v.Value, StringComparison.Ordinal));

    private async Task<Dictionary<string, string>> WorldAsync(Person person)
    {
        var team = await person.TeamAsync();
        var folder = await person.FolderAsync(team, "Folder");
        var tus = new TusClient(person, team);
        await tus.UploadAsync("file", [1, 2, 3]);
        var files = new Files.FilesClient(person, team);
        var trashed = await files.FileAsync("in the trash");
        await files.TrashAsync(trashed);
        var upload = await tus.CreateAsync("unfinished", 10);
        (await tus.PatchAsync(upload, 0, new byte[5])).EnsureSuccessStatusCode();
        var review = Reference.New();
        await host.Cluster.SuperuserAsync(
            host.Settings.DatabaseName,
            $"insert into access_reviews (team_id, reference, signed_at, signed_by, kept, removed, lines) select id, '{review}', now(), '{person.Id}', 1, 0, '[]' from teams where reference = '{team}'");
        var request = Reference.New();
        await host.Cluster.SuperuserAsync(
            host.Settings.DatabaseName,
            $"insert into access_requests (team_id, reference, user_id, kind, reason, code_mac, made_at, expires_at) select id, '{request}', '{person.Id}', 'owner', 'x', '\\x01', now(), now() + interval '1 day' from teams where reference = '{team}'");
        var grant = Reference.New();
        await host.Cluster.SuperuserAsync(
            host.Settings.DatabaseName,
            $"insert into break_glass_grants (team_id, reference, operator, operator_key, reason, hours, asked_at, approvable_at, lapses_at) select id, '{grant}', 'ada', repeat('a', 64), 'a good enough reason', 4, now(), now() + interval '1 day', now() + interval '168 hours' from teams where reference = '{team}'");
        return new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["team"] = team,
            ["grant"] = grant,
            ["review"] = review,
            ["request"] = request,
            ["index"] = "0",
            ["folder"] = folder,
            ["entry"] = (await person.ListAsync(team)).Single(e => e.Name == "file").Reference,
            ["upload"] = upload.Split('/')[^1],
            ["number"] = "1",
            ["trashed"] = trashed,
        };
    }

    private IEnumerable<(HttpMethod Method, string Template)> Endpoints() =>
        from endpoint in host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        let template = "/" + endpoint.RoutePattern.RawText!.TrimStart('/')
        where template.StartsWith("/teams/{team}", StringComparison.Ordinal) || template.StartsWith("/api/v1/teams/{team}", StringComparison.Ordinal)
        from method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>() is { HttpMethods.Count: > 0 } said ? said.HttpMethods
            : endpoint.Metadata.GetMetadata<PageActionDescriptor>() is not null ? ["GET", "POST"] : (IReadOnlyList<string>)["GET", "POST", "PUT", "PATCH", "DELETE"]
        where method != "OPTIONS" // says what the server can do, without looking at the address
        select (HttpMethod.Parse(method), template);

    private static async Task SameAsync(
        Person person, HttpMethod method, string template, Dictionary<string, string> theirs, Dictionary<string, string> unknown)
    {
        var (foreign, missing) = (await AnswerAsync(person, method, template, theirs), await AnswerAsync(person, method, template, unknown));
        foreign.Status.ShouldBe(missing.Status, $"{method} {template}");
        foreign.Body.ShouldBe(missing.Body, $"{method} {template}");
        foreign.Headers.ShouldBe(missing.Headers, $"{method} {template}");
        foreign.Status.ShouldBeOneOf([404, 405], $"{method} {template}: {foreign.Body}");
    }

    private static async Task<(int Status, string Body, string Headers)> AnswerAsync(Person person, HttpMethod method, string template, Dictionary<string, string> values)
    {
        using var answer = await person.Http.SendAsync(Request(method, template, values, person.Csrf));
        var body = await answer.Content.ReadAsStringAsync();
        foreach (var (name, value) in values.Where(v => v.Value.Length == Reference.Length))
        {
            body = body.Replace(value, name, StringComparison.Ordinal);
        }
        return ((int)answer.StatusCode, TraceIds().Replace(body, "trace"), string.Join('|', answer.Headers.Select(h => h.Key).Order(StringComparer.Ordinal)));
    }

    /// <summary>A request that would work on one's own things.</summary>
    private static HttpRequestMessage Request(HttpMethod method, string template, Dictionary<string, string> values, string csrf = "")
    {
        var path = Parameters().Replace(template, m => values[m.Groups["name"].Value]);
        var request = TusClient.Request(method, path);
        if (s_bodies.TryGetValue($"{method} {template}", out var json))
        {
            request.Content = new StringContent(Fill(json, values), Encoding.UTF8, "application/json");
        }
        else if (path.EndsWith("/files", StringComparison.Ordinal) && method == HttpMethod.Post)
        {
            request.RequestUri = new Uri($"{path}?name=new", UriKind.Relative);
            request.Content = new ByteArrayContent([1]);
        }
        else if (path.TrimEnd('/').EndsWith("/archive", StringComparison.Ordinal))
        {
            var entry = new string('a', Reference.Length);
            request.RequestUri = new Uri(method == HttpMethod.Post ? path : $"{path}?entry={entry}", UriKind.Relative);
            request.Content = method == HttpMethod.Post ? new FormUrlEncodedContent([new("entry", entry)]) : null;
        }
        else if (method == HttpMethod.Put)
        {
            request.Content = new ByteArrayContent([1]);
        }
        else if (path.Contains("/uploads", StringComparison.Ordinal))
        {
            request.Headers.Add("Upload-Offset", "5");
            request.Headers.Add("Upload-Length", "10");
            request.Headers.Add("Upload-Metadata", template.Contains("{upload}", StringComparison.Ordinal) ? "" : TusClient.Metadata("new"));
            request.Content = method == HttpMethod.Patch
                ? new ByteArrayContent([1]) { Headers = { ContentType = new MediaTypeHeaderValue("application/offset+octet-stream") } }
                : null;
        }
        else if (path.Contains("/upload/", StringComparison.Ordinal))
        {
            request.Content = new MultipartFormDataContent { { new StringContent(csrf), "RequestVerificationToken" }, { new ByteArrayContent([1]), "Files", "new" } };
        }
        else if (method == HttpMethod.Post)
        {
            request.Content = new FormUrlEncodedContent([new("Name", "new"), new("Username", "somebody")]);
        }
        return request;
    }

    [GeneratedRegex(@"\{\**(?<name>[a-z]+)[^}]*\}", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Parameters();

    [GeneratedRegex("\"traceId\":\"[^\"]*\"", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex TraceIds();
}
