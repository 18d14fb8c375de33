using System.Net;
using Appliance.Data;
using Appliance.Teams.UnusedAccess;
using Appliance.Tests.Mail;
using Appliance.Tests.SignIn;
using Appliance.Tests.SignIn.Policy;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Teams.AccessRequests;

/// <summary>More access is asked for with a code, and granted by an owner who heard it.</summary>
[Trait("Requirement", "A15")]
public sealed class AccessRequestTests(MailHost host) : IClassFixture<MailHost>
{
    [Fact]
    public async Task A_member_says_the_code_to_an_owner_and_is_one_and_the_ledger_has_both_ends()
    {
        var (owner, ownerAddress) = await host.WithAddressAsync("grants");
        var (member, address) = await host.WithAddressAsync("asks");
        using var _ = owner;
        using var __ = member;
        var team = await owner.TeamAsync("Asked. http://evil.example");
        await owner.JoinAsync(team, member);
        (await member.HtmlAsync($"/teams/{team}/members")).ShouldContain("Ask to be an owner");
        (await owner.HtmlAsync($"/teams/{team}/members")).ShouldNotContain("Ask to be an owner");
        (await owner.GetAsync(AccessRequestJourneys.Ask(team))).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        var code = await member.AskForAccessAsync(team, "Because of <b>Anna</b>");
        (await member.HtmlAsync(AccessRequestJourneys.Ask(team))).ShouldNotContain(code);
        var told = await host.Mail.WaitAsync(ownerAddress, "Somebody asks for more access to a team");
        told.Text.ShouldContain(member.Username);
        told.Text.ShouldNotContain(code);
        told.Text.ShouldNotContain("Anna");
        told.Text.ShouldNotContain("evil.example");
        told.Text.ShouldNotContain("/requests/");
        var list = await owner.HtmlAsync($"/teams/{team}/members");
        list.ShouldContain("Requests for access");
        list.ShouldNotContain("<b>Anna");
        (await member.HtmlAsync($"/teams/{team}/members")).ShouldNotContain("Requests for access");

        var page = await host.RequestAsync(team, member);
        await owner.ApproveAsync(page, code.ToLowerInvariant().Replace('-', ' ')).ShouldGrantAsync(team);
        (await host.RoleAsync(team, member)).ShouldBe("owner");
        await host.Mail.WaitAsync(address, "You are an owner of a team now");
        (await host.StateAsync(page)).ShouldBe("granted 1");
        (await host.ActionsAsync(team)).ShouldBe(["access-request.made", "access-request.granted", "member.role-changed"]);
        var (requester, approver) = (await host.IdAsync(member), await host.IdAsync(owner));
        (await host.ScalarAsync<long>($"select count(*) from ledger_entries where action = 'access-request.made' and actor = '{requester}' and subject = '{requester}'")).ShouldBe(1);
        (await host.ScalarAsync<long>($"select count(*) from ledger_entries where action = 'access-request.granted' and actor = '{approver}' and subject = '{requester}' and details::jsonb ->> 'approver' = '{approver}'")).ShouldBe(1);
        (await host.ScalarAsync<long>($"select count(*) from ledger_entries where details like '%{code}%'")).ShouldBe(0);

        // Once.
        await host.SetRoleAsync(team, member, "member");
        await owner.PostAsync(list, page, ("Code", code)).ShouldRefuseAsync("This request is over");
        (await host.RoleAsync(team, member)).ShouldBe("member");
    }

