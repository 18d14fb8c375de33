using System.Net;
using Appliance.Accounts;
using Appliance.SignIn;
using Appliance.Tests.TestServers;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>Signing in with password and key, and every way around it that we know of.</summary>
public sealed class SignInTests(SignInHost host) : IClassFixture<SignInHost>
{
    private const string Session = "__Host-appliance-session";
    private const string Half = "__Host-appliance-sign-in";

    [Fact, Trait("Requirement", "A1"), Trait("Requirement", "A8")]
    public async Task Password_and_key_sign_in_and_signing_out_ends_the_session_for_good()
    {
        using var person = await host.PersonAsync("walker");
        var stolen = person.Cookie(Session)!;
        await person.SignOutAsync();
        person.SetCookie(Session, stolen);
        (await person.IsSignedInAsync()).ShouldBeFalse();

        (await person.SignInAsync()).Headers.Location!.ToString().ShouldBe("/");
        (await person.IsSignedInAsync()).ShouldBeTrue();
        person.Cookie(Half).ShouldBeNull();
        (await host.LedgerAsync("sign-in.succeeded")).ShouldContain(e => e.Details.Contains("\"key\"", StringComparison.Ordinal));
    }

    [Fact, Trait("Requirement", "A3"), Trait("Requirement", "A8")]
    public async Task A_password_alone_opens_nothing()
    {
        using var person = await host.PersonAsync("halfling");
        await person.SignOutAsync();
        (await person.PasswordAsync()).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        foreach (var page in new[] { "/account/security", "/account/sessions", "/account/password", "/account/recovery-codes", "/people", "/step-up", "/locked" })
        {
            (await person.GetAsync(page)).Headers.Location!.ToString().ShouldStartWith("/sign-in");
        }
        // Who has a key cannot enrol another one by password.
        (await person.GetAsync("/sign-in/enrol")).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        // The half session's token is no session's.
        person.SetCookie(Session, person.Cookie(Half)!);
        (await person.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_planted_session_cookie_is_not_the_one_that_one_is_signed_in_with()
    {
        using var person = await host.PersonAsync("fixated");
        await person.SignOutAsync();
        var planted = Token.New();
        person.SetCookie(Session, planted);
        await person.SignInAsync();
        person.Cookie(Session).ShouldNotBe(planted);
        using var attacker = host.Visitor();
        attacker.SetCookie(Session, planted);
        (await attacker.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_pending_sign_in_works_once()
    {
        using var person = await host.PersonAsync("replayed");
        await person.SignOutAsync();
        await person.PasswordAsync();
        var pending = person.Cookie(Half)!;
        await person.TouchAsync("/sign-in/key");
        using var thief = host.Visitor();
        thief.SetCookie(Half, pending);
        (await thief.GetAsync("/sign-in/key")).Headers.Location!.ToString().ShouldBe("/sign-in");
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_pending_sign_in_ends_after_five_minutes()
    {
        using var person = await host.PersonAsync("slow");
        await person.SignOutAsync();
        await person.PasswordAsync();
        host.Clock.Move(TimeSpan.FromMinutes(5));
        (await person.GetAsync("/sign-in/key")).Headers.Location!.ToString().ShouldBe("/sign-in");
    }

    [Fact, Trait("Requirement", "A1")]
    public async Task A_password_that_was_set_with_a_ligature_is_typed_without_it()
    {
        using var person = await host.PersonAsync("ligature", "plinth \uFB01nch ravine caf\u00E9 mast");
        await person.SignOutAsync();
        await person.SignInAsync("plinth finch ravine cafe\u0301 mast");
        (await person.IsSignedInAsync()).ShouldBeTrue();
        // What no keyboard types is a wrong password like any other.
        await person.SignOutAsync();
        using var answer = await person.PasswordAsync(password: "plinth \uFFFE mast");
        ((int)answer.StatusCode).ShouldBe(200);
    }

    [Fact, Trait("Requirement", "A3")]
    public async Task Anothers_key_does_not_do()
    {
        using var victim = await host.PersonAsync("victim");
        using var attacker = await host.PersonAsync("attacker");
        await victim.SignOutAsync();
        await victim.PasswordAsync();
        victim.Key = attacker.Key;
        var answer = await victim.TouchAsync("/sign-in/key");
        answer.Headers.Location.ShouldBeNull();
        (await victim.IsSignedInAsync()).ShouldBeFalse();
        (await host.LedgerAsync("sign-in.failed")).ShouldContain(e => e.Details.Contains("\"key\"", StringComparison.Ordinal));
    }

    [Theory, Trait("Requirement", "A8")]
    [InlineData("//evil.example/")]
    [InlineData("/\\evil.example")]
    [InlineData("https://evil.example/")]
    public async Task Signing_in_leads_to_no_other_site(string target)
    {
        using var person = await host.PersonAsync("r" + Appliance.Data.Reference.New());
        await person.SignOutAsync();
        await person.PasswordAsync(page: "/sign-in?return=" + Uri.EscapeDataString(target));
        var html = await person.HtmlAsync("/sign-in/key?return=" + Uri.EscapeDataString(target));
        var done = await person.PostAsync(html, "/sign-in/key", ("Credential", person.Answer(html)), ("return", target));
        done.Headers.Location!.ToString().ShouldBe("/");
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task Signing_in_leads_back_to_the_page_that_was_asked_for()
    {
        using var person = await host.PersonAsync("returner");
        await person.SignOutAsync();
        var sent = (await person.GetAsync("/account/sessions?x=1")).Headers.Location!.ToString();
        sent.ShouldBe("/sign-in?return=%2Faccount%2Fsessions%3Fx%3D1");
        var half = (await person.PasswordAsync(page: sent)).Headers.Location!.ToString();
        (await person.TouchAsync(half)).Headers.Location!.ToString().ShouldBe("/account/sessions?x=1");
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task Forms_of_other_sites_are_refused()
    {
        using var person = await host.PersonAsync("forged");
        foreach (var page in new[] { "/sign-in", "/sign-out", "/lock", "/account/sessions?handler=EndOthers", "/account/recovery-codes", "/account/password" })
        {
            using var content = new FormUrlEncodedContent(new Dictionary<string, string> { ["Username"] = "forged" });
            (await person.Client.PostAsync(page, content)).StatusCode.ShouldBe(HttpStatusCode.BadRequest, page);
        }
        (await person.IsSignedInAsync()).ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_locked_session_reaches_only_what_opens_it()
    {
        using var person = await host.PersonAsync("idle");
        host.Clock.Move(TimeSpan.FromMinutes(16));
        (await person.GetAsync("/account/security")).Headers.Location!.ToString().ShouldBe("/locked?return=%2Faccount%2Fsecurity");
        var before = person.Cookie(Session);
        (await person.SendAsync("/locked?return=%2Faccount%2Fsecurity", "/locked?handler=Password", ("Password", "wrong wrong wrong"))).Headers.Location.ShouldBeNull();
        (await person.IsSignedInAsync()).ShouldBeFalse();
        var opened = await person.SendAsync("/locked?return=%2Faccount%2Fsecurity", "/locked?handler=Password", ("Password", Visitor.Password));
        opened.Headers.Location!.ToString().ShouldBe("/account/security");
        (await person.IsSignedInAsync()).ShouldBeTrue();
        person.Cookie(Session).ShouldNotBe(before);
        // A password opens the lock, and does not step up.
        (await person.GetAsync("/account/recovery-codes")).Headers.Location!.ToString().ShouldStartWith("/step-up");

        host.Clock.Move(TimeSpan.FromMinutes(16));
        (await person.TouchAsync("/locked", "/locked?handler=Key")).Headers.Location!.ToString().ShouldBe("/");
        (await person.GetAsync("/account/recovery-codes")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await host.LedgerAsync("session.unlocked")).Count.ShouldBeGreaterThanOrEqualTo(2);
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task What_is_sensitive_asks_for_the_key_again()
    {
        using var person = await host.PersonAsync("stepper");
        host.Clock.Move(TimeSpan.FromMinutes(6));
        var before = person.Cookie(Session);
        var asked = (await person.GetAsync("/account/password")).Headers.Location!.ToString();
        asked.ShouldBe("/step-up?return=%2Faccount%2Fpassword");
        (await person.TouchAsync(asked, "/step-up")).Headers.Location!.ToString().ShouldBe("/account/password");
        person.Cookie(Session).ShouldNotBe(before);
        (await person.GetAsync("/account/password")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task An_api_hears_a_problem_instead_of_a_redirect()
    {
        using var nobody = host.Visitor();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/password/suggest");
        request.Headers.Accept.ParseAdd("application/json");
        var answer = await nobody.Client.SendAsync(request);
        answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_link_on_another_site_asks_again_from_our_own_page()
    {
        using var person = host.Visitor();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/account/sessions?a=%22%3E%3Cscript%3E");
        request.Headers.Accept.ParseAdd("text/html");
        request.Headers.Add("Sec-Fetch-Site", "cross-site");
        request.Headers.Add("Sec-Fetch-Mode", "navigate");
        var answer = await person.Client.SendAsync(request);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        var html = await answer.Content.ReadAsStringAsync();
        html.ShouldContain("http-equiv=\"refresh\" content=\"0;url=/account/sessions?a=%22%3E%3Cscript%3E\"");
    }

    [Fact, Trait("Requirement", "A6")]
    public async Task A_recovery_code_signs_in_once_and_the_person_is_told()
    {
        using var person = await host.PersonAsync("lostkey");
        await person.SignOutAsync();
        var code = person.Codes[3];
        await person.PasswordAsync();
        (await person.SendAsync("/sign-in/recovery", null, ("Code", code.ToLowerInvariant().Replace('-', ' ')))).Headers.Location!.ToString().ShouldBe("/");
        (await person.IsSignedInAsync()).ShouldBeTrue();
        await using (var session = await host.Database.ForApplianceAsync(default))
        {
            (await session.Query<Notice>().Where(n => n.Kind == Notice.RecoveryCodeUsed).ToListAsync()).ShouldContain(n => n.Address == "127.0.0.1");
        }
        (await host.LedgerAsync("recovery-code.used")).ShouldNotBeEmpty();
        (await person.HtmlAsync("/account/security")).ShouldContain("9 of 10 left");

        await person.SignOutAsync();
        await person.PasswordAsync();
        (await person.SendAsync("/sign-in/recovery", null, ("Code", code))).Headers.Location.ShouldBeNull();
        (await person.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "A6")]
    public async Task Of_two_who_use_one_code_at_once_one_gets_in()
    {
        using var person = await host.PersonAsync("racer");
        await person.SignOutAsync();
        var visitors = Enumerable.Range(0, 2).Select(_ => host.Visitor()).ToList();
        var pages = new List<string>();
        foreach (var visitor in visitors)
        {
            await visitor.PasswordAsync("racer");
            pages.Add(await visitor.HtmlAsync("/sign-in/recovery"));
        }
        await Task.WhenAll(visitors.Select((v, i) => v.PostAsync(pages[i], "/sign-in/recovery", ("Code", person.Codes[0]))));
        (await Task.WhenAll(visitors.Select(v => v.IsSignedInAsync()))).Count(yes => yes).ShouldBe(1);
        visitors.ForEach(v => v.Dispose());
    }

    [Fact, Trait("Requirement", "A6")]
    public async Task Anothers_recovery_code_does_not_do_and_new_codes_void_the_old()
    {
        using var one = await host.PersonAsync("coder1");
        using var other = await host.PersonAsync("coder2");
        await one.SignOutAsync();
        await one.PasswordAsync();
        (await one.SendAsync("/sign-in/recovery", null, ("Code", other.Codes[0]))).Headers.Location.ShouldBeNull();

        var made = await (await other.SendAsync("/account/recovery-codes")).Content.ReadAsStringAsync();
        made.ShouldContain("The old ones no longer work.");
        await other.SignOutAsync();
        await other.PasswordAsync();
        (await other.SendAsync("/sign-in/recovery", null, ("Code", other.Codes[0]))).Headers.Location.ShouldBeNull();
    }

    [Fact, Trait("Requirement", "A1"), Trait("Requirement", "A6")]
    public async Task Neither_passwords_nor_codes_nor_tokens_are_in_the_database()
    {
        using var person = await host.PersonAsync("dumped");
        await person.SignOutAsync();
        await person.PasswordAsync("dumped", "a wrong secret nobody has");
        await person.SignInAsync();
        var dump = await host.DumpAsync();
        dump.ShouldContain("$argon2id$v=19$m=47104,t=2,p=1$");
        foreach (var secret in new[] { Visitor.Password, "a wrong secret nobody has", person.Cookie(Session)! }.Concat(person.Codes))
        {
            dump.ShouldNotContain(secret, Case.Insensitive);
            dump.ShouldNotContain(secret.Replace("-", "", StringComparison.Ordinal), Case.Insensitive);
        }
    }

    [Fact, Trait("Requirement", "A1")]
    public async Task A_weaker_hash_is_made_anew_at_the_next_sign_in()
    {
        using var person = await host.PersonAsync("upgraded");
        await person.SignOutAsync();
        var weak = Argon2.Hash(System.Text.Encoding.UTF8.GetBytes(Visitor.Password), new Argon2.Cost(19456, 1, 1));
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update users set password_hash = '{weak}' where username_key = 'UPGRADED'");
        await person.SignInAsync();
        await using var session = await host.Database.ForApplianceAsync(default);
        (await session.Query<User>().Where(u => u.UsernameKey == "UPGRADED").Select(u => u.PasswordHash).SingleAsync())!.ShouldStartWith("$argon2id$v=19$m=47104,t=2,p=1$");
        await person.SignOutAsync();
        (await person.SignInAsync()).Headers.Location!.ToString().ShouldBe("/");
    }
}
