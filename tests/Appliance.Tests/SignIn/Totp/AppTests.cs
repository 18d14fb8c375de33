using System.Net;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.SignIn.Totp;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.Totp;

/// <summary>An authenticator app from its enrolment to its removal.</summary>
[Trait("Requirement", "A4")]
public sealed class AppTests(SignInHost host) : IClassFixture<SignInHost>
{
    [Fact]
    public async Task An_account_that_was_set_up_with_an_app_signs_in_with_password_and_code()
    {
        var (person, app) = await host.AppPersonAsync("app.first");
        using var _ = person;
        (await person.IsSignedInAsync()).ShouldBeTrue();
        await person.SignOutAsync();
        (await person.PasswordAsync("app.first")).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        (await person.GetAsync("/sign-in/key")).Headers.Location!.ToString().ShouldBe("/sign-in/app");
        (await person.IsSignedInAsync()).ShouldBeFalse();
        var code = app.Code(host.Clock.GetUtcNow());
        (await person.SendAsync("/sign-in/app?return=%2Faccount%2Fsessions", "/sign-in/app", ("Code", code[..3] + " " + code[3..])))
            .Headers.Location!.ToString().ShouldBe("/account/sessions");
        (await person.IsSignedInAsync()).ShouldBeTrue();
        var id = (await IdAsync("APP.FIRST")).ToString();
        (await host.LedgerAsync("authenticator-app.added")).ShouldContain(e => e.Subject == id && e.Details.Contains("\"false\"", StringComparison.Ordinal));
        (await host.LedgerAsync("sign-in.succeeded")).ShouldContain(e => e.Subject == id && e.Details.Contains("\"app\"", StringComparison.Ordinal));
        (await host.LedgerAsync("recovery-codes.made")).ShouldContain(e => e.Subject == id);
    }

    [Fact]
    public async Task Keys_are_offered_first_and_stay_first_for_who_has_both()
    {
        using var person = await host.PersonAsync("app.both");
        await host.AddAppAsync(person);
        await person.SignOutAsync();
        await person.PasswordAsync();
        (await person.HtmlAsync("/sign-in/key")).ShouldContain("/sign-in/app?return=");
        (await person.TouchAsync("/sign-in/key")).Headers.Location!.ToString().ShouldBe("/");
        host.Clock.Move(TimeSpan.FromMinutes(6));
        var html = await person.HtmlAsync("/step-up");
        html.IndexOf("data-webauthn", StringComparison.Ordinal).ShouldBeInRange(0, html.IndexOf("Code from your app", StringComparison.Ordinal));

        using var newcomer = host.Visitor();
        await newcomer.SendAsync("/set-up/" + await host.LinkAsync());
        await newcomer.SendAsync("/set-up", null, ("Username", "app.newcomer"), ("Password", Visitor.Password));
        var first = await newcomer.HtmlAsync("/set-up/key");
        first.IndexOf("data-webauthn", StringComparison.Ordinal).ShouldBeInRange(0, first.IndexOf("/set-up/app", StringComparison.Ordinal));
        first.ShouldContain("the second choice");
    }