    [Fact, Trait("Requirement", "A13")]
    public async Task Whoever_lost_unused_access_gets_it_back_and_learns_nothing_of_the_team_before()
    {
        var (owner, ownerAddress) = await host.WithAddressAsync("back.owner");
        using var _ = owner;
        using var gone = await host.PersonAsync(MailHost.Name("back"));
        using var stranger = await host.PersonAsync(MailHost.Name("back.stranger"));
        var team = await owner.TeamAsync("Come back");
        await owner.JoinAsync(team, gone);
        await host.EndAccessAsync(team, gone, "owner");
        (await gone.HtmlAsync("/teams")).ShouldContain($"/teams/{team}/ask");
        (await stranger.GetAsync(AccessRequestJourneys.Ask(team))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await stranger.PostAsync(await stranger.HtmlAsync("/teams"), AccessRequestJourneys.Ask(team), ("Reason", "x"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        var code = await gone.AskForAccessAsync(team);
        var html = await gone.HtmlAsync(AccessRequestJourneys.Ask(team));
        html.ShouldContain("Come back");
        html.ShouldNotContain(owner.Username);
        html.ShouldNotContain($"/teams/{team}/files");
        foreach (var inside in new[] { "files", "members", "ledger" })
        {
            (await gone.GetAsync($"/teams/{team}/{inside}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
        await host.Mail.WaitAsync(ownerAddress, "Somebody asks for more access to a team");
        var page = await host.RequestAsync(team, gone);
        (await gone.GetAsync(page)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await owner.ApproveAsync(page, code).ShouldGrantAsync(team);
        (await host.RoleAsync(team, gone)).ShouldBe("owner");
        (await gone.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await host.ActionsAsync(team)).ShouldBe(["access-request.made", "access-request.granted", "member.access-reinstated"]);
    }

    [Fact]
    public async Task An_owner_refuses_the_person_withdraws_and_another_code_takes_the_first_ones_place()
    {
        var (member, address) = await host.WithAddressAsync("refused");
        using var owner = await host.PersonAsync(MailHost.Name("refuses"));
        using var _ = member;
        var team = await owner.TeamAsync("No");
        await owner.JoinAsync(team, member);
        await member.AskForAccessAsync(team);
        var page = await host.RequestAsync(team, member);
        await owner.SendAsync(page, page + "?handler=Refuse").ShouldGrantAsync(team); // led to the same page
        (await host.StateAsync(page)).ShouldBe("refused 0");
        await host.Mail.WaitAsync(address, "Your request for access was refused");
        (await member.HtmlAsync(AccessRequestJourneys.Ask(team))).ShouldContain("was refused by an owner");

        var first = await member.AskForAccessAsync(team);
        page = await host.RequestAsync(team, member);
        var form = await owner.HtmlAsync(page);
        (await member.SendAsync(AccessRequestJourneys.Ask(team), AccessRequestJourneys.Ask(team) + "?handler=Withdraw")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await owner.PostAsync(form, page, ("Code", first)).ShouldRefuseAsync("This request is over");
        await owner.PostAsync(form, page + "?handler=Refuse").ShouldRefuseAsync("This request is over");

        first = await member.AskForAccessAsync(team);
        var second = await member.AskForAccessAsync(team);
        second.ShouldNotBe(first);
        page = await host.RequestAsync(team, member);
        await owner.ApproveAsync(page, first).ShouldRefuseAsync("This is not the code");
        await owner.ApproveAsync(page, second).ShouldGrantAsync(team);
        (await host.ActionsAsync(team)).ShouldBe(
        [
            "access-request.made", "access-request.refused", "access-request.made", "access-request.withdrawn",
            "access-request.made", "access-request.withdrawn", "access-request.made", "access-request.granted", "member.role-changed",
        ]);
    }

    [Fact]
    public async Task A_request_has_a_reason_and_there_are_five_a_day()
    {
        var (owner, member, team) = await host.PairAsync("often");
        using var _ = owner;
        using var __ = member;
        foreach (var reason in new[] { "", "   ", new string('x', 201), "one\u0007two", "one\ntwo" })
        {
            await member.SendAsync(AccessRequestJourneys.Ask(team), null, ("Reason", reason)).ShouldRefuseAsync("Say in 1 to 200 characters");
        }
        for (var i = 0; i < 5; i++)
        {
            await member.AskForAccessAsync(team);
        }
        await member.SendAsync(AccessRequestJourneys.Ask(team), null, ("Reason", "again")).ShouldRefuseAsync("You asked 5 times within a day");
        (await host.StateAsync(await host.RequestAsync(team, member))).ShouldBe("open 0");
    }

    [Fact]
    public async Task Old_requests_are_swept()
    {
        var (owner, member, team) = await host.PairAsync("swept");
        using var _ = owner;
        using var __ = member;
        await member.AskForAccessAsync(team);
        var page = await host.RequestAsync(team, member);
        var care = host.Services.GetRequiredService<UnusedAccessCare>();
        await care.RunOnceAsync(default);
        (await host.StateAsync(page)).ShouldBe("open 0");
        await host.ScalarAsync<object?>($"update access_requests set made_at = made_at - interval '31 days' where reference = '{page.Split('/')[^1]}' returning null");
        await care.RunOnceAsync(default);
        (await host.ScalarAsync<long>($"select count(*) from access_requests where reference = '{page.Split('/')[^1]}'")).ShouldBe(0);
    }
}
