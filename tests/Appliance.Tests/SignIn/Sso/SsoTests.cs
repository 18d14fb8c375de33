using System.Net;
using System.Net.Sockets;
using System.Text;
using Appliance.Accounts;
using Appliance.Saml.Tests;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Tests.SignIn.Sso;

/// <summary>Coming in through the identity provider.</summary>
[Trait("Requirement", "A12")]
public sealed class SsoTests(SignInHost host) : SsoTeams(host)
{
    [Fact]
    public async Task A_person_signs_in_becomes_a_member_and_reaches_that_team_and_nothing_else()
    {
        var (owner, idp) = await BoundAsync();
        using var _ = owner;
        using var carla = Host.Visitor();
        (await idp.SignInAsync(carla, "carla@idp.example")).ShouldBe($"/teams/{idp.Team}/files");
        var files = await carla.HtmlAsync($"/teams/{idp.Team}/files");
        files.ShouldContain("Signed in through your organisation");
        (await carla.HtmlAsync($"/teams/{idp.Team}/members")).ShouldContain("carla-");
        (await carla.GetAsync($"/api/v1/teams/{idp.Team}/entries")).StatusCode.ShouldBe(HttpStatusCode.OK);

        // Her other teams, if she had any, and the account stay closed.
        var otherTeam = (await owner.SendAsync("/teams", null, ("Name", "Other"))).Headers.Location!.ToString().Split('/')[2];
        await Host.Cluster.SuperuserAsync(
            Host.Settings.DatabaseName,
            $"insert into memberships select t.id, i.user_id, 'owner', now(), i.user_id from teams t, saml_identities i where t.reference = '{otherTeam}' and i.name_id = 'carla@idp.example'");
        foreach (var page in new[] { $"/teams/{otherTeam}/files", $"/teams/{otherTeam}/members", "/account/security", "/account/sessions", "/account/tokens", "/account/tokens/new", "/account/recovery-codes", "/account/security/keys/add", "/step-up", "/people", "/people/lost-key", "/account/password", $"/api/v1/teams/{otherTeam}/entries", "/api/v1/teams" })
        {
            (await carla.GetAsync(page)).StatusCode.ShouldBe(HttpStatusCode.Forbidden, page);
        }
        (await carla.GetAsync("/teams")).Headers.Location!.ToString().ShouldBe($"/teams/{idp.Team}/files");
        (await carla.PostAsync(files, "/teams", ("Name", "Mine"))).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await carla.HtmlAsync($"/teams/{idp.Team}/files")).ShouldNotContain(otherTeam);

        // The same person again is the same account; signing out ends it.
        using var elsewhere = Host.Visitor();
        (await idp.SignInAsync(elsewhere, "carla@idp.example")).ShouldBe($"/teams/{idp.Team}/files");
        (await CountAsync("users where username like 'carla-%'")).ShouldBe(1);
        (await carla.PostAsync(await carla.HtmlAsync($"/teams/{idp.Team}/files"), "/sign-out")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await carla.GetAsync($"/teams/{idp.Team}/files")).Headers.Location!.ToString().ShouldStartWith("/sign-in");

