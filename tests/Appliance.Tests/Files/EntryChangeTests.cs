using System.Net;
using Appliance.Data;
using Appliance.Files;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>Renaming and moving, with what stands in the way of it.</summary>
[Trait("Requirement", "F1")]
public sealed class EntryChangeTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    private async Task<(Person Person, string Team, FilesClient Files)> BeginAsync()
    {
        var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        return (person, team, new FilesClient(person, team));
    }

    [Fact]
    public async Task An_entry_says_everything_about_itself()
    {
        var (person, _, files) = await BeginAsync();
        var outer = await files.FolderAsync("Äußeres");
        var inner = await files.FolderAsync("inner", outer);
        var file = await files.FileAsync("a.txt", "hello"u8.ToArray(), inner);
        using var answer = await files.AnswerAsync(HttpMethod.Get, $"/entries/{file}");
        answer.Headers.ETag!.Tag.ShouldBe("\"r1\"");
        var entry = await files.GetAsync($"/entries/{file}");
        entry.GetProperty("kind").GetString().ShouldBe("file");
        entry.GetProperty("size").GetInt64().ShouldBe(5);
        entry.GetProperty("mediaType").GetString().ShouldBe("text/plain");
        entry.GetProperty("folder").GetString().ShouldBe(inner);
        entry.GetProperty("version").GetInt32().ShouldBe(1);
        entry.GetProperty("createdBy").GetString().ShouldBe(person.Username);
        entry.GetProperty("path").EnumerateArray().Select(s => s.GetProperty("name").GetString()).ShouldBe(["Äußeres", "inner"]);
        var folder = await files.GetAsync($"/entries/{outer}");
        folder.GetProperty("size").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
        folder.GetProperty("folder").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
    }

    [Fact]
    public async Task Renaming_keeps_reference_and_content_and_tells_the_ledger()
    {
        var (_, _, files) = await BeginAsync();
        var file = await files.FileAsync("old.txt", [7]);
        var renamed = await files.SendAsync(HttpMethod.Patch, $"/entries/{file}", new { name = "Nеw имя.txt" });
        renamed.GetProperty("name").GetString().ShouldBe("Nеw имя.txt");
        renamed.GetProperty("revision").GetInt64().ShouldBe(2);
        (await files.BytesAsync(file)).ShouldBe([7]);
        (await LedgerAsync(file)).ShouldBe(["file.uploaded", "entry.renamed"]);
        // Another case of the same name is a name of its own to people.
        (await files.SendAsync(HttpMethod.Patch, $"/entries/{file}", new { name = "NЕW имя.txt" })).GetProperty("revision").GetInt64().ShouldBe(3);
        // Nothing changed: no revision, no event.
        (await files.SendAsync(HttpMethod.Patch, $"/entries/{file}", new { name = "NЕW имя.txt" })).GetProperty("revision").GetInt64().ShouldBe(3);
        (await LedgerAsync(file)).Count.ShouldBe(3);
    }

    [Fact]
    public async Task A_name_that_is_taken_meanwhile_is_refused_whatever_its_case_and_form()
    {
        var (_, _, files) = await BeginAsync();
        var file = await files.FileAsync("a");
        await files.FolderAsync("Caf\u00E9");
        await files.RefusedAsync(HttpMethod.Patch, $"/entries/{file}", new { name = "CAFE\u0301" }, HttpStatusCode.Conflict, "name-taken");
        await files.RefusedAsync(HttpMethod.Patch, $"/entries/{file}", new { name = "a/b" }, HttpStatusCode.BadRequest, "bad-name");
        await files.RefusedAsync(HttpMethod.Post, "/folders", new { name = "A" }, HttpStatusCode.Conflict, "name-taken");
        (await files.NamesAsync()).ShouldBe(["Caf\u00E9", "a"]);
    }

    [Fact]
    public async Task A_folder_that_is_there_can_be_used_where_the_caller_says_so()
    {
        var (_, _, files) = await BeginAsync();
        var folder = await files.FolderAsync("There");
        FilesClient.Ref(await files.PostAsync("/folders", new { name = "THERE", existing = "use" })).ShouldBe(folder);
        await files.FileAsync("a file");
        await files.RefusedAsync(HttpMethod.Post, "/folders", new { name = "A file", existing = "use" }, HttpStatusCode.Conflict, "name-taken");
        await files.RefusedAsync(HttpMethod.Post, "/folders", new { name = "x", existing = "maybe" }, HttpStatusCode.BadRequest, "bad-conflict");
    }

    [Fact]
    public async Task Of_two_people_renaming_what_both_saw_one_is_told()
    {
        var (anna, team, files) = await BeginAsync();
        using var ben = await Person.NewAsync(host, "ben");
        await anna.InviteAsync(team, ben);
        var others = new FilesClient(ben, team);
        for (var i = 0; i < 10; i++)
        {
            var file = await files.FileAsync($"file {i}");
            var answers = await Task.WhenAll(
                files.AnswerAsync(HttpMethod.Patch, $"/entries/{file}", new { name = $"anna's {i}" }, "\"r1\""),
                others.AnswerAsync(HttpMethod.Patch, $"/entries/{file}", new { name = $"ben's {i}" }, "\"r1\""));
            answers.Select(a => a.StatusCode).Order().ShouldBe([HttpStatusCode.OK, HttpStatusCode.PreconditionFailed]);
            var winner = answers[0].StatusCode == HttpStatusCode.OK ? $"anna's {i}" : $"ben's {i}";
            (await files.GetAsync($"/entries/{file}")).GetProperty("name").GetString().ShouldBe(winner);
        }
    }

    [Theory]
    [InlineData("\"r1\"", HttpStatusCode.OK)]
    [InlineData("*", HttpStatusCode.OK)]
    [InlineData("\"x\", \"r1\"", HttpStatusCode.OK)]
    [InlineData("W/\"r1\"", HttpStatusCode.PreconditionFailed)]
    [InlineData("\"r2\"", HttpStatusCode.PreconditionFailed)]
    [InlineData("\"abc\"", HttpStatusCode.PreconditionFailed)]
    [InlineData("r1", HttpStatusCode.BadRequest)]
    public async Task If_match_is_compared_strongly(string condition, HttpStatusCode status)
    {
        var (_, _, files) = await BeginAsync();
        var file = await files.FileAsync("a");
        using var renamed = await files.AnswerAsync(HttpMethod.Patch, $"/entries/{file}", new { name = "b" }, condition);
        renamed.StatusCode.ShouldBe(status);
        using var gone = await files.AnswerAsync(HttpMethod.Delete, $"/entries/{file}", null, status == HttpStatusCode.OK ? "\"r1\"" : condition);
        gone.StatusCode.ShouldBe(status == HttpStatusCode.OK ? HttpStatusCode.PreconditionFailed : status);
    }

    [Fact]
    public async Task Many_are_moved_together_or_not_at_all()
    {
        var (_, _, files) = await BeginAsync();
        var target = await files.FolderAsync("Target");
        var folder = await files.FolderAsync("Folder");
        var inside = await files.FileAsync("inside", folder: folder);
        var (a, b) = (await files.FileAsync("a"), await files.FileAsync("b"));
        await files.FileAsync("B", folder: target);
        await files.RefusedAsync(HttpMethod.Post, "/entries/move", new { entries = new[] { a, b, folder }, folder = target }, HttpStatusCode.Conflict, "name-taken");
        await files.RefusedAsync(HttpMethod.Post, "/entries/move", new { entries = new[] { a, Reference.New() }, folder = target }, HttpStatusCode.NotFound, "entry-gone");
        await files.RefusedAsync(HttpMethod.Post, "/entries/move", new { entries = new[] { a }, folder = Reference.New() }, HttpStatusCode.Conflict, "folder-gone");
        (await files.NamesAsync()).ShouldBe(["Folder", "Target", "a", "b"]);

        // What lies in a folder that moves goes along and is not pulled out.
        var moved = await files.PostAsync("/entries/move", new { entries = new[] { a, b, folder, inside }, folder = target, conflict = "keep-both" });
        FilesClient.Names(moved).Order(StringComparer.Ordinal).ShouldBe(["Folder", "a", "b (2)", "inside"]);
        (await files.NamesAsync()).ShouldBe(["Target"]);
        (await files.NamesAsync(target)).ShouldBe(["Folder", "a", "B", "b (2)"]);
        (await files.NamesAsync(folder)).ShouldBe(["inside"]);
        // There already: nothing to do.
        await files.PostAsync("/entries/move", new { entries = new[] { a }, folder = target });
        (await files.GetAsync($"/entries/{a}")).GetProperty("revision").GetInt64().ShouldBe(2);
        // And to the root.
        (await files.SendAsync(HttpMethod.Patch, $"/entries/{a}", """{"folder":null}""")).GetProperty("folder").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
        (await files.NamesAsync()).ShouldBe(["Target", "a"]);
    }

    [Fact]
    public async Task Two_of_one_name_from_two_folders_do_not_both_fit()
    {
        var (_, _, files) = await BeginAsync();
        var (one, two, target) = (await files.FolderAsync("one"), await files.FolderAsync("two"), await files.FolderAsync("target"));
        var entries = new[] { await files.FileAsync("x.tar", folder: one), await files.FileAsync("X.tar", folder: two) };
        await files.RefusedAsync(HttpMethod.Post, "/entries/move", new { entries, folder = target }, HttpStatusCode.Conflict, "name-taken");
        await files.PostAsync("/entries/move", new { entries, folder = target, conflict = "keep-both" });
        (await files.NamesAsync(target)).Select(n => n.ToLowerInvariant()).ShouldBe(["x (2).tar", "x.tar"]);
    }

    [Fact]
    public async Task A_folder_never_moves_into_itself_or_below_itself()
    {
        var (_, _, files) = await BeginAsync();
        var a = await files.FolderAsync("a");
        var b = await files.FolderAsync("b", a);
        var c = await files.FolderAsync("c", b);
        foreach (var into in new[] { a, b, c })
        {
            await files.RefusedAsync(HttpMethod.Post, "/entries/move", new { entries = new[] { a }, folder = into }, HttpStatusCode.Conflict, "into-itself");
            await files.RefusedAsync(HttpMethod.Patch, $"/entries/{a}", new { folder = into }, HttpStatusCode.Conflict, "into-itself");
        }
    }

    [Fact]
    public async Task Two_moves_that_together_would_make_a_loop_do_not_both_happen()
    {
        var (_, _, files) = await BeginAsync();
        for (var i = 0; i < 10; i++)
        {
            var (a, b) = (await files.FolderAsync($"a{i}"), await files.FolderAsync($"b{i}"));
            var answers = await Task.WhenAll(
                files.AnswerAsync(HttpMethod.Patch, $"/entries/{a}", new { folder = b }),
                files.AnswerAsync(HttpMethod.Patch, $"/entries/{b}", new { folder = a }));
            answers.Select(x => x.StatusCode).Order().ShouldBe([HttpStatusCode.OK, HttpStatusCode.Conflict]);
        }
    }

    [Fact]
    public async Task The_depth_of_what_is_moved_counts()
    {
        var (_, _, files) = await BeginAsync();
        string? deepest = null;
        for (var depth = 1; depth <= 62; depth++)
        {
            deepest = await files.FolderAsync("d", deepest);
        }
        var top = await files.FolderAsync("top");
        var middle = await files.FolderAsync("middle", top);
        var low = await files.FolderAsync("low", middle);
        await files.RefusedAsync(HttpMethod.Patch, $"/entries/{top}", new { folder = deepest }, HttpStatusCode.Conflict, "too-deep");
        // Also when the deepest of it lies in the trash: it could come back.
        await files.TrashAsync(low);
        await files.RefusedAsync(HttpMethod.Patch, $"/entries/{top}", new { folder = deepest }, HttpStatusCode.Conflict, "too-deep");
        await files.SendAsync(HttpMethod.Patch, $"/entries/{middle}", new { folder = deepest });
        await files.RefusedAsync(HttpMethod.Post, "/folders", new { name = "x", folder = low }, HttpStatusCode.Conflict, "folder-gone");
    }

    [Theory]
    [InlineData("""{"entries":[]}""", "too-many")]
    [InlineData("""{"entries":[null]}""", "entry-gone")]
    [InlineData("""{"entries":["../../x"]}""", "entry-gone")]
    public async Task Nothing_and_nonsense_are_refused(string body, string code)
    {
        var (_, _, files) = await BeginAsync();
        var status = code == "too-many" ? HttpStatusCode.BadRequest : HttpStatusCode.NotFound;
        foreach (var path in new[] { "/entries/trash", "/trash/restore", "/trash/delete" })
        {
            await files.RefusedAsync(HttpMethod.Post, path, body, status, code);
        }
    }

    [Theory]
    [InlineData("""{"entries":["a"],"unknown":1}""")]
    [InlineData("""{"entries":"a"}""")]
    [InlineData("""{"entries":null}""")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("")]
    [InlineData("{")]
    public async Task A_body_that_is_not_what_the_api_takes_is_a_400(string body)
    {
        var (_, _, files) = await BeginAsync();
        using var answer = await files.AnswerAsync(HttpMethod.Post, "/entries/trash", body);
        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
    }

    [Fact]
    public async Task More_than_a_thousand_at_once_are_refused()
    {
        var (_, _, files) = await BeginAsync();
        await files.RefusedAsync(
            HttpMethod.Post, "/entries/trash", new { entries = Enumerable.Range(0, 1001).Select(_ => Reference.New()) }, HttpStatusCode.BadRequest, "too-many");
        await files.RefusedAsync(
            HttpMethod.Post, "/entries/lookup", new { names = Enumerable.Range(0, 1001).Select(i => $"n{i}") }, HttpStatusCode.BadRequest, "too-many");
    }

    [Fact]
    public async Task Names_can_be_looked_up_before_they_are_used()
    {
        var (_, _, files) = await BeginAsync();
        var folder = await files.FolderAsync("f");
        await files.FileAsync("One", folder: folder);
        await files.FileAsync("two", folder: folder);
        var found = await files.PostAsync("/entries/lookup", new { folder, names = new[] { "ONE", "three", "a/b", "", "two" } });
        FilesClient.Names(found).ShouldBe(["One", "two"]);
        FilesClient.Names(await files.PostAsync("/entries/lookup", new { names = new[] { "One", "F" } })).ShouldBe(["f"]);
        (await files.AnswerAsync(HttpMethod.Post, "/entries/lookup", new { folder = Reference.New(), names = new[] { "a" } })).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Theory]
    [InlineData("a.txt", false, 2, "a (2).txt")]
    [InlineData("archive.tar.gz", false, 3, "archive.tar (3).gz")]
    [InlineData("Mr. Smith's folder", true, 2, "Mr. Smith's folder (2)")]
    [InlineData(".profile", false, 2, ".profile (2)")]
    public void A_number_goes_before_the_ending(string name, bool folder, int number, string numbered) =>
        FreeNames.Numbered(new WantedName(EntryName.Parse(name), folder), number).Text.ShouldBe(numbered);

    [Fact]
    public void A_name_that_gets_too_long_is_cut_between_characters_as_people_see_them()
    {
        var name = new string('x', 12) + string.Concat(Enumerable.Repeat("👩‍👩‍👧", 13)) + ".jpeg";
        var numbered = FreeNames.Numbered(new WantedName(EntryName.Parse(name), false), 1234).Text;
        numbered.ShouldBe(new string('x', 12) + string.Concat(Enumerable.Repeat("👩‍👩‍👧", 12)) + " (1234).jpeg");
    }

    private async Task<IReadOnlyList<string>> LedgerAsync(string reference)
    {
        var text = (string)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName,
            $"select coalesce(string_agg(l.action, ' ' order by l.id), '') from ledger_entries l join entries e on e.id::text = l.subject where e.reference = '{reference}'"))!;
        return text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }
}
