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

/// <summary>What somebody tries who saw a code, knows a password, or can write to the database.</summary>
[Trait("Requirement", "A4")]
public sealed class AppAttackTests(SignInHost host) : IClassFixture<SignInHost>
{
    private static int s_thieves;

    [Fact]
    public async Task A_code_works_once_and_none_works_after_a_later_one()
    {
        var (person, app) = await host.AppPersonAsync("totp.once");
        using var _ = person;
        using var thief = Thief();
        var seen = app.Code(host.Clock.GetUtcNow());
        (await host.SignInWithAppAsync(person, "totp.once", app)).Headers.Location!.ToString().ShouldBe("/");
        await thief.PasswordAsync("totp.once");
        (await thief.SendAsync("/sign-in/app", null, ("Code", seen))).IsRefusal().ShouldBeTrue();
        // The step before it is within the drift, and over nevertheless.
        (await thief.SendAsync("/sign-in/app", null, ("Code", app.Code(host.Clock.GetUtcNow(), -1)))).IsRefusal().ShouldBeTrue();
        (await thief.IsSignedInAsync()).ShouldBeFalse();
        (await host.LedgerAsync("authenticator-app.code-reused")).Count.ShouldBeGreaterThanOrEqualTo(2);
        (await host.LedgerAsync("sign-in.failed")).ShouldContain(e => e.Details.Contains("\"app\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_code_that_confirmed_the_app_signs_nobody_in()
    {
        using var person = host.Visitor();
        await person.SendAsync("/set-up/" + await host.LinkAsync());
        await person.SendAsync("/set-up", null, ("Username", "totp.confirmed"), ("Password", Visitor.Password));
        host.NextCode();
        var html = await person.HtmlAsync("/set-up/app");
        var app = SoftwareApp.Typed(html);
        await person.PostAsync(html, "/set-up/app", ("Code", app.Code(host.Clock.GetUtcNow())));
        (await person.IsSignedInAsync()).ShouldBeTrue();
        using var thief = Thief();
        (await host.SignInWithAppAsync(thief, "totp.confirmed", app)).IsRefusal().ShouldBeTrue();
    }

    [Fact]
    public async Task Of_many_who_come_with_one_code_at_once_one_gets_in()
    {
        var (person, app) = await host.AppPersonAsync("totp.raced");
        using var _ = person;
        // From an address each, so that no delay stands between them; fewer than the guesses that are free.
        var visitors = Enumerable.Range(0, 8).Select(i => new Visitor(host) { Address = IPAddress.Parse($"127.0.3.{i + 1}") }).ToList();
        var pages = new List<string>();
        foreach (var visitor in visitors)
        {
            await visitor.PasswordAsync("totp.raced");
            pages.Add(await visitor.HtmlAsync("/sign-in/app"));
        }
        host.NextCode();
        var code = app.Code(host.Clock.GetUtcNow());
        var answers = await Task.WhenAll(visitors.Select((v, i) => v.PostAsync(pages[i], "/sign-in/app", ("Code", code))));
        answers.ShouldAllBe(a => (int)a.StatusCode < 500);
        answers.Count(a => a.Headers.Location?.ToString() == "/").ShouldBe(1);
        (await Task.WhenAll(visitors.Select(v => v.IsSignedInAsync()))).Count(yes => yes).ShouldBe(1);
        visitors.ForEach(v => v.Dispose());
    }

    [Fact]
    public async Task A_code_is_used_up_even_where_what_it_opens_is_over()
    {
        var (person, app) = await host.AppPersonAsync("totp.over");
        using var _ = person;
        using var late = Thief();
        await late.PasswordAsync("totp.over");
        var page = await late.HtmlAsync("/sign-in/app");
        var id = await IdAsync("TOTP.OVER");
        var apps = host.Services.GetRequiredService<AuthenticatorApps>();
        var user = await UserAsync("TOTP.OVER");
        var code = app.Code(host.Clock.GetUtcNow());
        // The caller's own transaction is thrown away.
        await using (await host.Database.ForApplianceAsync(default))
        {
            (await apps.VerifyAsync(user, code, new Microsoft.AspNetCore.Http.DefaultHttpContext(), default)).Succeeded.ShouldBeTrue();
        }
        (await late.PostAsync(page, "/sign-in/app", ("Code", code))).IsRefusal().ShouldBeTrue();
        id.ShouldBe(user.Id);
    }

    [Fact]
    public async Task Anothers_code_and_anothers_secret_moved_in_the_database_open_nothing()
    {
        var (victim, app) = await host.AppPersonAsync("totp.victim");
        var (mallory, own) = await host.AppPersonAsync("totp.mallory");
        using var _ = victim;
        using var __ = mallory;
        using var thief = Thief();
        (await host.SignInWithAppAsync(thief, "totp.victim", own)).IsRefusal().ShouldBeTrue();

        await host.Cluster.SuperuserAsync(
            host.Settings.DatabaseName,
            $"update authenticator_apps set sealed_secret = (select sealed_secret from authenticator_apps where user_id = '{await IdAsync("TOTP.MALLORY")}') where user_id = '{await IdAsync("TOTP.VICTIM")}'");
        host.NextCode();
        await host.SignInWithAppAsync(thief, "totp.victim", own);
        (await thief.IsSignedInAsync()).ShouldBeFalse();
        app.Secret.ShouldNotBe(own.Secret);
    }

    [Fact]
    public async Task The_service_itself_cannot_take_a_used_step_back_into_another_secret()
    {
        var (person, _) = await host.AppPersonAsync("totp.fixed");
        using var __ = person;
        // The app's role may move the step and the last use, and nothing else, save while the appliance key is rotated.
        await using var session = await host.Database.ForApplianceAsync(default);
        await Should.ThrowAsync<ForbiddenByDatabaseException>(() => session.ExecuteAsync($"update authenticator_apps set sealed_secret = '\\x00'", default));
        // And then in no person's session.
        await using var theirs = await host.Database.ForUserAsync(UserId.New(), default);
        await theirs.ExecuteAsync($"insert into key_rotations (id, stage, asked_at, asked_by) values (gen_random_uuid(), 'rewrapping', now(), 'x')", default);
        await Should.ThrowAsync<ForbiddenByDatabaseException>(() => theirs.ExecuteAsync($"update authenticator_apps set sealed_secret = '\\x00'", default));
    }

    [Fact]
    public async Task An_offer_works_for_its_own_person_in_its_own_session_for_a_quarter_of_an_hour_and_unaltered()
    {
        using var person = await host.PersonAsync("totp.offer");
        using var mallory = await host.PersonAsync("totp.offerer");
        var html = await mallory.HtmlAsync("/account/security/app/add");
        var (planted, app) = (Field(html, "Offer"), SoftwareApp.Typed(html));
        // Another's offer, whose secret the other knows.
        var own = await person.HtmlAsync("/account/security/app/add");
        await RefusedAsync(person, own, planted, app);
        // One's own, from another session.
        using var elsewhere = host.Visitor();
        elsewhere.Key = person.Key with { Counter = 50 };
        await elsewhere.PasswordAsync("totp.offer");
        var key = await elsewhere.HtmlAsync("/sign-in/key");
        (await elsewhere.PostAsync(key, "/sign-in/key", ("Credential", elsewhere.Key.Assert(Visitor.Options(key))))).Headers.Location!.ToString().ShouldBe("/");
        var other = await elsewhere.HtmlAsync("/account/security/app/add");
        await RefusedAsync(person, own, Field(other, "Offer"), SoftwareApp.Typed(other));
        // Altered, cut, none.
        var good = Field(own, "Offer");
        foreach (var bad in new[] { "", "x", "%%%", good[..^4], good[..20] + (good[20] == 'A' ? 'B' : 'A') + good[21..], new string('A', 5000) })
        {
            await RefusedAsync(person, own, bad, SoftwareApp.Typed(own));
        }
        // Too old. What is shown then is a new secret.
        host.Clock.Move(TimeSpan.FromMinutes(4));
        var aged = await person.HtmlAsync("/account/security/app/add");
        for (var i = 0; i < 4; i++)
        {
            host.Clock.Move(TimeSpan.FromMinutes(4));
            person.Key = person.Key with { Counter = 100 + (uint)i };
            var step = await person.HtmlAsync("/step-up");
            (await person.PostAsync(step, "/step-up", ("Credential", person.Key.Assert(Visitor.Options(step))))).Headers.Location!.ToString().ShouldBe("/");
        }
        await RefusedAsync(person, aged, Field(aged, "Offer"), SoftwareApp.Typed(aged));
    }

    [Fact]
    public async Task Who_has_a_second_factor_cannot_enrol_another_with_the_password()
    {
        var (person, app) = await host.AppPersonAsync("totp.taken");
        using var _ = person;
        var id = await IdAsync("TOTP.TAKEN");
        using var thief = Thief();
        await thief.PasswordAsync("totp.taken");
        (await thief.GetAsync("/sign-in/enrol/app")).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        (await thief.GetAsync("/sign-in/enrol")).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        var sealedSecret = (await AppAsync(id))!.SealedSecret;
        await thief.PostAsync(await thief.HtmlAsync("/sign-in/app"), "/sign-in/enrol/app", ("Offer", "x"), ("Code", app.Code(host.Clock.GetUtcNow())));
        (await AppAsync(id))!.SealedSecret.ShouldBe(sealedSecret);
        (await thief.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task Of_two_who_enrol_the_first_factor_at_once_one_does()
    {
        using var person = await host.PersonAsync("totp.firsts");
        var id = await IdAsync("TOTP.FIRSTS");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"delete from security_keys where user_id = '{id}'; delete from recovery_codes where user_id = '{id}'; delete from sessions where user_id = '{id}'");
        var visitors = Enumerable.Range(0, 2).Select(_ => host.Visitor()).ToList();
        var pages = new List<(string Html, SoftwareApp App)>();
        foreach (var visitor in visitors)
        {
            await visitor.PasswordAsync("totp.firsts");
            var html = await visitor.HtmlAsync("/sign-in/enrol/app");
            pages.Add((html, SoftwareApp.Typed(html)));
        }
        await Task.WhenAll(visitors.Select((v, i) => v.PostAsync(pages[i].Html, "/sign-in/enrol/app", ("Code", pages[i].App.Code(host.Clock.GetUtcNow())))));
        (await Task.WhenAll(visitors.Select(v => v.IsSignedInAsync()))).Count(yes => yes).ShouldBe(1);
        visitors.ForEach(v => v.Dispose());
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task Guessing_from_ever_new_addresses_is_slowed_down_told_and_keeps_nobody_out()
    {
        var (person, app) = await host.AppPersonAsync("totp.guessed");
        using var _ = person;
        (await host.SignInWithAppAsync(person, "totp.guessed", app)).Headers.Location!.ToString().ShouldBe("/");
        host.NextCode();
        var guesses = 0;
        for (var refused = false; !refused; guesses++)
        {
            using var guesser = Thief();
            await guesser.PasswordAsync("totp.guessed");
            using var answer = await guesser.SendAsync("/sign-in/app", null, ("Code", "00000x"));
            refused = answer.StatusCode == HttpStatusCode.TooManyRequests;
            guesses.ShouldBeLessThan(20); // each the first try from its address; how the waits grow: DelayTests
        }
        guesses.ShouldBeGreaterThan(10);
        (await host.LedgerAsync("sign-in.delayed")).ShouldNotBeEmpty();
        (await person.HtmlAsync("/account/sessions")).ShouldContain("Somebody knows your password");
        // From where the person has signed in before, nothing is in the way.
        using var again = host.Visitor();
        (await host.SignInWithAppAsync(again, "totp.guessed", app)).Headers.Location!.ToString().ShouldBe("/");
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task Wrong_codes_from_one_place_are_delayed_like_wrong_passwords()
    {
        var (person, app) = await host.AppPersonAsync("totp.delayed");
        using var _ = person;
        using var guesser = Thief();
        await guesser.PasswordAsync("totp.delayed");
        for (var i = 0; i < 3; i++)
        {
            (await guesser.SendAsync("/sign-in/app", null, ("Code", "000 00x"))).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        using var answer = await guesser.SendAsync("/sign-in/app", null, ("Code", app.Code(host.Clock.GetUtcNow())));
        answer.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        answer.Headers.RetryAfter.ShouldNotBeNull();
    }

    [Fact, Trait("Requirement", "O10")]
    public async Task The_secret_is_nowhere_in_the_database()
    {
        var (person, app) = await host.AppPersonAsync("totp.dumped");
        using var _ = person;
        var dump = await host.DumpAsync();
        dump.ShouldNotContain(Convert.ToHexString(app.Secret), Case.Insensitive);
        dump.ShouldNotContain(Convert.ToBase64String(app.Secret), Case.Sensitive);
        dump.ShouldContain("authenticator-app.added");
    }

    /// <summary>Somebody at an address of their own, whose failures delay nobody else.</summary>
    private Visitor Thief() => new(host) { Address = IPAddress.Parse($"127.0.5.{Interlocked.Increment(ref s_thieves)}") };

    private async Task RefusedAsync(Visitor person, string page, string offer, SoftwareApp app)
    {
        var answer = await person.PostAsync(page, "/account/security/app/add", ("Offer", offer), ("Code", app.Code(host.Clock.GetUtcNow())));
        answer.IsRefusal().ShouldBeTrue(answer.StatusCode.ToString());
        SoftwareApp.Typed(await answer.Content.ReadAsStringAsync()).Secret.ShouldNotBe(app.Secret);
        (await AppAsync(await IdAsync("TOTP.OFFER"))).ShouldBeNull();
    }

    private static string Field(string html, string name) =>
        System.Text.RegularExpressions.Regex.Match(html, $"name=\"{name}\" value=\"([^\"]+)\"", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(5)).Groups[1].Value;

    private Task<AuthenticatorApp?> AppAsync(UserId user) => host.Services.GetRequiredService<AuthenticatorApps>().FindAsync(user, default);

    private async Task<UserId> IdAsync(string usernameKey) => (await UserAsync(usernameKey)).Id;

    private async Task<User> UserAsync(string usernameKey)
    {
        await using var session = await host.Database.ForApplianceAsync(default);
        return await session.Query<User>().AsNoTracking().SingleAsync(u => u.UsernameKey == usernameKey);
    }
}
