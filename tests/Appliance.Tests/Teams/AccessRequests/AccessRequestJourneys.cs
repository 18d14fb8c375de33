using System.Net;
using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.Tests.Mail;
using Appliance.Tests.SignIn;
using Appliance.Tests.SignIn.Policy;
using Appliance.Vault;
using Shouldly;

namespace Appliance.Tests.Teams.AccessRequests;

/// <summary>What people do who ask for access, and who grant it.</summary>
internal static partial class AccessRequestJourneys
{
    public const string Wrong = "222-222";

    public static string Ask(string team) => $"/teams/{team}/ask";

    /// <summary>A team with an owner and a member.</summary>
    public static async Task<(Visitor Owner, Visitor Member, string Team)> PairAsync(this MailHost host, string stem)
    {
        var (owner, member) = (await host.PersonAsync(MailHost.Name(stem + ".owner")), await host.PersonAsync(MailHost.Name(stem + ".member")));
        var team = await owner.TeamAsync("Asked " + stem);
        await owner.JoinAsync(team, member);
        return (owner, member, team);
    }

    /// <summary>Asks; answers the code that the page shows.</summary>
    public static async Task<string> AskForAccessAsync(this Visitor person, string team, string reason = "I stand in for Anna")
    {
        using var answer = await person.SendAsync(Ask(team), null, ("Reason", reason));
        var html = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.OK, html);
        answer.Headers.CacheControl!.NoStore.ShouldBeTrue();
        return Shown().Match(html).Groups["code"].Value;
    }

    /// <summary>The page of the person's last request.</summary>
    public static async Task<string> RequestAsync(this MailHost host, string team, Visitor person) =>
        $"/teams/{team}/requests/" + await host.ScalarAsync<string>(
            $"select r.reference from access_requests r join users u on u.id = r.user_id join teams t on t.id = r.team_id where u.username = '{person.Username}' and t.reference = '{team}' order by r.made_at desc, r.state = 'open' desc limit 1");

    public static Task<HttpResponseMessage> ApproveAsync(this Visitor owner, string page, string code) => owner.SendAsync(page, null, ("Code", code));

    public static async Task ShouldGrantAsync(this Task<HttpResponseMessage> step, string team)
    {
        using var answer = await step;
        answer.Headers.Location?.ToString().ShouldBe($"/teams/{team}/members", WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync()));
    }

    public static async Task ShouldRefuseAsync(this Task<HttpResponseMessage> step, string sentence)
    {
        using var answer = await step;
        answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync()).ShouldContain(sentence);
    }

    public static async Task<string?> RoleAsync(this MailHost host, string team, Visitor person) => await host.ScalarAsync<string?>(
        $"select max(m.role) from memberships m join users u on u.id = m.user_id join teams t on t.id = m.team_id where t.reference = '{team}' and u.username = '{person.Username}'") is string role ? role : null;

    public static async Task<string> StateAsync(this MailHost host, string page) => await host.ScalarAsync<string>($"select state || ' ' || tries from access_requests where reference = '{page.Split('/')[^1]}'");

    public static Task SetRoleAsync(this MailHost host, string team, Visitor person, string role) => host.ScalarAsync<object?>(
        $"update memberships m set role = '{role}' from users u, teams t where u.id = m.user_id and t.id = m.team_id and t.reference = '{team}' and u.username = '{person.Username}' returning null");

    /// <summary>As if nobody had used it for long.</summary>
    public static Task EndAccessAsync(this MailHost host, string team, Visitor person, string role = "member") => host.ScalarAsync<object?>(
        $"""
        with g as (delete from memberships m using users u, teams t where u.id = m.user_id and t.id = m.team_id and t.reference = '{team}' and u.username = '{person.Username}' returning m.*)
        insert into revoked_access (team_id, user_id, role, since, added_by, revoked_at) select team_id, user_id, '{role}', since, added_by, now() - interval '1 day' from g returning null
        """);

    public static async Task<UserId> IdAsync(this MailHost host, Visitor person) => new(await host.ScalarAsync<Guid>($"select id from users where username = '{person.Username}'"));

    public static async Task<TeamId> TeamIdAsync(this MailHost host, string team) => new(await host.ScalarAsync<Guid>($"select id from teams where reference = '{team}'"));

    public static async Task<IReadOnlyList<string>> ActionsAsync(this MailHost host, string team) => await host.ScalarAsync<string[]>(
        $"select array_agg(e.action::text order by e.at, e.id) from ledger_entries e join teams t on t.id = e.tree where t.reference = '{team}' and (e.action like 'access-request%' or e.action in ('member.role-changed', 'member.access-reinstated'))");

    [GeneratedRegex("<code id=\"access-code\" class=\"app-secret\">(?<code>[2-9A-HJ-NP-Z]{3}-[2-9A-HJ-NP-Z]{3})</code>", RegexOptions.None, 5000)]
    private static partial Regex Shown();
}
