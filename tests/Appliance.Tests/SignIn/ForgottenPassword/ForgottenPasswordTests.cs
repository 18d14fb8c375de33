using System.Net;
using Appliance.Tests.Mail;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.ForgottenPassword;

/// <summary>A new password by a mailed link: once, for twenty minutes, and never without the second factor.</summary>
[Trait("Requirement", "A10")]
public sealed class ForgottenPasswordTests(MailHost host) : IClassFixture<MailHost>
{
    private const string Fresh = "velvet quarry lantern mosaic";

    [Fact]
    public async Task With_the_link_and_the_key_the_password_is_replaced_and_every_session_ends_and_the_person_is_told()
    {
        var (person, address) = await host.WithAddressAsync("forgot.whole");
        using var browser = host.Visitor();
        browser.Key = person.Key;
        var link = await LinkAsync(browser, person.Username, address);
        (await ChooseAsync(browser, link)).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        // Nothing has changed yet, and nobody is in.
        (await browser.IsSignedInAsync()).ShouldBeFalse();
        (await person.IsSignedInAsync()).ShouldBeTrue();
        using (var other = host.Visitor())
        {
            (await other.PasswordAsync(person.Username)).Headers.Location!.ToString().ShouldBe("/sign-in/key");
            (await other.PasswordAsync(person.Username, Fresh)).Headers.Location.ShouldBeNull();
        }
        host.Clock.Move(TimeSpan.FromSeconds(2));
        var html = await browser.HtmlAsync("/sign-in/key");
        (await browser.PostAsync(html, "/sign-in/key", ("Credential", (person.Key with { Counter = 100 }).Assert(Visitor.Options(html))))).Headers.Location!.ToString().ShouldBe("/");
        (await browser.IsSignedInAsync()).ShouldBeTrue();
        (await person.IsSignedInAsync()).ShouldBeFalse();
        using (var after = host.Visitor())
        {
            (await after.PasswordAsync(person.Username)).Headers.Location.ShouldBeNull();
            (await after.PasswordAsync(person.Username, Fresh)).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        }
        await host.Mail.WaitAsync(address, "Your password was replaced");
        (await host.LedgerAsync("password.recovered")).ShouldNotBeEmpty();
        // Once.
        (await browser.GetAsync(link)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await ChooseAsync(host.Visitor(), link)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.DumpAsync()).ShouldNotContain(link.Split('/')[^1]);
        person.Dispose();
    }

    [Fact]
    public async Task A_recovery_code_is_a_second_factor_too_and_a_wrong_one_changes_nothing()
    {
        var (person, address) = await host.WithAddressAsync("forgot.code");
        using var browser = host.Visitor();
        await ChooseAsync(browser, await LinkAsync(browser, address, address)); // by the address, too
        (await browser.SendAsync("/sign-in/recovery", null, ("Code", "2222-2222-2222-2222"))).Headers.Location.ShouldBeNull();
        (await person.IsSignedInAsync()).ShouldBeTrue();
        (await browser.SendAsync("/sign-in/recovery", null, ("Code", person.Codes[3]))).Headers.Location!.ToString().ShouldBe("/");
        (await person.IsSignedInAsync()).ShouldBeFalse();
        person.Dispose();
    }

