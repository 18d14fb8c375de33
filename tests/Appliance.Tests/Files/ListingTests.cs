using System.Net;
using System.Text.Json;
using Appliance.Data;
using Appliance.Files;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>Listings in every order, page by page, and search by name.</summary>
[Trait("Requirement", "F5")]
public sealed class ListingTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    private async Task<(Person Person, string Team, FilesClient Files)> BeginAsync()
    {
        var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        return (person, team, new FilesClient(person, team));
    }

    [Fact]
    public async Task A_listing_that_is_known_is_304_and_any_change_in_it_makes_it_another()
    {
        var (person, team, files) = await BeginAsync();
        var folder = await files.FolderAsync("Folder");
        var file = await files.FileAsync("a.txt", [1], folder);
        var other = await files.FileAsync("elsewhere.txt");
        async Task<(HttpStatusCode Status, string Tag)> AskAsync(string? known)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"{files.Base}/entries?folder={folder}");
            if (known is not null)
            {
                request.Headers.TryAddWithoutValidation("If-None-Match", known);
            }
            using var answer = await person.Http.SendAsync(request);
            if (answer.StatusCode == HttpStatusCode.NotModified)
            {
                (await answer.Content.ReadAsByteArrayAsync()).ShouldBeEmpty();
            }
            return (answer.StatusCode, answer.Headers.ETag!.ToString());
        }

        var (_, tag) = await AskAsync(null);
        var changes = new Func<Task>[]
        {
            () => files.FileAsync("b.txt", [1], folder),
            () => files.FileAsync("a.txt", [2], folder),
            () => files.SendAsync(HttpMethod.Patch, $"/entries/{file}", new { name = "c.txt" }),
            () => files.TrashAsync(file),
            () => files.SendAsync(HttpMethod.Patch, $"/entries/{folder}", new { name = "Renamed" }),
        };
        foreach (var change in changes)
        {
            (await AskAsync(tag)).ShouldBe((HttpStatusCode.NotModified, tag));
            (await AskAsync($"\"x\", {tag}")).Status.ShouldBe(HttpStatusCode.NotModified);
            await change();
            var (status, next) = await AskAsync(tag);
            status.ShouldBe(HttpStatusCode.OK);
            next.ShouldNotBe(tag);
            tag = next;
        }
        // What happens elsewhere is no change here.
        await files.TrashAsync(other);
        (await AskAsync(tag)).Status.ShouldBe(HttpStatusCode.NotModified);
        // Who may not see it learns nothing from a tag.
        using var mallory = await Person.NewAsync(host, "mallory");
        using var foreign = new HttpRequestMessage(HttpMethod.Get, $"{files.Base}/entries?folder={folder}");
        foreign.Headers.TryAddWithoutValidation("If-None-Match", tag);
        (await mallory.Http.SendAsync(foreign)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Theory]
    [InlineData("", new[] { "b", "Z", "alpha", "beta", "Gamma", "zero" })]
    [InlineData("&sort=name&order=desc", new[] { "Z", "b", "zero", "Gamma", "beta", "alpha" })]
    [InlineData("&sort=size", new[] { "b", "Z", "zero", "alpha", "Gamma", "beta" })]
    [InlineData("&sort=size&order=desc", new[] { "b", "Z", "beta", "Gamma", "alpha", "zero" })]
    [InlineData("&sort=modified", new[] { "Z", "b", "beta", "zero", "Gamma", "alpha" })]
    [InlineData("&sort=modified&order=desc", new[] { "b", "Z", "alpha", "Gamma", "zero", "beta" })]
    public async Task Every_order_holds_across_pages_of_every_size(string query, string[] order)
    {
        var (_, _, files) = await BeginAsync();
        foreach (var folder in new[] { null, await files.FolderAsync("sub") })
        {
            await files.FolderAsync("Z", folder);
            await files.FolderAsync("b", folder);
            var alpha = await files.FileAsync("alpha", [1], folder);
            await files.FileAsync("beta", new byte[7], folder);
            await files.FileAsync("zero", [], folder);
            await files.FileAsync("Gamma", [1], folder);
            await files.FileAsync("alpha", [2], folder);
            await files.TrashAsync(await files.FileAsync("in the trash", folder: folder), alpha);
            await files.PostAsync("/trash/restore", new { entries = new[] { alpha } });
            if (folder is null)
            {
                await files.TrashAsync(await files.FolderAsync("sub gone"));
            }
            for (var limit = 1; limit <= 8; limit++)
            {
                var (seen, next, pages) = (new List<string>(), "", 0);
                do
                {
                    var page = await files.GetAsync($"/entries?limit={limit}{(folder is null ? "" : "&folder=" + folder)}{query}{next}");
                    var names = FilesClient.Names(page);
                    names.Count.ShouldBeLessThanOrEqualTo(limit);
                    seen.AddRange(names);
                    next = page.GetProperty("next").GetString() is { } after ? "&after=" + after : "";
                    pages++;
                }
                while (next.Length > 0);
                seen.Remove("sub");
                seen.ShouldBe(order, ignoreOrder: false, customMessage: $"{query} by {limit}");
            }
            if (folder is null)
            {
                // Once more within a folder of its own.
                continue;
            }
            (await files.GetAsync($"/entries?folder={folder}")).GetProperty("path").EnumerateArray().Select(s => s.GetProperty("name").GetString()).ShouldBe(["sub"]);
        }
    }

    [Fact]
    public async Task A_page_stays_right_while_others_add_and_remove()
    {
        var (_, _, files) = await BeginAsync();
        var made = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in new[] { "b", "d", "f", "h" })
        {
            made[name] = await files.FileAsync(name);
        }
        var first = await files.GetAsync("/entries?limit=2");
        FilesClient.Names(first).ShouldBe(["b", "d"]);
        await files.TrashAsync(made["d"], made["f"]);
        await files.FileAsync("a");
        await files.FileAsync("g");
        FilesClient.Names(await files.GetAsync($"/entries?limit=2&after={first.GetProperty("next").GetString()}")).ShouldBe(["g", "h"]);
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=-1")]
    [InlineData("limit=1001")]
    [InlineData("limit=many")]
    [InlineData("sort=kind")]
    [InlineData("order=up")]
    [InlineData("after=")]
    [InlineData("after=x")]
    [InlineData("after=%00")]
    [InlineData("after=';drop table entries;--")]
    [InlineData("after=bmFmMDo")] // no name behind it
    [InlineData("after=bmFmMDpBAA")] // a NUL in the name
    [InlineData("after=bmFmMTp_gICA")] // not UTF-8
    [InlineData("after=bmFmMDpB&order=desc")] // of another order
    [InlineData("after=bmFmMDpB&sort=size")]
    [InlineData("after=bWFmOTIyMzM3MjAzNjg1NDc3NTgwNzpB&sort=modified")] // a time after all times
    public async Task Nonsense_is_a_400_and_never_an_error(string query)
    {
        var (_, _, files) = await BeginAsync();
        await files.FileAsync("a");
        using var answer = await files.AnswerAsync(HttpMethod.Get, "/entries?" + query);
        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task A_page_start_that_was_told_is_understood_again()
    {
        var (_, _, files) = await BeginAsync();
        // The longest name, in the script with the longest encoding.
        foreach (var name in new[] { new string('語', 85), "a:b".Replace(':', ';'), "👩‍👩‍👧", "x" })
        {
            await files.FileAsync(name);
        }
        var (seen, next) = (0, "");
        do
        {
            var page = await files.GetAsync("/entries?limit=1" + next);
            seen += FilesClient.Names(page).Count;
            next = page.GetProperty("next").GetString() is { } after ? "&after=" + after : "";
        }
        while (next.Length > 0);
        seen.ShouldBe(4);
        PageStart.Parse("bmFmMDpB").ShouldNotBeNull();
    }

    [Fact]
    public async Task Search_finds_names_by_all_words_whatever_their_case_and_form()
    {
        var (_, _, files) = await BeginAsync();
        var outer = await files.FolderAsync("Staffel Eins");
        var inner = await files.FolderAsync("Rohschnitt", outer);
        await files.FileAsync("Interview mit Zo\u00EB – Teil 2.wav", folder: inner);
        await files.FileAsync("Teil 2 ohne Ton.txt", folder: outer);
        await files.FileAsync("東京タワー.jpg");
        await files.FileAsync("straße.txt");
        (await FoundAsync(files, "teil 2")).ShouldBe(["Teil 2 ohne Ton.txt", "Interview mit Zo\u00EB – Teil 2.wav"]);
        (await FoundAsync(files, "ZOE\u0308 interview")).ShouldBe(["Interview mit Zo\u00EB – Teil 2.wav"]);
        (await FoundAsync(files, "  zoë \t teil ")).ShouldBe(["Interview mit Zo\u00EB – Teil 2.wav"]);
        (await FoundAsync(files, "京タワ")).ShouldBe(["東京タワー.jpg"]);
        (await FoundAsync(files, "東京")).ShouldBe(["東京タワー.jpg"]);
        (await FoundAsync(files, "STRASSE")).ShouldBeEmpty();
        (await FoundAsync(files, "nothing like it")).ShouldBeEmpty();
        var hit = (await files.GetAsync("/search?q=zo%C3%AB")).GetProperty("entries")[0];
        hit.GetProperty("path").EnumerateArray().Select(s => s.GetProperty("name").GetString()).ShouldBe(["Staffel Eins", "Rohschnitt"]);
        hit.GetProperty("folder").GetString().ShouldBe(inner);
        hit.GetProperty("kind").GetString().ShouldBe("file");
        (await FoundAsync(files, "rohschnitt")).ShouldBe(["Rohschnitt"]);
    }

    [Fact]
    public async Task Nothing_in_what_is_searched_has_a_meaning_of_its_own()
    {
        var (_, _, files) = await BeginAsync();
        string[] names = ["100% sure", "100x sure", "snake_case", "snakeXcase", "it's", "semi;colon--", "per%%cent", "$1 {0} @p0", "e(.+)x[a-z]"];
        foreach (var name in names)
        {
            await files.FileAsync(name);
        }
        foreach (var (q, found) in new[]
        {
            ("100%", "100% sure"), ("00% sure", "100% sure"), ("snake_", "snake_case"), ("e_c", "snake_case"), ("it's", "it's"), ("t's", "it's"), (";colon--", "semi;colon--"),
            ("r%%c", "per%%cent"), ("{0}", "$1 {0} @p0"), ("@p0", "$1 {0} @p0"), ("(.+)", "e(.+)x[a-z]"), ("[a-z]", "e(.+)x[a-z]"),
        })
        {
            (await FoundAsync(files, q)).ShouldContain(found, q);
            (await FoundAsync(files, q)).Count.ShouldBe(1, q);
        }
        foreach (var q in new[] { "\\", "%", "_", "___", "%%%", "'; drop table entries; --", "\u0000abc", "\uFFFDabc", "abc\uD800" })
        {
            using var answer = await files.AnswerAsync(HttpMethod.Get, "/search?q=" + (q.Contains('\uD800') ? "abc%ED%A0%80" : Uri.EscapeDataString(q)));
            answer.StatusCode.ShouldBe(HttpStatusCode.OK, q);
            FilesClient.Names(JsonSerializer.Deserialize<JsonElement>(await answer.Content.ReadAsStringAsync())).ShouldBeEmpty(q);
        }
    }

    [Fact]
    public async Task A_search_that_is_too_long_or_empty_is_refused()
    {
        var (person, _, files) = await BeginAsync();
        foreach (var q in new[] { "", "   ", new string('a', 201), new string('ä', 500) })
        {
            await files.RefusedAsync(HttpMethod.Get, "/search?q=" + Uri.EscapeDataString(q), null, HttpStatusCode.BadRequest, "bad-search");
        }
        await files.RefusedAsync(HttpMethod.Get, "/search", null, HttpStatusCode.BadRequest, "bad-search");
        // 10 kB do not even fit into the line of a request.
        using var line = await person.Http.SendAsync(new HttpRequestMessage(HttpMethod.Get, $"{files.Base}/search?q={new string('a', 10_240)}") { Version = HttpVersion.Version11 });
        line.StatusCode.ShouldBe(HttpStatusCode.RequestUriTooLong);
        (await FoundAsync(files, new string('a', 200))).ShouldBeEmpty();
        (await FoundAsync(files, string.Join(' ', Enumerable.Repeat("a", 100)))).ShouldBeEmpty();
        (await files.AnswerAsync(HttpMethod.Get, "/search?q=a&limit=201")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Short_words_find_beginnings_and_a_full_answer_says_that_there_is_more()
    {
        var (_, _, files) = await BeginAsync();
        foreach (var name in new[] { "ab one", "ab two", "xab", "abc" })
        {
            await files.FileAsync(name);
        }
        (await FoundAsync(files, "ab")).ShouldBe(["ab one", "ab two", "abc"]);
        (await FoundAsync(files, "a")).ShouldBe(["ab one", "ab two", "abc"]);
        var some = await files.GetAsync("/search?q=ab&limit=2");
        FilesClient.Names(some).ShouldBe(["ab one", "ab two"]);
        some.GetProperty("more").GetBoolean().ShouldBeTrue();
        (await files.GetAsync("/search?q=ab&limit=3")).GetProperty("more").GetBoolean().ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task Search_finds_nothing_of_another_team_in_the_trash_or_below_it()
    {
        var (anna, team, files) = await BeginAsync();
        var outer = await files.FolderAsync("secret outer");
        var inner = await files.FolderAsync("secret inner", outer);
        var file = await files.FileAsync("secret file", folder: inner);
        await files.FileAsync("secret plain");
        var (_, _, others) = await BeginAsync();
        await others.FileAsync("secret of others");
        (await FoundAsync(others, "secret")).ShouldBe(["secret of others"]);
        (await FoundAsync(files, "secret")).Count.ShouldBe(4);
        await files.TrashAsync(outer);
        (await FoundAsync(files, "secret")).ShouldBe(["secret plain"]);
        (await FoundAsync(files, "ecret")).ShouldBe(["secret plain"]);
        await files.PostAsync("/trash/restore", new { entries = new[] { outer } });
        await files.TrashAsync(file);
        (await FoundAsync(files, "secret file")).ShouldBeEmpty();
        // The database's own function asks who is set, too: somebody who is in no team, or not in this one.
        using var mallory = await Person.NewAsync(host, "mallory");
        var id = new Vault.TeamId((Guid)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select id from teams where reference = '{team}'"))!);
        string[] words = ["SECRET"];
        foreach (var open in new Func<Task<TeamSession>>[]
        {
            () => host.Database.ForTeamAsync(id, mallory.Id, default), () => host.Database.ForUserAsync(anna.Id, default), () => host.Database.ForApplianceAsync(default),
        })
        {
            await using var session = await open();
            (await session.SqlAsync<string>($"""select name as "Value" from app_search({words}, 100)""", default)).ShouldBeEmpty();
        }
        await using var own = await host.Database.ForTeamAsync(id, anna.Id, default);
        (await own.SqlAsync<string>($"""select name as "Value" from app_search({words}, 100)""", default)).Count.ShouldBe(3);
    }

    private static async Task<IReadOnlyList<string>> FoundAsync(FilesClient files, string q) =>
        FilesClient.Names(await files.GetAsync("/search?q=" + Uri.EscapeDataString(q)));
}
