using System.Net;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.SignIn.Tokens;
using Appliance.Tests.SignIn.Sso;
using Appliance.Tests.SignIn.Tokens;
using Appliance.Tests.SignIn.Totp;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;
using static Appliance.Tests.SignIn.Policy.PolicyJourneys;

namespace Appliance.Tests.SignIn.Policy;

/// <summary>What a team asks of its members, and that it shuts nobody out of anything else.</summary>
[Trait("Requirement", "A7")]
public sealed partial class TeamPolicyTests(PolicyHost host) : IClassFixture<PolicyHost>, IAsyncLifetime
{
    public Task InitializeAsync() => host.ResetAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    private static string Page(string team) => $"/teams/{team}/policy";

    /// <summary>An owner with a key, and a member who set up with an app alone.</summary>
    private async Task<(Visitor Owner, string Team, Visitor Member, SoftwareApp App, string Name)> TeamAsync()
    {
        var owner = await host.PersonAsync("owner", Verifying);
        var team = await owner.TeamAsync();
        var name = host.Name("member");
        var (member, app) = await host.AppPersonAsync(name);
        await owner.SendAsync($"/teams/{team}/members", null, ("Username", name));
        (await member.SendAsync("/teams", "/teams?handler=Accept")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await member.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await owner.TouchAsync("/step-up"); // the app's time step moved the clock
        return (owner, team, member, app, name);
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_member_who_does_not_comply_is_told_why_enrols_and_is_in_and_keeps_everything_else_meanwhile()
    {
        var (owner, team, member, _, _) = await TeamAsync();
        using var __ = owner;
        using var ___ = member;
        var other = await member.TeamAsync("Other");
        await owner.SetPolicyAsync(Page(team), ("SecondFactor", "key"));

        var files = $"/teams/{team}/files";
        var enrol = await member.LedToAsync(files);
        enrol.ShouldBe($"/account/enrol?team={team}&return={Uri.EscapeDataString(files)}");
        var why = await member.HtmlAsync(enrol!);
        why.ShouldContain("This team asks for a security key");
        why.ShouldContain("/account/security/keys/add?return=");
        why.ShouldNotContain("/account/security/app/add");
        foreach (var open in new[] { "/teams", "/account/security", "/account/sessions", $"/teams/{other}/files", $"/teams/{other}/members" })
        {
            (await member.GetAsync(open)).StatusCode.ShouldBe(HttpStatusCode.OK, open);
        }
        (await owner.GetAsync(files)).StatusCode.ShouldBe(HttpStatusCode.OK);

        var html = await member.HtmlAsync($"/account/security/keys/add?return={Uri.EscapeDataString(files)}");
        (await member.PostAsync(html, "/account/security/keys/add", ("Credential", member.Key.Register(Visitor.Options(html))), ("Name", "Mine"))).Headers.Location!.ToString().ShouldBe(files);
        (await member.GetAsync(files)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact, Trait("Requirement", "T1")]
    public async Task No_address_of_the_team_opens_to_who_does_not_comply_neither_to_a_session_nor_to_a_token()
    {
        var (owner, team, member, _, name) = await TeamAsync();
        using var __ = owner;
        using var ___ = member;
        var id = await host.IdAsync(name);
        var entry = await UploadAsync(owner, team);
        using var token = ApiClient.With(host, await ApiClient.TokenAsync(host, id));
        using var appPassword = ApiClient.With(host, name, await ApiClient.AppPasswordAsync(host, id));
        var content = $"/api/v1/teams/{team}/entries/{entry}/content";
        foreach (var client in new[] { member.Client, token, appPassword })
        {
            (await client.GetAsync(content)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        await owner.SetPolicyAsync(Page(team), ("SecondFactor", "key"));
        foreach (var client in new[] { member.Client, token, appPassword })
        {
            (await client.GetAsync("/api/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.OK); // other teams are none of this one's business
            using var refused = await client.GetAsync(content);
            refused.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
            (await refused.Content.ReadAsStringAsync()).ShouldContain("policy-unmet");
        }
        var walked = 0;
        foreach (var endpoint in host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            var route = "/" + endpoint.RoutePattern.RawText!.TrimStart('/');
            if (!route.StartsWith("/teams/{team}", StringComparison.Ordinal) && !route.StartsWith("/api/v1/teams/{team}", StringComparison.Ordinal))
            {
                continue;
            }
            var path = Parameter().Replace(route.Replace("{team}", team, StringComparison.Ordinal).Replace("{entry}", entry, StringComparison.Ordinal), _ => Reference.New());
            foreach (var method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET", "POST"])
            {
                foreach (var client in new[] { member.Client, token })
                {
                    using var request = new HttpRequestMessage(new HttpMethod(method), path);
                    using var answer = await client.SendAsync(request);
                    answer.StatusCode.ShouldBeOneOf([HttpStatusCode.Forbidden, HttpStatusCode.Unauthorized], $"{method} {path}");
                    walked++;
                }
            }
        }
        walked.ShouldBeGreaterThan(60);

        // A token is as good as the session that it was made in: with a key, another one opens.
        using (var weak = await host.ProgramAsync(member))
        {
            (await weak.GetAsync(content)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
            (await member.AddKeyAsync()).StatusCode.ShouldBe(HttpStatusCode.Redirect);
            (await weak.GetAsync(content)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        }
        using var better = await host.ProgramAsync(member);
        (await better.GetAsync(content)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await host.SqlAsync($"delete from security_keys where user_id = '{id}'");
        (await better.GetAsync(content)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Who_fished_a_password_and_a_code_cannot_add_a_key_of_their_own_and_who_has_a_recovery_code_can()
    {
        var (owner, team, member, app, name) = await TeamAsync();
        using var __ = owner;
        using var ___ = member;
        await member.AddKeyAsync();
        await owner.SetPolicyAsync(Page(team), ("SecondFactor", "key"));
        (await member.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);

        using var fisher = host.Visitor();
        (await host.SignInWithAppAsync(fisher, name, app)).Headers.Location!.ToString().ShouldBe("/");
        (await fisher.LedToAsync($"/teams/{team}/files")).ShouldStartWith("/account/enrol");
        foreach (var page in new[] { "/account/security/keys/add", "/account/security/app/add", "/account/recovery-codes" })
        {
            (await fisher.GetAsync(page)).StatusCode.ShouldBe(HttpStatusCode.Forbidden, page);
            (await fisher.PostAsync(await fisher.HtmlAsync("/account/security"), page)).StatusCode.ShouldBe(HttpStatusCode.Forbidden, page);
        }
        using (var program = await host.ProgramAsync(fisher))
        {
            (await program.GetAsync("/api/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.OK);
            (await program.GetAsync($"/api/v1/teams/{team}/entries")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        }

        // Its owner touches the key. Whoever lost it comes with a recovery code, and may add another.
        host.NextCode();
        using var self = host.Visitor();
        self.Key = member.Key with { Counter = 7 };
        await host.SignInWithAppAsync(self, name, app);
        (await self.PostAsync(await self.HtmlAsync("/step-up"), "/step-up", ("Credential", (member.Key with { Counter = 50 }).Assert(Visitor.Options(await self.HtmlAsync("/step-up")))))).StatusCode.ShouldBe(HttpStatusCode.OK); // another page's question
        var html = await self.HtmlAsync("/step-up");
        (await self.PostAsync(html, "/step-up", ("Credential", (member.Key with { Counter = 51 }).Assert(Visitor.Options(html))))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await self.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        var codes = await self.SendAsync("/account/recovery-codes");
        var code = Code().Match(await codes.Content.ReadAsStringAsync()).Groups["value"].Value;
        using var loser = host.Visitor();
        await loser.PasswordAsync(name);
        (await loser.SendAsync("/sign-in/recovery", null, ("Code", code))).Headers.Location!.ToString().ShouldBe("/");
        (await loser.LedToAsync($"/teams/{team}/files")).ShouldStartWith("/account/enrol");
        (await loser.AddKeyAsync()).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await loser.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Only_the_teams_owners_change_it_and_only_stepped_up_and_the_database_says_so_too()
    {
        var (owner, team, member, _, name) = await TeamAsync();
        using var __ = owner;
        using var ___ = member;
        using var stranger = await host.PersonAsync("stranger", Verifying);
        var theirs = await stranger.TeamAsync("Theirs");
        foreach (var visitor in new[] { member, stranger })
        {
            (await visitor.GetAsync(Page(team))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await visitor.PostAsync(await visitor.HtmlAsync("/teams"), Page(team), ("Choice.SecondFactor", "required"), ("Choice.Version", "0"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
        (await stranger.GetAsync(Page(theirs))).StatusCode.ShouldBe(HttpStatusCode.OK);

        var page = await owner.HtmlAsync(Page(team));
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await owner.PostAsync(page, Page(team), ("Choice.SecondFactor", "required"))).Headers.Location!.ToString().ShouldStartWith("/step-up");
        (await host.CountAsync($"team_policies p join teams t on t.id = p.team_id where t.reference = '{team}'")).ShouldBe(0);

        var id = new TeamId((Guid)(await host.SqlAsync($"select id from teams where reference = '{team}'"))!);
        await using var session = await host.Database.ForTeamAsync(id, await host.IdAsync(name), default);
        await Should.ThrowAsync<ForbiddenByDatabaseException>(() => session.ExecuteAsync($"insert into team_policies (team_id, second_factor) values (app_team(), 'required')", default));
    }

    [Fact]
    public async Task An_owner_cannot_ask_for_what_would_shut_them_out_and_each_change_is_in_the_teams_ledger()
    {
        using var owner = await host.PersonAsync("owner", SoftwareAuthenticator.UserPresent | SoftwareAuthenticator.BackupEligible);
        var team = await owner.TeamAsync();
        await owner.ShouldRefuseAsync(Page(team), "This would lock you out", ("SecondFactor", "key"), ("DeviceBound", "true"));
        await owner.ShouldRefuseAsync(Page(team), "This would lock you out", ("SecondFactor", "required"), ("UserVerification", "true"));
        await owner.ShouldRefuseAsync(Page(team), "minutes from 1 to 15", ("SecondFactor", "appliance"), ("IdleLockMinutes", "16"));
        (await host.CountAsync($"ledger_entries where action = 'policy.changed' and tree = (select id from teams where reference = '{team}')")).ShouldBe(0);
        await owner.SetPolicyAsync(Page(team), ("SecondFactor", "key"), ("SessionHours", "2"));
        var details = (string)(await host.SqlAsync($"select details from ledger_entries where action = 'policy.changed' and tree = (select id from teams where reference = '{team}')"))!;
        details.ShouldContain("\"second_factor\":\"key\"");
        details.ShouldContain("\"second_factor_before\":\"appliance\"");
        details.ShouldContain("\"session_hours\":\"2\"");
    }

    [Fact]
    public async Task Of_two_changes_at_once_one_is_made()
    {
        using var owner = await host.PersonAsync("owner", Verifying);
        var team = await owner.TeamAsync();
        var page = await owner.HtmlAsync(Page(team));
        var answers = await Task.WhenAll(Enumerable.Range(1, 4).Select(n => owner.PostAsync(page, Page(team), ("Choice.SecondFactor", "key"), ("Choice.SessionHours", $"{n}"))));
        answers.Count(a => a.StatusCode == HttpStatusCode.Redirect).ShouldBe(1);
        answers.Count(a => a.StatusCode == HttpStatusCode.UnprocessableEntity).ShouldBe(3);
        (await host.CountAsync($"ledger_entries where action = 'policy.changed' and tree = (select id from teams where reference = '{team}')")).ShouldBe(1);
    }

    [Fact]
    public async Task A_teams_policy_only_adds_to_the_appliances()
    {
        var (owner, team, member, _, _) = await TeamAsync();
        using var __ = owner;
        using var ___ = member;
        await owner.SetPolicyAsync(Page(team), ("SecondFactor", "required"));
        (await member.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await host.SqlAsync("update appliance_policy set second_factor = 'key', idle_lock_minutes = 5");
        await member.ShouldOnlyEnrolAsync();
        (await member.LedToAsync($"/teams/{team}/files")).ShouldStartWith("/account/enrol");
        await owner.ShouldRefuseAsync(Page(team), "minutes from 1 to 5", ("SecondFactor", "required"), ("IdleLockMinutes", "10"));
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_team_may_lock_sooner_even_after_a_detour_and_ask_for_a_younger_session()
    {
        using var owner = await host.PersonAsync("owner", Verifying);
        var (team, other) = (await owner.TeamAsync(), await owner.TeamAsync("Other"));
        var files = $"/teams/{team}/files";
        await owner.SetPolicyAsync(Page(team), ("SecondFactor", "appliance"), ("IdleLockMinutes", "5"), ("SessionHours", "1"));
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await owner.GetAsync($"/teams/{other}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await owner.LedToAsync(files)).ShouldStartWith("/locked");
        (await owner.TouchAsync("/locked", "/locked?handler=Key")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await owner.GetAsync(files)).StatusCode.ShouldBe(HttpStatusCode.OK);

        for (var i = 0; i < 14; i++)
        {
            host.Clock.Move(TimeSpan.FromMinutes(4));
            (await owner.GetAsync($"/teams/{other}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        var led = await owner.LedToAsync(files);
        led.ShouldStartWith("/account/enrol?team=");
        (await owner.HtmlAsync(led)).ShouldContain("You signed in too long ago for this team");
        (await owner.PostAsync(await owner.HtmlAsync(led), "/sign-out")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await owner.SignInAsync();
        (await owner.GetAsync(files)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact, Trait("Requirement", "A12")]
    public async Task An_identity_providers_word_counts_as_a_second_factor_and_never_as_a_key()
    {
        using var owner = await host.PersonAsync("owner", Verifying);
        var team = await owner.TeamAsync();
        var idp = new Provider(host, team, "https://idp.example/metadata");
        await owner.SendAsync($"/teams/{team}/sso", $"/teams/{team}/sso/metadata", ("Metadata", idp.Metadata()));
        await host.SqlAsync(
            $"update saml_connections set state = 'on', just_in_time = true, second_factor = 'identity-provider', tested_at = now(), bound_by = '{await host.IdAsync(owner.Username)}' where team_id = (select id from teams where reference = '{team}')");
        await owner.SetPolicyAsync(Page(team), ("SecondFactor", "required"));
        using var carla = host.Visitor();
        (await idp.SignInAsync(carla, "carla@idp.example")).ShouldBe($"/teams/{team}/files");
        (await carla.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);

        await owner.SetPolicyAsync(Page(team), ("SecondFactor", "key"));
        var led = await carla.LedToAsync($"/teams/{team}/files");
        led.ShouldStartWith("/account/enrol");
        (await carla.HtmlAsync(led)).ShouldContain($"/sso/{team}\"");
        (await idp.SignInAsync(carla, "carla@idp.example")).ShouldStartWith("/sign-in/key");
        (await carla.LedToAsync("/sign-in/key")).ShouldBe("/sign-in/enrol");
        var html = await carla.HtmlAsync("/sign-in/enrol");
        (await carla.PostAsync(html, "/sign-in/enrol", ("Credential", carla.Key.Register(Visitor.Options(html))), ("Name", "Mine"))).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await carla.GetAsync($"/teams/{team}/files")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await carla.GetAsync("/account/security")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await carla.GetAsync("/account/security/keys/add")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact, Trait("Requirement", "A12")]
    public async Task A_provider_adds_nothing_to_an_account_that_has_a_password_of_its_own()
    {
        using var owner = await host.PersonAsync("owner", Verifying);
        using var bare = await host.PersonAsync("bare", Verifying);
        var team = await owner.TeamAsync();
        await owner.JoinAsync(team, bare);
        var idp = new Provider(host, team, "https://idp.example/metadata");
        await owner.SendAsync($"/teams/{team}/sso", $"/teams/{team}/sso/metadata", ("Metadata", idp.Metadata()));
        var id = await host.IdAsync(bare.Username);
        await host.SqlAsync(
            $"""
            update saml_connections set state = 'on', tested_at = now(), bound_by = '{await host.IdAsync(owner.Username)}' where team_id = (select id from teams where reference = '{team}');
            insert into saml_identities (team_id, issuer, name_id, user_id, reference, is_made, created_at)
                select id, 'https://idp.example/metadata', 'bare@idp.example', '{id}', '{Reference.New()}', false, now() from teams where reference = '{team}';
            delete from security_keys where user_id = '{id}'; delete from recovery_codes where user_id = '{id}'
            """);
        using var provider = host.Visitor();
        (await idp.SignInAsync(provider, "bare@idp.example")).ShouldStartWith("/sign-in/key");
        var html = await provider.HtmlAsync("/sign-in/enrol");
        var refused = await provider.PostAsync(html, "/sign-in/enrol", ("Credential", provider.Key.Register(Visitor.Options(html))), ("Name", "Theirs"));
        (await refused.Content.ReadAsStringAsync()).ShouldContain("Your account has a password of its own");
        (await host.CountAsync($"security_keys where user_id = '{id}'")).ShouldBe(0);
    }

    private static async Task<string> UploadAsync(Visitor owner, string team)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/v1/teams/{team}/files?name=a.txt") { Content = new ByteArrayContent([1, 2, 3]) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        request.Headers.Add("RequestVerificationToken", Csrf().Match(await owner.HtmlAsync("/teams")).Groups["value"].Value);
        using var made = await owner.Client.SendAsync(request);
        made.StatusCode.ShouldBe(HttpStatusCode.Created, await made.Content.ReadAsStringAsync());
        return EntryReference().Match(await made.Content.ReadAsStringAsync()).Groups["value"].Value;
    }

    [GeneratedRegex("\\{[^}]+\\}", RegexOptions.None, 1000)]
    private static partial Regex Parameter();

    [GeneratedRegex("<li><code>(?<value>[^<]+)</code></li>", RegexOptions.None, 5000)]
    private static partial Regex Code();

    [GeneratedRegex("<meta name=\"csrf\" content=\"(?<value>[^\"]+)\"", RegexOptions.None, 5000)]
    private static partial Regex Csrf();

    [GeneratedRegex("\"reference\":\"(?<value>[a-z2-7]{26})\"", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex EntryReference();
}
