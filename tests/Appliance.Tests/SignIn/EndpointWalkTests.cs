using System.Net;
using System.Text.RegularExpressions;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>The whole service in which passwords are to be renewed every thirty days.</summary>
public sealed class RenewingHost : SignInHost
{
    protected override SignInSettings SignInSettings => new() { PasswordAge = TimeSpan.FromDays(30) };
}

/// <summary>Whoever is not wholly signed in calls every endpoint there is, with every method it takes.</summary>
public sealed partial class EndpointWalkTests(RenewingHost host) : IClassFixture<RenewingHost>
{
    [Fact, Trait("Requirement", "A8")]
    public async Task A_stranger_reaches_signing_in_and_nothing_else()
    {
        using var stranger = host.Visitor();
        (await ReachableAsync(stranger, includeOpen: true)).ShouldBe(
            ["sign-in", "sign-in/passkey", "set-up/{token}", "set-up/over", "new-password", "new-password/{token}", "not-me/{token}", "lost-key/stop/{token}", "confirm-address/{token}", "invitation/{token}", "s/{token}", "/s/{token}/content", "sso/{team}", "/sso/{team}/acs", "/sso/{team}/metadata", "/health/live", "/health/ready", "/metrics"], ignoreOrder: true);
    }

    [Fact, Trait("Requirement", "A3"), Trait("Requirement", "A8")]
    public async Task A_password_alone_reaches_only_the_second_factor()
    {
        using var person = await host.PersonAsync("walk.half");
        await person.SignOutAsync();
        await person.PasswordAsync();
        (await ReachableAsync(person)).ShouldBe(["sign-in/key", "sign-in/app", "sign-in/recovery", "sign-in/lost-key", "sign-in/enrol", "sign-in/enrol/app", "sign-in/phone", "sign-in/enrol/phone"], ignoreOrder: true);
    }

