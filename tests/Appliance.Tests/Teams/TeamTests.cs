using System.Net;
using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.Teams;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.Extensions.DependencyInjection;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Teams;

public sealed partial class TeamTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    [Fact, Trait("Requirement", "T1"), Trait("Requirement", "T3")]
    public async Task A_team_has_its_own_key_a_random_reference_and_its_maker_as_owner()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync("Nordlicht <Studio>");
        Reference.IsWellFormed(team).ShouldBeTrue();
        var page = await anna.Http.GetStringAsync("/teams");
        page.ShouldContain("Nordlicht &lt;Studio&gt;");
        page.ShouldContain(">Owner<");
        var id = (Guid)(await SqlAsync($"select id from teams where reference = '{team}'"))!;
        host.Services.GetRequiredService<TeamKeys>().Exists(new TeamId(id)).ShouldBeTrue();
        (await SqlAsync($"select count(*) from ledger_entries where action = 'team.created' and subject = '{id}'")).ShouldBe(2L);
        (await SqlAsync($"select count(*) from ledger_entries where tree = '00000000-0000-0000-0000-000000000000' and details like '%Nordlicht%'")).ShouldBe(0L);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("a\u0007b")]
    [InlineData("a\u202Eb")]
    public async Task A_team_without_a_proper_name_is_not_made(string name)
    {
        using var anna = await Person.NewAsync(host);
        (await anna.PostAsync("/teams", ("Name", name))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await anna.PostAsync("/teams", ("Name", new string('a', 101)))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await anna.Http.GetStringAsync("/teams")).ShouldContain("You are in no team yet");
    }

    [Fact, Trait("Requirement", "A11"), Trait("Requirement", "T3")]
    public async Task Offering_a_place_tells_nothing_about_whether_the_account_exists()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        var (real, made) = (ben.Username, "ben-" + new string('x', 8));
        var (first, second) = (await anna.TeamAsync(), await anna.TeamAsync());
        using var toReal = await anna.PostAsync($"/teams/{first}/members", ("Username", real));
        using var toNobody = await anna.PostAsync($"/teams/{second}/members", ("Username", made));
        toReal.StatusCode.ShouldBe(toNobody.StatusCode);
        toReal.StatusCode.ShouldBe(HttpStatusCode.Redirect);
        var (one, two) = (await anna.Http.GetStringAsync($"/teams/{first}/members"), await anna.Http.GetStringAsync($"/teams/{second}/members"));
        Plain(one, real, first).ShouldBe(Plain(two, made, second));
        one.ShouldContain("Offered");

        static string Plain(string html, string username, string team) => Changing().Replace(
            html[html.IndexOf("<main", StringComparison.Ordinal)..html.IndexOf("</main>", StringComparison.Ordinal)].Replace(username, "NAME", StringComparison.Ordinal).Replace(team, "TEAM", StringComparison.Ordinal).Replace(Shell.Initials(username), "IN", StringComparison.Ordinal), "");
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task A_place_is_taken_by_the_person_it_was_offered_to_and_by_nobody_else()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        using var mallory = await Person.NewAsync(host, "mallory");
        var team = await anna.TeamAsync("Nordlicht");
        (await anna.PostAsync($"/teams/{team}/members", ("Username", ben.Username.ToUpperInvariant()))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        var offer = await ben.OfferAsync();
        (await mallory.Http.GetStringAsync("/teams")).ShouldNotContain("Nordlicht");
        (await mallory.PostAsync("/teams?handler=Accept", ("offer", offer))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await mallory.PostAsync("/teams?handler=Decline", ("offer", offer))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // The name is all that the person learns before they are in it.
        (await ben.Http.GetStringAsync("/teams")).ShouldNotContain(team);
        (await ben.Http.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await ben.PostAsync("/teams?handler=Accept", ("offer", offer))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await ben.Http.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await ben.PostAsync("/teams?handler=Accept", ("offer", offer))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await SqlAsync($"select string_agg(action, ' ' order by l.id) from ledger_entries l join teams t on t.id = l.tree where t.reference = '{team}'"))
            .ShouldBe("team.created member.offered member.added");
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task The_database_itself_refuses_who_was_offered_nothing_or_wants_more()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        var team = await anna.TeamAsync();
        var id = new TeamId((Guid)(await SqlAsync($"select id from teams where reference = '{team}'"))!);
        await Should.ThrowAsync<ForbiddenByDatabaseException>(() => JoinAsync(Membership.Member));
        await anna.PostAsync($"/teams/{team}/members", ("Username", ben.Username));
        await Should.ThrowAsync<ForbiddenByDatabaseException>(() => JoinAsync(Membership.Owner));
        await JoinAsync(Membership.Member);

        async Task JoinAsync(string role)
        {
            await using var session = await host.Database.ForTeamAsync(id, ben.Id, default);
            session.Add(new Membership { TeamId = id, UserId = ben.Id, Role = role, Since = DateTimeOffset.UtcNow, AddedBy = anna.Id });
            await session.CommitAsync(default);
        }
    }

    [Fact]
    public async Task A_place_can_be_declined_and_withdrawn()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        var team = await anna.TeamAsync();
        await anna.PostAsync($"/teams/{team}/members", ("Username", ben.Username));
        (await ben.PostAsync("/teams?handler=Decline", ("offer", await ben.OfferAsync()))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await ben.OfferAsync()).ShouldBe("");
        await anna.PostAsync($"/teams/{team}/members", ("Username", ben.Username));
        (await ben.OfferAsync()).ShouldNotBe("");
        await anna.PostAsync($"/teams/{team}/members?handler=Withdraw", ("Username", ben.Username));
        (await ben.OfferAsync()).ShouldBe("");
    }

    [Fact]
    public async Task Only_an_owner_decides_who_is_in_the_team_but_everyone_may_leave()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        var team = await anna.TeamAsync();
        await anna.InviteAsync(team, ben);
        (await ben.PostAsync($"/teams/{team}/members", ("Username", "somebody"))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await ben.PostAsync($"/teams/{team}/members?handler=Remove", ("Username", anna.Username))).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await ben.Http.GetStringAsync($"/teams/{team}/members")).ShouldContain(anna.Username);
        (await ben.PostAsync($"/teams/{team}/members?handler=Remove", ("Username", ben.Username))).Headers.Location!.ToString().ShouldBe("/teams");
        (await ben.Http.GetAsync($"/teams/{team}/members")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task The_last_owner_stays()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        using var answer = await anna.PostAsync($"/teams/{team}/members?handler=Remove", ("Username", anna.Username));
        answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("at least one owner");
        (await anna.Http.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    private Task<object?> SqlAsync(string sql) => host.Cluster.SuperuserAsync(host.Settings.DatabaseName, sql);

    [GeneratedRegex("(value|content)=\"CfDJ8[^\"]*\"|<time [^<]*</time>", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Changing();
}
