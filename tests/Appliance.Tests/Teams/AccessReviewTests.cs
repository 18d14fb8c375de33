using System.Net;
using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.Teams.UnusedAccess;
using Appliance.Tests.Mail;
using Appliance.Tests.SignIn;
using Appliance.Tests.SignIn.Policy;
using Appliance.Vault;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Teams;

/// <summary>Owners look through who has access, decide of each, and sign.</summary>
[Trait("Requirement", "T6")]
public sealed class AccessReviewTests(MailHost host) : IClassFixture<MailHost>
{
    private async Task<(Visitor Owner, Visitor Member, string Team)> TeamAsync()
    {
        var owner = await host.PersonAsync(MailHost.Name("owner"));
        var member = await host.PersonAsync(MailHost.Name("member"));
        var team = await owner.TeamAsync("Review");
        await owner.JoinAsync(team, member);
        return (owner, member, team);
    }

    private Task<HttpResponseMessage> SignAsync(Visitor by, string team, params (Visitor Whom, string Decision)[] decisions) => SignAsync(by, team, "/teams", decisions);

    private async Task<HttpResponseMessage> SignAsync(Visitor by, string team, string from, params (Visitor Whom, string Decision)[] decisions)
    {
        var fields = new List<(string, string)>();
        foreach (var (whom, decision) in decisions)
        {
            fields.Add(($"decision.{await IdAsync(whom)}", decision));
        }
        return await by.SendAsync(from, $"/teams/{team}/access/review", [.. fields]);
    }

    private async Task<UserId> IdAsync(Visitor person) => new(await host.ScalarAsync<Guid>($"select id from users where username = '{person.Username}'"));

    private Task<long> SignedAsync(string team) =>
        host.ScalarAsync<long>($"select count(*) from access_reviews r join teams t on t.id = r.team_id where t.reference = '{team}'");

    [Fact]
    public async Task An_owner_keeps_one_takes_out_another_and_what_was_signed_stays()
    {
        var (owner, member, team) = await TeamAsync();
        using var _ = owner;
        using var __ = member;
        using var gone = await host.PersonAsync(MailHost.Name("gone"));
        await owner.JoinAsync(team, gone);
        var page = await owner.HtmlAsync($"/teams/{team}/access/review");
        page.ShouldContain(member.Username);
        using var signed = await SignAsync(owner, team, (owner, "keep"), (member, "keep"), (gone, "remove"));
        signed.Headers.Location?.ToString().ShouldBe($"/teams/{team}/access", await signed.Content.ReadAsStringAsync());
        (await gone.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await member.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);

        var access = await owner.HtmlAsync($"/teams/{team}/access");
        access.ShouldContain("2 kept, 1 taken out");
        var csv = await owner.Client.GetStringAsync(Regex.Match(access, $"/teams/{team}/access/reviews/[^\"]+", RegexOptions.None, TimeSpan.FromSeconds(5)).Value);
        csv.ShouldStartWith("\"username\",\"role\",\"since\",\"last_used\",\"decision\",\"reaches\"\r\n");
        csv.ShouldContain($"\"{gone.Username}\",\"member\"");
        csv.ShouldContain("\"removed\",\"Everyone: ");
        csv.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Length.ShouldBe(4);
        (await host.ScalarAsync<string>(
            $"select e.details from ledger_entries e join teams t on t.id = e.tree where t.reference = '{team}' and e.action = 'access-review.signed'")).ShouldContain("\"removed\":\"1\"");

        var id = new TeamId(await host.ScalarAsync<Guid>($"select id from teams where reference = '{team}'"));
        await using var session = await host.Database.ForTeamAsync(id, await IdAsync(owner), default);
        await Should.ThrowAsync<ForbiddenByDatabaseException>(() => session.ExecuteAsync($"update access_reviews set kept = 9", default));
    }

    [Fact]
    public async Task The_list_is_exported_without_formulas_for_spreadsheets()
    {
        var (owner, member, team) = await TeamAsync();
        using var _ = owner;
        using var __ = member;
        var odd = "=cmd." + MailHost.Name("x");
        await host.ScalarAsync<object?>($"update users set username = '{odd}' where username = '{member.Username}' returning 1");
        using var answer = await owner.GetAsync($"/teams/{team}/access/export");
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("text/csv");
        answer.Content.Headers.ContentDisposition!.DispositionType.ShouldBe("attachment");
        answer.Headers.CacheControl!.NoStore.ShouldBeTrue();
        var csv = await answer.Content.ReadAsStringAsync();
        csv.ShouldContain($"\"'{odd}\",\"member\"");
        csv.ShouldContain($"\"{owner.Username}\",\"member\",\"owner\"");
    }

