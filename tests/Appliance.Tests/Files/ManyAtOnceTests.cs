using System.Collections.Concurrent;
using System.Net;
using Appliance.Files;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>Everything that changes a team's folders, by many at the same time: whatever the order, what is left is a tree, and every count is right.</summary>
[Trait("Requirement", "T7"), Trait("Requirement", "F1")]
public sealed class ManyAtOnceTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    [Fact]
    public async Task What_many_do_at_once_leaves_a_tree_without_loops_and_nothing_that_hangs_in_the_air()
    {
        const int Workers = 6, Each = 40;
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        var files = new FilesClient(person, team);
        var known = new ConcurrentBag<string>();
        for (var i = 0; i < 8; i++)
        {
            known.Add(await files.FolderAsync($"folder {i}"));
        }
        var answers = new ConcurrentBag<(string What, HttpStatusCode Status)>();
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(async worker =>
        {
            var random = new Random(worker); // the same choices in every run; how they interleave is the machine's
            for (var i = 0; i < Each; i++)
            {
                var all = known.ToArray();
                var (one, other) = (all[random.Next(all.Length)], all[random.Next(all.Length)]);
                var (what, answer) = random.Next(9) switch
                {
                    0 => ("folder", await files.AnswerAsync(HttpMethod.Post, "/folders", new { name = $"f {random.Next(20)}", folder = one, existing = "use" })),
                    1 or 2 => ("file", await files.AnswerAsync(HttpMethod.Post, FilesClient.FilePath($"x {random.Next(6)}", one, "keep-both"), new byte[random.Next(100)])),
                    3 => ("version", await files.AnswerAsync(HttpMethod.Put, $"/entries/{one}/content", new byte[random.Next(100)])),
                    4 or 5 => ("move", await files.AnswerAsync(HttpMethod.Post, "/entries/move", new { entries = new[] { one }, folder = other, conflict = "keep-both" })),
                    6 when random.Next(3) == 0 => ("trash", await files.AnswerAsync(HttpMethod.Post, "/entries/trash", new { entries = new[] { one } })),
                    6 or 7 => ("restore", await files.AnswerAsync(HttpMethod.Post, "/trash/restore", new { entries = new[] { one }, folder = (string?)null })),
                    _ => random.Next(4) == 0
                        ? ("delete", await files.AnswerAsync(HttpMethod.Post, "/trash/delete", new { entries = new[] { one } }))
                        : ("rename", await files.AnswerAsync(HttpMethod.Patch, $"/entries/{one}", new { name = $"named {random.Next(30)}" })),
                };
                answers.Add((what, answer.StatusCode));
                if (answer.StatusCode == HttpStatusCode.Created && what is "folder" or "file" && answer.Headers.Location is { } made)
                {
                    known.Add(made.ToString().Split('/')[^1]);
                }
            }
        }));
        // Refused by a rule, or done, or asked to try again; never an error.
        answers.Select(a => a.Status).Distinct().ShouldBeSubsetOf(
            [HttpStatusCode.OK, HttpStatusCode.Created, HttpStatusCode.NoContent, HttpStatusCode.NotFound, HttpStatusCode.Conflict, HttpStatusCode.ServiceUnavailable]);
        answers.Count(a => (int)a.Status < 300).ShouldBeGreaterThan(Workers * Each / 10);
        await host.Services.GetRequiredService<FilesCare>().RunOnceAsync(default);

        (await CountAsync($"""
            with recursive up as (
                select e.id as start, e.parent_id, 1 as steps from entries e join teams t on t.id = e.team_id where t.reference = '{team}'
                union all select up.start, e.parent_id, up.steps + 1 from up join entries e on e.id = up.parent_id where up.steps < 200)
            select count(*) from up where steps > 64
            """)).ShouldBe(0, "a loop, or too deep");
        (await CountAsync("select count(*) from entries where purged_at is not null")).ShouldBe(0);
        (await CountAsync("select count(*) from versions v where not exists (select from entries e where e.id = v.entry_id)")).ShouldBe(0);
        (await CountAsync("select count(*) from segments s where not exists (select from versions v where v.content_id = s.content_id)")).ShouldBe(0);
        (await CountAsync("select count(*) from versions v where v.size <> (select coalesce(sum(length), 0) from segments s where s.content_id = v.content_id)")).ShouldBe(0);
        (await CountAsync("select count(*) from entries e join versions v on v.id = e.current_version_id where e.size <> v.size or v.number <> (select max(number) from versions x where x.entry_id = e.id)"))
            .ShouldBe(0);
        var usage = (await files.GetAsync("")).GetProperty("usage");
        usage.GetProperty("bytes").GetInt64().ShouldBe(await CountAsync("select coalesce(sum(size), 0)::bigint from versions"));
        usage.GetProperty("files").GetInt64().ShouldBe(await CountAsync("select count(*) from entries where kind = 'file'"));
        // Each stored object is a segment's, and each segment has its object.
        var output = new StringWriter();
        (await ObjectsCheck.RunAsync(host.Services, output, default)).ShouldBe(0, output.ToString());
        output.ToString().ShouldNotContain("orphaned");
    }

    private async Task<long> CountAsync(string sql) => (long)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, sql))!;
}