    [Fact]
    public async Task A_code_steps_up_and_unlocks_and_stays_used_wherever_it_was_used()
    {
        var (person, app) = await host.AppPersonAsync("app.again");
        using var _ = person;
        host.Clock.Move(TimeSpan.FromMinutes(6));
        host.NextCode();
        var asked = (await person.GetAsync("/account/password")).Headers.Location!.ToString();
        var code = app.Code(host.Clock.GetUtcNow());
        (await person.SendAsync(asked, "/step-up?handler=App", ("Code", code))).Headers.Location!.ToString().ShouldBe("/account/password");
        (await person.GetAsync("/account/password")).StatusCode.ShouldBe(HttpStatusCode.OK);
        // The same code opens no lock and signs nobody in.
        (await person.SendAsync("/account/sessions", "/lock")).Headers.Location!.ToString().ShouldBe("/locked");
        (await person.SendAsync("/locked", "/locked?handler=App", ("Code", code))).IsRefusal().ShouldBeTrue();
        using var thief = host.Visitor();
        (await host.SignInWithAppAsync(thief, "app.again", new SoftwareApp(app.Secret))).IsRefusal().ShouldBeTrue();
        host.NextCode();
        (await person.SendAsync("/locked", "/locked?handler=App", ("Code", app.Code(host.Clock.GetUtcNow())))).Headers.Location!.ToString().ShouldBe("/");
        (await person.IsSignedInAsync()).ShouldBeTrue();
        // As a touch does, it steps up as well.
        (await person.GetAsync("/account/recovery-codes")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Another_app_takes_the_place_of_the_first_which_then_opens_nothing()
    {
        var (person, old) = await host.AppPersonAsync("app.replaced");
        using var _ = person;
        var app = await host.AddAppAsync(person);
        app.Secret.ShouldNotBe(old.Secret);
        using var again = host.Visitor();
        (await host.SignInWithAppAsync(again, "app.replaced", old)).IsRefusal().ShouldBeTrue();
        (await host.SignInWithAppAsync(again, "app.replaced", app)).Headers.Location!.ToString().ShouldBe("/");
        (await host.LedgerAsync("authenticator-app.added")).ShouldContain(e => e.Details.Contains("\"true\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Adding_and_removing_take_a_factor_again_and_give_the_session_a_new_identifier()
    {
        const string Session = "__Host-appliance-session";
        using var person = await host.PersonAsync("app.sensitive");
        var before = person.Cookie(Session);
        await host.AddAppAsync(person);
        person.Cookie(Session).ShouldNotBe(before);
        host.Clock.Move(TimeSpan.FromMinutes(6));
        var page = await person.HtmlAsync("/account/security");
        foreach (var path in new[] { "/account/security/app/add", "/account/security/app/remove" })
        {
            (await person.GetAsync(path)).Headers.Location!.ToString().ShouldStartWith("/step-up");
            (await person.PostAsync(page, path, ("Code", "000000"))).Headers.Location!.ToString().ShouldStartWith("/step-up");
        }
        await person.TouchAsync("/step-up");
        before = person.Cookie(Session);
        (await person.SendAsync("/account/security/app/remove")).Headers.Location!.ToString().ShouldBe("/account/security");
        person.Cookie(Session).ShouldNotBe(before);
        (await AppAsync("APP.SENSITIVE")).ShouldBeNull();
        var id = await IdAsync("APP.SENSITIVE");
        (await host.LedgerAsync("authenticator-app.removed")).ShouldContain(e => e.Subject == id.ToString());
        (await person.GetAsync("/account/security/app/remove")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await person.SignOutAsync();
        await person.PasswordAsync();
        (await person.GetAsync("/sign-in/app")).Headers.Location!.ToString().ShouldBe("/sign-in/key");
    }

    [Fact]
    public async Task The_last_factor_stays_be_it_app_or_key()
    {
        var (person, _) = await host.AppPersonAsync("app.last");
        using var __ = person;
        (await person.HtmlAsync("/account/security")).ShouldNotContain("/account/security/app/remove");
        (await (await person.SendAsync("/account/security/app/remove")).Content.ReadAsStringAsync()).ShouldContain("only second factor");
        (await AppAsync("APP.LAST")).ShouldNotBeNull();

        // With a key beside it either may go, and of two removals at once one goes.
        var html = await person.HtmlAsync("/account/security/keys/add");
        (await person.PostAsync(html, "/account/security/keys/add", ("Credential", person.Key.Register(Visitor.Options(html))), ("Name", "A key"))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        var id = await IdAsync("APP.LAST");
        var keys = host.Services.GetRequiredService<Appliance.SignIn.SecurityKeys.KeyRing>();
        var key = (await keys.ListAsync(id, default)).ShouldHaveSingleItem().Reference;
        var page = await person.HtmlAsync("/account/security");
        page.ShouldContain("/account/security/app/remove");
        page.ShouldContain($"/account/security/keys/{key}/remove");
        await Task.WhenAll(person.PostAsync(page, "/account/security/app/remove"), person.PostAsync(page, $"/account/security/keys/{key}/remove"));
        var left = (await keys.ListAsync(id, default)).Count + (await AppAsync("APP.LAST") is null ? 0 : 1);
        left.ShouldBe(1);
    }

    [Fact]
    public async Task Who_has_an_app_may_remove_the_last_key()
    {
        using var person = await host.PersonAsync("app.keyless");
        var app = await host.AddAppAsync(person);
        var keys = host.Services.GetRequiredService<Appliance.SignIn.SecurityKeys.KeyRing>();
        var id = await IdAsync("APP.KEYLESS");
        var key = (await keys.ListAsync(id, default)).ShouldHaveSingleItem().Reference;
        (await person.SendAsync($"/account/security/keys/{key}/remove")).Headers.Location!.ToString().ShouldBe("/account/security");
        (await person.HtmlAsync("/account/security")).ShouldNotContain("/account/security/app/remove");
        using var again = host.Visitor();
        (await host.SignInWithAppAsync(again, "app.keyless", app)).Headers.Location!.ToString().ShouldBe("/");
    }

    [Fact]
    public async Task A_person_with_nothing_enrols_an_app_at_sign_in_and_gets_recovery_codes()
    {
        using var person = await host.PersonAsync("app.enrol");
        var id = await IdAsync("APP.ENROL");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"delete from security_keys where user_id = '{id}'; delete from recovery_codes where user_id = '{id}'");
        using var again = host.Visitor();
        await again.PasswordAsync("app.enrol");
        (await again.HtmlAsync("/sign-in/enrol")).ShouldContain("/sign-in/enrol/app");
        var html = await again.HtmlAsync("/sign-in/enrol/app");
        var app = SoftwareApp.Typed(html);
        var wrong = await again.PostAsync(html, "/sign-in/enrol/app", ("Code", app.Code(host.Clock.GetUtcNow(), 7)));
        // The same secret again: nobody has to scan twice.
        SoftwareApp.Typed(await wrong.Content.ReadAsStringAsync()).Secret.ShouldBe(app.Secret);
        (await AppAsync("APP.ENROL")).ShouldBeNull();
        var done = await again.PostAsync(html, "/sign-in/enrol/app", ("Code", app.Code(host.Clock.GetUtcNow())));
        (await done.Content.ReadAsStringAsync()).ShouldContain("Keep your recovery codes");
        (await again.IsSignedInAsync()).ShouldBeTrue();
        (await host.LedgerAsync("sign-in.succeeded")).ShouldContain(e => e.Details.Contains("first-app", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_page_of_the_secret_is_not_kept_and_draws_its_code_itself()
    {
        using var person = await host.PersonAsync("app.page");
        var answer = await person.GetAsync("/account/security/app/add");
        answer.Headers.CacheControl!.NoStore.ShouldBeTrue();
        answer.Headers.GetValues("Content-Security-Policy").Single().ShouldNotContain("unsafe-inline");
        var html = await answer.Content.ReadAsStringAsync();
        html.ShouldContain("<svg class=\"qr\" viewBox=\"0 0 ");
        html.ShouldContain("otpauth://totp/localhost:app.page?secret=");
        html.ShouldNotContain("<img");
        html.ShouldNotContain("style=");
        // Another one each time it is asked for: none waits in a cache or a table.
        SoftwareApp.Typed(html).Secret.ShouldNotBe(SoftwareApp.Typed(await person.HtmlAsync("/account/security/app/add")).Secret);
    }

    private async Task<UserId> IdAsync(string usernameKey)
    {
        await using var session = await host.Database.ForApplianceAsync(default);
        return await session.Query<User>().Where(u => u.UsernameKey == usernameKey).Select(u => u.Id).SingleAsync();
    }

    private async Task<AuthenticatorApp?> AppAsync(string usernameKey) =>
        await host.Services.GetRequiredService<AuthenticatorApps>().FindAsync(await IdAsync(usernameKey), default);
}
