using System.Net;
using Appliance.Tests.Mail;
using Appliance.Tests.SignIn;
using Appliance.Tests.SignIn.Policy;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Teams;

/// <summary>Who is an owner of a team: several may be, one always is.</summary>
[Trait("Requirement", "T4"), Trait("Requirement", "A13")]
public sealed class RoleTests(MailHost host) : IClassFixture<MailHost>
{
    private static Task<HttpResponseMessage> ChangeAsync(Visitor by, string team, string whom, bool owner) =>
        by.SendAsync("/teams", $"/teams/{team}/members/role", ("Username", whom), ("Owner", owner ? "true" : "false"));

    private async Task<string?> RoleAsync(string team, string username) => await host.ScalarAsync<string?>(
        $"select m.role from memberships m join users u on u.id = m.user_id join teams t on t.id = m.team_id where t.reference = '{team}' and u.username = '{username}'");

    private async Task<(Visitor Owner, Visitor Member, string Address, string Team)> TeamAsync()
    {
        var owner = await host.PersonAsync(MailHost.Name("owner"));
        var (member, address) = await host.WithAddressAsync("member");
        var team = await owner.TeamAsync("Roles");
        await owner.JoinAsync(team, member);
        return (owner, member, address, team);
    }

    [Fact]
    public async Task An_owner_makes_another_who_is_told_and_may_what_owners_may()
    {
        var (owner, member, address, team) = await TeamAsync();
        using var _ = owner;
        using var __ = member;
        (await member.HtmlAsync($"/teams/{team}/members")).ShouldNotContain("Make an owner");
        (await member.GetAsync($"/teams/{team}/policy")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await owner.HtmlAsync($"/teams/{team}/members")).ShouldContain("Make an owner");
        var page = $"/teams/{team}/members/role?username={member.Username}";
        (await owner.SendAsync(page, $"/teams/{team}/members/role")).Headers.Location!.ToString().ShouldBe($"/teams/{team}/members");
        (await host.Mail.WaitAsync(address, "You are an owner of a team now")).Text.ShouldContain("Roles");
        (await member.GetAsync($"/teams/{team}/policy")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await ChangeAsync(member, team, owner.Username, false)).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await RoleAsync(team, owner.Username)).ShouldBe("member");
        (await host.ScalarAsync<long>(
            $"select count(*) from ledger_entries e join teams t on t.id = e.tree where t.reference = '{team}' and e.action = 'member.role-changed'")).ShouldBe(2);
    }

    [Fact]
    public async Task Nobody_else_does_and_not_without_the_key()
    {
        var (owner, member, _, team) = await TeamAsync();
        using var __ = owner;
        using var ___ = member;
        using var stranger = await host.PersonAsync(MailHost.Name("stranger"));
        foreach (var other in new[] { member, stranger })
        {
            (await other.GetAsync($"/teams/{team}/members/role?username={member.Username}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await ChangeAsync(other, team, member.Username, true)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
        (await ChangeAsync(owner, team, stranger.Username, true)).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await ChangeAsync(owner, team, member.Username, true)).Headers.Location!.ToString().ShouldContain("/step-up");
        (await RoleAsync(team, member.Username)).ShouldBe("member");
        (await RoleAsync(team, stranger.Username)).ShouldBeNull();
    }

    [Fact]
    public async Task One_owner_is_left_whatever_two_of_them_do_at_once()
    {
        var (owner, member, _, team) = await TeamAsync();
        using var __ = owner;
        using var ___ = member;
        (await (await ChangeAsync(owner, team, owner.Username, false)).Content.ReadAsStringAsync()).ShouldContain("keeps at least one owner");
        for (var round = 0; round < 5; round++)
        {
            await host.ScalarAsync<object?>($"update memberships m set role = 'owner' from teams t where t.id = m.team_id and t.reference = '{team}' returning 1");
            await Task.WhenAll(ChangeAsync(owner, team, member.Username, false), ChangeAsync(member, team, owner.Username, false));
            new[] { await RoleAsync(team, owner.Username), await RoleAsync(team, member.Username) }.Count(r => r == "owner").ShouldBe(1);
        }
    }
}
