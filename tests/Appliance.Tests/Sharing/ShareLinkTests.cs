using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.Tests.Files;
using Appliance.Tests.SignIn;
using Appliance.Tests.Teams;
using Appliance.Vault;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Sharing;

/// <summary>Files and folders shared by link, with whoever has it and nobody else.</summary>
[Trait("Requirement", "F6")]
public sealed partial class ShareLinkTests(SignInHost host) : IClassFixture<SignInHost>
{
    private sealed record World(Person Anna, string Team, FilesClient Files, string Entry, byte[] Bytes);

    private async Task<World> BeginAsync(int size = 300_000)
    {
        var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        var files = new FilesClient(anna, team);
        var bytes = RandomNumberGenerator.GetBytes(size);
        return new World(anna, team, files, await files.FileAsync("Report 2026.bin", bytes), bytes);
    }

    private static async Task<string> ShareAsync(World world, string? entry = null, params (string Name, string Value)[] choices)
    {
        using var made = await world.Anna.PostAsync($"/teams/{world.Team}/files/{entry ?? world.Entry}/share", [.. choices.Select(c => ("Choice." + c.Name, c.Value))]);
        var html = await made.Content.ReadAsStringAsync();
        made.StatusCode.ShouldBe(HttpStatusCode.OK, html);
        return Link().Match(html).Groups["path"].Value;
    }

    private static Task<HttpResponseMessage> BeginDownloadAsync(Visitor visitor, string link, string? password = null) =>
        password is null ? visitor.SendAsync(link) : visitor.SendAsync(link, null, ("Password", password));

    private static async Task<byte[]> DownloadAsync(Visitor visitor, string link, string? password = null)
    {
        using var begun = await BeginDownloadAsync(visitor, link, password);
        begun.Headers.Location?.ToString().ShouldBe(link + "/content", await begun.Content.ReadAsStringAsync());
        return await visitor.Client.GetByteArrayAsync(link + "/content");
    }

    private async Task ShouldNotWorkAsync(string link)
    {
        using var visitor = host.Visitor();
        using var page = await visitor.GetAsync(link);
        page.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await page.Content.ReadAsStringAsync()).ShouldContain("This link does not work");
        var sign = await visitor.HtmlAsync("/sign-in");
        (await visitor.PostAsync(sign, link)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using var content = await visitor.GetAsync(link + "/content");
        content.StatusCode.ShouldBeOneOf(HttpStatusCode.NotFound, HttpStatusCode.Redirect);
    }

