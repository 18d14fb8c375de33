using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.Tests.Tus;
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
                unknown[name] = Reference.New();
            }
            // The other team itself, and the other team's things inside the own team.
            await SameAsync(mallory, method, template, theirs, unknown);
            tested++;
            if (unknown.Count > 1)
            {
                await SameAsync(mallory, method, template, new(theirs) { ["team"] = own["team"] }, new(unknown) { ["team"] = own["team"] });
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

    private static async Task<Dictionary<string, string>> WorldAsync(Person person)
    {
        var team = await person.TeamAsync();
        var folder = await person.FolderAsync(team, "Folder");
        var tus = new TusClient(person, team);
        await tus.UploadAsync("file", [1, 2, 3]);
        var upload = await tus.CreateAsync("unfinished", 10);
        (await tus.PatchAsync(upload, 0, new byte[5])).EnsureSuccessStatusCode();
        return new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["team"] = team,
            ["folder"] = folder,
            ["entry"] = (await person.ListAsync(team)).Single(e => e.Name == "file").Reference,
            ["upload"] = upload.Split('/')[^1],
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
        foreign.Status.ShouldBeOneOf(404, 405);
    }

    private static async Task<(int Status, string Body, string Headers)> AnswerAsync(Person person, HttpMethod method, string template, Dictionary<string, string> values)
    {
        using var answer = await person.Http.SendAsync(Request(method, template, values, person.Csrf));
        var body = await answer.Content.ReadAsStringAsync();
        foreach (var (name, value) in values)
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
        if (path.Contains("/uploads", StringComparison.Ordinal))
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