        // All of it is in the ledgers, the team's and the appliance's.
        var team = $"tree = (select id from teams where reference = '{idp.Team}')";
        foreach (var action in new[] { "sso.metadata-taken", "sso.tested", "sso.changed", "member.joined", "sso.succeeded" })
        {
            (await CountAsync($"ledger_entries where {team} and action = '{action}'")).ShouldBeGreaterThan(0, action);
        }
        (await Host.LedgerAsync("sign-in.succeeded")).ShouldContain(e => e.Details.Contains("identity-provider", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_second_factor_is_asked_for_here_unless_the_owner_answers_for_the_provider()
    {
        var (owner, idp) = await BoundAsync(changes: ("Choice.SecondFactor", "appliance"));
        using var _ = owner;
        using var dora = Host.Visitor();
        var next = await idp.SignInAsync(dora, "dora@idp.example");
        next.ShouldBe($"/sign-in/key?return={Uri.EscapeDataString($"/teams/{idp.Team}/files")}");
        (await dora.GetAsync($"/teams/{idp.Team}/files")).Headers.Location!.ToString().ShouldStartWith("/sign-in");
        (await dora.GetAsync(next)).Headers.Location!.ToString().ShouldStartWith("/sign-in/enrol?return=");
        var html = await dora.HtmlAsync("/sign-in/enrol");
        (await dora.PostAsync(html, "/sign-in/enrol", ("Credential", dora.Key.Register(Visitor.Options(html))), ("Name", "First"))).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await dora.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await dora.GetAsync("/account/security")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        // Next time: the key, and a limited session again.
        using var again = new Visitor(Host) { Key = dora.Key };
        (await idp.SignInAsync(again, "dora@idp.example")).ShouldStartWith("/sign-in/key");
        (await again.TouchAsync("/sign-in/key")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await again.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await again.GetAsync("/account/tokens")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Nobody_is_signed_in_by_an_answer_that_their_browser_did_not_ask_for()
    {
        var (owner, idp) = await BoundAsync();
        using var _ = owner;
        using var attacker = Host.Visitor();
        using var victim = Host.Visitor();
        var id = await idp.StartAsync(attacker);
        var answer = idp.Signed(idp.Spec(id, "attacker@idp.example"));
        (await Provider.LedToAsync(await idp.ReturnAsync(victim, answer))).ShouldContain("not started in this browser");
        // Not with a request of the victim's own open either.
        await idp.StartAsync(victim);
        (await Provider.LedToAsync(await idp.ReturnAsync(victim, answer))).ShouldContain("not started in this browser");
        (await victim.GetAsync($"/teams/{idp.Team}/files")).Headers.Location!.ToString().ShouldStartWith("/sign-in");
        // The attacker's own browser it signs in, once.
        (await Provider.LedToAsync(await idp.ReturnAsync(attacker, answer))).ShouldBe($"/teams/{idp.Team}/files");
        (await Provider.LedToAsync(await idp.ReturnAsync(attacker, answer))).ShouldContain("not started in this browser");

        // The same assertion under a request that waits: used before.
        using var eve = Host.Visitor();
        var spec = idp.Spec(await idp.StartAsync(eve), "eve@idp.example");
        (await Provider.LedToAsync(await idp.ReturnAsync(eve, idp.Signed(spec)))).ShouldBe($"/teams/{idp.Team}/files");
        var second = await idp.StartAsync(eve);
        (await Provider.LedToAsync(await idp.ReturnAsync(eve, idp.Signed(spec with { InResponseTo = second, ConfirmationInResponseTo = second })))).ShouldContain("was not accepted");
        (await CountAsync($"ledger_entries where action = 'sso.refused' and details like '%Replay%' and tree = (select id from teams where reference = '{idp.Team}')")).ShouldBe(1);

        // Ten minutes, not longer.
        using var slow = Host.Visitor();
        var late = await idp.StartAsync(slow);
        Host.Clock.Move(TimeSpan.FromMinutes(11));
        (await Provider.LedToAsync(await idp.ReturnAsync(slow, idp.Signed(idp.Spec(late, "slow@idp.example"))))).ShouldContain("not started in this browser");
    }

    [Fact]
    public async Task What_nobody_asked_for_is_refused_or_where_allowed_makes_the_browser_ask()
    {
        var (owner, idp) = await BoundAsync();
        using (owner)
        {
            using var visitor = Host.Visitor();
            (await Provider.LedToAsync(await idp.ReturnAsync(visitor, idp.Signed(idp.Spec(null, "fritz@idp.example"))))).ShouldContain("not started in this browser");
            (await ChooseAsync(owner, idp, [.. Usual, ("Choice.IdpInitiated", "true")])).StatusCode.ShouldBe(HttpStatusCode.Redirect);
            var unasked = idp.Signed(idp.Spec(null, "fritz@idp.example"));
            (await Provider.LedToAsync(await idp.ReturnAsync(visitor, unasked))).ShouldBe($"/sso/{idp.Team}");
            (await visitor.GetAsync($"/teams/{idp.Team}/files")).Headers.Location!.ToString().ShouldStartWith("/sign-in");
            (await CountAsync("saml_identities where name_id = 'fritz@idp.example'")).ShouldBe(0);
            // Once; and not from somebody else's provider.
            (await Provider.LedToAsync(await idp.ReturnAsync(visitor, unasked))).ShouldContain("not started in this browser");
            var stranger = new Provider(Host, idp.Team);
            (await Provider.LedToAsync(await stranger.ReturnAsync(visitor, stranger.Signed(stranger.Spec(null, "fritz@idp.example"))))).ShouldContain("not started in this browser");
            (await idp.SignInAsync(visitor, "fritz@idp.example")).ShouldBe($"/teams/{idp.Team}/files");
        }
    }

    [Fact]
    public async Task A_name_or_an_address_takes_nobodys_account_and_a_person_links_their_own()
    {
        var (owner, idp) = await BoundAsync();
        using var _ = owner;
        var name = Name("greta");
        using var greta = await Host.PersonAsync(name);
        await Host.Cluster.SuperuserAsync(Host.Settings.DatabaseName, $"update users set email = '{name}@idp.example', email_key = upper('{name}@idp.example') where username = '{name}'");
        using var impostor = Host.Visitor();
        (await idp.SignInAsync(impostor, $"{name}@idp.example")).ShouldBe($"/teams/{idp.Team}/files");
        (await impostor.HtmlAsync($"/teams/{idp.Team}/members")).ShouldContain($"{name}-");
        (await CountAsync($"saml_identities i join users u on u.id = i.user_id where u.username = '{name}'")).ShouldBe(0);

        // Greta becomes a member as people do, and links what the provider calls her.
        (await owner.SendAsync($"/teams/{idp.Team}/members", null, ("Username", name))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        var offer = System.Text.RegularExpressions.Regex.Match(await greta.HtmlAsync("/teams"), "name=\"offer\" value=\"(?<found>[a-z2-7]{26})", default, TimeSpan.FromSeconds(5)).Groups["found"].Value;
        await greta.SendAsync("/teams", "/teams?handler=Accept", ("offer", offer));
        (await greta.HtmlAsync($"/teams/{idp.Team}/members")).ShouldContain("Link my organisation");
        var id = Provider.RequestId(await greta.GetAsync($"/teams/{idp.Team}/sso/link"));
        var result = await Provider.LedToAsync(await idp.ReturnAsync(greta, idp.Signed(idp.Spec(id, "greta.real@idp.example"))));
        (await greta.HtmlAsync(result)).ShouldContain("greta.real@idp.example");
        // Somebody else cannot finish it, and until she says so nothing is linked.
        (await owner.GetAsync(result)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await CountAsync("saml_identities where name_id = 'greta.real@idp.example'")).ShouldBe(0);
        (await greta.SendAsync(result, $"/teams/{idp.Team}/sso/result?handler=Link")).StatusCode.ShouldBe(HttpStatusCode.Redirect);

        using var anywhere = Host.Visitor();
        (await idp.SignInAsync(anywhere, "greta.real@idp.example")).ShouldBe($"/teams/{idp.Team}/files");
        (await anywhere.HtmlAsync($"/teams/{idp.Team}/files")).ShouldContain(name);
        (await anywhere.GetAsync("/account/security")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        // An identity belongs to one account.
        var hanna = Name("hanna");
        using var other = await Host.PersonAsync(hanna);
        await owner.SendAsync($"/teams/{idp.Team}/members", null, ("Username", hanna));
        var hers = System.Text.RegularExpressions.Regex.Match(await other.HtmlAsync("/teams"), "name=\"offer\" value=\"(?<found>[a-z2-7]{26})", default, TimeSpan.FromSeconds(5)).Groups["found"].Value;
        await other.SendAsync("/teams", "/teams?handler=Accept", ("offer", hers));
        var again = Provider.RequestId(await other.GetAsync($"/teams/{idp.Team}/sso/link"));
        var taken = await Provider.LedToAsync(await idp.ReturnAsync(other, idp.Signed(idp.Spec(again, "greta.real@idp.example"))));
        (await other.SendAsync(taken, $"/teams/{idp.Team}/sso/result?handler=Link")).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);

        // Another team's provider that calls itself the same and says the same name means somebody else.
        var (second, evil) = await BoundAsync();
        using (second)
        {
            using var mallory = Host.Visitor();
            (await evil.SignInAsync(mallory, "greta.real@idp.example")).ShouldBe($"/teams/{evil.Team}/files");
            (await mallory.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
            (await CountAsync($"saml_identities i join users u on u.id = i.user_id where u.username = '{name}'")).ShouldBe(1);
        }
    }

    [Fact]
    public async Task Without_making_accounts_strangers_stay_outside_and_who_was_removed_stays_removed()
    {
        var (owner, idp) = await BoundAsync();
        using var _ = owner;
        using var ida = Host.Visitor();
        await idp.SignInAsync(ida, "ida@idp.example");
        var members = await owner.HtmlAsync($"/teams/{idp.Team}/members");
        var username = System.Text.RegularExpressions.Regex.Match(members, "value=\"(?<found>ida-[a-z0-9]{4})\"", default, TimeSpan.FromSeconds(5)).Groups["found"].Value;
        (await owner.SendAsync($"/teams/{idp.Team}/members", $"/teams/{idp.Team}/members?handler=Remove", ("Username", username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await ida.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using var back = Host.Visitor();
        (await idp.SignInAsync(back, "ida@idp.example")).ShouldContain("You have no access to this team any more");

        await ChooseAsync(owner, idp, [.. Usual.Where(u => u.Name != "Choice.JustInTime")]);
        using var jan = Host.Visitor();
        (await idp.SignInAsync(jan, "jan@idp.example")).ShouldContain("this team does not yet");
        (await CountAsync("users where username like 'jan-%'")).ShouldBe(0);
    }

    [Fact]
    public async Task Groups_say_who_is_owner_who_is_member_and_who_stays_outside()
    {
        var (owner, idp) = await BoundAsync(changes: [("Choice.Groups", "leads = owner\nediting staff = member"), ("Choice.Others", "nobody")]);
        using var _ = owner;
        using var karl = Host.Visitor();
        (await idp.SignInAsync(karl, "karl@idp.example", "visitors")).ShouldContain("None of your groups opens this team");
        (await idp.SignInAsync(karl, "karl@idp.example", "editing staff")).ShouldBe($"/teams/{idp.Team}/files");
        var role = $"memberships m join saml_identities i on i.user_id = m.user_id and i.team_id = m.team_id where i.name_id = 'karl@idp.example' and m.role = ";
        (await CountAsync(role + "'member'")).ShouldBe(1);
        (await idp.SignInAsync(karl, "karl@idp.example", "editing staff", "leads")).ShouldBe($"/teams/{idp.Team}/files");
        (await CountAsync(role + "'owner'")).ShouldBe(1);

        // Not even as owner does he decide what his provider may, nor put out the last one who could do without it.
        (await karl.GetAsync($"/teams/{idp.Team}/sso")).StatusCode.ShouldBeOneOf(HttpStatusCode.Forbidden, HttpStatusCode.Redirect);
        var refused = await karl.SendAsync($"/teams/{idp.Team}/members", $"/teams/{idp.Team}/members?handler=Remove", ("Username", owner.Username));
        refused.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await refused.Content.ReadAsStringAsync()).ShouldContain("last owner who can sign in with a password and a key");

        (await ChooseAsync(owner, idp, [.. Usual.Where(u => u.Name is not "Choice.Others" and not "Choice.GroupsAttribute"), ("Choice.Others", "nobody")])).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await ChooseAsync(owner, idp, [.. Usual, ("Choice.Groups", "leads = emperor")])).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
    }

    [Fact]
    public async Task Where_it_is_required_members_come_in_no_other_way_and_owners_do()
    {
        var (owner, idp) = await BoundAsync();
        using var _ = owner;
        var name = Name("lena");
        using var lena = await Host.PersonAsync(name);
        await owner.SendAsync($"/teams/{idp.Team}/members", null, ("Username", name));
        var offer = System.Text.RegularExpressions.Regex.Match(await lena.HtmlAsync("/teams"), "name=\"offer\" value=\"(?<found>[a-z2-7]{26})", default, TimeSpan.FromSeconds(5)).Groups["found"].Value;
        await lena.SendAsync("/teams", "/teams?handler=Accept", ("offer", offer));
        (await lena.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);

        // An owner without a password and a key of their own cannot require it: it would lock them out.
        await Host.Cluster.SuperuserAsync(Host.Settings.DatabaseName, $"update users set password_hash = null where username = '{owner.Username}'");
        var lockout = await ChooseAsync(owner, idp, [.. Usual.Where(u => u.Name != "Choice.State"), ("Choice.State", "required")]);
        lockout.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await lockout.Content.ReadAsStringAsync()).ShouldContain("lock you out");
        await Host.Cluster.SuperuserAsync(Host.Settings.DatabaseName, $"update users set password_hash = 'x' where username = '{owner.Username}'");

        (await ChooseAsync(owner, idp, [.. Usual.Where(u => u.Name != "Choice.State"), ("Choice.State", "required")])).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await lena.GetAsync($"/teams/{idp.Team}/files")).Headers.Location!.ToString().ShouldBe($"/sso/{idp.Team}");
        using (var api = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/teams/{idp.Team}/entries"))
        {
            using var answer = await lena.Client.SendAsync(api);
            answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        }
        (await lena.GetAsync("/account/security")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await owner.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        // Linked before that, or by an account that the provider makes: through it.
        using var maja = Host.Visitor();
        (await idp.SignInAsync(maja, "maja@idp.example")).ShouldBe($"/teams/{idp.Team}/files");
        (await maja.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task What_comes_to_the_address_from_anybody_is_bounded_and_leaves_nothing()
    {
        var (owner, idp) = await BoundAsync();
        using var _ = owner;
        using var visitor = Host.Visitor();
        foreach (var body in new[] { "", "x", "SAMLResponse=", "SAMLResponse=%00", "SAMLResponse=AAAA", "SAMLResponse=a&SAMLResponse=b", "SAMLResponse=" + new string('A', 300_000), string.Concat(Enumerable.Repeat("a=b&", 100)) })
        {
            using var answer = await visitor.Client.PostAsync($"/sso/{idp.Team}/acs", new StringContent(body, Encoding.ASCII, "application/x-www-form-urlencoded"));
            ((int)answer.StatusCode).ShouldBeOneOf([400, 403], body[..Math.Min(40, body.Length)]);
        }
        using (var huge = await visitor.Client.PostAsync($"/sso/{idp.Team}/acs", new StringContent("SAMLResponse=" + new string('A', 3_000_000), Encoding.ASCII, "application/x-www-form-urlencoded")))
        {
            huge.StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        }
        (await CountAsync($"ledger_entries where action = 'sso.refused' and tree = (select id from teams where reference = '{idp.Team}')")).ShouldBe(0);
        foreach (var nowhere in new[] { "aaaaaaaaaaaaaaaaaaaaaaaaaa", "x" })
        {
            (await visitor.GetAsync($"/sso/{nowhere}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await visitor.GetAsync($"/sso/{nowhere}/metadata")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
    }
}
