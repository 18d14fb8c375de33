using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Appliance.Data;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Appliance.Tests.Tus;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>A file in one request.</summary>
[Trait("Requirement", "F1")]
public sealed class DirectUploadTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    private async Task<(Person Person, string Team, FilesClient Files)> BeginAsync()
    {
        var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        return (person, team, new FilesClient(person, team));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(65_536)]
    [InlineData(1 << 20)]
    [InlineData((1 << 20) + 1)]
    [InlineData(3_000_000)]
    public async Task A_file_goes_in_and_comes_out_in_one_request(int length)
    {
        var (_, team, files) = await BeginAsync();
        var folder = await files.FolderAsync("In");
        var bytes = RandomNumberGenerator.GetBytes(length);
        using var answer = await files.AnswerAsync(HttpMethod.Post, FilesClient.FilePath("Größe 大きさ.bin", folder), bytes);
        answer.StatusCode.ShouldBe(HttpStatusCode.Created, await answer.Content.ReadAsStringAsync());
        var entry = System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(await answer.Content.ReadAsStringAsync());
        var reference = FilesClient.Ref(entry);
        answer.Headers.Location!.ToString().ShouldBe($"/api/v1/teams/{team}/entries/{reference}");
        entry.GetProperty("size").GetInt64().ShouldBe(length);
        entry.GetProperty("folder").GetString().ShouldBe(folder);
        // What the answer said is what is there, to the microsecond.
        var now = await files.GetAsync($"/entries/{reference}");
        foreach (var member in entry.EnumerateObject())
        {
            now.GetProperty(member.Name).ToString().ShouldBe(member.Value.ToString(), member.Name);
        }
        using var content = await files.AnswerAsync(HttpMethod.Get, $"/entries/{reference}/content");
        content.Headers.ETag!.ToString().ShouldBe(answer.Headers.ETag!.ToString());
        (await content.Content.ReadAsByteArrayAsync()).ShouldBe(bytes);
        (await host.Cluster.SuperuserAsync(host.Settings.DatabaseName,
            $"select details from ledger_entries l join entries e on e.id::text = l.subject where e.reference = '{reference}'"))!.ToString()!.ShouldContain($"\"bytes\":\"{length}\"");
        (await files.GetAsync("")).GetProperty("usage").GetProperty("bytes").GetInt64().ShouldBe(length);
        (await files.GetAsync("")).GetProperty("usage").GetProperty("files").GetInt64().ShouldBe(1);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(2_000_000)]
    public async Task A_taken_name_becomes_a_version_another_name_or_a_refusal_as_the_caller_says(int length)
    {
        var (_, _, files) = await BeginAsync();
        var bytes = new byte[length];
        var file = await files.FileAsync("a.txt", bytes);
        (await files.FileAsync("A.TXT", bytes)).ShouldBe(file);
        (await files.FileAsync("a.txt", bytes, conflict: "version")).ShouldBe(file);
        await files.FileAsync("a.txt", bytes, conflict: "keep-both");
        await files.FileAsync("a.txt", bytes, conflict: "keep-both");
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("a.txt", conflict: "refuse"), bytes, HttpStatusCode.Conflict, "name-taken");
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("b.txt", conflict: "maybe"), bytes, HttpStatusCode.BadRequest, "bad-conflict");
        await files.FileAsync("new.txt", bytes, conflict: "refuse");
        (await files.NamesAsync()).ShouldBe(["a (2).txt", "a (3).txt", "a.txt", "new.txt"]);
        await files.FolderAsync("Folder");
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("folder"), bytes, HttpStatusCode.Conflict, "name-taken");
        await files.FileAsync("folder", bytes, conflict: "keep-both");
        (await files.NamesAsync()).ShouldContain("folder (2)");
    }

    [Theory]
    [InlineData("version", 1, 8)]
    [InlineData("keep-both", 8, 8)]
    [InlineData("refuse", 1, 1)]
    public async Task Eight_that_come_for_one_name_at_one_moment_lose_nothing(string conflict, int entries, int stored)
    {
        var (_, team, files) = await BeginAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => files.AnswerAsync(HttpMethod.Post, FilesClient.FilePath("same", conflict: conflict), new[] { (byte)i })));
        answers.Count(a => a.StatusCode == HttpStatusCode.Created).ShouldBe(stored);
        answers.Count(a => a.StatusCode == HttpStatusCode.Conflict).ShouldBe(8 - stored);
        (await files.NamesAsync()).Count.ShouldBe(entries);
        (await CountAsync("versions", team)).ShouldBe(stored);
        (await CountAsync("segments", team)).ShouldBe(stored);
        (await files.GetAsync("")).GetProperty("usage").GetProperty("bytes").GetInt64().ShouldBe(stored);
    }

    [Theory, Trait("Requirement", "T7")]
    [InlineData(100_000, 60_000)]
    [InlineData(2_000_000, 1_500_000)]
    public async Task A_request_that_breaks_off_leaves_nothing(int length, int after)
    {
        var (person, team, files) = await BeginAsync();
        await Should.ThrowAsync<HttpRequestException>(() => person.Http.PostAsync(files.Base + FilesClient.FilePath("a"), new BreaksOff(new byte[length], after)));
        for (var i = 0; await CountAsync("uploads", team) + await CountAsync("segments", team) > 0; i++)
        {
            i.ShouldBeLessThan(100);
            await Task.Delay(100);
        }
        (await files.NamesAsync()).ShouldBeEmpty();
        // The server may still be busy with the end of that request.
        for (var i = 0; Objects(team) > 0; i++)
        {
            i.ShouldBeLessThan(100);
            await Task.Delay(100);
        }
        (await files.GetAsync("")).GetProperty("usage").GetProperty("bytes").GetInt64().ShouldBe(0);
    }

    [Fact]
    public async Task An_empty_folder_is_no_root_however_quick_the_way_in()
    {
        var (_, team, files) = await BeginAsync();
        await files.FileAsync("first");
        foreach (var folder in new[] { "", "nonsense", Reference.New() })
        {
            await files.RefusedAsync(HttpMethod.Post, $"/files?name=a&folder={folder}", new byte[] { 1 }, HttpStatusCode.Conflict, "folder-gone");
        }
        var file = await files.FileAsync("b");
        await files.RefusedAsync(HttpMethod.Post, $"/files?name=a&folder={file}", new byte[] { 1 }, HttpStatusCode.Conflict, "folder-gone");
        (await files.NamesAsync()).ShouldBe(["b", "first"]);
        (await CountAsync("segments", team)).ShouldBe(2);
    }

    [Theory, Trait("Requirement", "T7")]
    [InlineData("entries")]
    [InlineData("versions")]
    [InlineData("segments")]
    [InlineData("ledger_entries")]
    public async Task What_the_database_does_not_take_leaves_no_object(string table)
    {
        await using var own = await ApplianceHost.StartAsync();
        using var person = await Person.NewAsync(own);
        var team = await person.TeamAsync();
        var files = new FilesClient(person, team);
        await own.Cluster.SuperuserAsync(own.Settings.DatabaseName, $"revoke insert on {table} from appliance_app");
        (await files.AnswerAsync(HttpMethod.Post, FilesClient.FilePath("a"), new byte[] { 1 })).IsSuccessStatusCode.ShouldBeFalse();
        Directory.EnumerateFiles(own.Settings.ObjectFolder, "*", SearchOption.AllDirectories).ShouldNotContain(f => new FileInfo(f).Length > 0);
        await own.Cluster.SuperuserAsync(own.Settings.DatabaseName, $"grant insert on {table} to appliance_app");
        await files.FileAsync("a", [1]);
        (await files.NamesAsync()).ShouldBe(["a"]);
    }

    [Fact]
    public async Task A_resumable_upload_says_what_to_do_with_a_taken_name_too_and_it_holds_at_its_end()
    {
        var (person, team, files) = await BeginAsync();
        var tus = new TusClient(person, team);
        foreach (var (conflict, end, names) in new[]
        {
            ("keep-both", HttpStatusCode.NoContent, new[] { "a (2).txt", "a.txt" }),
            ("refuse", HttpStatusCode.Conflict, ["a (2).txt", "a.txt", "b.txt"]),
            ("version", HttpStatusCode.NoContent, ["a (2).txt", "a.txt", "b.txt", "c.txt"]),
        })
        {
            var name = conflict switch { "keep-both" => "a.txt", "refuse" => "b.txt", _ => "c.txt" };
            // Free when it begins, taken when it ends.
            var upload = (await AnnounceAsync(name, conflict)).Headers.Location!.ToString();
            await files.FileAsync(name, [1]);
            (await tus.PatchAsync(upload, 0, new byte[3])).StatusCode.ShouldBe(end, conflict);
            (await files.NamesAsync()).ShouldBe(names);
        }
        (await AnnounceAsync("a.txt", "refuse")).StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await AnnounceAsync("a.txt", "whatever")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);

        Task<HttpResponseMessage> AnnounceAsync(string name, string conflict) => person.Http.SendAsync(TusClient.Request(
            HttpMethod.Post, tus.Endpoint, ("Upload-Length", "3"),
            ("Upload-Metadata", TusClient.Metadata(name) + ",conflict " + Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(conflict)))));
    }

    [Fact]
    public async Task Without_a_length_or_with_a_wrong_place_nothing_is_taken()
    {
        var (_, _, files) = await BeginAsync();
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("a"), new Unannounced([1, 2]), HttpStatusCode.LengthRequired, "length-required");
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("a", Reference.New()), new byte[] { 1 }, HttpStatusCode.Conflict, "folder-gone");
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("a", "nonsense"), new byte[] { 1 }, HttpStatusCode.Conflict, "folder-gone");
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("a/b"), new byte[] { 1 }, HttpStatusCode.BadRequest, "bad-name");
        await files.RefusedAsync(HttpMethod.Post, "/files", new byte[] { 1 }, HttpStatusCode.BadRequest, "bad-name");
        (await files.NamesAsync()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(10)]
    [InlineData(1_500_000)]
    public async Task If_match_on_the_content_stops_a_lost_update(int length)
    {
        var (_, _, files) = await BeginAsync();
        using var first = await files.AnswerAsync(HttpMethod.Post, FilesClient.FilePath("a"), new byte[] { 1 });
        var file = FilesClient.Ref(System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(await first.Content.ReadAsStringAsync()));
        var tag = first.Headers.ETag!.ToString();
        var put = $"/entries/{file}/content";
        using var second = await files.AnswerAsync(HttpMethod.Put, put, new byte[length], tag);
        second.StatusCode.ShouldBe(HttpStatusCode.OK, await second.Content.ReadAsStringAsync());
        await files.RefusedAsync(HttpMethod.Put, put, new byte[length], HttpStatusCode.PreconditionFailed, "changed", tag);
        await files.RefusedAsync(HttpMethod.Put, put, new byte[length], HttpStatusCode.PreconditionFailed, "changed", "W/" + second.Headers.ETag);
        await files.RefusedAsync(HttpMethod.Put, put, new byte[length], HttpStatusCode.BadRequest, "bad-condition", "no tag");
        await files.SendAsync(HttpMethod.Put, put, new byte[length], ifMatch: "*");
        await files.SendAsync(HttpMethod.Put, put, new byte[length]);
        (await files.GetAsync($"/entries/{file}")).GetProperty("version").GetInt32().ShouldBe(4);
        await files.RefusedAsync(HttpMethod.Put, $"/entries/{await files.FolderAsync("f")}/content", new byte[] { 1 }, HttpStatusCode.Conflict, "not-a-file");
    }

    [Fact]
    public async Task Of_two_that_replace_what_both_saw_one_is_told_even_when_both_were_sending()
    {
        var (_, team, files) = await BeginAsync();
        foreach (var length in new[] { 50_000, 1_500_000 })
        {
            using var first = await files.AnswerAsync(HttpMethod.Post, FilesClient.FilePath($"{length}"), new byte[] { 1 });
            var file = FilesClient.Ref(System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(await first.Content.ReadAsStringAsync()));
            var bodies = Enumerable.Range(0, 4).Select(_ => new Stalls(new byte[length], 10_000)).ToList();
            var sending = bodies.ConvertAll(body => files.AnswerAsync(HttpMethod.Put, $"/entries/{file}/content", body, first.Headers.ETag!.ToString()));
            await Task.WhenAll(bodies.Select(b => b.Stalled));
            bodies.ForEach(b => b.GoOn());
            var answers = await Task.WhenAll(sending);
            answers.Count(a => a.StatusCode == HttpStatusCode.OK).ShouldBe(1);
            answers.Count(a => a.StatusCode == HttpStatusCode.PreconditionFailed).ShouldBe(3);
            (await files.GetAsync($"/entries/{file}")).GetProperty("version").GetInt32().ShouldBe(2);
        }
        // Of those that lost nothing is kept.
        (await CountAsync("uploads", team, "finished_at is null")).ShouldBe(0);
        (await CountAsync("segments", team)).ShouldBe(4);
    }

    [Fact]
    public async Task A_folder_that_goes_while_the_bytes_come_stops_the_upload()
    {
        var (_, team, files) = await BeginAsync();
        foreach (var length in new[] { 50_000, 1_500_000 })
        {
            var outer = await files.FolderAsync($"outer {length}");
            var inner = await files.FolderAsync("inner", outer);
            var body = new Stalls(new byte[length], 10_000);
            var sending = files.AnswerAsync(HttpMethod.Post, FilesClient.FilePath("a", inner), body);
            await body.Stalled;
            await files.TrashAsync(outer);
            body.GoOn();
            (await sending).StatusCode.ShouldBe(HttpStatusCode.Conflict);
            await files.PostAsync("/trash/restore", new { entries = new[] { outer } });
            (await files.NamesAsync(inner)).ShouldBeEmpty();
        }
        (await CountAsync("segments", team)).ShouldBe(0);
    }

    private async Task<long> CountAsync(string table, string team, string where = "true") => (long)(await host.Cluster.SuperuserAsync(
        host.Settings.DatabaseName, $"select count(*) from {table} x join teams t on t.id = x.team_id where t.reference = '{team}' and {where}"))!;

    private int Objects(string team)
    {
        var id = (Guid)host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select id from teams where reference = '{team}'").GetAwaiter().GetResult()!;
        var folder = Path.Combine(host.Settings.ObjectFolder, id.ToString("N"));
        return Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Count(f => new FileInfo(f).Length > 0) : 0;
    }
}
