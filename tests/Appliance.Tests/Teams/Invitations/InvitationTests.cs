using System.Net;
using Appliance.Tests.Mail;
using Appliance.Tests.SignIn;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Teams.Invitations;

/// <summary>Into a team by mail: once, for the address alone, and with a password and key of one's own.</summary>
[Trait("Requirement", "T5")]
public sealed class InvitationTests(MailHost host) : IClassFixture<MailHost>
{
    private const string Subject = "invites you to a team";

    [Fact]
    public async Task A_newcomer_makes_an_account_that_is_bound_to_the_address_and_is_in()
    {
        var (owner, team, name) = await TeamAsync("Harbour. http://evil.example");
        var address = MailHost.Name("new") + "@example.org";
        await InviteAsync(owner, team, address);
        var mail = await host.Mail.WaitAsync(address, Subject);
        mail.Text.ShouldContain("Harbour");
        mail.Text.ShouldNotContain("evil.example");
        mail.Text.ShouldNotContain("phrase:");
        var link = mail.Link("/invitation/");
        using var newcomer = host.Visitor();
        (await newcomer.HtmlAsync(link)).ShouldContain(name[..7]);
        (await newcomer.SendAsync(link, link + "?handler=New")).Headers.Location!.ToString().ShouldBe("/set-up");
        (await newcomer.HtmlAsync("/set-up")).ShouldContain(address);
        var username = MailHost.Name("newcomer");
        var done = await newcomer.FinishSetUpAsync(username, Visitor.Password, "somebody-else@example.org");
        done.ShouldContain("/invitation");
        (await host.ScalarAsync<string>($"select email from users where username = '{username}' and email_confirmed_at is not null")).ShouldBe(address);
        (await newcomer.SendAsync("/invitation")).Headers.Location!.ToString().ShouldBe("/teams");
        (await newcomer.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await host.ScalarAsync<string>($"select role from memberships m join users u on u.id = m.user_id where u.username = '{username}'")).ShouldBe("member");
        // Once.
        (await host.Visitor().GetAsync(link)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.Visitor().SendAsync(link, link + "?handler=New")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.Mail.WaitAsync(address, "Welcome")).Text.ShouldContain("Your phrase: ");
        (await host.DumpAsync()).ShouldNotContain(link.Split('/')[^1]);
        owner.Dispose();
    }

