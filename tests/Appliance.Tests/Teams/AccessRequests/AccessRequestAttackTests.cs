using System.Net;
using Appliance.Data;
using Appliance.Tests.Mail;
using Appliance.Tests.SignIn;
using Appliance.Tests.SignIn.Policy;
using Appliance.Tests.SignIn.Totp;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Teams.AccessRequests;

/// <summary>Every way around the code, the owner and the key.</summary>
[Trait("Requirement", "A15")]
public sealed class AccessRequestAttackTests(MailHost host) : IClassFixture<MailHost>
{
    [Fact]
    public async Task Three_wrong_codes_and_the_request_is_void_and_both_are_told()
    {
        var (owner, ownerAddress) = await host.WithAddressAsync("guesses");
        var (member, address) = await host.WithAddressAsync("guessed");
        using var _ = owner;
        using var __ = member;
        var team = await owner.TeamAsync("Guess");
        await owner.JoinAsync(team, member);
        var code = await member.AskForAccessAsync(team);
        var page = await host.RequestAsync(team, member);
        foreach (var none in new[] { "", "12", "222-2222", "222-22O", new string('2', 5000) })
        {
            await owner.ApproveAsync(page, none).ShouldRefuseAsync("A code has six letters and digits");
        }
        (await host.StateAsync(page)).ShouldBe("open 0");
        var form = await owner.HtmlAsync(page);
        await owner.ApproveAsync(page, AccessRequestJourneys.Wrong).ShouldRefuseAsync("Two more tries");
        await owner.ApproveAsync(page, AccessRequestJourneys.Wrong).ShouldRefuseAsync("One more try");
        await owner.ApproveAsync(page, AccessRequestJourneys.Wrong).ShouldRefuseAsync("Three wrong codes: the request is void");
        await owner.PostAsync(form, page, ("Code", code)).ShouldRefuseAsync("This request is over");
        (await host.StateAsync(page)).ShouldBe("void 3");
        (await host.RoleAsync(team, member)).ShouldBe("member");
        await host.Mail.WaitAsync(address, "Your request for access is void");
        await host.Mail.WaitAsync(ownerAddress, "A request for access is void");
        foreach (var both in new[] { owner, member })
        {
            (await both.HtmlAsync("/teams")).ShouldContain("A request for access to a team is void");
        }
        (await member.HtmlAsync(AccessRequestJourneys.Ask(team))).ShouldContain("is void");
        (await host.ActionsAsync(team)).ShouldBe(["access-request.made", "access-request.void"]);
    }

