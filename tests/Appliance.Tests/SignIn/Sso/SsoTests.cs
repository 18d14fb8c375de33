using System.Net;
using System.Net.Sockets;
using System.Text;
using Appliance.Accounts;
using Appliance.Saml.Tests;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Tests.SignIn.Sso;

/// <summary>Single sign-on of teams, with an identity provider that says whatever a test wants it to.</summary>
[Trait("Requirement", "A12")]
public sealed class SsoTests(SignInHost host) : IClassFixture<SignInHost>
{
    private static int s_people;

    private static string Name(string stem) => $"{stem}.{Interlocked.Increment(ref s_people)}";

    private static readonly (string, string)[] s_usual = [("Choice.State", "on"), ("Choice.SecondFactor", "identity-provider"), ("Choice.JustInTime", "true"), ("Choice.EmailAttribute", "mail"), ("Choice.GroupsAttribute", "groups"), ("Choice.Others", "member")];

    private async Task<(Visitor Owner, Provider Idp)> TeamAsync(string entityId = "https://idp.example/metadata")
    {
        var owner = await host.PersonAsync(Name("owner"));
        var team = (await owner.SendAsync("/teams", null, ("Name", "Team"))).Headers.Location!.ToString().Split('/')[2];
        return (owner, new Provider(host, team, entityId));
    }

    private static async Task TakeAsync(Visitor owner, Provider idp, string metadata, HttpStatusCode expected = HttpStatusCode.Redirect)
    {
        var answer = await owner.SendAsync($"/teams/{idp.Team}/sso", $"/teams/{idp.Team}/sso/metadata", ("Metadata", metadata));
        answer.StatusCode.ShouldBe(expected, await answer.Content.ReadAsStringAsync());
    }

    private static async Task<string> TestAsync(Visitor owner, Provider idp, Func<string, string> response)
    {
        var id = Provider.RequestId(await owner.GetAsync($"/teams/{idp.Team}/sso/test"));
        return await Provider.LedToAsync(await idp.ReturnAsync(owner, response(id)));
    }

    private static Task<HttpResponseMessage> ChooseAsync(Visitor owner, Provider idp, params (string, string)[] choices) =>
        owner.SendAsync($"/teams/{idp.Team}/sso", null, choices);

    /// <summary>Metadata taken, tested, and on.</summary>
    private async Task<(Visitor Owner, Provider Idp)> BoundAsync(string entityId = "https://idp.example/metadata", params (string Name, string Value)[] changes)
    {
        var (owner, idp) = await TeamAsync(entityId);
        await TakeAsync(owner, idp, idp.Metadata());
        await ConfirmedTestAsync(owner, idp);
        var all = s_usual.Select(u => changes.FirstOrDefault(c => c.Name == u.Item1) is { Name: not null } changed ? changed : u).Concat(changes.Where(c => s_usual.All(u => u.Item1 != c.Name)));
        var chosen = await ChooseAsync(owner, idp, [.. all]);
        chosen.StatusCode.ShouldBe(HttpStatusCode.Redirect, await chosen.Content.ReadAsStringAsync());
        return (owner, idp);
    }

