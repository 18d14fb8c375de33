using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.Teams.Groups;
using Appliance.Tests.Files;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Teams.Groups;

/// <summary>What groups grant, through every way that leads to a file; and that nothing else is granted.</summary>
[Trait("Requirement", "T4")]
public sealed partial class GroupTests(SignIn.SignInHost host) : IClassFixture<SignIn.SignInHost>
{
    private static async Task<HttpStatusCode> StatusAsync(Person person, string path) => (await person.Http.GetAsync(path)).StatusCode;

    private Task<GroupScene> BeginAsync() => GroupScene.BeginAsync(host);

    private Task<object?> SqlAsync(string sql) => host.Cluster.SuperuserAsync(host.Settings.DatabaseName, sql);

    [Fact]
    public async Task What_no_group_lets_one_read_is_not_there_by_any_way()
    {
        var s = await BeginAsync();
        await s.GrantAsync("everyone", Level.Write, Level.Write, "links", (s.Secret, "0"));
        (await s.Mine.NamesAsync()).ShouldBe(["Dull", "Open", "beside.txt"]);
        (await s.Theirs.NamesAsync()).ShouldContain("Secret plans");
        foreach (var entry in new[] { s.Secret, s.SecretFile, s.Inner, s.InnerFile })
        {
            (await s.Mine.AnswerAsync(HttpMethod.Get, $"/entries/{entry}")).StatusCode.ShouldBe(HttpStatusCode.NotFound, entry);
            (await s.Mine.AnswerAsync(HttpMethod.Get, $"/entries/{entry}/events")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await s.Mine.AnswerAsync(HttpMethod.Get, $"/entries/{entry}/versions")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await s.Mine.AnswerAsync(HttpMethod.Get, $"/entries/{entry}/content")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await s.Mine.AnswerAsync(HttpMethod.Patch, $"/entries/{entry}", new { name = "mine" })).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await s.Mine.AnswerAsync(HttpMethod.Delete, $"/entries/{entry}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await s.StatusAsync(s.Member, $"/files/{entry}")).ShouldBe(HttpStatusCode.NotFound);
            (await s.StatusAsync(s.Member, $"/files/{entry}/details")).ShouldBe(HttpStatusCode.NotFound);
            (await s.StatusAsync(s.Member, $"/files/{entry}/content")).ShouldBe(HttpStatusCode.NotFound);
            (await s.StatusAsync(s.Member, $"/files/{entry}/preview")).ShouldBe(HttpStatusCode.NotFound);
            (await s.StatusAsync(s.Member, $"/files/{entry}/share")).ShouldBe(HttpStatusCode.NotFound);
        }
        foreach (var words in new[] { "confid", "innermost", "secret", "con" })
        {
            (await s.Mine.NamesAsync(more: "")).ShouldNotContain("Secret plans");
            FilesClient.Names(await s.Mine.GetAsync("/search?q=" + words)).ShouldBeEmpty(words);
            FilesClient.Names(await s.Theirs.GetAsync("/search?q=" + words)).ShouldNotBeEmpty(words);
        }
        FilesClient.Names(await s.Mine.GetAsync("/search?q=open")).ShouldBe(["Open", "open.txt"], ignoreOrder: true);
        (await s.Mine.AnswerAsync(HttpMethod.Post, "/folders", new { name = "x", folder = s.Secret })).StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await s.Mine.AnswerAsync(HttpMethod.Post, FilesClient.FilePath("x.txt", s.Inner), new byte[] { 1 })).IsSuccessStatusCode.ShouldBeFalse();
        await s.Mine.RefusedAsync(HttpMethod.Post, "/entries/move", new { entries = new[] { s.OpenFile }, folder = s.Secret }, HttpStatusCode.Conflict, "folder-gone");
        (await StatusAsync(s.Member, $"/api/v1/teams/{s.Team}/archive?entry={s.SecretFile}")).ShouldBe(HttpStatusCode.NotFound);
        (await StatusAsync(s.Member, $"/api/v1/teams/{s.Team}/archive?entry={s.Secret}")).ShouldBe(HttpStatusCode.NotFound);
        // In the trash it is as hidden.
        await s.Theirs.TrashAsync(s.SecretFile);
        (await s.Member.Http.GetStringAsync($"/teams/{s.Team}/trash")).ShouldNotContain("confidential");
        (await s.Mine.AnswerAsync(HttpMethod.Get, $"/entries/{s.SecretFile}/events")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await s.Mine.RefusedAsync(HttpMethod.Post, "/trash/restore", new { entries = new[] { s.SecretFile } }, HttpStatusCode.NotFound, "entry-gone");
    }

    [Fact]
    public async Task Who_may_read_changes_nothing_and_is_told_so()
    {
        var s = await BeginAsync();
        await s.GrantAsync("everyone", Level.Read, Level.Read);
        (await s.Mine.BytesAsync(s.SecretFile)).ShouldBe("secret"u8.ToArray());
        var refused = HttpStatusCode.Forbidden;
        await s.Mine.RefusedAsync(HttpMethod.Post, "/folders", new { name = "x" }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Post, "/folders", new { name = "x", folder = s.Open }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("x.txt"), new byte[] { 1 }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("x.txt", s.Inner), new byte[] { 1 }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("open.txt", s.Open), new byte[] { 1 }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Put, $"/entries/{s.OpenFile}/content", new byte[] { 1 }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Patch, $"/entries/{s.OpenFile}", new { name = "mine" }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Post, "/entries/move", new { entries = new[] { s.OpenFile }, folder = s.Secret }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Post, "/entries/trash", new { entries = new[] { s.OpenFile } }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Delete, $"/entries/{s.OpenFile}", null, refused, "not-allowed");
        await s.Theirs.TrashAsync(s.OpenFile);
        await s.Mine.RefusedAsync(HttpMethod.Post, "/trash/restore", new { entries = new[] { s.OpenFile } }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Post, "/trash/delete", new { entries = new[] { s.OpenFile } }, refused, "not-allowed");
        (await (await s.Member.PostAsync($"/teams/{s.Team}/trash?handler=Empty")).Content.ReadAsStringAsync()).ShouldContain("do not let you manage this");
        (await s.Theirs.GetAsync("/trash")).GetProperty("entries").GetArrayLength().ShouldBe(1);
        // The pages show none of it.
        var page = await s.Member.Http.GetStringAsync($"/teams/{s.Team}/files/{s.Open}");
        page.ShouldNotContain("data-act=\"new-folder\"");
        page.ShouldNotContain("data-upload-choose");
        page.ShouldNotContain("data-act=\"trash\"");
        (await s.Member.Http.GetStringAsync($"/teams/{s.Team}/files/{s.SecretFile}/details")).ShouldNotContain("/rename");
        (await s.Owner.Http.GetStringAsync($"/teams/{s.Team}/files/{s.Open}")).ShouldContain("data-upload-choose");
    }

    [Fact]
    public async Task Who_writes_does_not_manage()
    {
        var s = await BeginAsync();
        await s.GrantAsync("everyone", Level.Read, Level.Write);
        var file = await s.Mine.FileAsync("mine.txt", [1], s.Open);
        await s.Mine.SendAsync(HttpMethod.Patch, $"/entries/{file}", new { name = "renamed.txt" });
        await s.Mine.SendAsync(HttpMethod.Put, $"/entries/{file}/content", new byte[] { 2 });
        await s.Mine.PostAsync("/entries/move", new { entries = new[] { file }, folder = s.Inner });
        var refused = HttpStatusCode.Forbidden;
        await s.Mine.RefusedAsync(HttpMethod.Delete, $"/entries/{file}/versions/1", null, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Patch, $"/entries/{s.Open}", new { name = "Mine" }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Post, "/entries/trash", new { entries = new[] { s.Open } }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Post, "/entries/move", new { entries = new[] { s.Open }, folder = s.Secret }, refused, "not-allowed");
        await s.Mine.RefusedAsync(HttpMethod.Post, "/entries/move", new { entries = new[] { s.Inner }, folder = (string?)null }, refused, "not-allowed");
        await s.Mine.TrashAsync(file);
        await s.Mine.RefusedAsync(HttpMethod.Post, "/trash/delete", new { entries = new[] { file } }, refused, "not-allowed");
        (await (await s.Member.PostAsync($"/teams/{s.Team}/trash?handler=Empty")).Content.ReadAsStringAsync()).ShouldContain("do not let you manage this");
        (await s.Theirs.GetAsync("/trash")).GetProperty("entries").GetArrayLength().ShouldBe(1);
        await s.Mine.PostAsync("/trash/restore", new { entries = new[] { file } });
        // With the level, all of it.
        await s.GrantAsync("everyone", Level.Write, Level.Manage);
        await s.Mine.SendAsync(HttpMethod.Delete, $"/entries/{file}/versions/1", status: HttpStatusCode.NoContent);
        await s.Mine.SendAsync(HttpMethod.Patch, $"/entries/{s.Open}", new { name = "Renamed" });
        await s.Mine.PostAsync("/entries/move", new { entries = new[] { s.Inner }, folder = (string?)null });
    }

    [Fact]
    public async Task Of_several_groups_the_highest_counts_and_a_move_takes_its_place_s_rules()
    {
        var s = await BeginAsync();
        await s.GrantAsync("everyone", Level.None, Level.None);
        (await s.Mine.NamesAsync()).ShouldBeEmpty();
        (await s.Mine.AnswerAsync(HttpMethod.Get, $"/entries/{s.Beside}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        var readers = await s.GroupAsync("Readers", s.Member);
        await s.GrantAsync(readers, Level.None, Level.None, "", (s.Open, "1"));
        (await s.Mine.NamesAsync()).ShouldBe(["Open"]);
        var writers = await s.GroupAsync("Writers", s.Member);
        await s.GrantAsync(writers, Level.None, Level.None, "", (s.Open, "2"), (s.Secret, "1"));
        await s.Mine.FileAsync("new.txt", [1], s.Open);
        (await s.Mine.NamesAsync()).ShouldBe(["Open", "Secret plans"]);
        (await s.Mine.NamesAsync(s.Secret)).ShouldBe(["inner", "confidential.txt"]);
        // A whole folder that moves takes what is in it along.
        await s.Theirs.PostAsync("/entries/move", new { entries = new[] { s.Inner }, folder = s.Open });
        await s.Mine.SendAsync(HttpMethod.Patch, $"/entries/{s.InnerFile}", new { name = "mine now.txt" });
        var dull = FilesClient.Ref((await s.Theirs.GetAsync("/entries")).GetProperty("entries").EnumerateArray().Single(e => e.GetProperty("name").GetString() == "Dull"));
        await s.Theirs.PostAsync("/entries/move", new { entries = new[] { s.Inner }, folder = dull });
        (await s.Mine.AnswerAsync(HttpMethod.Get, $"/entries/{s.InnerFile}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // A new top-level folder is one of the others.
        var fresh = await s.Theirs.FolderAsync("Fresh");
        (await s.Mine.AnswerAsync(HttpMethod.Get, $"/entries/{fresh}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // Out of the group is out of what it gave.
        (await s.Owner.PostAsync($"/teams/{s.Team}/groups/{writers}?handler=Remove", ("username", s.Member.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await s.Mine.NamesAsync()).ShouldBe(["Open"]);
        await s.Mine.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("again.txt", s.Open), new byte[] { 1 }, HttpStatusCode.Forbidden, "not-allowed");
        (await s.Owner.PostAsync($"/teams/{s.Team}/groups/{readers}?handler=Delete")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await s.Mine.NamesAsync()).ShouldBeEmpty();
        // And who leaves the team and comes back is in no group.
        await s.GrantAsync(writers, Level.Manage, Level.Manage);
        (await s.Owner.PostAsync($"/teams/{s.Team}/groups/{writers}?handler=Add", ("username", s.Member.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await s.Owner.PostAsync($"/teams/{s.Team}/members?handler=Remove", ("Username", s.Member.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await s.Owner.InviteAsync(s.Team, s.Member);
        (await s.Mine.NamesAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_database_itself_refuses_whatever_the_program_asks()
    {
        var s = await BeginAsync();
        await s.GrantAsync("everyone", Level.Read, Level.Read, "", (s.Secret, "0"));
        var team = new Vault.TeamId((Guid)(await SqlAsync($"select id from teams where reference = '{s.Team}'"))!);
        foreach (var attack in new[]
        {
            "update entries set name = 'x' where reference = '{open-file}'",
            "update entries set parent_id = null where reference = '{secret-file}'",
            "update entries set top_id = null where reference = '{secret-file}'",
            "update entries set deleted_at = now(), purged_at = now() where kind = 'file'",
            "delete from entries",
            "delete from versions",
            "update team_groups set others = 3, at_top = 3, permissions = '{invite,ledger,links}'",
            "update team_group_folders set level = 3",
            "delete from team_group_folders",
        })
        {
            await using var session = await host.Database.ForTeamAsync(team, s.Member.Id, default);
            var sql = attack.Replace("{open-file}", s.OpenFile).Replace("{secret-file}", s.SecretFile);
            (await session.ExecuteAsync(System.Runtime.CompilerServices.FormattableStringFactory.Create(sql.Replace("{", "{{").Replace("}", "}}")), default)).ShouldBe(0, sql);
        }
        foreach (var attack in new[]
        {
            "insert into entries (id, team_id, reference, parent_id, kind, name, name_key, size, created_at, created_by, modified_at, modified_by) select gen_random_uuid(), app_team(), 'aaaaaaaaaaaaaaaaaaaaaaaaaa', null, 'folder', 'x', 'X', 0, now(), app_user(), now(), app_user()",
            "insert into team_group_members (team_id, group_id, user_id, since, added_by) select team_id, id, app_user(), now(), app_user() from team_groups",
            "insert into team_groups (team_id, id, reference, name, name_key, at_top, others, permissions, created_at) values (app_team(), gen_random_uuid(), 'x', 'x', 'X', 3, 3, '{}', now())",
            "insert into uploads (id, team_id, reference, user_id, folder_id, name, name_key, length, created_at, expires_at) select gen_random_uuid(), app_team(), 'bbbbbbbbbbbbbbbbbbbbbbbbbb', app_user(), null, 'x', 'X', 1, now(), now()",
            "insert into versions (id, team_id, entry_id, content_id, number, size, media_type, created_at, created_by) select gen_random_uuid(), team_id, id, gen_random_uuid(), 9, 1, 'text/plain', now(), app_user() from entries where kind = 'file' limit 1",
            "select app_content_of_team('x', null)",
            "select app_search_of_team(array['SECRET'], 10)",
            "insert into member_offers (team_id, username, username_key, reference, team_name, offered_by, offered_at) values (app_team(), 'x', 'X', 'x', 'x', app_user(), now())",
        })
        {
            await using var session = await host.Database.ForTeamAsync(team, s.Member.Id, default);
            await Should.ThrowAsync<ForbiddenByDatabaseException>(
                () => session.ExecuteAsync(System.Runtime.CompilerServices.FormattableStringFactory.Create(attack.Replace("{", "{{").Replace("}", "}}")), default), attack);
        }
        await using var looking = await host.Database.ForTeamAsync(team, s.Member.Id, default);
        (await looking.SqlAsync<int>($"""select count(*)::int as "Value" from entries where name like '%secret%' or name like '%confid%' or name = 'innermost.txt' """, default)).ShouldBe([0]);
        (await looking.SqlAsync<int>($"""select count(*)::int as "Value" from versions v where not exists (select from entries e where e.id = v.entry_id)""", default)).ShouldBe([0]);
        (await looking.SqlAsync<int>($"""select count(*)::int as "Value" from app_content({s.SecretFile}, null)""", default)).ShouldBe([0]);
        (await looking.SqlAsync<int>($"""select count(*)::int as "Value" from ledger_entries where details::text like '%confidential%'""", default)).ShouldBe([0]);
    }

    [Fact]
    public async Task Permissions_open_what_they_name_and_nothing_else()
    {
        var s = await BeginAsync();
        var other = await Person.NewAsync(host, "other");
        var (ledger, members) = ($"/teams/{s.Team}/ledger", $"/teams/{s.Team}/members");
        (await StatusAsync(s.Member, ledger)).ShouldBe(HttpStatusCode.NotFound);
        (await s.Member.Http.GetStringAsync(members)).ShouldNotContain($"\"{ledger}\"");
        (await s.Owner.Http.GetStringAsync(members)).ShouldContain($"\"{ledger}\"");
        (await s.Member.PostAsync(members, ("Username", other.Username))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await s.Member.Http.GetStringAsync(members)).ShouldNotContain("Offer a place");
        var group = await s.GroupAsync("Helpers", s.Member);
        await s.GrantAsync(group, Level.None, Level.None, "invite ledger");
        (await StatusAsync(s.Member, ledger)).ShouldBe(HttpStatusCode.OK);
        (await s.Member.Http.GetStringAsync(members)).ShouldContain($"\"{ledger}\"");
        (await s.Member.Http.GetStringAsync(members)).ShouldContain("Offer a place");
        await s.Member.InviteAsync(s.Team, other);
        (await StatusAsync(other, ledger)).ShouldBe(HttpStatusCode.NotFound);
        foreach (var page in new[] { "/groups", $"/groups/{group}", $"/members/reach?username={s.Owner.Username}", "/policy", "/access", $"/members/role?username={s.Member.Username}" })
        {
            (await s.StatusAsync(s.Member, page)).ShouldBe(HttpStatusCode.NotFound, page);
        }
        // The ledger names what is in every folder, so it takes to read them all.
        await s.GrantAsync("everyone", Level.Manage, Level.Manage, "", (s.Secret, "0"));
        (await StatusAsync(s.Member, ledger)).ShouldBe(HttpStatusCode.NotFound);
        (await StatusAsync(s.Member, ledger + "/export")).ShouldBe(HttpStatusCode.NotFound);
        // Links are a permission, too.
        var refused = await s.Member.PostAsync($"/teams/{s.Team}/files/{s.OpenFile}/share", ("Days", "7"));
        (await refused.Content.ReadAsStringAsync()).ShouldContain("Your groups do not let you share by link");
    }

    [Theory, Trait("Requirement", "F6")]
    [InlineData("permission")]
    [InlineData("folder")]
    public async Task A_link_ends_with_what_its_maker_may(string loses)
    {
        var s = await BeginAsync();
        using var made = await s.Member.PostAsync($"/teams/{s.Team}/files/{s.SecretFile}/share");
        var link = Link().Match(await made.Content.ReadAsStringAsync()).Value;
        using var visitor = host.Client();
        (await visitor.GetAsync(link)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await s.GrantAsync("everyone", Level.Manage, Level.Manage, loses == "permission" ? "" : "links", loses == "permission" ? [] : [(s.Secret, "0")]);
        (await visitor.GetAsync(link)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await visitor.GetAsync(link + "/content")).StatusCode.ShouldBeOneOf(HttpStatusCode.NotFound, HttpStatusCode.Redirect);
        await s.GrantAsync("everyone", Level.Manage, Level.Manage, "links", (s.Secret, ""));
        (await visitor.GetAsync(link)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_download_whose_folder_is_taken_away_meanwhile_has_no_end(bool taken)
    {
        var s = await BeginAsync();
        var file = await s.Theirs.FileAsync("large.bin", new byte[24 << 20], s.Secret);
        using var answer = await s.Member.Http.GetAsync($"/teams/{s.Team}/files/{file}/content", HttpCompletionOption.ResponseHeadersRead);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        await using var body = await answer.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[1000]);
        await s.GrantAsync("everyone", Level.Manage, Level.Manage, "", ((taken ? s.Secret : s.Open), "0"));
        host.Clock.Move(Appliance.Teams.AccessWatch.Interval);
        var read = () => body.CopyToAsync(Stream.Null);
        await (taken ? (Task)Should.ThrowAsync<Exception>(read) : Should.NotThrowAsync(read));
    }

    [Fact]
    public async Task Nobody_but_an_owner_with_a_key_changes_groups_and_what_is_no_grant_is_refused()
    {
        var s = await BeginAsync();
        var group = await s.GroupAsync("Group");
        var stranger = await Person.NewAsync(host, "stranger");
        foreach (var who in new[] { s.Member, stranger })
        {
            (await who.PostAsync($"/teams/{s.Team}/groups", ("Name", "mine"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await s.TryGrantAsync(who, group, Level.Manage, Level.Manage)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            foreach (var handler in new[] { "Add", "Remove", "Rename", "Delete" })
            {
                (await who.PostAsync($"/teams/{s.Team}/groups/{group}?handler={handler}", ("username", who.Username), ("name", "x"))).StatusCode.ShouldBe(HttpStatusCode.NotFound, handler);
            }
        }
        (await s.TryGrantAsync(s.Owner, group, (Level)4, Level.None)).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await s.TryGrantAsync(s.Owner, group, Level.None, (Level)(-1))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await s.TryGrantAsync(s.Owner, group, Level.None, Level.None, "everything")).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await s.TryGrantAsync(s.Owner, group, Level.None, Level.None, "", (s.Inner, "1"))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await s.TryGrantAsync(s.Owner, group, Level.None, Level.None, "", (s.Open, "7"))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await s.Owner.PostAsync($"/teams/{s.Team}/groups/nonesuch", ("revision", "1"), ("atTop", "3"), ("others", "3"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await s.Owner.PostAsync($"/teams/{s.Team}/groups/everyone?handler=Delete")).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await s.Owner.PostAsync($"/teams/{s.Team}/groups/everyone?handler=Rename", ("name", "x"))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await s.Owner.PostAsync($"/teams/{s.Team}/groups", ("Name", "GROUP"))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await s.Owner.PostAsync($"/teams/{s.Team}/groups", ("Name", "a\u202Eb"))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await s.Owner.PostAsync($"/teams/{s.Team}/groups/{group}?handler=Add", ("username", stranger.Username))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        // Two owners' pages: the second is told.
        (await s.Owner.PostAsync($"/teams/{s.Team}/groups/{group}", ("revision", "999"), ("atTop", "0"), ("others", "0"))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await SqlAsync($"select count(*) from ledger_entries e join teams t on t.id = e.tree where t.reference = '{s.Team}' and e.action like 'group.%'")).ShouldBe(1L);
    }

    [Fact]
    public async Task An_owner_sees_what_a_member_may_as_the_database_decides_it()
    {
        var s = await BeginAsync();
        var group = await s.GroupAsync("Readers of plans", s.Member);
        await s.GrantAsync("everyone", Level.None, Level.Read, "links", (s.Open, "0"));
        await s.GrantAsync(group, Level.None, Level.None, "invite", (s.Secret, "2"));
        var page = WebUtility.HtmlDecode(await s.Owner.Http.GetStringAsync($"/teams/{s.Team}/members/reach?username={s.Member.Username}"));
        Cells().Matches(page).Select(m => (m.Groups["place"].Value, m.Groups["level"].Value, m.Groups["by"].Value)).ShouldBe(
            [("Beside the folders", "nothing", ""), ("Dull", "read", "Everyone"), ("Open", "nothing", ""), ("Secret plans", "read and write", "Readers of plans")]);
        page.ShouldNotContain("confidential");
        page = WebUtility.HtmlDecode(await s.Owner.Http.GetStringAsync($"/teams/{s.Team}/members/reach?username={s.Owner.Username}"));
        Cells().Matches(page).Select(m => m.Groups["level"].Value).ShouldAllBe(level => level == "manage");
        (await s.StatusAsync(s.Owner, "/members/reach?username=nobody")).ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact, Trait("Requirement", "T6")]
    public async Task A_review_and_the_export_say_what_each_reaches_and_by_which_group()
    {
        var s = await BeginAsync();
        var group = await s.GroupAsync("=Planners", s.Member);
        await s.GrantAsync("everyone", Level.None, Level.Read);
        await s.GrantAsync(group, Level.None, Level.None, "invite", (s.Secret, "2"));
        const string Reaches = "Everyone: folders read, beside them nothing; =Planners: folders nothing, beside them nothing, “Secret plans” read and write, lets people in";
        foreach (var path in new[] { "/access", "/access/review", "/access/export" })
        {
            var text = WebUtility.HtmlDecode(await s.Owner.Http.GetStringAsync($"/teams/{s.Team}{path}"));
            text.ShouldContain(Reaches, Case.Sensitive, path);
            text.ShouldContain("everything, as an owner");
        }
    }

    [Fact]
    public async Task An_upload_whose_folder_is_taken_away_meanwhile_does_not_arrive()
    {
        var s = await BeginAsync();
        var create = new HttpRequestMessage(HttpMethod.Post, $"/api/v1/teams/{s.Team}/uploads") { Version = HttpVersion.Version20 };
        create.Headers.Add("Tus-Resumable", "1.0.0");
        create.Headers.Add("Upload-Length", "6");
        create.Headers.Add("Upload-Metadata", $"filename {Convert.ToBase64String("late.txt"u8)},folder {Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(s.Open))}");
        var made = await s.Member.Http.SendAsync(create);
        made.StatusCode.ShouldBe(HttpStatusCode.Created, await made.Content.ReadAsStringAsync());
        await s.GrantAsync("everyone", Level.Read, Level.Read);
        var patch = new HttpRequestMessage(HttpMethod.Patch, made.Headers.Location) { Version = HttpVersion.Version20, Content = new ByteArrayContent("secret"u8.ToArray()) };
        patch.Headers.Add("Tus-Resumable", "1.0.0");
        patch.Headers.Add("Upload-Offset", "0");
        patch.Content.Headers.TryAddWithoutValidation("Content-Type", "application/offset+octet-stream");
        (await s.Member.Http.SendAsync(patch)).IsSuccessStatusCode.ShouldBeFalse();
        (await s.Theirs.NamesAsync(s.Open)).ShouldBe(["open.txt"]);
    }

    /// <summary>While somebody puts files into a folder that is moved to and fro, each ends where its folder is.</summary>
    [Fact]
    public async Task Where_an_entry_lies_is_right_whatever_happens_at_once()
    {
        var s = await BeginAsync();
        var uploads = Task.Run(async () =>
        {
            for (var i = 0; i < 40; i++)
            {
                await s.Mine.FileAsync($"f{i}.txt", [1], s.Inner);
            }
        });
        for (var i = 0; !uploads.IsCompleted || i < 4; i++)
        {
            await s.Theirs.PostAsync("/entries/move", new { entries = new[] { s.Inner }, folder = i % 3 == 0 ? s.Open : i % 3 == 1 ? null : s.Secret });
        }
        await uploads;
        (await SqlAsync(
            """
            with recursive down as (
                select team_id, id, case when kind = 'folder' then id end as top, top_id from entries where parent_id is null
                union all
                select e.team_id, e.id, d.top, e.top_id from down d join entries e on e.team_id = d.team_id and e.parent_id = d.id)
            select count(*) from down where top is distinct from top_id
            """)).ShouldBe(0L);
    }

    [GeneratedRegex("/s/[A-Za-z0-9_-]{40,}", RegexOptions.None, 5000)]
    private static partial Regex Link();

    [GeneratedRegex("<tr><td><bdi>(?<place>[^<]*)</bdi></td><td>(?<level>[^<]*)</td><td>(?<by>[^<]*)</td></tr>", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Cells();
}