    [Fact]
    public async Task Of_many_tries_at_once_three_are_counted()
    {
        var (owner, member, team) = await host.PairAsync("many");
        using var _ = owner;
        using var __ = member;
        await member.AskForAccessAsync(team);
        var page = await host.RequestAsync(team, member);
        var form = await owner.HtmlAsync(page);
        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(async _ => WebUtility.HtmlDecode(await (await owner.PostAsync(form, page, ("Code", AccessRequestJourneys.Wrong))).Content.ReadAsStringAsync())));
        answers.Count(a => a.Contains("This is not the code", StringComparison.Ordinal)).ShouldBe(2);
        answers.Count(a => a.Contains("Three wrong codes: the request is void", StringComparison.Ordinal)).ShouldBe(1);
        answers.Count(a => a.Contains("This request is over", StringComparison.Ordinal)).ShouldBe(7);
        (await host.StateAsync(page)).ShouldBe("void 3");
        (await host.ActionsAsync(team)).ShouldBe(["access-request.made", "access-request.void"]);
    }

    [Fact]
    public async Task Nobody_but_another_owner_of_the_team_answers()
    {
        var (owner, member, team) = await host.PairAsync("who");
        using var _ = owner;
        using var __ = member;
        using var other = await host.PersonAsync(MailHost.Name("who.other"));
        using var elsewhere = await host.PersonAsync(MailHost.Name("who.elsewhere"));
        await owner.JoinAsync(team, other);
        var theirs = await elsewhere.TeamAsync("Elsewhere");
        var code = await member.AskForAccessAsync(team);
        var page = await host.RequestAsync(team, member);
        foreach (var (person, address) in new[] { (member, page), (other, page), (elsewhere, page), (elsewhere, page.Replace(team, theirs, StringComparison.Ordinal)) })
        {
            var form = await person.HtmlAsync("/teams");
            (await person.GetAsync(address)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await person.PostAsync(form, address, ("Code", code))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await person.PostAsync(form, address + "?handler=Refuse")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
        (await host.StateAsync(page)).ShouldBe("open 0");

        // Made an owner behind everybody's back, the person still does not answer it themself.
        await host.SetRoleAsync(team, member, "owner");
        await member.PostAsync(await member.HtmlAsync("/teams"), page, ("Code", code)).ShouldRefuseAsync("You asked for it yourself");
        await member.PostAsync(await member.HtmlAsync("/teams"), page + "?handler=Refuse").ShouldRefuseAsync("You asked for it yourself");
        (await host.StateAsync(page)).ShouldBe("open 0");
        using var bare = new HttpRequestMessage(HttpMethod.Post, page) { Content = new FormUrlEncodedContent([new("Code", code)]) };
        (await owner.Client.SendAsync(bare)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task Not_without_the_key_and_an_app_does_not_stand_in_for_one()
    {
        var (owner, member, team) = await host.PairAsync("key");
        using var _ = owner;
        using var __ = member;
        var app = await host.AddAppAsync(owner);
        var code = await member.AskForAccessAsync(team);
        var page = await host.RequestAsync(team, member);
        var form = await owner.HtmlAsync(page);
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await owner.LedToAsync(page)).ShouldStartWith("/step-up");
        (await owner.PostAsync(form, page, ("Code", code))).Headers.Location!.ToString().ShouldStartWith("/step-up");
        (await owner.SendAsync("/step-up", "/step-up?handler=App", ("Code", app.Code(host.Clock.GetUtcNow())))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await owner.HtmlAsync(page)).ShouldContain("Touch your key");
        await owner.ApproveAsync(page, code).ShouldRefuseAsync("it was not touched just now");
        (await host.StateAsync(page)).ShouldBe("open 0");
        await owner.TouchAsync("/step-up");
        await owner.ApproveAsync(page, code).ShouldGrantAsync(team);
    }

    [Fact]
    public async Task Who_has_no_key_grants_with_their_app()
    {
        var (owner, app) = await host.AppPersonAsync(MailHost.Name("app.owner"));
        using var _ = owner;
        using var member = await host.PersonAsync(MailHost.Name("app.member"));
        var team = await owner.TeamAsync("App");
        await owner.JoinAsync(team, member);
        var code = await member.AskForAccessAsync(team);
        var page = await host.RequestAsync(team, member);
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await owner.LedToAsync(page)).ShouldStartWith("/step-up");
        (await owner.SendAsync("/step-up", "/step-up?handler=App", ("Code", app.Code(host.Clock.GetUtcNow())))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await owner.ApproveAsync(page, code).ShouldGrantAsync(team);
    }

    [Fact]
    public async Task What_ran_out_or_belongs_to_another_request_opens_nothing()
    {
        var (owner, member, team) = await host.PairAsync("late");
        using var _ = owner;
        using var __ = member;
        using var other = await host.PersonAsync(MailHost.Name("late.other"));
        await owner.JoinAsync(team, other);
        var (code, another) = (await member.AskForAccessAsync(team), await other.AskForAccessAsync(team));
        var page = await host.RequestAsync(team, member);
        await owner.ApproveAsync(page, another).ShouldRefuseAsync("This is not the code");
        var form = await owner.HtmlAsync(page);
        await host.ScalarAsync<object?>($"update access_requests set made_at = made_at - interval '24 hours', expires_at = expires_at - interval '24 hours' where reference = '{page.Split('/')[^1]}' returning null");
        await owner.PostAsync(form, page, ("Code", code)).ShouldRefuseAsync("ran out after 24 hours");
        (await member.HtmlAsync(AccessRequestJourneys.Ask(team))).ShouldContain("ran out.");
        (await owner.HtmlAsync($"/teams/{team}/members")).ShouldNotContain(page);
        (await host.StateAsync(page)).ShouldBe("open 1");
        // The next one takes its place.
        code = await member.AskForAccessAsync(team);
        await owner.ApproveAsync(await host.RequestAsync(team, member), code).ShouldGrantAsync(team);
    }

    [Fact]
    public async Task Whoever_is_removed_or_changed_meanwhile_is_granted_nothing()
    {
        var (owner, member, team) = await host.PairAsync("gone");
        using var _ = owner;
        using var __ = member;
        var code = await member.AskForAccessAsync(team);
        var page = await host.RequestAsync(team, member);
        var form = await owner.HtmlAsync(page);
        await owner.SendAsync($"/teams/{team}/members", $"/teams/{team}/members?handler=Remove", ("Username", member.Username));
        await owner.PostAsync(form, page, ("Code", code)).ShouldRefuseAsync("is not in the team any more");
        (await member.GetAsync(AccessRequestJourneys.Ask(team))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // Back in the team, they ask anew.
        host.Clock.Move(TimeSpan.FromSeconds(5));
        await owner.JoinAsync(team, member);
        await owner.PostAsync(form, page, ("Code", code)).ShouldRefuseAsync("is not in the team any more");

        code = await member.AskForAccessAsync(team);
        page = await host.RequestAsync(team, member);
        var role = $"/teams/{team}/members/role";
        await owner.SendAsync($"{role}?username={member.Username}", role);
        await owner.PostAsync(form, page, ("Code", code)).ShouldRefuseAsync("This request is over");
        await owner.SendAsync($"{role}?username={member.Username}", role);
        (await host.RoleAsync(team, member)).ShouldBe("member");
        await owner.PostAsync(form, page, ("Code", code)).ShouldRefuseAsync("This request is over");

        await host.EndAccessAsync(team, member);
        code = await member.AskForAccessAsync(team);
        page = await host.RequestAsync(team, member);
        var reinstate = $"/teams/{team}/access/reinstate?username={member.Username}";
        await owner.SendAsync(reinstate, reinstate);
        await owner.PostAsync(form, page, ("Code", code)).ShouldRefuseAsync("has no access to give back");
        (await host.RoleAsync(team, member)).ShouldBe("member");
    }

    [Fact]
    public async Task An_approver_whose_ownership_ends_in_this_moment_grants_nothing()
    {
        var (owner, member, team) = await host.PairAsync("moment");
        using var _ = owner;
        using var __ = member;
        var code = await member.AskForAccessAsync(team);
        var page = await host.RequestAsync(team, member);
        var form = await owner.HtmlAsync(page);
        var (id, teamId) = (await host.IdAsync(owner), await host.TeamIdAsync(team));
        Task<HttpResponseMessage> attempt;
        await using (var change = await host.Database.ForJobAsync(teamId, default))
        {
            await change.ExecuteAsync($"update memberships set role = 'member' where team_id = app_team() and user_id = {id.Value}", default);
            attempt = owner.PostAsync(form, page, ("Code", code));
            while (await host.ScalarAsync<long>("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()") == 0 && !attempt.IsCompleted)
            {
                await Task.Delay(20);
            }
            await change.CommitAsync(default);
        }
        (await attempt).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.StateAsync(page)).ShouldBe("open 0");
        (await host.RoleAsync(team, member)).ShouldBe("member");
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task The_database_itself_lets_nobody_grant_to_themself_or_read_what_others_ask()
    {
        var (owner, member, reference) = await host.PairAsync("database");
        using var _ = owner;
        using var __ = member;
        using var other = await host.PersonAsync(MailHost.Name("database.other"));
        using var gone = await host.PersonAsync(MailHost.Name("database.gone"));
        using var stranger = await host.PersonAsync(MailHost.Name("database.stranger"));
        await owner.JoinAsync(reference, other);
        await owner.JoinAsync(reference, gone);
        await host.EndAccessAsync(reference, gone);
        await member.AskForAccessAsync(reference);
        await gone.AskForAccessAsync(reference);
        var (team, owned) = (await host.TeamIdAsync(reference), await host.IdAsync(owner));
        var (asked, back) = ((await host.RequestAsync(reference, member)).Split('/')[^1], (await host.RequestAsync(reference, gone)).Split('/')[^1]);

        // Who reads what.
        foreach (var (person, sees) in new[] { (owner, 2), (member, 1), (gone, 1), (other, 0), (stranger, 0) })
        {
            await using var session = await host.Database.ForTeamAsync(team, await host.IdAsync(person), default);
            (await session.SqlAsync<string>($"""select reference as "Value" from access_requests""", default)).Count.ShouldBe(sees, person.Username);
            (await session.SqlAsync<Guid>($"""select o as "Value" from app_request_owners() o""", default)).Count.ShouldBe(sees == 1 ? 1 : 0, person.Username);
        }
        await using (var outside = await host.Database.ForUserAsync(await host.IdAsync(gone), default))
        {
            (await outside.SqlAsync<string>($"""select reference as "Value" from access_requests""", default)).ShouldBeEmpty();
        }
        await using (var session = await host.Database.ForTeamAsync(team, await host.IdAsync(gone), default))
        {
            (await session.SqlAsync<Guid>($"""select user_id as "Value" from memberships""", default)).ShouldBeEmpty();
            (await session.SqlAsync<string>($"""select name as "Value" from teams where id = app_team()""", default)).ShouldBeEmpty();
        }

        // What a requester, and somebody else, cannot write.
        foreach (var (person, request) in new[] { (member, asked), (gone, back) })
        {
            var id = await host.IdAsync(person);
            await ForbiddenAsync(id, $"update access_requests set state = 'granted', tries = 1, answered_by = {owned.Value}, answered_at = now() where reference = {request}");
            await ForbiddenAsync(id, $"update access_requests set tries = 2 where reference = {request}");
            await ForbiddenAsync(id, $"insert into ledger_entries (id, tree, at, actor, action, details) values (gen_random_uuid(), app_team(), now(), {owned.Value}, 'access-request.made', '{{}}')", person == gone);
            await ForbiddenAsync(id, $"insert into ledger_entries (id, tree, at, actor, action, details) values (gen_random_uuid(), app_team(), now(), app_user(), 'access-request.granted', '{{}}')", person == gone);
            await NothingAsync(id, $"delete from access_requests");
        }
        await NothingAsync(await host.IdAsync(other), $"update access_requests set state = 'withdrawn'");
        await NothingAsync(await host.IdAsync(stranger), $"update access_requests set state = 'withdrawn'");
        foreach (var (person, kind, state) in new[] { (other, "owner", "granted"), (other, "back", "open"), (stranger, "owner", "open"), (stranger, "back", "open"), (gone, "owner", "open"), (owner, "owner", "open") })
        {
            await ForbiddenAsync(await host.IdAsync(person),
                $"""
                insert into access_requests (team_id, reference, user_id, kind, reason, code_mac, tries, made_at, expires_at, state, answered_by, answered_at)
                values (app_team(), {Reference.New()}, app_user(), {kind}, 'x', '\x01', {(state == "granted" ? 1 : 0)}, now(), now() + interval '1 day', {state}, {(state == "granted" ? owned.Value : (Guid?)null)}::uuid, {(state == "granted" ? DateTimeOffset.UtcNow : (DateTimeOffset?)null)}::timestamptz)
                """);
        }
        await ForbiddenAsync(await host.IdAsync(other),
            $"insert into access_requests (team_id, reference, user_id, kind, reason, code_mac, made_at, expires_at) values (app_team(), {Reference.New()}, {(await host.IdAsync(gone)).Value}, 'owner', 'x', '\\x01', now(), now() + interval '1 day')");

        // What an owner cannot: in another's name, for themself, counting back, without a try, or deleting.
        await ForbiddenAsync(owned, $"update access_requests set state = 'granted', tries = 1, answered_by = {(await host.IdAsync(other)).Value}, answered_at = now() where reference = {asked}");
        await ForbiddenAsync(owned, $"update access_requests set state = 'withdrawn' where reference = {asked}");
        await NothingAsync(owned, $"delete from access_requests");
        await using (var session = await host.Database.ForTeamAsync(team, owned, default))
        {
            await session.ExecuteAsync($"update access_requests set tries = 2 where reference = {asked}", default);
            await Should.ThrowAsync<ForbiddenByDatabaseException>(() => session.ExecuteAsync($"update access_requests set tries = 0 where reference = {asked}", default));
        }
        await using (var session = await host.Database.ForTeamAsync(team, owned, default))
        {
            await Should.ThrowAsync<Exception>(() => session.ExecuteAsync($"update access_requests set state = 'granted', answered_by = app_user(), answered_at = now() where reference = {asked}", default));
        }
        await host.SetRoleAsync(reference, member, "owner");
        await ForbiddenAsync(await host.IdAsync(member), $"update access_requests set state = 'refused', answered_by = {owned.Value}, answered_at = now() where reference = {asked}");

        async Task ForbiddenAsync(UserId person, FormattableString sql, bool holds = true)
        {
            if (holds)
            {
                await using var session = await host.Database.ForTeamAsync(team, person, default);
                await Should.ThrowAsync<ForbiddenByDatabaseException>(() => session.ExecuteAsync(sql, default), sql.ToString());
            }
        }

        async Task NothingAsync(UserId person, FormattableString sql)
        {
            await using var session = await host.Database.ForTeamAsync(team, person, default);
            (await session.ExecuteAsync(sql, default)).ShouldBe(0, sql.ToString());
        }
    }
}