    private static async Task ConfirmedTestAsync(Visitor owner, Provider idp)
    {
        var result = await TestAsync(owner, idp, id => idp.Signed(idp.Spec(id, "owner@idp.example")));
        result.ShouldStartWith($"/teams/{idp.Team}/sso/result?request=");
        (await owner.SendAsync(result, $"/teams/{idp.Team}/sso/result?handler=Confirm")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
    }

    private async Task<long> CountAsync(string sql) => (long)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "select count(*) from " + sql))!;

    [Fact]
    public async Task An_owner_sets_it_up_tests_it_and_only_then_turns_it_on()
    {
        var (owner, idp) = await TeamAsync();
        using (owner)
        {
            (await owner.HtmlAsync($"/teams/{idp.Team}/sso")).ShouldContain(idp.Acs);
            (await owner.GetAsync($"/sso/{idp.Team}")).StatusCode.ShouldBe(HttpStatusCode.NotFound); // nothing there yet
            var metadata = await owner.HtmlAsync($"/sso/{idp.Team}/metadata");
            metadata.ShouldContain($"entityID=\"{idp.SpEntityId}\"");
            metadata.ShouldContain("WantAssertionsSigned=\"true\"");
            await TakeAsync(owner, idp, idp.Metadata());

            // Neither a member's sign-in nor turning it on before a test came back.
            (await owner.GetAsync($"/sso/{idp.Team}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            var early = await ChooseAsync(owner, idp, s_usual);
            early.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
            (await early.Content.ReadAsStringAsync()).ShouldContain("Test the connection first");

            // A test that fails names the rule; it cannot be confirmed.
            var failed = await TestAsync(owner, idp, id => idp.Signed(idp.Spec(id, "owner@idp.example") with { Audience = "https://other.example" }));
            (await owner.HtmlAsync(failed)).ShouldContain("Rule: Audience");
            (await owner.PostAsync(await owner.HtmlAsync($"/teams/{idp.Team}/members"), $"/teams/{idp.Team}/sso/result?handler=Confirm", ("request", failed.Split('=')[1])))
                .StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);

            var result = await TestAsync(owner, idp, id => idp.Signed(idp.Spec(id, "owner@idp.example", "leads")));
            var html = await owner.HtmlAsync(result);
            html.ShouldContain("owner@idp.example");
            html.ShouldContain("leads");
            // It bound nothing.
            (await CountAsync("saml_identities where name_id = 'owner@idp.example' and team_id = (select id from teams where reference = '" + idp.Team + "')")).ShouldBe(0);
            (await owner.SendAsync(result, $"/teams/{idp.Team}/sso/result?handler=Confirm")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
            (await ChooseAsync(owner, idp, s_usual)).StatusCode.ShouldBe(HttpStatusCode.Redirect);
            using var page = await owner.GetAsync($"/sso/{idp.Team}");
            page.Headers.GetValues("Content-Security-Policy").Single().ShouldContain("form-action 'self' https://idp.example;");
            (await page.Content.ReadAsStringAsync()).ShouldContain("idp.example</strong>");
            (await owner.SendAsync($"/sso/{idp.Team}")).Headers.Location!.ToString().ShouldStartWith("https://idp.example/sso?SAMLRequest=");

            // Another provider's metadata: off again, and untested.
            var other = new Provider(host, idp.Team, "https://idp2.example/metadata");
            await TakeAsync(owner, other, other.Metadata());
            (await owner.GetAsync($"/sso/{idp.Team}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await ChooseAsync(owner, idp, s_usual)).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        }
    }

    [Fact]
    public async Task A_person_signs_in_becomes_a_member_and_reaches_that_team_and_nothing_else()
    {
        var (owner, idp) = await BoundAsync();
        using var _ = owner;
        using var carla = host.Visitor();
        (await idp.SignInAsync(carla, "carla@idp.example")).ShouldBe($"/teams/{idp.Team}/files");
        var files = await carla.HtmlAsync($"/teams/{idp.Team}/files");
        files.ShouldContain("Signed in through your organisation");
        (await carla.HtmlAsync($"/teams/{idp.Team}/members")).ShouldContain("carla-");
        (await carla.GetAsync($"/api/v1/teams/{idp.Team}/entries")).StatusCode.ShouldBe(HttpStatusCode.OK);

        // Her other teams, if she had any, and the account stay closed.
        var otherTeam = (await owner.SendAsync("/teams", null, ("Name", "Other"))).Headers.Location!.ToString().Split('/')[2];
        await host.Cluster.SuperuserAsync(
            host.Settings.DatabaseName,
            $"insert into memberships select t.id, i.user_id, 'owner', now(), i.user_id from teams t, saml_identities i where t.reference = '{otherTeam}' and i.name_id = 'carla@idp.example'");
        foreach (var page in new[] { $"/teams/{otherTeam}/files", $"/teams/{otherTeam}/members", "/account/security", "/account/sessions", "/account/tokens", "/account/tokens/new", "/account/recovery-codes", "/account/security/keys/add", "/step-up", "/people", "/account/password", $"/api/v1/teams/{otherTeam}/entries", "/api/v1/teams" })
        {
            (await carla.GetAsync(page)).StatusCode.ShouldBe(HttpStatusCode.Forbidden, page);
        }
        (await carla.GetAsync("/teams")).Headers.Location!.ToString().ShouldBe($"/teams/{idp.Team}/files");
        (await carla.PostAsync(files, "/teams", ("Name", "Mine"))).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await carla.HtmlAsync($"/teams/{idp.Team}/files")).ShouldNotContain(otherTeam);

        // The same person again is the same account; signing out ends it.
        using var elsewhere = host.Visitor();
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
        (await host.LedgerAsync("sign-in.succeeded")).ShouldContain(e => e.Details.Contains("identity-provider", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_second_factor_is_asked_for_here_unless_the_owner_answers_for_the_provider()
    {
        var (owner, idp) = await BoundAsync(changes: ("Choice.SecondFactor", "appliance"));
        using var _ = owner;
        using var dora = host.Visitor();
        var next = await idp.SignInAsync(dora, "dora@idp.example");
        next.ShouldBe($"/sign-in/key?return={Uri.EscapeDataString($"/teams/{idp.Team}/files")}");
        (await dora.GetAsync($"/teams/{idp.Team}/files")).Headers.Location!.ToString().ShouldStartWith("/sign-in");
        (await dora.GetAsync(next)).Headers.Location!.ToString().ShouldStartWith("/sign-in/enrol?return=");
        var html = await dora.HtmlAsync("/sign-in/enrol");
        (await dora.PostAsync(html, "/sign-in/enrol", ("Credential", dora.Key.Register(Visitor.Options(html))), ("Name", "First"))).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await dora.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await dora.GetAsync("/account/security")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        // Next time: the key, and a limited session again.
        using var again = new Visitor(host) { Key = dora.Key };
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
        using var attacker = host.Visitor();
        using var victim = host.Visitor();
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
        using var eve = host.Visitor();
        var spec = idp.Spec(await idp.StartAsync(eve), "eve@idp.example");
        (await Provider.LedToAsync(await idp.ReturnAsync(eve, idp.Signed(spec)))).ShouldBe($"/teams/{idp.Team}/files");
        var second = await idp.StartAsync(eve);
        (await Provider.LedToAsync(await idp.ReturnAsync(eve, idp.Signed(spec with { InResponseTo = second, ConfirmationInResponseTo = second })))).ShouldContain("was not accepted");
        (await CountAsync($"ledger_entries where action = 'sso.refused' and details like '%Replay%' and tree = (select id from teams where reference = '{idp.Team}')")).ShouldBe(1);

        // Ten minutes, not longer.
        using var slow = host.Visitor();
        var late = await idp.StartAsync(slow);
        host.Clock.Move(TimeSpan.FromMinutes(11));
        (await Provider.LedToAsync(await idp.ReturnAsync(slow, idp.Signed(idp.Spec(late, "slow@idp.example"))))).ShouldContain("not started in this browser");
    }

    [Fact]
    public async Task What_nobody_asked_for_is_refused_or_where_allowed_makes_the_browser_ask()
    {
        var (owner, idp) = await BoundAsync();
        using (owner)
        {
            using var visitor = host.Visitor();
            (await Provider.LedToAsync(await idp.ReturnAsync(visitor, idp.Signed(idp.Spec(null, "fritz@idp.example"))))).ShouldContain("not started in this browser");
            (await ChooseAsync(owner, idp, [.. s_usual, ("Choice.IdpInitiated", "true")])).StatusCode.ShouldBe(HttpStatusCode.Redirect);
            var unasked = idp.Signed(idp.Spec(null, "fritz@idp.example"));
            (await Provider.LedToAsync(await idp.ReturnAsync(visitor, unasked))).ShouldBe($"/sso/{idp.Team}");
            (await visitor.GetAsync($"/teams/{idp.Team}/files")).Headers.Location!.ToString().ShouldStartWith("/sign-in");
            (await CountAsync("saml_identities where name_id = 'fritz@idp.example'")).ShouldBe(0);
            // Once; and not from somebody else's provider.
            (await Provider.LedToAsync(await idp.ReturnAsync(visitor, unasked))).ShouldContain("not started in this browser");
            var stranger = new Provider(host, idp.Team);
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
        using var greta = await host.PersonAsync(name);
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update users set email = '{name}@idp.example', email_key = upper('{name}@idp.example') where username = '{name}'");
        using var impostor = host.Visitor();
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

        using var anywhere = host.Visitor();
        (await idp.SignInAsync(anywhere, "greta.real@idp.example")).ShouldBe($"/teams/{idp.Team}/files");
        (await anywhere.HtmlAsync($"/teams/{idp.Team}/files")).ShouldContain(name);
        (await anywhere.GetAsync("/account/security")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        // An identity belongs to one account.
        var hanna = Name("hanna");
        using var other = await host.PersonAsync(hanna);
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
            using var mallory = host.Visitor();
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
        using var ida = host.Visitor();
        await idp.SignInAsync(ida, "ida@idp.example");
        var members = await owner.HtmlAsync($"/teams/{idp.Team}/members");
        var username = System.Text.RegularExpressions.Regex.Match(members, "value=\"(?<found>ida-[a-z0-9]{4})\"", default, TimeSpan.FromSeconds(5)).Groups["found"].Value;
        (await owner.SendAsync($"/teams/{idp.Team}/members", $"/teams/{idp.Team}/members?handler=Remove", ("Username", username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await ida.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using var back = host.Visitor();
        (await idp.SignInAsync(back, "ida@idp.example")).ShouldContain("You were removed from this team");

        await ChooseAsync(owner, idp, [.. s_usual.Where(u => u.Item1 != "Choice.JustInTime")]);
        using var jan = host.Visitor();
        (await idp.SignInAsync(jan, "jan@idp.example")).ShouldContain("this team does not yet");
        (await CountAsync("users where username like 'jan-%'")).ShouldBe(0);
    }

    [Fact]
    public async Task Groups_say_who_is_owner_who_is_member_and_who_stays_outside()
    {
        var (owner, idp) = await BoundAsync(changes: [("Choice.Groups", "leads = owner\nediting staff = member"), ("Choice.Others", "nobody")]);
        using var _ = owner;
        using var karl = host.Visitor();
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

        (await ChooseAsync(owner, idp, [.. s_usual.Where(u => u.Item1 is not "Choice.Others" and not "Choice.GroupsAttribute"), ("Choice.Others", "nobody")])).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await ChooseAsync(owner, idp, [.. s_usual, ("Choice.Groups", "leads = emperor")])).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
    }

    [Fact]
    public async Task Where_it_is_required_members_come_in_no_other_way_and_owners_do()
    {
        var (owner, idp) = await BoundAsync();
        using var _ = owner;
        var name = Name("lena");
        using var lena = await host.PersonAsync(name);
        await owner.SendAsync($"/teams/{idp.Team}/members", null, ("Username", name));
        var offer = System.Text.RegularExpressions.Regex.Match(await lena.HtmlAsync("/teams"), "name=\"offer\" value=\"(?<found>[a-z2-7]{26})", default, TimeSpan.FromSeconds(5)).Groups["found"].Value;
        await lena.SendAsync("/teams", "/teams?handler=Accept", ("offer", offer));
        (await lena.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);

        // An owner without a password and a key of their own cannot require it: it would lock them out.
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update users set password_hash = null where username = '{owner.Username}'");
        var lockout = await ChooseAsync(owner, idp, [.. s_usual.Where(u => u.Item1 != "Choice.State"), ("Choice.State", "required")]);
        lockout.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await lockout.Content.ReadAsStringAsync()).ShouldContain("lock you out");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update users set password_hash = 'x' where username = '{owner.Username}'");

        (await ChooseAsync(owner, idp, [.. s_usual.Where(u => u.Item1 != "Choice.State"), ("Choice.State", "required")])).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await lena.GetAsync($"/teams/{idp.Team}/files")).Headers.Location!.ToString().ShouldBe($"/sso/{idp.Team}");
        using (var api = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/teams/{idp.Team}/entries"))
        {
            using var answer = await lena.Client.SendAsync(api);
            answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        }
        (await lena.GetAsync("/account/security")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await owner.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        // Linked before that, or by an account that the provider makes: through it.
        using var maja = host.Visitor();
        (await idp.SignInAsync(maja, "maja@idp.example")).ShouldBe($"/teams/{idp.Team}/files");
        (await maja.GetAsync($"/teams/{idp.Team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task The_providers_keys_change_without_a_moment_in_which_nobody_gets_in_and_so_do_ours()
    {
        var (owner, idp) = await BoundAsync();
        using var _ = owner;
        var newer = new Provider(host, idp.Team);
        async Task<bool> WorksAsync(Provider p)
        {
            using var visitor = host.Visitor();
            return await p.SignInAsync(visitor, "nora@idp.example") == $"/teams/{idp.Team}/files";
        }
        ((await WorksAsync(idp)), (await WorksAsync(newer))).ShouldBe((true, false));
        await TakeAsync(owner, idp, idp.Metadata(idp.Certificate, newer.Certificate));
        ((await WorksAsync(idp)), (await WorksAsync(newer))).ShouldBe((true, true));
        await TakeAsync(owner, idp, idp.Metadata(newer.Certificate));
        ((await WorksAsync(idp)), (await WorksAsync(newer))).ShouldBe((false, true));

        async Task<string[]> CertificatesAsync() => [.. System.Text.RegularExpressions.Regex.Matches(await owner.HtmlAsync($"/sso/{idp.Team}/metadata"), "<KeyDescriptor use=\"signing\">.*?<X509Certificate[^>]*>(?<found>[^<]+)<", default, TimeSpan.FromSeconds(5)).Select(m => m.Groups["found"].Value)];
        async Task<bool> OpensAsync(string certificate)
        {
            using var visitor = host.Visitor();
            var id = await idp.StartAsync(visitor);
            return await Provider.LedToAsync(await newer.ReturnAsync(visitor, newer.SignedAndEncrypted(newer.Spec(id, "nora@idp.example"), Convert.FromBase64String(certificate)))) == $"/teams/{idp.Team}/files";
        }
        Task<HttpResponseMessage> StepAsync(string step) => owner.SendAsync($"/teams/{idp.Team}/sso", $"/teams/{idp.Team}/sso?handler=Key", ("Step", step));
        var first = (await CertificatesAsync()).ShouldHaveSingleItem();
        (await StepAsync("activate")).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await StepAsync("prepare")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        var both = await CertificatesAsync();
        (both.Length, both[0]).ShouldBe((2, first));
        ((await OpensAsync(both[0])), (await OpensAsync(both[1]))).ShouldBe((true, true));
        (await StepAsync("activate")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await CertificatesAsync())[0].ShouldBe(both[1]);
        ((await OpensAsync(both[0])), (await OpensAsync(both[1]))).ShouldBe((true, true));
        (await StepAsync("retire")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        ((await OpensAsync(both[0])), (await OpensAsync(both[1]))).ShouldBe((false, true));
    }

    [Fact]
    public async Task Bad_metadata_is_refused_with_the_reason_and_nothing_in_it_is_fetched()
    {
        var (owner, idp) = await TeamAsync();
        using var _ = owner;
        async Task<string> ProblemAsync(string metadata)
        {
            var answer = await owner.SendAsync($"/teams/{idp.Team}/sso", $"/teams/{idp.Team}/sso/metadata", ("Metadata", metadata));
            answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
            return await answer.Content.ReadAsStringAsync();
        }
        using (var key = System.Security.Cryptography.RSA.Create(2048))
        {
            (await ProblemAsync(idp.Metadata(TestIdp.Certificate(key, DateTimeOffset.UtcNow.AddYears(-2), DateTimeOffset.UtcNow.AddDays(-1))))).ShouldContain("ended on");
        }
        (await ProblemAsync(idp.MetadataAt("https://idp.example/sso"))).ShouldContain("no certificate");
        (await ProblemAsync(idp.MetadataAt("http://127.0.0.1/sso", idp.Certificate))).ShouldContain("not an https address");
        (await ProblemAsync("")).ShouldContain("well-formed");

        // Fifty megabytes: told to go before they are read.
        var page = await owner.HtmlAsync($"/teams/{idp.Team}/sso");
        using (var huge = new HttpRequestMessage(HttpMethod.Post, $"/teams/{idp.Team}/sso/metadata") { Content = new Endless(50 << 20) })
        {
            huge.Headers.ExpectContinue = true;
            huge.Headers.Add("RequestVerificationToken", System.Text.RegularExpressions.Regex.Match(page, "<meta name=\"csrf\" content=\"(?<found>[^\"]+)\"", default, TimeSpan.FromSeconds(5)).Groups["found"].Value);
            using var answer = await owner.Client.SendAsync(huge);
            answer.StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        }

        // An internal address is where browsers are sent, by the owner's word. The appliance itself goes nowhere.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        await TakeAsync(owner, idp, idp.MetadataAt($"https://127.0.0.1:{port}/sso", idp.Certificate));
        await ConfirmedTestAsync(owner, idp);
        listener.Pending().ShouldBeFalse();
        await TakeAsync(owner, idp, $"<!-- {new string('x', 700_000)} -->" + idp.Metadata());
    }

    [Fact]
    public async Task Only_owners_see_it()
    {
        var (owner, idp) = await BoundAsync(changes: ("Choice.SecondFactor", "appliance"));
        using var _ = owner;
        var name = Name("olga");
        using var olga = await host.PersonAsync(name);
        await owner.SendAsync($"/teams/{idp.Team}/members", null, ("Username", name));
        var offer = System.Text.RegularExpressions.Regex.Match(await olga.HtmlAsync("/teams"), "name=\"offer\" value=\"(?<found>[a-z2-7]{26})", default, TimeSpan.FromSeconds(5)).Groups["found"].Value;
        await olga.SendAsync("/teams", "/teams?handler=Accept", ("offer", offer));
        (await olga.GetAsync($"/teams/{idp.Team}/sso")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await olga.GetAsync($"/teams/{idp.Team}/sso/test")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        var page = await olga.HtmlAsync($"/teams/{idp.Team}/members");
        foreach (var action in new[] { "sso", "sso/metadata", "sso?handler=Key", "sso?handler=Unlink" })
        {
            (await olga.PostAsync(page, $"/teams/{idp.Team}/{action}", ("Metadata", idp.Metadata()), ("Step", "prepare"))).StatusCode.ShouldBe(HttpStatusCode.NotFound, action);
        }
        // Nor does a locked-away second factor: after five minutes an owner touches the key again.
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await owner.GetAsync($"/teams/{idp.Team}/sso")).Headers.Location!.ToString().ShouldStartWith("/step-up");
    }

    [Fact]
    public async Task What_comes_to_the_address_from_anybody_is_bounded_and_leaves_nothing()
    {
        var (owner, idp) = await BoundAsync();
        using var _ = owner;
        using var visitor = host.Visitor();
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

    /// <summary>A body that says how long it is, and fails the test where somebody takes a megabyte of it.</summary>
    private sealed class Endless(long length) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var buffer = new byte[64 << 10];
            for (var sent = 0L; sent < length; sent += buffer.Length)
            {
                await stream.WriteAsync(buffer);
            }
        }

        protected override bool TryComputeLength(out long computed)
        {
            Headers.ContentType = new("application/x-www-form-urlencoded");
            computed = length;
            return true;
        }
    }
}
