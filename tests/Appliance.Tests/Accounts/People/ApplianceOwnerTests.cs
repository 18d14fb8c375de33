using System.Net;
using Appliance.Tests.Mail;
using Appliance.Tests.SignIn;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Accounts.People;

/// <summary>More than one person owns the appliance, and always one at least who can sign in as such.</summary>
[Trait("Requirement", "O2")]
public sealed class ApplianceOwnerTests(MailHost host) : IClassFixture<MailHost>
{
    private const string Make = "/people?handler=MakeOwner", Withdraw = "/people?handler=WithdrawOwner";

    [Fact]
    public async Task An_owner_makes_another_and_takes_it_back_from_the_next_request_and_everybody_concerned_hears_of_it()
    {
        var (one, oneAddress) = await host.OwnerAsync("owner.one");
        var (two, twoAddress) = await host.WithAddressAsync("owner.two");
        (await two.GetAsync("/people")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await two.HtmlAsync("/teams")).ShouldNotContain("href=\"/people\"");

        (await one.SendAsync("/people", Make, ("Username", two.Username.ToUpperInvariant()), ("name", "own"))).Headers.Location!.ToString().ShouldBe("/people?name=own");
        (await two.GetAsync("/people")).StatusCode.ShouldBe(HttpStatusCode.OK);
        var teams = await two.HtmlAsync("/teams");
        teams.ShouldContain("href=\"/people\"");
        teams.ShouldContain("You were made an owner of this appliance");
        foreach (var address in new[] { oneAddress, twoAddress })
        {
            (await host.Mail.WaitAsync(address, "There is a new owner")).Text.ShouldContain($"{one.Username} made {two.Username} an owner");
        }
        var id = await IdAsync(two);
        (await host.LedgerAsync("appliance-owner.granted")).ShouldContain(e => e.Subject == id.ToString() && e.Details.Contains(two.Username, StringComparison.Ordinal));
        // A second time changes nothing and tells nobody.
        (await one.SendAsync("/people", Make, ("Username", two.Username))).Headers.Location!.ToString().ShouldBe("/people");
        (await host.LedgerAsync("appliance-owner.granted")).Count(e => e.Subject == id.ToString()).ShouldBe(1);

        (await one.SendAsync("/people", Withdraw, ("Username", two.Username))).Headers.Location!.ToString().ShouldBe("/people");
        (await two.GetAsync("/people")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await two.HtmlAsync("/teams")).ShouldContain("You are no owner of this appliance any more");
        await host.Mail.WaitAsync(oneAddress, "Somebody is no owner");
        await host.Mail.WaitAsync(twoAddress, "Somebody is no owner");
        (await host.LedgerAsync("appliance-owner.withdrawn")).ShouldContain(e => e.Subject == id.ToString());
        one.Dispose();
        two.Dispose();
    }