    private async Task<T> SqlAsync<T>(string sql) => (T)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, sql))!;

    [Fact]
    public async Task Whoever_has_the_link_gets_the_file_whole_or_a_range_and_each_download_is_in_the_ledger()
    {
        var world = await BeginAsync();
        var link = await ShareAsync(world);
        link.Length.ShouldBeGreaterThan(40); // 256 bits
        (await host.DumpAsync()).ShouldNotContain(link[3..]);
        using var visitor = host.Visitor();
        using var page = await visitor.GetAsync(link);
        var html = await page.Content.ReadAsStringAsync();
        html.ShouldContain("Report 2026.bin");
        html.ShouldNotContain("anna");
        html.ShouldNotContain(world.Team);
        page.Headers.GetValues("Referrer-Policy").Single().ShouldBe("no-referrer");
        page.Headers.GetValues("X-Robots-Tag").Single().ShouldContain("noindex");
        // A scanner that opens everything uses nothing up and gets nothing.
        (await visitor.GetAsync(link + "/content")).Headers.Location!.ToString().ShouldBe(link);
        (await DownloadAsync(visitor, link)).ShouldBe(world.Bytes);

        using var request = new HttpRequestMessage(HttpMethod.Get, link + "/content");
        request.Headers.Range = new RangeHeaderValue(100_000, 100_009);
        using var part = await visitor.Client.SendAsync(request);
        part.StatusCode.ShouldBe(HttpStatusCode.PartialContent);
        part.Content.Headers.ContentDisposition!.DispositionType.ShouldBe("attachment");
        part.Headers.GetValues("Content-Security-Policy").Single().ShouldContain("sandbox");
        (await part.Content.ReadAsByteArrayAsync()).ShouldBe(world.Bytes[100_000..100_010]);

        var ledger = await SqlAsync<string[]>($"select array_agg(e.action || ' ' || coalesce(e.actor::text, 'nobody') || ' ' || (e.address is not null) order by e.id) from ledger_entries e join teams t on t.id = e.tree where t.reference = '{world.Team}' and e.action like 'share-link%'");
        ledger.ShouldBe([$"share-link.made {world.Anna.Id} true", "share-link.used nobody true"]);
        var list = await world.Anna.Http.GetStringAsync($"/teams/{world.Team}/links");
        list.ShouldContain("Report 2026.bin");
        list.ShouldContain("1 download");
        // Always the current version.
        await world.Files.FileAsync("Report 2026.bin", [7]);
        (await visitor.Client.GetByteArrayAsync(link + "/content")).ShouldBe([7]);
    }

    [Fact]
    public async Task A_folder_comes_as_one_ZIP_and_nothing_beside_it_is_reached()
    {
        var world = await BeginAsync();
        var folder = await world.Files.FolderAsync("Shared");
        await world.Files.FileAsync("in.txt", [1, 2], folder);
        var link = await ShareAsync(world, folder);
        using var visitor = host.Visitor();
        using var zip = new ZipArchive(new MemoryStream(await DownloadAsync(visitor, link)));
        zip.Entries.Select(e => e.FullName).ShouldBe(["Shared/", "Shared/in.txt"], ignoreOrder: true);
        foreach (var path in new[] { $"/teams/{world.Team}/files/{world.Entry}/content", $"/api/v1/teams/{world.Team}/entries/{world.Entry}/content", $"/teams/{world.Team}/files", $"/api/v1/teams/{world.Team}/archive?entry={folder}" })
        {
            (await visitor.GetAsync(path)).StatusCode.ShouldBeOneOf(HttpStatusCode.Redirect, HttpStatusCode.Unauthorized);
        }
        await world.Files.TrashAsync(folder);
        await ShouldNotWorkAsync(link);
    }

    [Fact]
    public async Task A_password_hides_even_the_name_and_cannot_be_guessed_at_leisure()
    {
        var world = await BeginAsync(10);
        var link = await ShareAsync(world, null, ("Password", "correct horse battery"));
        (await host.DumpAsync()).ShouldNotContain("correct horse battery");
        using var visitor = host.Visitor();
        (await visitor.HtmlAsync(link)).ShouldNotContain("Report");
        foreach (var wrong in new[] { "", "wrong password", "Correct horse battery" })
        {
            using var refused = await BeginDownloadAsync(visitor, link, wrong);
            (await refused.Content.ReadAsStringAsync()).ShouldContain("This password is not right");
            refused.Headers.Contains("Set-Cookie").ShouldBeFalse();
        }
        (await visitor.GetAsync(link + "/content")).Headers.Location!.ToString().ShouldBe(link);
        host.Clock.Move(TimeSpan.FromMinutes(1));
        (await DownloadAsync(visitor, link, "correct horse battery")).ShouldBe(world.Bytes);
        var guesses = 0;
        while ((await BeginDownloadAsync(visitor, link, "guess")).StatusCode != HttpStatusCode.TooManyRequests)
        {
            (++guesses).ShouldBeLessThan(30);
        }
        // The right one is not checked either, for that while.
        (await BeginDownloadAsync(visitor, link, "correct horse battery")).StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        (await BeginDownloadAsync(visitor, link, new string('x', 5000))).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await SqlAsync<int>($"select downloads from share_links where entry = '{world.Entry}'")).ShouldBe(1);
        host.Clock.Move(TimeSpan.FromHours(2));
    }

    [Fact]
    public async Task A_limit_of_downloads_holds_however_many_come_at_once()
    {
        var world = await BeginAsync(10);
        var link = await ShareAsync(world, null, ("Downloads", "3"));
        var visitors = Enumerable.Range(0, 8).Select(_ => host.Visitor()).ToList();
        var answers = await Task.WhenAll(visitors.Select(v => BeginDownloadAsync(v, link)));
        answers.Count(a => a.Headers.Location is not null).ShouldBe(3);
        await ShouldNotWorkAsync(link);
        // What was begun goes on, in that browser and no other.
        for (var i = 0; i < visitors.Count; i++)
        {
            (await visitors[i].GetAsync(link + "/content")).StatusCode.ShouldBe(answers[i].Headers.Location is null ? HttpStatusCode.Redirect : HttpStatusCode.OK);
        }
        host.Clock.Move(TimeSpan.FromHours(7));
        (await visitors[Array.FindIndex(answers, a => a.Headers.Location is not null)].GetAsync(link + "/content")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await SqlAsync<long>($"select count(*) from share_uses u join share_links l on l.id = u.link_id where l.entry = '{world.Entry}'")).ShouldBe(3);
        visitors.ForEach(v => v.Dispose());
    }

    [Fact]
    public async Task Expired_revoked_and_unknown_links_are_all_the_same_nothing()
    {
        var world = await BeginAsync(10);
        var expires = await ShareAsync(world, null, ("Days", "1"));
        var revoked = await ShareAsync(world);
        using var visitor = host.Visitor();
        await DownloadAsync(visitor, revoked);
        var list = await world.Anna.Http.GetStringAsync($"/teams/{world.Team}/links");
        var reference = RevokeField().Match(list).Groups["reference"].Value; // the newest
        (await world.Anna.PostAsync($"/teams/{world.Team}/links", ("Reference", reference))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await ShouldNotWorkAsync(revoked);
        // Not even what was begun with it.
        (await visitor.GetAsync(revoked + "/content")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await world.Anna.PostAsync($"/teams/{world.Team}/links", ("Reference", reference))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using (var works = await visitor.GetAsync(expires))
        {
            works.StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        host.Clock.Move(TimeSpan.FromHours(25));
        await ShouldNotWorkAsync(expires);
        foreach (var unknown in new[] { "/s/" + Appliance.SignIn.Token.New(), "/s/short", "/s/" + new string('a', 3000) })
        {
            (await visitor.GetAsync(unknown)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task A_link_ends_with_its_makers_membership_and_nobody_else_sees_or_changes_it()
    {
        var world = await BeginAsync(10);
        using var ben = await Person.NewAsync(host, "ben");
        using var mallory = await Person.NewAsync(host, "mallory");
        await world.Anna.InviteAsync(world.Team, ben);
        var annas = await ShareAsync(world);
        var bens = await ShareAsync(world with { Anna = ben });
        // A member sees their own; the owner everybody's.
        RevokeField().Count(await ben.Http.GetStringAsync($"/teams/{world.Team}/links")).ShouldBe(1);
        RevokeField().Count(await world.Anna.Http.GetStringAsync($"/teams/{world.Team}/links")).ShouldBe(2);
        var all = await SqlAsync<string[]>($"select array_agg(reference::text) from share_links where entry = '{world.Entry}' and made_by = '{world.Anna.Id}'");
        (await ben.PostAsync($"/teams/{world.Team}/links", ("Reference", all.Single()))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await mallory.PostAsync($"/teams/{world.Team}/links", ("Reference", all.Single()))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await mallory.Http.GetAsync($"/teams/{world.Team}/links")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await mallory.PostAsync($"/teams/{world.Team}/files/{world.Entry}/share")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // Somebody else's entry is none of one's own team either.
        var own = await mallory.TeamAsync();
        (await mallory.PostAsync($"/teams/{own}/files/{world.Entry}/share")).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        var team = new TeamId(await SqlAsync<Guid>($"select id from teams where reference = '{world.Team}'"));
        await using (var session = await host.Database.ForTeamAsync(team, ben.Id, default))
        {
            await Should.ThrowAsync<ForbiddenByDatabaseException>(() => session.ExecuteAsync(
                $"""
                insert into share_links (team_id, id, reference, token_hash, entry, entry_name, made_by, created_at, expires_at)
                values ({team.Value}, {Guid.NewGuid()}, {Reference.New()}, {new byte[] { 1 }}, 'x', 'x', {world.Anna.Id.Value}, now(), now())
                """, default));
        }
        await using (var session = await host.Database.ForTeamAsync(team, world.Anna.Id, default))
        {
            await Should.ThrowAsync<ForbiddenByDatabaseException>(() => session.ExecuteAsync($"update share_links set entry = 'other'", default));
        }

        using var visitor = host.Visitor();
        await DownloadAsync(visitor, bens);
        (await world.Anna.PostAsync($"/teams/{world.Team}/members?handler=Remove", ("Username", ben.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await ShouldNotWorkAsync(bens);
        (await visitor.GetAsync(bens + "/content")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await DownloadAsync(visitor, annas)).ShouldBe(world.Bytes);
        (await world.Anna.Http.GetStringAsync($"/teams/{world.Team}/links")).ShouldContain("Its maker left");
    }

    [Fact]
    public async Task A_team_that_shares_nothing_by_link_does_not_from_that_moment_on()
    {
        var world = await BeginAsync(10);
        var link = await ShareAsync(world);
        await SqlAsync<object?>($"insert into team_policies (team_id, no_share_links) select id, true from teams where reference = '{world.Team}' returning 1");
        await ShouldNotWorkAsync(link);
        (await world.Anna.Http.GetStringAsync($"/teams/{world.Team}/files/{world.Entry}/share")).ShouldContain("shares nothing by link");
        (await world.Anna.PostAsync($"/teams/{world.Team}/files/{world.Entry}/share")).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
    }

    [Theory]
    [InlineData("Days", "0")]
    [InlineData("Days", "366")]
    [InlineData("Days", "never")]
    [InlineData("Downloads", "-1")]
    [InlineData("Downloads", "99999999999")]
    [InlineData("Password", "seven 7")]
    public async Task What_cannot_be_is_said_and_makes_nothing(string name, string value)
    {
        var world = await BeginAsync(10);
        using var refused = await world.Anna.PostAsync($"/teams/{world.Team}/files/{world.Entry}/share", ("Choice." + name, value));
        refused.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await refused.Content.ReadAsStringAsync()).ShouldContain("role=\"alert\"");
        (await SqlAsync<long>($"select count(*) from share_links where entry = '{world.Entry}'")).ShouldBe(0);
    }

    [Fact]
    public async Task What_has_been_over_for_three_months_is_removed_by_the_job_and_by_nobody_else()
    {
        var world = await BeginAsync(10);
        var (old, works) = (await ShareAsync(world, null, ("Days", "1")), await ShareAsync(world, null, ("Days", "365")));
        using var visitor = host.Visitor();
        await DownloadAsync(visitor, old);
        await DownloadAsync(visitor, works);
        var team = new TeamId(await SqlAsync<Guid>($"select id from teams where reference = '{world.Team}'"));
        await using (var session = await host.Database.ForTeamAsync(team, world.Anna.Id, default))
        {
            (await session.ExecuteAsync($"delete from share_uses", default)).ShouldBe(0);
            (await session.ExecuteAsync($"delete from share_links", default)).ShouldBe(0);
        }
        var care = (Appliance.Sharing.SharingCare)host.Services.GetService(typeof(Appliance.Sharing.SharingCare))!;
        await care.RunOnceAsync(default);
        (await SqlAsync<long>($"select count(*) from share_links where entry = '{world.Entry}'")).ShouldBe(2);
        await SqlAsync<object?>($"with l as (update share_links set expires_at = expires_at - interval '92 days' where entry = '{world.Entry}' returning id) update share_uses set at = at - interval '92 days' where link_id in (select id from l) returning 1");
        await care.RunOnceAsync(default);
        (await SqlAsync<long>($"select count(*) from share_links where entry = '{world.Entry}'")).ShouldBe(1);
        (await SqlAsync<long>("select count(*) from share_uses u join share_links l on l.id = u.link_id where l.entry = '" + world.Entry + "'")).ShouldBe(0);
        (await DownloadAsync(visitor, works)).ShouldBe(world.Bytes);
    }

    [Fact]
    public async Task A_grant_is_for_its_link_alone_and_cannot_be_made_up()
    {
        var world = await BeginAsync(10);
        var other = await world.Files.FileAsync("secret", [9, 9]);
        var (open, closed) = (await ShareAsync(world), await ShareAsync(world, other, ("Password", "a long password")));
        using var visitor = host.Visitor();
        await DownloadAsync(visitor, open);
        var grant = visitor.Cookie("__Host-appliance-share")!;
        (await visitor.GetAsync(closed + "/content")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        var bent = grant[..10] + (grant[10] == 'A' ? 'B' : 'A') + grant[11..];
        foreach (var made in new[] { "", "x", new string('A', 70), new string('A', 299), bent, grant[..^2], "%%%" })
        {
            using var client = host.Client();
            using var request = new HttpRequestMessage(HttpMethod.Get, open + "/content");
            request.Headers.Add("Cookie", "__Host-appliance-share=" + made);
            using var answer = await client.SendAsync(request);
            answer.StatusCode.ShouldBe(HttpStatusCode.Redirect, made);
        }
    }

    [GeneratedRegex("<code id=\"share-link\">https://[^/]+(?<path>/s/[A-Za-z0-9_-]+)</code>", RegexOptions.None, 5000)]
    private static partial Regex Link();

    [GeneratedRegex("name=\"Reference\" value=\"(?<reference>[a-z2-7]{26})\"", RegexOptions.None, 5000)]
    private static partial Regex RevokeField();
}
