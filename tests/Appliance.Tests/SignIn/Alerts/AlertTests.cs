using System.Net;
using Appliance.Tests.Mail;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.Alerts;

/// <summary>Who signs in from a new browser or network is told at once, and can end it.</summary>
[Trait("Requirement", "A14")]
public sealed class AlertTests(MailHost host) : IClassFixture<MailHost>
{
    private const string NewPlace = "You signed in from a new device or place";

    [Fact]
    public async Task The_browser_and_network_of_before_are_known_and_another_of_either_is_told()
    {
        var (person, address) = await host.WithAddressAsync("alert.known");
        await person.SignOutAsync();
        await person.SignInAsync();
        await person.SendAsync("/account/recovery-codes");
        await host.Mail.WaitAsync(address, "New recovery codes"); // what was before it would have come before it
        host.Mail.Count(address, NewPlace).ShouldBe(0);

        using var browser = host.Visitor();
        await SignInAsync(browser, person, 50);
        (await host.Mail.WaitAsync(address, NewPlace)).Text.ShouldContain("127.0.0.1");

        using var moved = new Visitor(host) { Address = IPAddress.Parse("127.9.9.9"), Cookies = person.Cookies };
        await person.SignOutAsync();
        await SignInAsync(moved, person, 60);
        await MailFaultTests.WaitForAsync(() => Task.FromResult(host.Mail.Count(address, NewPlace) == 2));
        host.Mail.Mails.Last(m => m.To == address && m.Subject == NewPlace).Text.ShouldContain("127.9.9.9");
        (await host.DumpAsync()).ShouldNotContain(person.Cookie("__Host-appliance-browser")!);
        person.Dispose();
    }

    [Fact]
    public async Task This_was_not_me_ends_everything_that_was_begun_and_leads_to_a_new_password_that_takes_the_factor()
    {
        var (person, address) = await host.WithAddressAsync("alert.notme");
        await person.SendAsync("/account/tokens/new", null, ("Name", "mine"), ("Kind", "token"), ("Days", "30"), ("Permission", "read"));
        host.Clock.Move(TimeSpan.FromSeconds(5));
        using var thief = host.Visitor();
        await SignInAsync(thief, person, 50);
        var link = (await host.Mail.WaitAsync(address, NewPlace)).Link("/not-me/");
        using var reader = host.Visitor();
        for (var i = 0; i < 3; i++)
        {
            (await reader.GetAsync(link)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        (await thief.IsSignedInAsync()).ShouldBeTrue();
        var id = await host.ScalarAsync<Guid>($"select id from users where username = '{person.Username}'");
        await host.ScalarAsync<object?>(
            $"insert into api_tokens select (jsonb_populate_record(null::api_tokens, to_jsonb(t) || jsonb_build_object('id', gen_random_uuid(), 'reference', 'thiefs', 'token_hash', '\\x01', 'created_at', '{host.Clock.GetUtcNow():o}'::timestamptz))).* from api_tokens t where user_id = '{id}' returning null");
        var before = await host.ScalarAsync<long>($"select count(*) from api_tokens where user_id = '{id}'");
        (await reader.SendAsync(link)).Headers.Location!.ToString().ShouldBe("/new-password/choose");
        (await thief.IsSignedInAsync()).ShouldBeFalse();
        (await person.IsSignedInAsync()).ShouldBeFalse();
        (await host.ScalarAsync<long>($"select count(*) from api_tokens where user_id = '{id}'")).ShouldBe(Math.Max(before - 1, 0));
        (await host.ScalarAsync<long>($"select count(*) from api_tokens where user_id = '{id}' and reference = 'thiefs'")).ShouldBe(0);
        (await host.LedgerAsync("sign-in.disowned")).ShouldNotBeEmpty();
        // Whoever reads the mail chooses a password, and is not in with that.
        (await reader.SendAsync("/new-password/choose", null, ("Password", "velvet quarry lantern mosaic"))).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        (await reader.IsSignedInAsync()).ShouldBeFalse();
        (await reader.SendAsync(link)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        person.Dispose();
    }

    [Fact]
    public async Task After_a_week_the_link_is_over_and_after_ninety_days_a_browser_is_new_again()
    {
        var (person, address) = await host.WithAddressAsync("alert.old");
        using var browser = host.Visitor();
        await SignInAsync(browser, person, 50);
        var link = (await host.Mail.WaitAsync(address, NewPlace)).Link("/not-me/");
        host.Clock.Move(TimeSpan.FromDays(7));
        (await browser.SendAsync(link)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        host.Clock.Move(TimeSpan.FromDays(90));
        await SignInAsync(browser, person, 60);
        await MailFaultTests.WaitForAsync(() => Task.FromResult(host.Mail.Count(address, NewPlace) == 2));
        person.Dispose();
    }

    [Fact]
    public async Task What_changes_how_one_signs_in_is_told_each_time()
    {
        var (person, address) = await host.WithAddressAsync("alert.changes");
        var html = await person.HtmlAsync("/account/security/keys/add");
        var second = new TestServers.SoftwareAuthenticator { Origin = person.Key.Origin };
        (await person.PostAsync(html, "/account/security/keys/add", ("Credential", second.Register(Visitor.Options(html))), ("Name", "Second"))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await host.Mail.WaitAsync(address, "A security key was added");
        await person.SendAsync("/account/password", null, ("Current", Visitor.Password), ("Password", "velvet quarry lantern mosaic"));
        await host.Mail.WaitAsync(address, "Your password was changed");
        using var elsewhere = host.Visitor();
        await elsewhere.PasswordAsync(person.Username, "velvet quarry lantern mosaic");
        await elsewhere.SendAsync("/sign-in/recovery", null, ("Code", person.Codes[0]));
        await host.Mail.WaitAsync(address, "A recovery code was used");
        person.Dispose();
    }

    /// <summary>As the person, with their key, in this browser.</summary>
    private static async Task SignInAsync(Visitor browser, Visitor person, uint counter)
    {
        await browser.PasswordAsync(person.Username);
        var html = await browser.HtmlAsync("/sign-in/key");
        (await browser.PostAsync(html, "/sign-in/key", ("Credential", (person.Key with { Counter = counter }).Assert(Visitor.Options(html))))).Headers.Location!.ToString().ShouldBe("/");
    }
}