    [Fact]
    public async Task Nothing_is_signed_unless_everybody_who_is_there_was_decided_on()
    {
        var (owner, member, team) = await TeamAsync();
        using var _ = owner;
        using var __ = member;
        using var late = await host.PersonAsync(MailHost.Name("late"));
        foreach (var decisions in new (Visitor, string)[][] { [(owner, "keep")], [], [(owner, "keep"), (late, "keep")], [(owner, "keep"), (member, "keep"), (late, "keep")], [(owner, "remove"), (member, "keep")] })
        {
            (await SignAsync(owner, team, decisions)).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        }
        await owner.JoinAsync(team, late); // after the page was opened
        using (var stale = await SignAsync(owner, team, (owner, "keep"), (member, "remove")))
        {
            (await stale.Content.ReadAsStringAsync()).ShouldContain("It may have changed while you looked at it");
        }
        (await SignedAsync(team)).ShouldBe(0);
        (await member.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Nobody_signs_who_is_no_owner_any_more_or_has_not_touched_a_key()
    {
        var (owner, member, team) = await TeamAsync();
        using var _ = owner;
        using var __ = member;
        using var stranger = await host.PersonAsync(MailHost.Name("stranger"));
        foreach (var other in new[] { member, stranger })
        {
            foreach (var path in new[] { "review", "export", "reviews/" + Reference.New() })
            {
                (await other.GetAsync($"/teams/{team}/access/{path}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            }
            (await SignAsync(other, team, (owner, "remove"), (member, "keep"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
        // Two owners take each other out at once: one signature, one owner.
        await owner.SendAsync("/teams", $"/teams/{team}/members/role", ("Username", member.Username), ("Owner", "true"));
        await Task.WhenAll(SignAsync(owner, team, (owner, "keep"), (member, "remove")), SignAsync(member, team, (owner, "remove"), (member, "keep")));
        (await SignedAsync(team)).ShouldBe(1);
        (await host.ScalarAsync<long>($"select count(*) from memberships m join teams t on t.id = m.team_id where t.reference = '{team}' and m.role = 'owner'")).ShouldBe(1);
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await SignAsync(owner, team, (owner, "keep"))).Headers.Location?.ToString().ShouldContain("/step-up");
        (await SignedAsync(team)).ShouldBe(1);
    }

    [Fact, Trait("Requirement", "A12")]
    public async Task The_last_owner_who_can_do_without_the_identity_provider_is_not_taken_out()
    {
        var (owner, member, team) = await TeamAsync();
        using var _ = owner;
        using var __ = member;
        await owner.SendAsync("/teams", $"/teams/{team}/members/role", ("Username", member.Username), ("Owner", "true"));
        await host.ScalarAsync<object?>(
            $"""
            with k as (delete from security_keys where user_id = '{await IdAsync(member)}')
            insert into saml_connections (team_id, state, idp_entity_id, sign_on_url, tested_at, bound_by, changed_at)
            select id, 'on', 'idp', 'https://idp.example', now(), '{await IdAsync(owner)}', now() from teams where reference = '{team}' returning 1
            """);
        (await (await SignAsync(member, team, (owner, "remove"), (member, "keep"))).Content.ReadAsStringAsync()).ShouldContain("no owner would be left");
        (await SignedAsync(team)).ShouldBe(0);
        (await owner.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        // And neither by taking the role.
        (await (await owner.SendAsync("/teams", $"/teams/{team}/members/role", ("Username", owner.Username), ("Owner", "false"))).Content.ReadAsStringAsync())
            .ShouldContain("last owner who can sign in with a password and a key");
    }

    [Fact]
    public async Task A_review_that_is_overdue_is_shown_and_reminded_of_once_a_week_until_it_is_signed()
    {
        var (owner, address) = await host.WithAddressAsync("reminded");
        using var _ = owner;
        var team = await owner.TeamAsync("Due");
        var care = host.Services.GetRequiredService<UnusedAccessCare>();
        await owner.SetPolicyAsync($"/teams/{team}/policy", ("SecondFactor", "appliance"), ("ReviewDays", "30"));
        await AgeAsync(29);
        await care.RunOnceAsync(default);
        (await owner.HtmlAsync($"/teams/{team}/members")).ShouldNotContain("An access review was due");
        await AgeAsync(2);
        await care.RunOnceAsync(default);
        await care.RunOnceAsync(default);
        (await host.Mail.WaitAsync(address, "An access review is due")).Text.ShouldContain("Due");
        (await owner.HtmlAsync($"/teams/{team}/members")).ShouldContain("An access review was due");
        (await owner.HtmlAsync($"/teams/{team}/access")).ShouldContain("Overdue");
        await AgeAsync(8);
        await care.RunOnceAsync(default);
        (await host.ScalarAsync<long>($"select count(*) from mails where kind = 'access-review.due' and user_id = '{await IdAsync(owner)}'")).ShouldBe(2);
        (await SignAsync(owner, team, (owner, "keep"))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await AgeAsync(8);
        await care.RunOnceAsync(default);
        (await host.ScalarAsync<long>($"select count(*) from mails where kind = 'access-review.due' and user_id = '{await IdAsync(owner)}'")).ShouldBe(2);
        (await owner.HtmlAsync($"/teams/{team}/access")).ShouldNotContain("Overdue");
        await owner.ShouldRefuseAsync($"/teams/{team}/policy", "a number of days from 7 to 730", ("SecondFactor", "appliance"), ("ReviewDays", "6"));

        Task<object?> AgeAsync(int days) => host.ScalarAsync<object?>(
            $"""
            with a as (update teams set created_at = created_at - interval '{days} days' where reference = '{team}' returning id),
                 b as (update access_reviews set signed_at = signed_at - interval '{days} days' where team_id in (select id from a))
            update access_review_reminders set reminded_at = reminded_at - interval '{days} days' where team_id in (select id from a) returning 1
            """);
    }
}
