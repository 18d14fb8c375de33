using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Appliance.Data;
using Appliance.Tests.SignIn;
using Appliance.Tests.SignIn.Policy;

namespace Appliance.Tests.Admin.BreakGlass;

/// <summary>Break-glass from the ask to the end, as operators, owners and members have it.</summary>
[Trait("Requirement", "O5")]
public sealed class BreakGlassTests(BreakGlassHost host) : IClassFixture<BreakGlassHost>
{
    [Fact]
    public async Task An_owner_consents_the_operator_reads_and_the_team_sees_it_at_once_and_afterwards()
    {
        using var glass = await host.GlassAsync("whole");
        using var member = await host.PersonAsync(BreakGlassHost.Name("glass.member"));
        await glass.Owner.JoinAsync(glass.Team, member);
        var grant = await glass.AskAsync(hours: 2);
        await glass.ReadAsync(host.Ada, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "not-answered");
        var told = await host.Mail.WaitAsync(glass.Address, "An operator asks to read your team’s files");
        told.Text.ShouldContain("ada");
        told.Text.ShouldNotContain("court order");

        // Everybody in the team sees it, on three pages.
        foreach (var (person, page) in new[] { (glass.Owner, "members"), (member, "members"), (glass.Owner, "access"), (glass.Owner, "break-glass"), (member, "break-glass") })
        {
            var html = WebUtility.HtmlDecode((await person.HtmlAsync($"/teams/{glass.Team}/{page}")).Replace("&lt;b&gt;", "[b]", StringComparison.Ordinal));
            html.ShouldContain("[b]court order", customMessage: page);
            html.ShouldContain("asks to read this team’s files", customMessage: page);
        }
        (await glass.AnswerAsync(glass.Owner, grant)).Headers.Location?.ToString().ShouldBe(glass.Page);
        await host.Mail.WaitAsync(glass.Address, "An operator can read your team’s files");
        (await member.HtmlAsync($"/teams/{glass.Team}/members")).ShouldContain("can read this team’s files");

        var folder = await MakeFolderAsync(glass, "Inner");
        var listed = await (await glass.ListAsync(host.Ada, grant)).Content.ReadFromJsonAsync<JsonElement>();
        listed.GetProperty("files").EnumerateArray().Select(f => f.GetProperty("name").GetString()).ShouldBe(["Inner", "secret plan.txt"]);
        (await (await glass.ListAsync(host.Ada, grant, "?folder=" + folder)).Content.ReadFromJsonAsync<JsonElement>()).GetProperty("folder").GetString().ShouldBe("Inner");
        using (var read = await glass.ReadAsync(host.Ada, grant))
        {
            read.StatusCode.ShouldBe(HttpStatusCode.OK);
            (await read.Content.ReadAsStringAsync()).ShouldBe("the plan");
            read.Headers.CacheControl!.NoStore.ShouldBeTrue();
            read.Content.Headers.ContentDisposition!.DispositionType.ShouldBe("attachment");
        }
        await host.Mail.WaitAsync(glass.Address, "An operator began to read your team’s files");
        foreach (var person in new[] { glass.Owner, member })
        {
            var html = await person.HtmlAsync(glass.Page);
            html.ShouldContain("<bdi>secret plan.txt</bdi>");
            html.ShouldContain("1 download, 2 folders listed.");
        }
        (await member.HtmlAsync(glass.Page)).ShouldNotContain("End it now");

        // The entry names the file as every other does, and who it was.
        var entry = JsonDocument.Parse(await host.ScalarAsync<string>(
            $"select l.details from ledger_entries l join entries e on l.subject = e.id::text and l.tree = e.team_id where e.reference = '{glass.File}' and l.action = 'break-glass.read'")).RootElement;
        (entry.GetProperty("operator").GetString(), entry.GetProperty("operator_key").GetString(), entry.GetProperty("grant").GetString(), entry.GetProperty("name").GetString(), entry.GetProperty("version").GetString())
            .ShouldBe(("ada", host.Ada.Fingerprint, grant, "secret plan.txt", "1"));
        (await glass.Owner.HtmlAsync($"/teams/{glass.Team}/ledger?action=break-glass.")).ShouldContain("secret plan.txt");

        (await glass.EndAsync(glass.Owner, grant)).Headers.Location?.ToString().ShouldBe(glass.Page);
        await host.Mail.WaitAsync(glass.Address, "An operator’s access to your team’s files has ended");
        await glass.ReadAsync(host.Ada, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "over");
        await glass.ListAsync(host.Ada, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "over");
        (await member.HtmlAsync(glass.Page)).ShouldContain("Ended");
        (await member.HtmlAsync($"/teams/{glass.Team}/members")).ShouldNotContain("can read this team’s files");
        (await glass.ActionsAsync()).ShouldBe(["break-glass.asked", "break-glass.consented", "break-glass.listed", "break-glass.listed", "break-glass.read", "break-glass.ended"]);
        host.Mail.Mails.Count(m => m.To == glass.Address && m.Subject.Contains("began to read", StringComparison.Ordinal)).ShouldBe(1);
        // What the operators did, in the appliance's ledger, without the name of a file.
        var own = await host.ScalarAsync<string>($"select string_agg(action || details, ' ' order by id) from ledger_entries where tree = '{Guid.Empty}' and action like 'operator.break-glass%' and (subject in ('{grant}', '{glass.Team}'))");
        foreach (var action in new[] { "asked", "listed", "read" })
        {
            own.ShouldContain("operator.break-glass-" + action);
        }
        own.ShouldNotContain("secret plan");
    }