    [Fact]
    public async Task A_scanner_uses_no_link_up_and_twenty_minutes_do()
    {
        var (person, address) = await host.WithAddressAsync("forgot.late");
        using var browser = host.Visitor();
        browser.Key = person.Key;
        var link = await LinkAsync(browser, person.Username, address);
        for (var i = 0; i < 3; i++)
        {
            (await host.Visitor().GetAsync(link)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        host.Clock.Move(TimeSpan.FromMinutes(18));
        await ChooseAsync(browser, link);
        // Chosen in time, and the factor too late.
        host.Clock.Move(TimeSpan.FromMinutes(2));
        var html = await browser.HtmlAsync("/sign-in/key");
        (await browser.PostAsync(html, "/sign-in/key", ("Credential", (person.Key with { Counter = 100 }).Assert(Visitor.Options(html))))).Headers.Location.ShouldBeNull();
        (await browser.IsSignedInAsync()).ShouldBeFalse();
        (await host.Visitor().GetAsync(link)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.Visitor().PasswordAsync(person.Username)).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        person.Dispose();
    }

    [Fact]
    public async Task A_weak_password_or_the_persons_own_name_is_refused_and_the_link_goes_on_working()
    {
        var (person, address) = await host.WithAddressAsync("forgot.weak");
        using var browser = host.Visitor();
        var link = await LinkAsync(browser, person.Username, address);
        foreach (var weak in new[] { "", "password1234", person.Username + person.Username, new string('a', 4000) })
        {
            (await ChooseAsync(browser, link, weak)).Headers.Location.ShouldBeNull();
        }
        (await ChooseAsync(browser, link)).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        person.Dispose();
    }

    [Fact]
    public async Task Of_two_who_finish_with_one_link_one_does()
    {
        var (person, address) = await host.WithAddressAsync("forgot.twice");
        using var browser = host.Visitor();
        var link = await LinkAsync(browser, person.Username, address);
        var both = new[] { host.Visitor(), host.Visitor() };
        foreach (var one in both)
        {
            (await ChooseAsync(one, link)).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        }
        var answers = await Task.WhenAll(both.Select(async (one, i) => await one.SendAsync("/sign-in/recovery", null, ("Code", person.Codes[i]))));
        answers.Count(a => a.Headers.Location?.ToString() == "/").ShouldBe(1);
        person.Dispose();
    }

    [Fact]
    public async Task Unknown_names_and_unconfirmed_addresses_get_the_same_answer_and_no_mail_and_nobody_more_than_three_an_hour()
    {
        var (person, address) = await host.WithAddressAsync("forgot.flood");
        using var unconfirmed = host.Visitor();
        var name = MailHost.Name("forgot.unconfirmed");
        await unconfirmed.SetUpAsync(await host.LinkAsync(), name, Visitor.Password, name + "@example.org");
        var answers = new List<string>();
        foreach (var who in new[] { person.Username, "nobody.has.this", name, name + "@example.org", "nobody@example.org", "' or 1=1 --", "a\u0000b".Replace("\u0000", "%00", StringComparison.Ordinal) })
        {
            using var browser = host.Visitor();
            using var answer = await browser.SendAsync("/new-password", null, ("Name", who));
            answers.Add($"{(int)answer.StatusCode} {SetUpTests.WithoutTokens(await answer.Content.ReadAsStringAsync())}");
        }
        answers.Distinct().Count().ShouldBe(1);
        await host.Mail.WaitAsync(address, "Choose a new password");
        for (var i = 0; i < 6; i++)
        {
            await host.Visitor().SendAsync("/new-password", null, ("Name", person.Username));
        }
        await MailFaultTests.WaitForAsync(async () => await host.ScalarAsync<long>("select count(*) from recovery_requests") == 0);
        await MailFaultTests.WaitForAsync(() => Task.FromResult(host.Mail.Count(address, "Choose a new password") == 3));
        host.Mail.Mails.ShouldNotContain(m => m.To.StartsWith(name, StringComparison.Ordinal) && m.Subject.Contains("password", StringComparison.Ordinal));
        host.Mail.Mails.ShouldNotContain(m => m.To.StartsWith("nobody", StringComparison.Ordinal));
        person.Dispose();
    }

    [Fact]
    public async Task A_link_opens_nothing_but_the_choice_and_no_other_purpose()
    {
        var (person, address) = await host.WithAddressAsync("forgot.opens");
        using var browser = host.Visitor();
        var link = await LinkAsync(browser, person.Username, address);
        var token = link.Split('/')[^1];
        await browser.SendAsync(link);
        foreach (var page in new[] { "/teams", "/account/security", "/account/password", "/sign-in/key", "/set-up", "/step-up" })
        {
            (await browser.GetAsync(page)).StatusCode.ShouldBe(HttpStatusCode.Redirect, page);
        }
        foreach (var page in new[] { "/confirm-address/", "/not-me/", "/set-up/", "/invitation/" })
        {
            (await browser.GetAsync(page + token)).StatusCode.ShouldBe(HttpStatusCode.NotFound, page);
        }
        foreach (var name in new[] { "__Host-appliance-session", "__Host-appliance-sign-in", "__Host-appliance-set-up" })
        {
            using var thief = host.Visitor();
            thief.SetCookie(name, token);
            (await thief.GetAsync("/teams")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
            (await thief.GetAsync("/sign-in/key")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        }
        person.Dispose();
    }

    /// <summary>Asks for a link and reads it in the mail.</summary>
    private async Task<string> LinkAsync(Visitor browser, string name, string address)
    {
        (await (await browser.SendAsync("/new-password", null, ("Name", name))).Content.ReadAsStringAsync()).ShouldContain("Look at your mail");
        return (await host.Mail.WaitAsync(address, "Choose a new password")).Link("/new-password/");
    }

    private static async Task<HttpResponseMessage> ChooseAsync(Visitor browser, string link, string password = Fresh)
    {
        var gone = await browser.SendAsync(link);
        if (gone.Headers.Location is null)
        {
            return gone;
        }
        gone.Headers.Location.ToString().ShouldBe("/new-password/choose");
        return await browser.SendAsync("/new-password/choose", null, ("Password", password));
    }
}
