using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.Tests.TestServers;
using Appliance.Tests.Tus;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;

namespace Appliance.Tests.Teams;

/// <summary>Every endpoint inside a team, found by enumeration, and a team that has something for each of their parameters.</summary>
internal static partial class TeamWorld
{
    /// <summary>What the API takes in JSON, with the places where it names things.</summary>
    public static readonly Dictionary<string, string> Bodies = new(StringComparer.Ordinal)
    {
        ["POST /api/v1/teams/{team}/folders"] = """{"name":"new","folder":"{folder}"}""",
        ["POST /api/v1/teams/{team}/entries/lookup"] = """{"folder":"{folder}","names":["file"]}""",
        ["POST /api/v1/teams/{team}/entries/move"] = """{"entries":["{entry}"],"folder":null}""",
        ["POST /api/v1/teams/{team}/entries/trash"] = """{"entries":["{entry}"]}""",
        ["PATCH /api/v1/teams/{team}/entries/{entry}"] = """{"name":"new"}""",
        ["POST /api/v1/teams/{team}/trash/restore"] = """{"entries":["{trashed}"]}""",
        ["POST /api/v1/teams/{team}/trash/delete"] = """{"entries":["{trashed}"]}""",
    };

    public static string Fill(string text, Dictionary<string, string> values) => values.Aggregate(text, (filled, v) => filled.Replace("{" + v.Key + "}", v.Value, StringComparison.Ordinal));

    public static async Task<Dictionary<string, string>> MakeAsync(ApplianceHost host, Person person)
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
            ["group"] = (await person.PostAsync($"/teams/{team}/groups", ("Name", "Group"))).Headers.Location!.ToString().Split('/')[^1],
            ["index"] = "0",
            ["folder"] = folder,
            ["entry"] = (await person.ListAsync(team)).Single(e => e.Name == "file").Reference,
            ["upload"] = upload.Split('/')[^1],
            ["number"] = "1",
            ["trashed"] = trashed,
        };
    }

    public static IEnumerable<(HttpMethod Method, string Template)> Endpoints(ApplianceHost host) =>
        from endpoint in host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        let template = "/" + endpoint.RoutePattern.RawText!.TrimStart('/')
        where template.StartsWith("/teams/{team}", StringComparison.Ordinal) || template.StartsWith("/api/v1/teams/{team}", StringComparison.Ordinal)
        from method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>() is { HttpMethods.Count: > 0 } said ? said.HttpMethods
            : endpoint.Metadata.GetMetadata<PageActionDescriptor>() is not null ? ["GET", "POST"] : (IReadOnlyList<string>)["GET", "POST", "PUT", "PATCH", "DELETE"]
        where method != "OPTIONS" // says what the server can do, without looking at the address
        select (HttpMethod.Parse(method), template);

    /// <summary>A request that would work on one's own things.</summary>
    public static HttpRequestMessage Request(HttpMethod method, string template, Dictionary<string, string> values, string csrf = "")
    {
        var path = Parameters().Replace(template, m => values[m.Groups["name"].Value]);
        var request = TusClient.Request(method, path);
        if (Bodies.TryGetValue($"{method} {template}", out var json))
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
    public static partial Regex Parameters();
}
