using System.Net;
using System.Text.Json;
using Appliance.Data;
using Appliance.Files;
using Appliance.Tests.SignIn;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>The trash: in, out, and for good.</summary>
[Trait("Requirement", "F4")]
public sealed class TrashTests(TrashTests.Host host) : IClassFixture<TrashTests.Host>
{
    public sealed class Host() : ApplianceHost(null, null, null)
    {
        public MovableClock Clock { get; } = new();

        internal FilesCare Care => Services.GetRequiredService<FilesCare>();

        protected override void Adapt(WebApplicationBuilder builder) => builder.Services.AddSingleton<TimeProvider>(Clock);
    }

    private async Task<(Person Person, string Team, FilesClient Files)> BeginAsync()
    {
        var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        return (person, team, new FilesClient(person, team));
    }

    [Fact]
    public async Task What_is_deleted_lies_in_the_trash_and_comes_back_as_it_was()
    {
        var (person, team, files) = await BeginAsync();
        var folder = await files.FolderAsync("Folder");
        var file = await files.FileAsync("a.txt", [1, 2], folder);
        await files.SendAsync(HttpMethod.Delete, $"/entries/{folder}", status: HttpStatusCode.NoContent);
        (await files.NamesAsync()).ShouldBeEmpty();
        // What lies below is as gone as the folder, at every address.
        foreach (var path in new[] { $"/entries/{folder}", $"/entries/{file}", $"/entries/{file}/content", $"/entries/{file}/versions", $"/entries?folder={folder}" })
        {
            (await files.AnswerAsync(HttpMethod.Get, path)).StatusCode.ShouldBe(HttpStatusCode.NotFound, path);
        }
        (await person.Http.GetAsync($"/teams/{team}/files/{file}/content")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await files.RefusedAsync(HttpMethod.Patch, $"/entries/{file}", new { name = "b" }, HttpStatusCode.NotFound, "entry-gone");
        await files.RefusedAsync(HttpMethod.Put, $"/entries/{file}/content", new byte[] { 1 }, HttpStatusCode.NotFound, "entry-gone");
        await files.RefusedAsync(HttpMethod.Post, $"/entries/{file}/versions/1/restore", "{}", HttpStatusCode.NotFound, "entry-gone");

        var trashed = (await files.GetAsync("/trash")).GetProperty("entries").EnumerateArray().Single();
        trashed.GetProperty("name").GetString().ShouldBe("Folder");
        trashed.GetProperty("deletedBy").GetString().ShouldBe(person.Username);
        trashed.GetProperty("from").GetArrayLength().ShouldBe(0);
        await files.PostAsync("/trash/restore", new { entries = new[] { folder } });
        (await files.NamesAsync(folder)).ShouldBe(["a.txt"]);
        (await files.BytesAsync(file)).ShouldBe([1, 2]);
        (await files.GetAsync("/trash")).GetProperty("entries").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task The_trash_comes_page_by_page_newest_first_and_says_where_things_were()
    {
        var (_, _, files) = await BeginAsync();
        var outer = await files.FolderAsync("outer");
        var inner = await files.FolderAsync("inner", outer);
        var all = new List<string>();
        for (var i = 0; i < 7; i++)
        {
            all.Add($"file {i}");
            await files.TrashAsync(await files.FileAsync($"file {i}", folder: inner));
        }
        var (seen, next) = (new List<string>(), "");
        do
        {
            var page = await files.GetAsync("/trash?limit=3" + next);
            page.GetProperty("entries").GetArrayLength().ShouldBeLessThanOrEqualTo(3);
            page.GetProperty("entries")[0].GetProperty("from").EnumerateArray().Select(n => n.GetString()).ShouldBe(["outer", "inner"]);
            seen.AddRange(FilesClient.Names(page));
            next = page.GetProperty("next").GetString() is { } after ? "&after=" + after : "";
        }
        while (next.Length > 0);
        seen.ShouldBe(Enumerable.Reverse(all));
        foreach (var wrong in new[] { "limit=0", "limit=1001", "limit=x", "after=abc", "after=" + new string('f', 48) })
        {
            (await files.AnswerAsync(HttpMethod.Get, "/trash?" + wrong)).StatusCode.ShouldBe(HttpStatusCode.BadRequest, wrong);
        }
    }

    [Fact]
    public async Task A_name_that_was_taken_meanwhile_gets_a_number()
    {
        var (_, _, files) = await BeginAsync();
        var first = await files.FileAsync("a.txt", [1]);
        await files.TrashAsync(first);
        var second = await files.FileAsync("A.txt", [2]);
        await files.TrashAsync(second);
        await files.FileAsync("a.TXT", [3]);
        var restored = await files.PostAsync("/trash/restore", new { entries = new[] { first, second } });
        FilesClient.Names(restored).Order(StringComparer.Ordinal).ShouldBe(["A (3).txt", "a (2).txt"], ignoreOrder: true, customMessage: restored.ToString());
        (await files.BytesAsync(first)).ShouldBe([1]);
        (await files.BytesAsync(second)).ShouldBe([2]);
    }

    [Fact]
    public async Task What_was_in_a_folder_that_is_gone_comes_back_elsewhere_or_with_it()
    {
        var (_, _, files) = await BeginAsync();
        var folder = await files.FolderAsync("Folder");
        var file = await files.FileAsync("a", [9], folder);
        await files.TrashAsync(file);
        await files.TrashAsync(folder);
        await files.RefusedAsync(HttpMethod.Post, "/trash/restore", new { entries = new[] { file } }, HttpStatusCode.Conflict, "folder-gone");
        await files.RefusedAsync(HttpMethod.Post, "/trash/restore", new { entries = new[] { file }, folder }, HttpStatusCode.Conflict, "folder-gone");
        // Into the root, when the caller says so.
        await files.PostAsync("/trash/restore", """{"entries":["FILE"],"folder":null}""".Replace("FILE", file, StringComparison.Ordinal));
        (await files.NamesAsync()).ShouldBe(["a"]);
        await files.TrashAsync(file);
        // Or both at once.
        var other = await files.FolderAsync("Other");
        await files.RefusedAsync(HttpMethod.Post, "/trash/restore", new { entries = new[] { file, Reference.New() } }, HttpStatusCode.NotFound, "entry-gone");
        await files.PostAsync("/trash/restore", new { entries = new[] { file, folder }, folder = other });
        (await files.NamesAsync(other)).ShouldBe(["Folder", "a"]);
    }

    [Fact]
    public async Task A_folder_and_what_was_deleted_from_it_before_come_back_together()
    {
        var (_, _, files) = await BeginAsync();
        var folder = await files.FolderAsync("Folder");
        var file = await files.FileAsync("a", folder: folder);
        await files.TrashAsync(file);
        await files.TrashAsync(folder);
        await files.PostAsync("/trash/restore", new { entries = new[] { file, folder } });
        (await files.NamesAsync(folder)).ShouldBe(["a"]);
    }

    [Fact]
    public async Task What_is_not_in_the_trash_is_neither_restored_nor_deleted_for_good()
    {
        var (_, _, files) = await BeginAsync();
        var file = await files.FileAsync("a");
        await files.RefusedAsync(HttpMethod.Post, "/trash/restore", new { entries = new[] { file } }, HttpStatusCode.NotFound, "entry-gone");
        await files.RefusedAsync(HttpMethod.Post, "/trash/delete", new { entries = new[] { file } }, HttpStatusCode.NotFound, "entry-gone");
        (await files.NamesAsync()).ShouldBe(["a"]);
    }

    [Fact]
    public async Task Deleted_for_good_is_gone_at_once_with_rows_and_objects()
    {
        var (_, team, files) = await BeginAsync();
        var folder = await files.FolderAsync("Folder");
        for (var i = 0; i < 3; i++)
        {
            await files.FileAsync($"file {i}", [1], await files.FolderAsync($"sub {i}", folder));
        }
        await files.FileAsync("file 0", [1, 2], FilesClient.Ref((await files.GetAsync($"/entries?folder={folder}")).GetProperty("entries")[0]));
        var kept = await files.FileAsync("kept");
        (await CountAsync("segments", team)).ShouldBe(5);
        await files.TrashAsync(folder);
        await files.SendAsync(HttpMethod.Post, "/trash/delete", new { entries = new[] { folder } }, HttpStatusCode.NoContent);
        await files.RefusedAsync(HttpMethod.Post, "/trash/restore", new { entries = new[] { folder } }, HttpStatusCode.NotFound, "entry-gone");
        (await CountAsync("entries", team)).ShouldBe(1);
        (await CountAsync("versions", team)).ShouldBe(1);
        (await CountAsync("segments", team)).ShouldBe(1);
        (await files.BytesAsync(kept)).ShouldBe([1, 2, 3]);
        Objects(team).ShouldBe(1);
    }

    [Fact]
    public async Task Emptying_takes_everything_that_lay_there_and_nothing_else()
    {
        var (_, team, files) = await BeginAsync();
        await files.TrashAsync(await files.FileAsync("a"), await files.FolderAsync("b"));
        await files.FileAsync("c");
        await files.SendAsync(HttpMethod.Delete, "/trash", status: HttpStatusCode.NoContent);
        (await files.GetAsync("/trash")).GetProperty("entries").GetArrayLength().ShouldBe(0);
        (await files.NamesAsync()).ShouldBe(["c"]);
        (await CountAsync("entries", team)).ShouldBe(1);
        (await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select details from ledger_entries l join teams t on t.id = l.tree where t.reference = '{team}' and action = 'trash.emptied'"))
            .ShouldBe("""{"entries":"2"}""");
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task After_thirty_days_the_care_job_deletes_for_good()
    {
        var (person, team, files) = await BeginAsync();
        await files.TrashAsync(await files.FileAsync("early"));
        host.Clock.Move(TimeSpan.FromDays(29));
        await person.SignInAgainAsync(host);
        await files.TrashAsync(await files.FileAsync("late"));
        await host.Care.RunOnceAsync(default);
        FilesClient.Names(await files.GetAsync("/trash")).ShouldBe(["late", "early"]);
        host.Clock.Move(TimeSpan.FromDays(1.01));
        await person.SignInAgainAsync(host);
        await host.Care.RunOnceAsync(default);
        FilesClient.Names(await files.GetAsync("/trash")).ShouldBe(["late"]);
        (await CountAsync("entries", team)).ShouldBe(1);
        Objects(team).ShouldBe(1);
        (await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select count(*) from ledger_entries l join teams t on t.id = l.tree where t.reference = '{team}' and action = 'entry.deleted' and actor is null"))
            .ShouldBe(1L);
    }

    [Fact]
    public async Task An_upload_on_its_way_into_a_folder_that_is_deleted_for_good_goes_with_it()
    {
        var (person, team, files) = await BeginAsync();
        var folder = await files.FolderAsync("Folder");
        var tus = new Tus.TusClient(person, team);
        var upload = await tus.CreateAsync("a", 10, folder);
        (await tus.PatchAsync(upload, 0, new byte[4])).EnsureSuccessStatusCode();
        await tus.UploadAsync("done", [1], folder);
        await files.TrashAsync(folder);
        await files.SendAsync(HttpMethod.Delete, "/trash", status: HttpStatusCode.NoContent);
        (await tus.HeadAsync(upload)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await CountAsync("uploads", team)).ShouldBe(0);
        (await CountAsync("segments", team)).ShouldBe(0);
        (await CountAsync("entries", team)).ShouldBe(0);
        Objects(team).ShouldBe(0);
    }

    [Fact]
    public async Task Something_in_the_trash_whose_folder_is_deleted_for_good_goes_with_it_at_once()
    {
        var (_, team, files) = await BeginAsync();
        var folder = await files.FolderAsync("Folder");
        var file = await files.FileAsync("a", folder: folder);
        await files.TrashAsync(file);
        await files.TrashAsync(folder);
        // As if the removal had not come to it yet.
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update entries set purged_at = now() where reference = '{folder}'");
        (await files.GetAsync("/trash")).GetProperty("entries").GetArrayLength().ShouldBe(0);
        await files.RefusedAsync(HttpMethod.Post, "/trash/restore", """{"entries":["FILE"],"folder":null}""".Replace("FILE", file, StringComparison.Ordinal), HttpStatusCode.NotFound, "entry-gone");
        await host.Care.RunOnceAsync(default);
        (await CountAsync("entries", team)).ShouldBe(0);
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task A_removal_that_is_interrupted_goes_on_where_it_was()
    {
        const int Folders = 30, Files = 120;
        var (_, team, files) = await BeginAsync();
        var root = await files.FolderAsync("root");
        var kept = await files.FileAsync("kept");
        // 30 folders in each other's, 120 files in each, with versions and segments.
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"""
            create temp table made as select gen_random_uuid() as id, i, r.team_id, r.created_by from entries r, generate_series(1, {Folders}) i where r.reference = '{root}';
            insert into entries (id, team_id, reference, parent_id, kind, name, name_key, size, created_at, created_by, modified_at, modified_by)
            select m.id, m.team_id, substr(translate(md5(m.id::text), '0189', 'ghij') || 'aaaaaaaaaa', 1, 26),
                   coalesce((select p.id from made p where p.i = m.i / 2), (select id from entries where reference = '{root}')), 'folder', 'f' || m.i, 'F' || m.i, 0, now(), m.created_by, now(), m.created_by from made m;
            create temp table content as select gen_random_uuid() as id, gen_random_uuid() as version, m.id as folder, n as i, m.team_id, m.created_by from made m, generate_series(1, {Files}) n;
            insert into entries (id, team_id, reference, parent_id, kind, name, name_key, current_version_id, size, created_at, created_by, modified_at, modified_by)
            select id, team_id, substr(translate(md5(id::text), '0189', 'ghij') || 'bbbbbbbbbb', 1, 26), folder, 'file', 'x' || i, 'X' || i, version, 1, now(), created_by, now(), created_by from content;
            insert into versions (id, team_id, entry_id, content_id, number, size, media_type, created_at, created_by)
            select version, team_id, id, version, 1, 1, 'text/plain', now(), created_by from content;
            insert into segments (team_id, content_id, start, length, object_id) select team_id, version, 0, 1, gen_random_uuid() from content;
            """);
        await files.TrashAsync(root);
        var purge = host.Services.GetRequiredService<Purge>();
        var id = new Vault.TeamId((Guid)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select id from teams where reference = '{team}'"))!);
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update entries set purged_at = now() where reference = '{root}'");
        var (runs, left) = (0, Folders * (Files + 1) + 2L);
        while (await purge.RunAsync(id, 1, default) > 0)
        {
            // As much of it as one transaction removes; whatever is still there is whole.
            var now = await CountAsync("entries", team);
            now.ShouldBeLessThanOrEqualTo(left);
            (left, runs) = (now, runs + 1);
            (await host.Cluster.SuperuserAsync(host.Settings.DatabaseName,
                "select count(*) from entries e left join versions v on v.id = e.current_version_id where e.kind = 'file' and v.id is null")).ShouldBe(0L);
            runs.ShouldBeLessThan(100);
        }
        runs.ShouldBeGreaterThan(2);
        (await CountAsync("entries", team)).ShouldBe(1);
        (await CountAsync("segments", team)).ShouldBe(1);
        (await files.BytesAsync(kept)).ShouldBe([1, 2, 3]);
        (await files.GetAsync("")).GetProperty("usage").GetProperty("files").GetInt64().ShouldBe(1);
        (await files.GetAsync("")).GetProperty("usage").GetProperty("bytes").GetInt64().ShouldBe(3);
    }

    private async Task<long> CountAsync(string table, string team) => (long)(await host.Cluster.SuperuserAsync(
        host.Settings.DatabaseName, $"select count(*) from {table} x join teams t on t.id = x.team_id where t.reference = '{team}'"))!;

    private int Objects(string team)
    {
        var id = (Guid)host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select id from teams where reference = '{team}'").GetAwaiter().GetResult()!;
        var folder = Path.Combine(host.Settings.ObjectFolder, id.ToString("N"));
        return Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Count(f => new FileInfo(f).Length > 0) : 0;
    }
}