    [Fact]
    public async Task Nobody_else_changes_owners_nor_an_owner_without_step_up_or_token()
    {
        var (owner, _) = await host.OwnerAsync("owner.sole");
        using var member = await host.PersonAsync(MailHost.Name("owner.member"));
        var form = await member.HtmlAsync("/teams");
        foreach (var page in new[] { Make, Withdraw })
        {
            foreach (var name in new[] { member.Username, owner.Username })
            {
                (await member.PostAsync(form, page, ("Username", name))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            }
            using var bare = new HttpRequestMessage(HttpMethod.Post, page) { Content = new FormUrlEncodedContent([new("Username", member.Username)]) };
            (await owner.Client.SendAsync(bare)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        }
        var people = await owner.HtmlAsync("/people");
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await owner.PostAsync(people, Make, ("Username", member.Username))).Headers.Location!.ToString().ShouldStartWith("/step-up");
        (await IsOwnerAsync(member)).ShouldBeFalse();
        (await IsOwnerAsync(owner)).ShouldBeTrue();
        owner.Dispose();
    }

    [Fact]
    public async Task The_last_owner_who_can_sign_in_stays_whatever_other_owners_there_are()
    {
        var (owner, _) = await host.OwnerAsync("owner.last");
        await host.ScalarAsync<object?>($"update users set owner = false where username <> '{owner.Username}' returning null");
        // An owner whom nothing lets in: no password, as those have whom an identity provider brought.
        var ghost = await SignedIn.PersonAsync(host.Services, owner: true);
        var keyless = await host.PersonAsync(MailHost.Name("owner.keyless"));
        await host.ScalarAsync<object?>($"update users set owner = true where username = '{keyless.Username}' returning null");
        await host.ScalarAsync<object?>($"delete from security_keys where user_id = '{await IdAsync(keyless)}' returning null");

        var refused = await owner.SendAsync("/people", Withdraw, ("Username", owner.Username));
        refused.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await refused.Content.ReadAsStringAsync()).ShouldContain("there would be no owner who can sign in as one");
        (await IsOwnerAsync(owner)).ShouldBeTrue();

        // Nor is such a person made one.
        await owner.SendAsync("/people", Withdraw, ("Username", ghost.Username));
        await owner.SendAsync("/people", Withdraw, ("Username", keyless.Username));
        (await (await owner.SendAsync("/people", Make, ("Username", ghost.Username))).Content.ReadAsStringAsync()).ShouldContain("has no password");
        (await (await owner.SendAsync("/people", Make, ("Username", keyless.Username))).Content.ReadAsStringAsync()).ShouldContain("they do not have a second factor");
        (await (await owner.SendAsync("/people", Make, ("Username", "nobody.at.all"))).Content.ReadAsStringAsync()).ShouldContain("Nobody here has that username");
        (await owner.SendAsync("/people", Make, ("Username", new string('x', 5000)))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await host.ScalarAsync<long>("select count(*) from users where owner and password_hash is not null")).ShouldBe(1);

        // Once somebody else can, the first may go, by their own hand.
        using var next = await host.PersonAsync(MailHost.Name("owner.next"));
        (await owner.SendAsync("/people", Make, ("Username", next.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await owner.SendAsync("/people", Withdraw, ("Username", owner.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await owner.GetAsync("/people")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await next.GetAsync("/people")).StatusCode.ShouldBe(HttpStatusCode.OK);
        owner.Dispose();
        keyless.Dispose();
    }

    [Fact]
    public async Task Of_two_owners_who_withdraw_each_other_at_once_one_stays()
    {
        for (var i = 0; i < 5; i++)
        {
            var (one, _) = await host.OwnerAsync("owner.duel");
            var (two, _) = await host.OwnerAsync("owner.duel");
            await host.ScalarAsync<object?>($"update users set owner = false where username not in ('{one.Username}', '{two.Username}') returning null");
            var pages = await Task.WhenAll(one.HtmlAsync("/people"), two.HtmlAsync("/people"));
            var answers = await Task.WhenAll(
                one.PostAsync(pages[0], Withdraw, ("Username", two.Username)),
                two.PostAsync(pages[1], Withdraw, ("Username", one.Username)));
            answers.Select(a => a.StatusCode).Order().ShouldBe([HttpStatusCode.Redirect, HttpStatusCode.NotFound]);
            (await host.ScalarAsync<long>("select count(*) from users where owner")).ShouldBe(1);
            one.Dispose();
            two.Dispose();
        }
    }

    [Fact]
    public async Task Whose_ownership_is_withdrawn_in_this_moment_makes_nobody_an_owner()
    {
        var (one, _) = await host.OwnerAsync("owner.late");
        using var friend = await host.PersonAsync(MailHost.Name("owner.friend"));
        var page = await one.HtmlAsync("/people");
        Task<HttpResponseMessage> attempt;
        await using (var change = await host.Database.ForApplianceAsync(default))
        {
            await change.ExecuteAsync($"update users set owner = false where username = {one.Username}", default);
            attempt = one.PostAsync(page, Make, ("Username", friend.Username));
            while ((long)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"))! == 0 && !attempt.IsCompleted)
            {
                await Task.Delay(20);
            }
            await change.CommitAsync(default);
        }
        (await attempt).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await IsOwnerAsync(friend)).ShouldBeFalse();
        one.Dispose();
    }

    [Fact]
    public async Task The_list_is_searched_by_how_a_name_begins_and_shows_fifty_at_most_owners_first()
    {
        var (owner, _) = await host.OwnerAsync("zz.owner");
        await host.ScalarAsync<object?>("""
            insert into users (id, username, username_key, security_stamp, concurrency_stamp, two_factor_enabled, owner, created_at)
            select gen_random_uuid(), 'many.' || n, 'MANY.' || n, 's', 's', false, false, now() from generate_series(1, 60) n returning null
            """);
        var all = await owner.HtmlAsync("/people");
        Rows(all).ShouldBe(50);
        all.ShouldContain($"<bdi>{owner.Username}</bdi><span class=\"badge badge-accent\">You</span><span class=\"badge\">Owner</span>");
        all.ShouldContain("The first 50 are shown");
        Rows(await owner.HtmlAsync("/people?name=MANY.6")).ShouldBe(2);
        foreach (var nothing in new[] { "any.6", "many%25", "many_", "%5Cmany", new string('m', 3000) })
        {
            var html = await owner.HtmlAsync("/people?name=" + nothing);
            Rows(html).ShouldBe(0, nothing);
            html.ShouldContain("No username begins like that");
        }
        owner.Dispose();
    }

    private static int Rows(string html) => html.Split("Actions for ").Length - 1;

    private Task<Guid> IdAsync(Visitor person) => host.ScalarAsync<Guid>($"select id from users where username = '{person.Username}'");

    private Task<bool> IsOwnerAsync(Visitor person) => host.ScalarAsync<bool>($"select owner from users where username = '{person.Username}'");
}
