using System.Text.RegularExpressions;
using Appliance.SignIn.SecurityKeys;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>The whole service with a mail server and a gateway beside it.</summary>
public sealed class EverythingHost : Mail.MailHost
{
    public Sms.SmsReceiver Gateway { get; private set; } = null!;

    protected override async Task<TestServers.MailServer> StartMailAsync()
    {
        Gateway = await Sms.SmsReceiver.StartAsync();
        return await base.StartMailAsync();
    }

    protected override async Task StopMailAsync()
    {
        await base.StopMailAsync();
        await Gateway.DisposeAsync();
    }

    protected override Appliance.Web.Settings Change(Appliance.Web.Settings settings) => base.Change(settings) with { Sms = Gateway.Settings };
}

/// <summary>Every page there is, as those see it who may: its forms and its modules.</summary>
public sealed partial class PageFormTests(EverythingHost host) : IClassFixture<EverythingHost>
{
    [Fact, Trait("Requirement", "O4")]
    public async Task Every_form_that_posts_carries_one_token_as_its_first_field_and_every_key_prompt_its_module()
    {
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        async Task<string> SeeAsync(Visitor visitor, string pattern, string? page = null) =>
            seen[pattern] = await visitor.HtmlAsync(page ?? "/" + pattern);

        using var anna = await AnonymousAndSetUpAsync(SeeAsync);
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "update users set owner = true where username_key = 'FORMS'");
        var key = (await host.Services.GetRequiredService<KeyRing>().ListAsync((await UserAsync("FORMS")).Id, default))[0].Reference;
        foreach (var page in new[] { "account/password", "account/recovery-codes", "account/security", "account/sessions", "account/messages", "account/address", "people/mail", "account/tokens", "account/tokens/new", "account/security/keys/add", "account/security/app/add", "step-up", "people", "people/key-models", "people/policy", "people/lost-key", "teams" })
        {
            await SeeAsync(anna, page);
        }
        await Totp.AppJourneys.AddAppAsync(host, anna);
        await SeeAsync(anna, "account/security/app/remove");
        await SeeAsync(anna, "account/security/keys/{reference}/rename", $"/account/security/keys/{key}/rename");
        await SeeAsync(anna, "account/security/keys/{reference}/remove", $"/account/security/keys/{key}/remove");
        var team = (await anna.SendAsync("/teams", null, ("Name", "Forms"))).Headers.Location!.ToString().Split('/')[2];
        foreach (var page in new[] { "teams/{team}/files/{folder?}", "teams/{team}/new-folder/{folder?}", "teams/{team}/upload-form/{folder?}", "teams/{team}/members", "teams/{team}/policy", "teams/{team}/access", "teams/{team}/access/review", "teams/{team}/groups", "teams/{team}/links", "teams/{team}/sso", "teams/{team}/ledger", "teams/{team}/search", "teams/{team}/trash" })
        {
            await SeeAsync(anna, page, "/" + page.Replace("{team}", team, StringComparison.Ordinal).Replace("/{folder?}", "", StringComparison.Ordinal));
        }
        await SeeAsync(anna, "teams/{team}/members/role", $"/teams/{team}/members/role?username={anna.Username}");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"insert into revoked_access (team_id, user_id, role, since, added_by, revoked_at) select m.team_id, u.id, 'member', now(), m.user_id, now() from memberships m, users u where u.username <> '{anna.Username}'");
        await SeeAsync(anna, "teams/{team}/access/reinstate", $"/teams/{team}/access/reinstate?username={Uri.EscapeDataString((string)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "select u.username from revoked_access r join users u on u.id = r.user_id limit 1"))!)}");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "insert into access_requests (team_id, reference, user_id, kind, reason, code_mac, made_at, expires_at) select team_id, 'aaaaaaaaaaaaaaaaaaaaaaaaaa', user_id, 'back', 'x', '\\x01', now(), now() + interval '1 day' from revoked_access limit 1");
        (await SeeAsync(anna, "teams/{team}/requests/{request}", $"/teams/{team}/requests/aaaaaaaaaaaaaaaaaaaaaaaaaa")).ShouldContain("The code, as you heard it");
        await SeeAsync(anna, "teams/{team}/groups/{group}", $"/teams/{team}/groups/everyone");
        await SeeAsync(anna, "teams/{team}/members/reach", $"/teams/{team}/members/reach?username={anna.Username}");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"insert into break_glass_grants (team_id, reference, operator, operator_key, reason, hours, asked_at, approvable_at, lapses_at) select id, 'bbbbbbbbbbbbbbbbbbbbbbbbbb', 'ada', repeat('a', 64), 'a good enough reason', 4, now(), now() + interval '1 day', now() + interval '168 hours' from teams where reference = '{team}'");
        (await SeeAsync(anna, "teams/{team}/break-glass", $"/teams/{team}/break-glass")).ShouldContain("asks to read this team");
        (await SeeAsync(anna, "teams/{team}/break-glass/{grant}", $"/teams/{team}/break-glass/bbbbbbbbbbbbbbbbbbbbbbbbbb")).ShouldContain("Let them read");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "update memberships set role = 'member'");
        (await SeeAsync(anna, "teams/{team}/ask", $"/teams/{team}/ask")).ShouldContain("What you need it for");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "update memberships set role = 'owner'");
        await MailedAsync(SeeAsync, anna, team);
        var idp = new Sso.Provider(host, team);
        await anna.SendAsync($"/teams/{team}/sso", $"/teams/{team}/sso/metadata", ("Metadata", idp.Metadata()));
        var request = Sso.Provider.RequestId(await anna.GetAsync($"/teams/{team}/sso/test"));
        await SeeAsync(anna, "teams/{team}/sso/result", await Sso.Provider.LedToAsync(await idp.ReturnAsync(anna, idp.Signed(idp.Spec(request, "anna@idp.example")))));
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "update saml_connections c set state = 'on', tested_at = now(), bound_by = m.user_id from memberships m where m.team_id = c.team_id");
        await SeeAsync(anna, "sso/{team}", $"/sso/{team}");
        await anna.SendAsync($"/teams/{team}/new-folder", null, ("Name", "A folder"));
        var folder = Teams.Person.Rows(await anna.HtmlAsync($"/teams/{team}/files")).Single().Reference;
        await SeeAsync(anna, "teams/{team}/files/{entry}/details", $"/teams/{team}/files/{folder}/details");
        await SeeAsync(anna, "teams/{team}/files/{entry}/share", $"/teams/{team}/files/{folder}/share");
        var shared = await anna.SendAsync($"/teams/{team}/files/{folder}/share");
        await SeeAsync(anna, "s/{token}", System.Text.RegularExpressions.Regex.Match(await shared.Content.ReadAsStringAsync(), "/s/[A-Za-z0-9_-]{43}", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(5)).Value);
        await SeeAsync(anna, "teams/{team}/files/{entry}/rename", $"/teams/{team}/files/{folder}/rename");
        await SeeAsync(anna, "teams/{team}/move", $"/teams/{team}/move?entry={folder}");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "update appliance_policy set second_factor = 'key', passkey_alone = true; update sessions set factor = 'app'");
        await SeeAsync(anna, "account/enrol");
        await SeeAsync(anna, "sign-in/passkey");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "update appliance_policy set second_factor = 'required', passkey_alone = false");
        host.Clock.Move(TimeSpan.FromMinutes(16));
        await SeeAsync(anna, "locked");
        await HalfSignedInAsync(SeeAsync);

        // Nothing was forgotten: a new page has to be added above.
        var pages = host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<PageActionDescriptor>() is not null && e.Metadata.GetMetadata<Appliance.Admin.AdminActionAttribute>() is null).Select(e => e.RoutePattern.RawText!);
        seen.Keys.ShouldBe(pages.Distinct(StringComparer.Ordinal), ignoreOrder: true);

        foreach (var (page, html) in seen)
        {
            foreach (Match form in Form().Matches(html))
            {
                var (head, body) = (form.Groups["head"].Value, form.Groups["body"].Value);
                if (head.Contains("method=\"post\"", StringComparison.Ordinal))
                {
                    Token().Count(body).ShouldBe(1, $"{page}: {head}");
                    FirstField().Match(body).Value.ShouldContain("RequestVerificationToken", Case.Sensitive, page);
                }
            }
            if (html.Contains("data-webauthn=", StringComparison.Ordinal))
            {
                html.ShouldContain("/js/webauthn.js\"", Case.Sensitive, page);
            }
        }
        seen["account/security"].ShouldContain("aria-current=\"page\"");
    }

    private async Task<Visitor> AnonymousAndSetUpAsync(Func<Visitor, string, string?, Task<string>> seeAsync)
    {
        var anna = host.Visitor();
        await seeAsync(anna, "sign-in", null);
        await seeAsync(anna, "set-up/over", null);
        var token = await host.LinkAsync();
        await seeAsync(anna, "set-up/{token}", "/set-up/" + token);
        await anna.SendAsync("/set-up/" + token);
        await seeAsync(anna, "set-up", null);
        await anna.SendAsync("/set-up", null, ("Username", "forms"), ("Password", Visitor.Password));
        await seeAsync(anna, "set-up/key", null);
        await seeAsync(anna, "set-up/app", null);
        await seeAsync(anna, "set-up/phone", null);
        await anna.SetUpAsync(token, "forms", Visitor.Password);
        return anna;
    }

    /// <summary>Where mailed links lead.</summary>
    private async Task MailedAsync(Func<Visitor, string, string?, Task<string>> seeAsync, Visitor anna, string team)
    {
        var links = host.Services.GetRequiredService<Appliance.SignIn.MailLinks>();
        var user = (await UserAsync("FORMS")).Id;
        await using (var session = await host.Database.ForApplianceAsync(default))
        {
            string Make(string purpose) => links.Make(session, user, purpose, TimeSpan.FromMinutes(10), "anna@example.org");
            var (confirm, notMe, password, stop) = (Make(Appliance.SignIn.MailLinks.ConfirmAddress), Make(Appliance.SignIn.MailLinks.NotMe), Make(Appliance.SignIn.MailLinks.NewPassword), Make(Appliance.SignIn.MailLinks.StopLostKey));
            await session.CommitAsync(default);
            using var reader = host.Visitor();
            await seeAsync(reader, "confirm-address/{token}", "/confirm-address/" + confirm);
            await seeAsync(reader, "not-me/{token}", "/not-me/" + notMe);
            await seeAsync(reader, "lost-key/stop/{token}", "/lost-key/stop/" + stop);
            await seeAsync(reader, "new-password", null);
            await seeAsync(reader, "new-password/{token}", "/new-password/" + password);
            await reader.SendAsync("/new-password/" + password);
            await seeAsync(reader, "new-password/choose", null);
        }
        await anna.SendAsync($"/teams/{team}/members", $"/teams/{team}/members?handler=Invite", ("Email", "anna@example.org"));
        var link = (await host.Mail.WaitAsync("anna@example.org", "invites you")).Link("/invitation/");
        await seeAsync(anna, "invitation/{token}", link);
        await anna.SendAsync(link);
        await seeAsync(anna, "invitation", null);
    }

    private async Task HalfSignedInAsync(Func<Visitor, string, string?, Task<string>> seeAsync)
    {
        using var ben = host.Visitor();
        await ben.PasswordAsync("forms");
        await seeAsync(ben, "sign-in/key", null);
        await seeAsync(ben, "sign-in/app", null);
        await seeAsync(ben, "sign-in/recovery", null);
        await seeAsync(ben, "sign-in/lost-key", null);
        var id = (await UserAsync("FORMS")).Id;
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"delete from security_keys where user_id = '{id}'; delete from authenticator_apps where user_id = '{id}'; delete from recovery_codes where user_id = '{id}'");
        await seeAsync(ben, "sign-in/enrol", null);
        await seeAsync(ben, "sign-in/enrol/app", null);
        await seeAsync(ben, "sign-in/enrol/phone", null);
        var form = await ben.HtmlAsync("/sign-in/enrol/phone");
        var sent = await (await ben.PostAsync(form, "/sign-in/enrol/phone?handler=Send", ("Number", "+41791234567"))).Content.ReadAsStringAsync();
        await ben.PostAsync(sent, "/sign-in/enrol/phone", ("Code", host.Gateway.Last.Code));
        using var carl = host.Visitor();
        await carl.PasswordAsync("forms");
        await seeAsync(carl, "sign-in/phone", null);
    }

    private async Task<Appliance.Accounts.User> UserAsync(string key)
    {
        await using var session = await host.Database.ForApplianceAsync(default);
        return await session.Query<Appliance.Accounts.User>().AsNoTracking().SingleAsync(u => u.UsernameKey == key);
    }

    [GeneratedRegex("<form\\b(?<head>[^>]*)>(?<body>.*?)</form>", RegexOptions.Singleline, 5000)]
    private static partial Regex Form();

    [GeneratedRegex("<input[^>]*name=\"[^\"]*RequestVerificationToken\"[^>]*>", RegexOptions.None, 5000)]
    private static partial Regex Token();

    [GeneratedRegex("<(?:input|textarea|select)\\b[^>]*>", RegexOptions.None, 5000)]
    private static partial Regex FirstField();
}
