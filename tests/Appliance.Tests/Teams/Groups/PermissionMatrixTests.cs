using System.Globalization;
using System.Runtime.CompilerServices;
using Appliance.Teams.Groups;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Teams.Groups;

/// <summary>
/// Who gets which answer, at every endpoint inside a team: walked and compared with the matrix that was approved, permissions.txt. An endpoint that has no
/// line there fails, and so does any answer that changed. APPLIANCE_APPROVE_PERMISSIONS=1 writes the file anew: read the difference before you commit it.
/// </summary>
[Trait("Requirement", "T4")]
public sealed class PermissionMatrixTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    private const string Head =
        """
        # Each endpoint inside a team, and what it answers to: nobody (not signed in) | a stranger (an owner of another team) | a member whose groups grant nothing |
        # one who reads | writes | manages every folder | an owner of the team. The request names things that are there: the owner's; so the upload is somebody else's
        # to all but the owner. 404: it is not there for them. 403: they may not. 302: done, or to signing in. 4xx beyond these: let in, and the request was no good.
        """;

    private static readonly (string Name, Level? Level)[] s_members = [("none", Level.None), ("read", Level.Read), ("write", Level.Write), ("manage", Level.Manage), ("owner", null)];

    [Fact]
    public async Task Every_endpoint_answers_everybody_as_the_approved_matrix_says()
    {
        var endpoints = TeamWorld.Endpoints(host).OrderBy(e => e.Template, StringComparer.Ordinal).ThenBy(e => e.Method.Method, StringComparer.Ordinal).ToList();
        var answers = endpoints.ToDictionary(e => e, _ => new List<string>());
        using (var owner = await Person.NewAsync(host, "owner"))
        using (var stranger = await Person.NewAsync(host, "stranger"))
        using (var nobody = host.Client())
        {
            await stranger.TeamAsync();
            var world = await TeamWorld.MakeAsync(host, owner);
            foreach (var (method, template) in endpoints)
            {
                answers[(method, template)].Add(await AnswerAsync(nobody, method, template, world, ""));
                answers[(method, template)].Add(await AnswerAsync(stranger.Http, method, template, world, stranger.Csrf));
            }
        }
        foreach (var (name, level) in s_members)
        {
            Scene? scene = null;
            foreach (var (method, template) in endpoints)
            {
                scene ??= await SceneAsync(name, level);
                var answer = await AnswerAsync(scene.Person.Http, method, template, scene.World, scene.Person.Csrf);
                answers[(method, template)].Add(answer);
                if (method != HttpMethod.Get && method != HttpMethod.Head && int.Parse(answer, CultureInfo.InvariantCulture) < 400)
                {
                    scene.Dispose(); // something was changed: the next one finds everything as it was
                    scene = null;
                }
            }
            scene?.Dispose();
        }
        var matrix = endpoints.Select(e => $"{e.Method} {e.Template} | {string.Join(" | ", answers[e])}").ToList();
        if (Environment.GetEnvironmentVariable("APPLIANCE_APPROVE_PERMISSIONS") == "1")
        {
            await File.WriteAllLinesAsync(Approved(), [.. Head.Split('\n'), .. matrix]);
        }
        var approved = (await File.ReadAllLinesAsync(Approved())).Where(l => l.Length > 0 && l[0] != '#').ToList();
        matrix.Except(approved).ShouldBeEmpty("These answers are not in permissions.txt.");
        approved.Except(matrix).ShouldBeEmpty("These lines of permissions.txt are not so any more.");
    }

    private sealed record Scene(Person Owner, Person Person, Dictionary<string, string> World) : IDisposable
    {
        public void Dispose()
        {
            Owner.Dispose();
            Person.Dispose();
        }
    }

    private async Task<Scene> SceneAsync(string name, Level? level)
    {
        var owner = await Person.NewAsync(host, "owner");
        var world = await TeamWorld.MakeAsync(host, owner);
        if (level is null)
        {
            return new Scene(owner, owner, world);
        }
        var person = await Person.NewAsync(host, name);
        await owner.InviteAsync(world["team"], person);
        var number = ((int)level.Value).ToString(CultureInfo.InvariantCulture);
        (await owner.PostAsync($"/teams/{world["team"]}/groups/everyone", ("revision", "1"), ("atTop", number), ("others", number)))
            .StatusCode.ShouldBe(System.Net.HttpStatusCode.Redirect);
        return new Scene(owner, person, world);
    }

    private static async Task<string> AnswerAsync(HttpClient client, HttpMethod method, string template, Dictionary<string, string> world, string csrf)
    {
        using var answer = await client.SendAsync(TeamWorld.Request(method, template, world, csrf), HttpCompletionOption.ResponseHeadersRead);
        return ((int)answer.StatusCode).ToString(CultureInfo.InvariantCulture);
    }

    private static string Approved([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "permissions.txt");
}