    [Fact]
    public async Task Who_has_the_address_takes_the_place_with_their_account_and_nobody_else_does()
    {
        var (owner, team, _) = await TeamAsync("Quay");
        var (member, address) = await host.WithAddressAsync("invited");
        var (other, _) = await host.WithAddressAsync("not.invited");
        await InviteAsync(owner, team, address.ToUpperInvariant());
        var link = (await host.Mail.WaitAsync(address.ToUpperInvariant(), Subject)).Link("/invitation/");
        // Forwarded to somebody else.
        (await other.SendAsync(link)).Headers.Location!.ToString().ShouldBe("/invitation");
        (await (await other.SendAsync("/invitation")).Content.ReadAsStringAsync()).ShouldContain("for another address");
        (await other.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // A second account for an address that has one is not made.
        using var stranger = host.Visitor();
        (await stranger.SendAsync(link, link + "?handler=New")).Headers.Location!.ToString().ShouldBe("/invitation");
        (await member.SendAsync(link)).Headers.Location!.ToString().ShouldBe("/invitation");
        var twice = await Task.WhenAll(Enumerable.Range(0, 2).Select(async _ => await member.SendAsync("/invitation")));
        twice.ShouldContain(a => a.Headers.Location != null);
        (await member.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await other.SendAsync("/invitation")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        owner.Dispose();
        member.Dispose();
        other.Dispose();
    }

    [Fact]
    public async Task Withdrawn_renewed_and_old_invitations_do_not_work()
    {
        var (owner, team, _) = await TeamAsync("Pier");
        var address = MailHost.Name("late") + "@example.org";
        await InviteAsync(owner, team, address);
        var first = (await host.Mail.WaitAsync(address, Subject)).Link("/invitation/");
        await InviteAsync(owner, team, address);
        await MailFaultTests.WaitForAsync(() => Task.FromResult(host.Mail.Count(address, Subject) == 2));
        var second = host.Mail.Mails.Last(m => m.To == address).Link("/invitation/");
        (await host.Visitor().GetAsync(first)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.Visitor().GetAsync(second)).StatusCode.ShouldBe(HttpStatusCode.OK);
        var reference = await host.ScalarAsync<string>($"select reference from team_invitations where email = '{address}'");
        var (stranger, other, _) = await TeamAsync("Other");
        await stranger.SendAsync($"/teams/{other}/members", $"/teams/{other}/members?handler=Uninvite", ("Reference", reference));
        (await host.Visitor().GetAsync(second)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await owner.SendAsync($"/teams/{team}/members", $"/teams/{team}/members?handler=Uninvite", ("Reference", reference));
        (await host.Visitor().GetAsync(second)).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        var late = MailHost.Name("late") + "@example.org";
        await InviteAsync(owner, team, late);
        var link = (await host.Mail.WaitAsync(late, Subject)).Link("/invitation/");
        host.Clock.Move(TimeSpan.FromDays(7));
        (await host.Visitor().GetAsync(link)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.Visitor().SendAsync("/sign-in", link + "?handler=New")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        owner.Dispose();
        stranger.Dispose();
    }

    [Fact]
    public async Task Whether_the_address_has_an_account_shows_nowhere_on_the_teams_side_and_members_cannot_invite()
    {
        var (owner, team, _) = await TeamAsync("Mole");
        var (member, address) = await host.WithAddressAsync("shown");
        var unknown = MailHost.Name("shown") + "@example.org";
        var pages = new List<string>();
        foreach (var invited in new[] { address, unknown })
        {
            await InviteAsync(owner, team, invited);
            var html = SetUpTests.WithoutTokens(await owner.HtmlAsync($"/teams/{team}/members")).Replace(invited, "ADDRESS", StringComparison.Ordinal);
            pages.Add(System.Text.RegularExpressions.Regex.Replace(html, "value=\"[a-z2-7]{26}\"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T 0-9:Z]*", "", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(5)));
            await owner.SendAsync($"/teams/{team}/members", $"/teams/{team}/members?handler=Uninvite", ("Reference", await host.ScalarAsync<string>($"select reference from team_invitations where email = '{invited}'")));
        }
        pages[0].ShouldBe(pages[1]);

        await InviteAsync(owner, team, address);
        await member.SendAsync((await host.Mail.WaitAsync(address, Subject)).Link("/invitation/"));
        foreach (var bad in new[] { "nonsense", "", "a@b@c", new string('a', 300) + "@x.example" })
        {
            (await owner.SendAsync($"/teams/{team}/members", $"/teams/{team}/members?handler=Invite", ("Email", bad))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity, bad);
        }
        owner.Dispose();
        member.Dispose();
    }

    [Fact]
    public async Task Nobodys_mailbox_is_filled_by_inviting_and_withdrawing_again_and_again()
    {
        var (owner, team, _) = await TeamAsync("Flood");
        var address = MailHost.Name("flooded") + "@example.org";
        for (var i = 0; i < 5; i++)
        {
            await InviteAsync(owner, team, address);
            await owner.SendAsync($"/teams/{team}/members", $"/teams/{team}/members?handler=Uninvite", ("Reference", await host.ScalarAsync<string>($"select reference from team_invitations where email = '{address}'")));
        }
        (await owner.SendAsync($"/teams/{team}/members", $"/teams/{team}/members?handler=Invite", ("Email", address.ToUpperInvariant()))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        await InviteAsync(owner, team, "other-" + address);
        await host.Mail.WaitAsync("other-" + address, Subject);
        host.Mail.Mails.Count(m => m.To.Equals(address, StringComparison.OrdinalIgnoreCase)).ShouldBe(5);
        owner.Dispose();
    }

    [Fact]
    public async Task A_member_cannot_invite()
    {
        var (owner, team, _) = await TeamAsync("Dock");
        var (member, address) = await host.WithAddressAsync("eager");
        await InviteAsync(owner, team, address);
        (await host.Mail.WaitAsync(address, Subject)).Link("/invitation/").ShouldNotBeEmpty();
        await member.SendAsync((await host.Mail.WaitAsync(address, Subject)).Link("/invitation/"));
        await member.SendAsync("/invitation");
        (await member.HtmlAsync($"/teams/{team}/members")).ShouldNotContain("Invite by mail");
        (await member.SendAsync($"/teams/{team}/members", $"/teams/{team}/members?handler=Invite", ("Email", "friend@example.org"))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        host.Mail.Mails.ShouldNotContain(m => m.To == "friend@example.org");
        owner.Dispose();
        member.Dispose();
    }

    [Fact]
    public async Task The_appliances_owner_lets_somebody_in_by_mail()
    {
        var (owner, _) = await host.WithAddressAsync("lets.in");
        (await owner.SendAsync("/teams", "/people?handler=Mail", ("Address", "nobody@example.org"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await host.ScalarAsync<object?>($"update users set owner = true where username = '{owner.Username}' returning null");
        var address = MailHost.Name("let.in") + "@example.org";
        (await (await owner.SendAsync("/people", "/people?handler=Mail", ("Address", address))).Content.ReadAsStringAsync()).ShouldContain("is on its way");
        var link = (await host.Mail.WaitAsync(address, "An account for you")).Link("/set-up/");
        using var newcomer = host.Visitor();
        var username = MailHost.Name("let.in");
        await newcomer.SetUpAsync(link.Split('/')[^1], username, Visitor.Password, "another@example.org");
        (await host.ScalarAsync<string>($"select email from users where username = '{username}' and email_confirmed_at is not null")).ShouldBe(address);
        owner.Dispose();
    }

    private async Task<(Visitor Owner, string Team, string Name)> TeamAsync(string name)
    {
        var owner = await host.PersonAsync(MailHost.Name("inviter"));
        var team = (await owner.SendAsync("/teams", null, ("Name", name))).Headers.Location!.ToString().Split('/')[2];
        return (owner, team, name);
    }

    private static async Task InviteAsync(Visitor owner, string team, string address) =>
        (await owner.SendAsync($"/teams/{team}/members", $"/teams/{team}/members?handler=Invite", ("Email", address))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
}