    [Fact, Trait("Requirement", "A3"), Trait("Requirement", "A8")]
    public async Task A_person_with_neither_key_nor_code_can_only_enrol()
    {
        using var person = await host.PersonAsync("walk.enrol");
        var id = await IdAsync("WALK.ENROL");
        await host.Cluster.SuperuserAsync(
            host.Settings.DatabaseName, $"delete from security_keys where user_id = '{id}'; delete from recovery_codes where user_id = '{id}'; delete from sessions where user_id = '{id}'");
        using var again = host.Visitor();
        (await again.PasswordAsync("walk.enrol")).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        (await ReachableAsync(again)).ShouldBe(["sign-in/key", "sign-in/app", "sign-in/recovery", "sign-in/lost-key", "sign-in/enrol", "sign-in/enrol/app", "sign-in/phone", "sign-in/enrol/phone"], ignoreOrder: true);
        (await again.GetAsync("/sign-in/key")).Headers.Location!.ToString().ShouldBe("/sign-in/enrol");
        foreach (var code in new[] { "", "2222-2222-2222-2222", person.Codes[0] })
        {
            (await again.SendAsync("/sign-in/recovery", null, ("Code", code))).Headers.Location.ShouldBeNull();
        }
        host.Clock.Move(TimeSpan.FromSeconds(30)); // past the delay of those attempts
        (await again.IsSignedInAsync()).ShouldBeFalse();

        var html = await again.HtmlAsync("/sign-in/enrol");
        var done = await again.PostAsync(html, "/sign-in/enrol", ("Credential", again.Key.Register(Visitor.Options(html))), ("Name", "First"));
        (await done.Content.ReadAsStringAsync()).ShouldContain("Keep your recovery codes");
        (await again.IsSignedInAsync()).ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_locked_session_reaches_only_what_opens_or_ends_it_and_is_told_why()
    {
        using var person = await host.PersonAsync("walk.locked");
        host.Clock.Move(TimeSpan.FromMinutes(16));
        (await ReachableAsync(person, reason: "session-locked")).ShouldBe(["locked", "/lock", "/sign-out"], ignoreOrder: true);
    }

    [Fact, Trait("Requirement", "A2")]
    public async Task A_password_that_is_due_for_renewal_reaches_only_its_change_and_changing_it_opens_the_rest()
    {
        const string Fresh = "velvet quarry lantern mosaic";
        using var person = await host.PersonAsync("walk.due");
        host.Clock.Move(TimeSpan.FromDays(31));
        (await person.SignInAsync()).Headers.Location!.ToString().ShouldBe("/");
        (await ReachableAsync(person)).ShouldBe(
            ["locked", "/lock", "/sign-out", "step-up", "account/password", "/password/check", "/password/suggest"], ignoreOrder: true);
        (await person.GetAsync("/account/security")).Headers.Location!.ToString().ShouldBe("/account/password?return=%2Faccount%2Fsecurity");

        var same = await person.SendAsync("/account/password", null, ("Current", Visitor.Password), ("Password", Visitor.Password));
        (await same.Content.ReadAsStringAsync()).ShouldContain("The new password is the old one");
        (await person.GetAsync("/account/security")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await person.SendAsync("/account/password", null, ("Current", Visitor.Password), ("Password", Fresh))).Headers.Location!.ToString().ShouldBe("/account/security");
        (await person.GetAsync("/account/security")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact, Trait("Requirement", "A7"), Trait("Requirement", "A8")]
    public async Task A_session_that_is_not_enough_for_the_policy_reaches_only_enrolling_and_leaving_and_is_told_why()
    {
        using var person = await host.PersonAsync("walk.policy");
        var id = await IdAsync("WALK.POLICY");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update sessions set factor = 'app', key_id = null where user_id = '{id}'; delete from security_keys where user_id = '{id}'; update appliance_policy set second_factor = 'key'");
        try
        {
            string[] enrolling = ["account/enrol", "account/security/keys/add", "account/security/app/add", "step-up"];
            (await ReachableAsync(person, reason: "policy-unmet")).ShouldBe(["locked", "/lock", "/sign-out", .. enrolling], ignoreOrder: true);
        }
        finally
        {
            await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "update appliance_policy set second_factor = 'required'");
        }
    }

    [Fact, Trait("Requirement", "O2")]
    public async Task A_set_up_link_reaches_only_setting_up()
    {
        using var newcomer = host.Visitor();
        await newcomer.SendAsync("/set-up/" + await host.LinkAsync());
        (await ReachableAsync(newcomer)).ShouldBe(["set-up", "set-up/key", "set-up/app", "set-up/phone", "/password/check", "/password/suggest"], ignoreOrder: true);
    }

    /// <summary>
    /// The routes whose authorization this visitor passes. Without antiforgery tokens, so that nothing is done: what passes is told by
    /// 400 there. Files of the page itself (scripts, styles) are left out.
    /// </summary>
    private async Task<IReadOnlyList<string>> ReachableAsync(Visitor visitor, bool includeOpen = false, string? reason = null)
    {
        var reached = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var endpoint in host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            var (route, open) = (endpoint.RoutePattern.RawText!, endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null || Open.Contains(endpoint.RoutePattern.RawText!));
            if (open && (!includeOpen || Asset().IsMatch(route)))
            {
                continue;
            }
            var path = "/" + Parameter().Replace(route.TrimStart('/'), _ => Reference.New());
            foreach (var method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET", "POST"])
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), path);
                using var answer = await visitor.Client.SendAsync(request);
                if (route.StartsWith("admin", StringComparison.Ordinal))
                {
                    answer.StatusCode.ShouldBe(HttpStatusCode.NotFound); // on the operators' port alone
                    continue;
                }
                if (!IsRefused(answer))
                {
                    reached.Add(route);
                }
                else if (reason is not null && answer.StatusCode != HttpStatusCode.Redirect)
                {
                    answer.Headers.GetValues("Appliance-Reason").ShouldBe([reason], $"{method} {route}");
                }
            }
        }
        return [.. reached];
    }

    /// <summary>Pages say what they are only once they are loaded; these say AllowAnonymous beside /sign-in.</summary>
    private static readonly string[] Open = ["sign-in", "sign-in/passkey", "set-up/{token}", "set-up/over", "new-password", "new-password/{token}", "not-me/{token}", "lost-key/stop/{token}", "confirm-address/{token}", "invitation/{token}", "sso/{team}"];

    private static bool IsRefused(HttpResponseMessage answer) =>
        answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden
        || (answer.StatusCode == HttpStatusCode.Redirect && answer.Headers.Location!.ToString() is "/sign-in" or "/set-up/over" or "/new-password");

    private async Task<UserId> IdAsync(string usernameKey)
    {
        await using var session = await host.Database.ForApplianceAsync(default);
        return await session.Query<User>().Where(u => u.UsernameKey == usernameKey).Select(u => u.Id).SingleAsync();
    }

    [GeneratedRegex("\\{[^}]+\\}", RegexOptions.None, 1000)]
    private static partial Regex Parameter();

    [GeneratedRegex("^/?(?:js|css|fonts|assets)/|\\.(?:svg|ico|txt|png|webmanifest)$", RegexOptions.None, 1000)]
    private static partial Regex Asset();
}