    [Fact]
    public async Task Two_operators_with_different_keys_do_where_no_owner_answers_in_time()
    {
        using var glass = await host.GlassAsync("two");
        var grant = await glass.AskAsync();
        await glass.ApproveAsync(host.Ben, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "too-early");
        await glass.AgeAsync(grant, 23);
        await glass.ApproveAsync(host.Ben, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "too-early");
        await glass.AgeAsync(grant, 2);
        await glass.ApproveAsync(host.Ada, grant).ShouldRefuseAsync(HttpStatusCode.Forbidden, "own-key");
        await glass.ApproveAsync(host.Eve, grant).ShouldRefuseAsync(HttpStatusCode.Forbidden, "action-not-permitted");
        (await glass.ApproveAsync(host.Ben, grant)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await glass.ApproveAsync(host.Ben, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "over");
        await glass.ReadAsync(host.Ben, grant).ShouldRefuseAsync(HttpStatusCode.Forbidden, "other-key");
        (await (await glass.ReadAsync(host.Ada, grant)).Content.ReadAsStringAsync()).ShouldBe("the plan");
        (await host.Mail.WaitAsync(glass.Address, "An operator can read your team’s files")).Text.ShouldContain("a second operator approved it");
        (await glass.Owner.HtmlAsync(glass.Page)).ShouldContain("A second operator approved, because no owner answered");
        (await glass.ActionsAsync()).ShouldBe(["break-glass.asked", "break-glass.approved", "break-glass.read"]);
        (await host.ScalarAsync<long>($"select count(*) from ledger_entries where tree = '{Guid.Empty}' and action = 'operator.refused' and details like '%{grant}%'")).ShouldBe(5);
        (await glass.EndAsync(host.Ben, grant)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await glass.ReadAsync(host.Ada, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "over");
        (await glass.Owner.HtmlAsync(glass.Page)).ShouldContain("by the operator <bdi>ben</bdi>");
    }

    [Fact]
    public async Task The_same_name_with_another_key_approves_nothing_and_reads_nothing()
    {
        using var glass = await host.GlassAsync("name");
        var (grant, open) = (await glass.AskAsync(), await glass.OpenAsync());
        await glass.AgeAsync(grant, 25);
        var again = new TestOperator("Ada");
        try
        {
            await host.AllowAsync(again.Line("actions=all"), host.Ben.Line("actions=breakglass"));
            await glass.ApproveAsync(again, grant).ShouldRefuseAsync(HttpStatusCode.Forbidden, "own-name");
            await glass.ReadAsync(again, open).ShouldRefuseAsync(HttpStatusCode.Forbidden, "other-key");
            // The key that asked is off the list: no connection; on it again without the action: not that.
            await Should.ThrowAsync<HttpRequestException>(() => glass.ReadAsync(host.Ada, open));
            await host.AllowAsync(host.Ada.Line("actions=status"), host.Ben.Line("actions=breakglass"));
            await glass.ReadAsync(host.Ada, open).ShouldRefuseAsync(HttpStatusCode.Forbidden, "action-not-permitted");
        }
        finally
        {
            await host.AllowAsync(host.Everybody);
        }
        (await glass.StateAsync(grant)).ShouldBe("asked");
        (await glass.ReadAsync(host.Ada, open)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_refusal_is_final_and_so_is_an_answer()
    {
        using var glass = await host.GlassAsync("refused");
        var grant = await glass.AskAsync();
        (await glass.AnswerAsync(glass.Owner, grant, consent: false)).Headers.Location?.ToString().ShouldBe(glass.Page);
        await glass.AgeAsync(grant, 30);
        await glass.ApproveAsync(host.Ben, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "over");
        (await glass.AnswerAsync(glass.Owner, grant)).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        await glass.ReadAsync(host.Ada, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "over");
        await glass.EndAsync(host.Ada, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "over");
        (await glass.StateAsync(grant)).ShouldBe("refused");
        (await glass.ActionsAsync()).ShouldBe(["break-glass.asked", "break-glass.refused"]);
        await host.Mail.WaitAsync(glass.Address, "An operator was refused your team’s files");
        // Withdrawn before it was answered: nothing to consent to.
        var other = await glass.AskAsync();
        (await glass.EndAsync(host.Ben, other)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await glass.AnswerAsync(glass.Owner, other)).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await glass.StateAsync(other)).ShouldBe("withdrawn");
        // And a week later an ask is over by itself.
        var late = await glass.AskAsync();
        await glass.AgeAsync(late, 169);
        await glass.ApproveAsync(host.Ben, late).ShouldRefuseAsync(HttpStatusCode.Conflict, "over");
        (await glass.AnswerAsync(glass.Owner, late)).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await glass.StateAsync(late)).ShouldBe("lapsed");
    }

    [Fact]
    public async Task It_ends_by_itself_whether_anybody_looks_or_not()
    {
        using var glass = await host.GlassAsync("expires");
        var grant = await glass.OpenAsync(hours: 1);
        (await glass.ReadAsync(host.Ada, grant)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await glass.AgeAsync(grant, 1);
        await glass.ReadAsync(host.Ada, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "over");
        await glass.ListAsync(host.Ada, grant).ShouldRefuseAsync(HttpStatusCode.Conflict, "over");
        (await glass.EndAsync(glass.Owner, grant)).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        await host.Mail.WaitAsync(glass.Address, "An operator’s access to your team’s files has ended");
        (await glass.ActionsAsync()).ShouldBe(["break-glass.asked", "break-glass.consented", "break-glass.read", "break-glass.expired"]);
    }

    [Theory]
    [InlineData("ended")]
    [InlineData("key removed")]
    [InlineData("action removed")]
    public async Task Ending_it_or_the_key_cuts_an_open_download_within_seconds_even_one_that_nobody_takes(string how)
    {
        using var glass = await host.GlassAsync("cut");
        var large = await glass.Owner.UploadAsync(glass.Team, "large.bin", new byte[24 << 20]);
        var grant = await glass.OpenAsync();
        using var client = host.Operator(host.Ada);
        using var read = await client.GetAsync($"/admin/v1/breakglass/{grant}/files/{large}", HttpCompletionOption.ResponseHeadersRead);
        read.StatusCode.ShouldBe(HttpStatusCode.OK);
        await using var body = await read.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[1000]);
        if (how == "ended")
        {
            (await glass.EndAsync(glass.Owner, grant)).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        }
        else
        {
            await host.AllowAsync([.. how == "key removed" ? [] : new[] { host.Ada.Line("actions=status") }, .. host.Everybody[1..]]);
        }
        await Task.Delay(TimeSpan.FromSeconds(5)); // nothing is taken meanwhile
        await Should.ThrowAsync<IOException>(() => body.CopyToAsync(Stream.Null)).WaitAsync(TimeSpan.FromSeconds(10));
        await host.AllowAsync(host.Everybody);
    }

    [Fact]
    public async Task A_long_download_goes_on_as_long_as_it_may()
    {
        using var glass = await host.GlassAsync("long");
        var large = await glass.Owner.UploadAsync(glass.Team, "large.bin", new byte[12 << 20]);
        var grant = await glass.OpenAsync();
        using var client = host.Operator(host.Ada);
        using var read = await client.GetAsync($"/admin/v1/breakglass/{grant}/files/{large}", HttpCompletionOption.ResponseHeadersRead);
        await using var body = await read.Content.ReadAsStreamAsync();
        await Task.Delay(TimeSpan.FromSeconds(5));
        var all = new MemoryStream();
        await body.CopyToAsync(all);
        all.Length.ShouldBe(12 << 20);
    }

    [Fact]
    public async Task Nothing_of_another_team_nothing_in_the_trash_and_nothing_that_is_not_there()
    {
        using var glass = await host.GlassAsync("bounds");
        using var other = await host.GlassAsync("other");
        var grant = await glass.OpenAsync();
        var (folder, elsewhere) = (await MakeFolderAsync(glass, "Folder"), await MakeFolderAsync(other, "Elsewhere"));
        foreach (var none in new[] { other.File, Reference.New(), folder, "x", "..%2F..", new string('a', 3000) })
        {
            await glass.ReadAsync(host.Ada, grant, none).ShouldRefuseAsync(HttpStatusCode.NotFound);
        }
        foreach (var none in new[] { elsewhere, Reference.New(), glass.File, "x" })
        {
            await glass.ListAsync(host.Ada, grant, "?folder=" + none).ShouldRefuseAsync(HttpStatusCode.NotFound);
        }
        await glass.ListAsync(host.Ada, grant, "?after=x").ShouldRefuseAsync(HttpStatusCode.NotFound);
        await glass.ReadAsync(host.Ada, Reference.New()).ShouldRefuseAsync(HttpStatusCode.NotFound);
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update entries set parent_id = (select id from entries where reference = '{folder}') where reference = '{glass.File}'");
        (await glass.ReadAsync(host.Ada, grant)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update entries set deleted_at = now(), deleted_by = created_by where reference = '{folder}'");
        await glass.ReadAsync(host.Ada, grant).ShouldRefuseAsync(HttpStatusCode.NotFound);
        await glass.ListAsync(host.Ada, grant, "?folder=" + folder).ShouldRefuseAsync(HttpStatusCode.NotFound);
        // What was not found was not read.
        (await glass.ActionsAsync()).ShouldBe(["break-glass.asked", "break-glass.consented", "break-glass.read"]);
        (await other.ActionsAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_large_folder_comes_page_by_page()
    {
        using var glass = await host.GlassAsync("pages");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"""
            insert into entries (id, team_id, reference, kind, name, name_key, size, revision, created_at, created_by, modified_at, modified_by)
            select gen_random_uuid(), t.id, lpad(n::text, 26, 'a'), 'folder', 'f' || lpad(n::text, 4, '0'), 'F' || lpad(n::text, 4, '0'), 0, 1, now(), m.user_id, now(), m.user_id
              from teams t join memberships m on m.team_id = t.id, generate_series(1, 1100) n where t.reference = '{glass.Team}'
            """);
        var grant = await glass.OpenAsync();
        var names = new List<string>();
        string? next = null;
        do
        {
            var page = await (await glass.ListAsync(host.Ada, grant, next is null ? "" : "?after=" + next)).Content.ReadFromJsonAsync<JsonElement>();
            names.AddRange(page.GetProperty("files").EnumerateArray().Select(f => f.GetProperty("name").GetString()!));
            next = page.GetProperty("next").GetString();
        }
        while (next is not null);
        names.ShouldBe([.. Enumerable.Range(1, 1100).Select(n => $"f{n:0000}"), "secret plan.txt"]);
        (await glass.ActionsAsync()).Count(a => a == "break-glass.listed").ShouldBe(3);
    }

    [Fact]
    public async Task Reason_hours_and_how_often_are_bounded()
    {
        using var glass = await host.GlassAsync("often");
        using var client = host.Operator(host.Ada);
        foreach (var (reason, hours) in new[] { ("too short", 4), (new string('x', 201), 4), (new string(' ', 50), 4), ("two\nlines of reason", 4), ("turned \u202E round it is", 4), ("a good enough reason", 0), ("a good enough reason", 25), ("a good enough reason", -1) })
        {
            await client.PostAsJsonAsync("/admin/v1/breakglass", new { team = glass.Team, reason, hours }).ShouldRefuseAsync(HttpStatusCode.UnprocessableEntity, "no-reason");
        }
        await client.PostAsJsonAsync("/admin/v1/breakglass", new { team = Reference.New(), reason = "a good enough reason", hours = 1 }).ShouldRefuseAsync(HttpStatusCode.NotFound);
        await client.PostAsJsonAsync("/admin/v1/breakglass", new { team = "x", reason = "a good enough reason", hours = 1 }).ShouldRefuseAsync(HttpStatusCode.NotFound);
        await client.PostAsJsonAsync("/admin/v1/breakglass", new { team = glass.Team, reason = "a good enough reason", state = "active" }).ShouldRefuseAsync(HttpStatusCode.BadRequest);
        var grants = new List<string> { await glass.AskAsync(), await glass.AskAsync(), await glass.AskAsync() };
        await client.PostAsJsonAsync("/admin/v1/breakglass", new { team = glass.Team, reason = "a good enough reason" }).ShouldRefuseAsync(HttpStatusCode.Conflict, "too-many");
        for (var asked = 3; asked < 10; asked++)
        {
            (await glass.EndAsync(host.Ada, grants[^1])).StatusCode.ShouldBe(HttpStatusCode.OK);
            grants.Add(await glass.AskAsync());
        }
        (await glass.EndAsync(host.Ada, grants[^1])).StatusCode.ShouldBe(HttpStatusCode.OK);
        await client.PostAsJsonAsync("/admin/v1/breakglass", new { team = glass.Team, reason = "a good enough reason" }).ShouldRefuseAsync(HttpStatusCode.Conflict, "too-often");
    }

    [Fact]
    public async Task Only_an_owner_of_the_team_with_their_second_factor_answers()
    {
        using var glass = await host.GlassAsync("who");
        using var member = await host.PersonAsync(BreakGlassHost.Name("glass.who.member"));
        using var elsewhere = await host.PersonAsync(BreakGlassHost.Name("glass.who.elsewhere"));
        await glass.Owner.JoinAsync(glass.Team, member);
        var theirs = await elsewhere.TeamAsync("Elsewhere");
        var (grant, open) = (await glass.AskAsync(), await glass.OpenAsync());
        foreach (var (person, page) in new[] { (member, glass.Page), (elsewhere, glass.Page), (elsewhere, $"/teams/{theirs}/break-glass") })
        {
            var form = await person.HtmlAsync("/teams");
            (await person.GetAsync($"{page}/{grant}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            foreach (var handler in new[] { "", "?handler=Refuse" })
            {
                (await person.PostAsync(form, $"{page}/{grant}{handler}")).StatusCode.ShouldBe(HttpStatusCode.NotFound, page + handler);
            }
            (await person.PostAsync(form, page + "?handler=End", ("Grant", open))).StatusCode.ShouldNotBe(HttpStatusCode.Redirect);
        }
        (await glass.StateAsync(grant), await glass.StateAsync(open)).ShouldBe(("asked", "active"));
        (await elsewhere.GetAsync(glass.Page)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // No antiforgery token, no answer.
        using var bare = new HttpRequestMessage(HttpMethod.Post, $"{glass.Page}/{grant}") { Content = new FormUrlEncodedContent([]) };
        (await glass.Owner.Client.SendAsync(bare)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        // An owner whose second factor is older than five minutes gives it anew.
        var page2 = await glass.Owner.HtmlAsync($"{glass.Page}/{grant}");
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await glass.Owner.PostAsync(page2, $"{glass.Page}/{grant}")).Headers.Location!.ToString().ShouldStartWith("/step-up");
        (await glass.StateAsync(grant)).ShouldBe("asked");
        await glass.Owner.TouchAsync("/step-up");
        (await glass.AnswerAsync(glass.Owner, grant)).Headers.Location?.ToString().ShouldBe(glass.Page);
        (await glass.StateAsync(grant)).ShouldBe("active");
    }

    private async Task<string> MakeFolderAsync(Glass glass, string name)
    {
        (await glass.Owner.SendAsync($"/teams/{glass.Team}/new-folder", null, ("Name", name))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        return await host.ScalarAsync<string>($"select e.reference from entries e join teams t on t.id = e.team_id where t.reference = '{glass.Team}' and e.name = '{name}'");
    }
}
