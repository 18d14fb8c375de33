using System.Net;
using Appliance.Data;
using Appliance.Teams.UnusedAccess;
using Appliance.Tests.Mail;
using Appliance.Tests.SignIn;
using Appliance.Tests.SignIn.Policy;
using Appliance.Tests.SignIn.Tokens;
using Appliance.Vault;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;
using static Appliance.Tests.SignIn.Policy.PolicyJourneys;

namespace Appliance.Tests.Teams;

/// <summary>Access that nobody uses ends, after a warning, and comes back by an owner alone.</summary>
[Trait("Requirement", "A13")]
public sealed class UnusedAccessTests(MailHost host) : IClassFixture<MailHost>
{
    private const string Warning = "Your access to a team is about to end";

    private UnusedAccessCare Care => host.Services.GetRequiredService<UnusedAccessCare>();

    [Fact]
    public async Task A_member_is_warned_a_week_before_loses_everything_that_day_and_gets_it_back_from_an_owner()
    {
        var (owner, _) = await host.WithAddressAsync("owner");
        var (member, address) = await host.WithAddressAsync("member");
        using var __ = owner;
        using var ___ = member;
        var team = await owner.TeamAsync("Rarely. http://evil.example");
        await owner.JoinAsync(team, member);
        await owner.SetPolicyAsync($"/teams/{team}/policy", ("SecondFactor", "appliance"), ("UnusedDays", "60"));
        var id = await IdAsync(member);
        using var program = ApiClient.With(host, await ApiClient.TokenAsync(host, id, days: 365));
        var files = $"/api/v1/teams/{team}/entries";
        (await program.GetAsync(files)).StatusCode.ShouldBe(HttpStatusCode.OK);

        await PassAsync(owner, 52);
        host.Mail.Count(address, Warning).ShouldBe(0);
        (await owner.HtmlAsync($"/teams/{team}/access")).ShouldNotContain("Ends soon");
        await PassAsync(owner, 1.1);
        var told = await host.Mail.WaitAsync(address, Warning);
        told.Text.ShouldContain(host.Clock.GetUtcNow().AddDays(7).ToString("yyyy-MM-dd"));
        told.Text.ShouldNotContain("evil.example");
        told.Text.ShouldContain("phrase: ");
        await Care.RunOnceAsync(default);
        host.Mail.Count(address, Warning).ShouldBe(1);
        (await owner.HtmlAsync($"/teams/{team}/access")).ShouldContain("Ends soon");
        await PassAsync(owner, 6.8);
        (await MembersAsync(team)).ShouldContain(member.Username);
        await PassAsync(owner, 0.3);

        await host.Mail.WaitAsync(address, "Your access to a team has ended");
        (await program.GetAsync(files)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await member.SignInAsync()).Headers.Location!.ToString().ShouldBe("/");
        (await member.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        WebUtility.HtmlDecode(await member.HtmlAsync("/teams")).ShouldContain("Access that ended");
        (await owner.HtmlAsync($"/teams/{team}/members")).ShouldNotContain(member.Username);
        (await owner.HtmlAsync($"/teams/{team}/access")).ShouldContain("Ended because nobody used it");

        // No offer and no invitation leads around the owner's key.
        using (var offer = await owner.SendAsync($"/teams/{team}/members", null, ("Username", member.Username)))
        {
            offer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
            (await offer.Content.ReadAsStringAsync()).ShouldContain("their access ended");
        }
        await owner.SendAsync($"/teams/{team}/members", $"/teams/{team}/members?handler=Invite", ("Email", address));
        var link = (await host.Mail.WaitAsync(address, "invites you to a team")).Link("/invitation/");
        await member.SendAsync(link);
        (await member.SendAsync("/invitation")).Headers.Location!.ToString().ShouldBe("/teams");
        (await member.HtmlAsync("/teams")).ShouldNotContain("A place in");
        (await member.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        var reinstate = $"/teams/{team}/access/reinstate?username={member.Username}";
        host.Clock.Move(TimeSpan.FromMinutes(6)); // the owner's key was touched longer ago than that
        (await owner.LedToAsync(reinstate)).ShouldStartWith("/step-up");
        (await owner.PostAsync(await owner.HtmlAsync($"/teams/{team}/access"), $"/teams/{team}/access/reinstate", ("Username", member.Username))).Headers.Location!.ToString().ShouldContain("/step-up");
        (await member.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await owner.TouchAsync("/step-up");
        (await owner.SendAsync(reinstate, $"/teams/{team}/access/reinstate")).Headers.Location!.ToString().ShouldBe($"/teams/{team}/access");
        await host.Mail.WaitAsync(address, "You have access to a team again");
        (await member.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await program.GetAsync(files)).StatusCode.ShouldBe(HttpStatusCode.OK);
        // Twice is not once more.
        (await owner.GetAsync(reinstate)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await owner.PostAsync(await owner.HtmlAsync($"/teams/{team}/access"), $"/teams/{team}/access/reinstate", ("Username", member.Username))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);

        (await ActionsAsync(team)).Where(a => a.StartsWith("member.access", StringComparison.Ordinal))
            .ShouldBe(["member.access-ends", "member.access-revoked", "member.access-reinstated"]);
    }

    [Fact]
    public async Task An_owner_loses_it_after_thirty_days_and_the_last_one_stays()
    {
        var (first, firstAddress) = await host.WithAddressAsync("first");
        var (second, _) = await host.WithAddressAsync("second");
        using var __ = first;
        using var ___ = second;
        var team = await first.TeamAsync("Owned");
        await first.JoinAsync(team, second);
        var role = $"/teams/{team}/members/role?username={second.Username}";
        (await first.SendAsync(role, role)).Headers.Location!.ToString().ShouldBe($"/teams/{team}/members");
        // A token is no sign-in: whoever administers comes in person.
        using var program = ApiClient.With(host, await ApiClient.TokenAsync(host, await IdAsync(first), days: 365));
        await PassAsync(24);
        (await second.SignInAsync()).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await program.GetAsync($"/api/v1/teams/{team}/entries")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Care.RunOnceAsync(default);
        await host.Mail.WaitAsync(firstAddress, Warning);
        await PassAsync(7.1);
        (await program.GetAsync($"/api/v1/teams/{team}/entries")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Care.RunOnceAsync(default);
        (await program.GetAsync($"/api/v1/teams/{team}/entries")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await MembersAsync(team)).ShouldBe([second.Username]);

        // The other one may stay away for as long as they like, and is not frightened either.
        await PassAsync(100);
        await Care.RunOnceAsync(default);
        await PassAsync(10);
        await Care.RunOnceAsync(default);
        (await MembersAsync(team)).ShouldBe([second.Username]);
        await second.SignInAsync();
        (await second.HtmlAsync($"/teams/{team}/access")).ShouldContain("The only owner: this access does not end");
        (await ActionsAsync(team)).Count(a => a == "member.access-ends").ShouldBe(1);
    }

    [Fact]
    public async Task Of_two_owners_who_both_stay_away_one_is_left()
    {
        using var first = await host.PersonAsync(MailHost.Name("one"));
        using var second = await host.PersonAsync(MailHost.Name("two"));
        var team = await first.TeamAsync("Abandoned");
        await first.JoinAsync(team, second);
        var role = $"/teams/{team}/members/role?username={second.Username}";
        await first.SendAsync(role, role);
        foreach (var days in new[] { 24, 8, 1 })
        {
            await PassAsync(days);
            await Care.RunOnceAsync(default);
        }
        (await MembersAsync(team)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Whoever_comes_in_time_keeps_it()
    {
        using var owner = await host.PersonAsync(MailHost.Name("owner"));
        using var member = await host.PersonAsync(MailHost.Name("comes"));
        using var robot = await host.PersonAsync(MailHost.Name("robot"));
        var team = await owner.TeamAsync("Kept");
        await owner.JoinAsync(team, member);
        await owner.JoinAsync(team, robot);
        await owner.SetPolicyAsync($"/teams/{team}/policy", ("SecondFactor", "appliance"), ("UnusedDays", "14"));
        using var program = ApiClient.With(host, await ApiClient.TokenAsync(host, await IdAsync(robot), days: 365));
        for (var day = 8; day <= 32; day += 8)
        {
            await PassAsync(8); // each time a warning, and after it a sign-in
            await Care.RunOnceAsync(default);
            await owner.SignInAsync();
            await member.SignInAsync();
            (await program.GetAsync($"/api/v1/teams/{team}/entries")).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        (await MembersAsync(team)).Count.ShouldBe(3);
        (await ActionsAsync(team)).Count(a => a == "member.access-ends").ShouldBeGreaterThan(4);
    }

    [Fact]
    public async Task A_clock_that_jumps_or_an_upgrade_takes_nothing_from_anybody_at_once()
    {
        using var owner = await host.PersonAsync(MailHost.Name("owner"));
        using var member = await host.PersonAsync(MailHost.Name("member"));
        var team = await owner.TeamAsync("Jump");
        await owner.JoinAsync(team, member);
        await owner.SetPolicyAsync($"/teams/{team}/policy", ("SecondFactor", "appliance"), ("UnusedDays", "14"));
        // As the version before left it.
        await host.ScalarAsync<object?>($"update users set last_sign_in_at = null where id = '{await IdAsync(member)}' returning 1");
        await PassAsync(1000);
        for (var days = 0; days < 7; days++)
        {
            await Care.RunOnceAsync(default);
            (await MembersAsync(team)).ShouldContain(member.Username);
            await PassAsync(0.9);
        }
        await PassAsync(1);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Care.RunOnceAsync(default))); // as from several replicas
        (await MembersAsync(team)).ShouldBe([owner.Username]);
        (await ActionsAsync(team)).Count(a => a == "member.access-revoked").ShouldBe(1);
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task Nobody_but_an_owner_sees_or_reinstates_and_the_database_says_so_itself()
    {
        using var owner = await host.PersonAsync(MailHost.Name("owner"));
        using var member = await host.PersonAsync(MailHost.Name("member"));
        using var gone = await host.PersonAsync(MailHost.Name("gone"));
        using var stranger = await host.PersonAsync(MailHost.Name("stranger"));
        var reference = await owner.TeamAsync("Shut");
        await owner.JoinAsync(reference, member);
        await owner.JoinAsync(reference, gone);
        var goneId = await IdAsync(gone);
        await host.ScalarAsync<object?>(
            $"""
            with g as (delete from memberships where user_id = '{goneId}' returning *)
            insert into revoked_access (team_id, user_id, role, since, added_by, revoked_at) select team_id, user_id, 'owner', since, added_by, now() from g returning 1
            """);
        foreach (var other in new[] { member, gone, stranger })
        {
            (await other.GetAsync($"/teams/{reference}/access")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await other.GetAsync($"/teams/{reference}/access/reinstate?username={gone.Username}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await other.PostAsync(await other.HtmlAsync("/teams"), $"/teams/{reference}/access/reinstate", ("Username", gone.Username))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await other.PostAsync(await other.HtmlAsync("/teams"), $"/teams/{reference}/access/reinstate?handler=Forget", ("Username", gone.Username))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
        var team = new TeamId(await host.ScalarAsync<Guid>($"select id from teams where reference = '{reference}'"));
        foreach (var other in new[] { member, gone, stranger })
        {
            var person = await IdAsync(other);
            await using var session = await host.Database.ForTeamAsync(team, person, default);
            (await session.SqlAsync<Guid>($"""select user_id as "Value" from revoked_access""", default)).ShouldBeEmpty();
            (await session.ExecuteAsync($"delete from revoked_access", default)).ShouldBe(0);
        }
        foreach (var other in new[] { owner, member, gone, stranger })
        {
            var person = await IdAsync(other);
            await using var session = await host.Database.ForTeamAsync(team, person, default);
            await Should.ThrowAsync<ForbiddenByDatabaseException>(() => session.ExecuteAsync(
                $"insert into revoked_access (team_id, user_id, role, since, added_by, revoked_at) values ({team.Value}, {person.Value}, 'owner', now(), {person.Value}, now())", default));
        }
        // Neither an owner nor a job writes the membership beside what was revoked, nor does the person, with an offer from before.
        await host.ScalarAsync<object?>(
            $"""
            insert into member_offers (team_id, username, username_key, reference, team_name, offered_by, offered_at)
            values ('{team.Value}', '{gone.Username}', '{gone.Username.ToUpperInvariant()}', '{Reference.New()}', 'Shut', '{await IdAsync(owner)}', now()) returning 1
            """);
        foreach (var person in new UserId?[] { await IdAsync(owner), null, goneId })
        {
            await using var session = person is { } one ? await host.Database.ForTeamAsync(team, one, default) : await host.Database.ForJobAsync(team, default);
            await Should.ThrowAsync<ForbiddenByDatabaseException>(() => session.ExecuteAsync(
                $"insert into memberships (team_id, user_id, role, since, added_by) values ({team.Value}, {goneId.Value}, 'member', now(), {goneId.Value})", default));
        }
        (await owner.SendAsync($"/teams/{reference}/access/reinstate?username={gone.Username}", $"/teams/{reference}/access/reinstate?handler=Forget")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await owner.HtmlAsync($"/teams/{reference}/access")).ShouldNotContain(gone.Username);
        (await gone.GetAsync($"/teams/{reference}/files")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task An_owner_of_the_appliance_who_does_not_come_is_one_no_longer_and_another_can_make_them_one_again()
    {
        var (one, _) = await host.WithAddressAsync("appliance.one");
        var (two, address) = await host.WithAddressAsync("appliance.two");
        using var __ = one;
        using var ___ = two;
        // Whoever else owns it here (the fixture's) would stay or go as well: they are not what this is about.
        await host.ScalarAsync<object?>("update users set owner = false returning null");
        await host.ScalarAsync<object?>($"update users set owner = true where username in ('{one.Username}', '{two.Username}') returning null");
        await PassAsync(24);
        await one.SignInAsync();
        await Care.RunOnceAsync(default);
        await host.Mail.WaitAsync(address, "You are about to be no owner");
        (await OwnersAsync()).Length.ShouldBe(2);
        await PassAsync(6.5);
        await one.SignInAsync();
        await Care.RunOnceAsync(default);
        (await OwnersAsync()).Length.ShouldBe(2); // not a week yet
        await PassAsync(0.6);
        await one.SignInAsync();
        await Care.RunOnceAsync(default);
        (await OwnersAsync()).ShouldBe([one.Username]);
        await host.Mail.WaitAsync(address, "Somebody is no owner of the appliance any more");
        await two.SignInAsync();
        (await two.GetAsync("/people")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await one.HtmlAsync("/people")).ShouldContain("Was an owner");
        (await one.SendAsync("/people", "/people?handler=MakeOwner", ("Username", two.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await two.GetAsync("/people")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await one.HtmlAsync("/people")).ShouldNotContain("Was an owner");
        // Both stay away: one is left.
        foreach (var days in new[] { 24, 8, 8 })
        {
            await PassAsync(days);
            await Care.RunOnceAsync(default);
        }
        (await OwnersAsync()).Length.ShouldBe(1);
        (await host.LedgerAsync("appliance-owner.withdrawn")).Count(e => e.Details.Contains("unused", StringComparison.Ordinal)).ShouldBe(2);

        Task<string[]> OwnersAsync() => host.ScalarAsync<string[]>("select coalesce(array_agg(username::text order by username), '{}') from users where owner");
    }

    [Fact, Trait("Requirement", "A12")]
    public async Task What_a_provider_vouched_for_is_use_of_its_own_team_alone_and_who_can_do_without_it_stays()
    {
        using var first = await host.PersonAsync(MailHost.Name("keyed"));
        using var second = await host.PersonAsync(MailHost.Name("provided"));
        var team = await first.TeamAsync("With a provider");
        var other = await first.TeamAsync("Another");
        await first.JoinAsync(team, second);
        await first.JoinAsync(other, second);
        var role = $"/teams/{team}/members/role?username={second.Username}";
        await first.SendAsync(role, role);
        foreach (var one in new[] { team, other })
        {
            await first.SetPolicyAsync($"/teams/{one}/policy", ("SecondFactor", "appliance"), ("UnusedDays", "14"));
        }
        // The second owner comes by the provider alone, and has no key of their own.
        var person = await IdAsync(second);
        await host.ScalarAsync<object?>(
            $"""
            with k as (delete from security_keys where user_id = '{person}'),
                 c as (insert into saml_connections (team_id, state, idp_entity_id, sign_on_url, tested_at, bound_by, changed_at)
                       select id, 'on', 'idp', 'https://idp.example', now(), '{await IdAsync(first)}', now() from teams where reference = '{team}' returning 1)
            insert into saml_identities (team_id, issuer, name_id, user_id, reference, is_made, created_at)
            select id, 'idp', 'second', '{person}', '{Reference.New()}', false, now() from teams where reference = '{team}' returning 1
            """);
        foreach (var days in new[] { 8, 8, 8, 8, 8 })
        {
            await PassAsync(days);
            await host.ScalarAsync<object?>($"update saml_identities set last_at = now() where user_id = '{person}' returning 1");
            await Care.RunOnceAsync(default);
        }
        // The one with a key stayed away and stays: nobody else could sign in if the provider failed. The provider's word was no use of the other team.
        (await MembersAsync(team)).ShouldBe([first.Username, second.Username], ignoreOrder: true);
        (await MembersAsync(other)).ShouldBe([first.Username]);
    }

    [Fact]
    public async Task What_is_no_number_of_days_is_refused()
    {
        using var owner = await host.PersonAsync(MailHost.Name("owner"));
        var team = await owner.TeamAsync("Days");
        foreach (var days in new[] { "13", "0", "-1", "3651", "soon", "99999999999999999999" })
        {
            await owner.ShouldRefuseAsync($"/teams/{team}/policy", "a number of days from 14 to 3650", ("SecondFactor", "appliance"), ("UnusedDays", days));
        }
    }

    /// <summary>Time passes; the owner signs in, and the service looks.</summary>
    private async Task PassAsync(Visitor owner, double days)
    {
        await PassAsync(days);
        (await owner.SignInAsync()).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await Care.RunOnceAsync(default);
    }

    /// <summary>Everything that is written down gets older: with a clock that runs ahead, nobody would believe the service's certificate.</summary>
    private async Task PassAsync(double days)
    {
        var by = $"interval '{(long)(days * 86400)} seconds'";
        await host.ScalarAsync<object?>(
            $"""
            with a as (update users set created_at = created_at - {by}, last_sign_in_at = last_sign_in_at - {by}, owner_since = owner_since - {by}, owner_warned_at = owner_warned_at - {by}),
                 b as (update memberships set since = since - {by}, counts_from = counts_from - {by}, warned_at = warned_at - {by}),
                 c as (update api_tokens set last_used_at = last_used_at - {by}),
                 d as (update revoked_access set revoked_at = revoked_at - {by}),
                 e as (delete from sessions)
            select 1
            """);
    }

    private async Task<UserId> IdAsync(Visitor person) => new(await host.ScalarAsync<Guid>($"select id from users where username = '{person.Username}'"));

    private async Task<IReadOnlyList<string>> MembersAsync(string team) =>
        (await host.ScalarAsync<string[]>($"select array_agg(u.username::text order by u.username) from memberships m join users u on u.id = m.user_id join teams t on t.id = m.team_id where t.reference = '{team}'"));

    private async Task<IReadOnlyList<string>> ActionsAsync(string team) =>
        (await host.ScalarAsync<string[]>($"select array_agg(e.action::text order by e.at, e.id) from ledger_entries e join teams t on t.id = e.tree where t.reference = '{team}'"));
}
