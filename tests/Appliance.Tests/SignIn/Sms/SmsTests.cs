using System.Diagnostics;
using System.Net;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.SignIn.Sms;
using Appliance.Tests.SignIn.Totp;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.Sms;

/// <summary>Codes by text message through a real gateway: the last resort, and gone as soon as there is something better.</summary>
[Trait("Requirement", "A5")]
public sealed class SmsTests(SmsHost host) : IClassFixture<SmsHost>
{
    private const string Number = "+41 (79) 123-45.67";

    [Fact]
    public async Task A_person_without_key_and_app_sets_up_and_signs_in_by_text_message()
    {
        using var person = await PhonePersonAsync("sms.first");
        (await person.IsSignedInAsync()).ShouldBeTrue();
        host.Gateway.Last.To.ShouldBe("+41791234567");
        host.Gateway.Last.Text.ShouldContain("is your code for localhost");
        await person.SignOutAsync();
        await person.PasswordAsync("sms.first");
        (await person.GetAsync("/sign-in/key")).Headers.Location!.ToString().ShouldBe("/sign-in/phone");
        var before = host.Gateway.Messages.Count;
        var page = await person.HtmlAsync("/sign-in/phone");
        host.Gateway.Messages.Count.ShouldBe(before); // looking sends nothing
        page.ShouldContain("67");
        page.ShouldNotContain("791234567");
        var html = await SendAsync(person, "/sign-in/phone");
        (await person.PostAsync(html, "/sign-in/phone", ("Code", host.Gateway.Last.Code))).Headers.Location!.ToString().ShouldBe("/");
        (await person.IsSignedInAsync()).ShouldBeTrue();
        host.Gateway.Complaints.ShouldBeEmpty();
        (await host.LedgerAsync("sms.sent")).ShouldNotBeEmpty();
        (await host.LedgerAsync("sign-in.succeeded")).ShouldContain(e => e.Details.Contains("\"sms\"", StringComparison.Ordinal));
        var dump = await host.DumpAsync();
        dump.ShouldNotContain("41791234567");
        dump.ShouldNotContain(host.Gateway.Last.Code);
    }

    [Fact]
    public async Task A_code_works_once_for_its_own_person_and_sign_in_and_for_five_minutes()
    {
        using var person = await PhonePersonAsync("sms.once");
        using var other = await PhonePersonAsync("sms.other");
        await person.SignOutAsync();
        await person.PasswordAsync("sms.once");
        var html = await SendAsync(person, "/sign-in/phone");
        var code = host.Gateway.Last.Code;
        // Somebody else, with their own sign-in, and the person in another browser.
        using var thief = host.Visitor();
        await thief.PasswordAsync("sms.other");
        (await thief.PostAsync(await thief.HtmlAsync("/sign-in/phone"), "/sign-in/phone", ("Reference", Field(html, "Reference")), ("Code", code))).IsRefusal().ShouldBeTrue();
        using var elsewhere = host.Visitor();
        await elsewhere.PasswordAsync("sms.once");
        await elsewhere.PostAsync(await elsewhere.HtmlAsync("/sign-in/phone"), "/sign-in/phone", ("Reference", Field(html, "Reference")), ("Code", code));
        (await elsewhere.IsSignedInAsync()).ShouldBeFalse();
        (await person.PostAsync(html, "/sign-in/phone", ("Code", code))).Headers.Location!.ToString().ShouldBe("/");
        await person.SignOutAsync();
        await person.PasswordAsync("sms.once");
        await person.PostAsync(await person.HtmlAsync("/sign-in/phone"), "/sign-in/phone", ("Reference", Field(html, "Reference")), ("Code", code));
        (await person.IsSignedInAsync()).ShouldBeFalse();
        // The sign-in itself ends after five minutes, so the code's age is tried where it would confirm a phone.
        using var slow = await HalfSetUpAsync("sms.slow");
        var asked = await SendAsync(slow, "/set-up/phone", ("Number", Number));
        host.Clock.Move(TimeSpan.FromMinutes(5));
        (await slow.PostAsync(asked, "/set-up/phone", ("Code", host.Gateway.Last.Code))).IsRefusal().ShouldBeTrue();
        (await slow.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task Of_two_who_send_one_code_at_once_one_gets_in()
    {
        using var person = await PhonePersonAsync("sms.raced");
        await person.SignOutAsync();
        await person.PasswordAsync("sms.raced");
        var html = await SendAsync(person, "/sign-in/phone");
        var code = host.Gateway.Last.Code;
        var twin = host.Visitor();
        foreach (Cookie cookie in person.Cookies.GetAllCookies())
        {
            twin.SetCookie(cookie.Name, cookie.Value);
        }
        var answers = await Task.WhenAll(new[] { person, twin }.Select(v => v.PostAsync(html, "/sign-in/phone", ("Code", code))));
        answers.Count(a => a.Headers.Location?.ToString() == "/").ShouldBe(1);
        twin.Dispose();
    }

    [Fact]
    public async Task After_five_wrong_codes_the_right_one_does_not_work_either()
    {
        using var person = await HalfSetUpAsync("sms.guessed");
        var html = await SendAsync(person, "/set-up/phone", ("Number", Number));
        var code = host.Gateway.Last.Code;
        foreach (var wrong in new[] { "", "00000x", code[..7], "12345678901", "٠٠٠٠٠٠٠٠" })
        {
            (await person.PostAsync(html, "/set-up/phone", ("Code", wrong))).IsRefusal().ShouldBeTrue();
        }
        (await person.PostAsync(html, "/set-up/phone", ("Code", code))).IsRefusal().ShouldBeTrue();
        (await person.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task Nobody_is_sent_more_than_five_messages_an_hour_however_many_are_asked_for_at_once()
    {
        using var person = await HalfSetUpAsync("sms.many");
        var html = await person.HtmlAsync("/set-up/phone");
        var before = host.Gateway.Messages.Count;
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => person.PostAsync(html, "/set-up/phone?handler=Send", ("Number", Number))));
        answers.ShouldAllBe(a => a.StatusCode == HttpStatusCode.OK);
        (host.Gateway.Messages.Count - before).ShouldBe(5);
        host.Clock.Move(TimeSpan.FromMinutes(59));
        (await (await person.PostAsync(html, "/set-up/phone?handler=Send", ("Number", Number))).Content.ReadAsStringAsync()).ShouldContain("within an hour");
        host.Clock.Move(TimeSpan.FromMinutes(2));
        await person.PostAsync(html, "/set-up/phone?handler=Send", ("Number", Number));
        (host.Gateway.Messages.Count - before).ShouldBe(6);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task With_a_key_or_an_app_the_phone_goes_in_the_same_moment_and_signs_nobody_in_any_more(bool key)
    {
        var username = key ? "sms.tokey" : "sms.toapp";
        using var person = await PhonePersonAsync(username);
        // A code that was on its way already.
        using var waiting = host.Visitor();
        await waiting.PasswordAsync(username);
        var html = await SendAsync(waiting, "/sign-in/phone");
        var code = host.Gateway.Last.Code;
        if (key)
        {
            var page = await person.HtmlAsync("/account/security/keys/add");
            (await person.PostAsync(page, "/account/security/keys/add", ("Credential", person.Key.Register(Visitor.Options(page))), ("Name", "A key"))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        }
        else
        {
            await host.AddAppAsync(person);
        }
        (await PhonesAsync(username)).ShouldBe(0);
        (await host.LedgerAsync("phone.removed")).ShouldNotBeEmpty();
        await waiting.PostAsync(html, "/sign-in/phone", ("Code", code));
        (await waiting.IsSignedInAsync()).ShouldBeFalse();
        // And it does not come back.
        using var again = host.Visitor();
        await again.PasswordAsync(username);
        (await again.GetAsync("/sign-in/phone")).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        (await again.GetAsync("/sign-in/enrol/phone")).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        var before = host.Gateway.Messages.Count;
        var form = await again.HtmlAsync(key ? "/sign-in/key" : "/sign-in/app");
        await again.PostAsync(form, "/sign-in/phone?handler=Send");
        await again.PostAsync(form, "/sign-in/enrol/phone?handler=Send", ("Number", Number));
        host.Gateway.Messages.Count.ShouldBe(before);
        (await PhonesAsync(username)).ShouldBe(0);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0791234567")]
    [InlineData("+0791234567")]
    [InlineData("+4179")]
    [InlineData("+4179123456789012")]
    [InlineData("+41791234567;+41790000000")]
    [InlineData("+41791234567\r\nBcc: x")]
    [InlineData("+４１791234567")]
    public async Task What_is_no_E164_number_is_refused_and_sent_nothing(string number)
    {
        using var person = await HalfSetUpAsync("sms." + Reference.New());
        var before = host.Gateway.Messages.Count;
        var answer = await person.PostAsync(await person.HtmlAsync("/set-up/phone"), "/set-up/phone?handler=Send", ("Number", number));
        (await answer.Content.ReadAsStringAsync()).ShouldContain("Write the number with ");
        host.Gateway.Messages.Count.ShouldBe(before);
    }

    [Fact]
    public async Task A_gateway_that_is_slow_refuses_redirects_or_talks_without_end_is_left_in_time_and_the_person_told()
    {
        using var person = await HalfSetUpAsync("sms.broken");
        var html = await person.HtmlAsync("/set-up/phone");
        var broken = new Dictionary<string, Func<HttpContext, Task>>(StringComparer.Ordinal)
        {
            ["slow"] = http => Task.Delay(TimeSpan.FromMinutes(2), http.RequestAborted),
            ["error"] = http => Task.FromResult(http.Response.StatusCode = 503),
            ["redirect"] = http =>
            {
                http.Response.Redirect("/elsewhere");
                return Task.CompletedTask;
            },
            ["gone"] = http =>
            {
                http.Abort();
                return Task.CompletedTask;
            },
        };
        try
        {
            foreach (var (name, misbehave) in broken)
            {
                host.Gateway.Misbehave = misbehave;
                var time = Stopwatch.StartNew();
                using var answer = await person.PostAsync(html, "/set-up/phone?handler=Send", ("Number", Number));
                time.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(60), name); // 5 on a machine of its own
                answer.StatusCode.ShouldBe(HttpStatusCode.OK, name);
                (await answer.Content.ReadAsStringAsync()).ShouldContain(name == "slow" ? "may still come" : "could not be sent", Case.Sensitive, name);
            }
            // An answer without end: only its status is read.
            host.Gateway.Misbehave = async http =>
            {
                var junk = new byte[65536];
                while (!http.RequestAborted.IsCancellationRequested)
                {
                    await http.Response.Body.WriteAsync(junk, http.RequestAborted);
                }
            };
            (await (await person.PostAsync(html, "/set-up/phone?handler=Send", ("Number", Number))).Content.ReadAsStringAsync()).ShouldContain("Code from the message");
        }
        finally
        {
            host.Gateway.Misbehave = null;
        }
        host.Gateway.Complaints.ShouldBeEmpty(); // nothing was followed, nor asked for again
        (await host.LedgerAsync("sms.failed")).Count.ShouldBeGreaterThanOrEqualTo(4);
        // What the gateway refused was not counted: of the five, slow and endless took two.
        await SendAsync(person, "/set-up/phone", ("Number", Number));
    }

    /// <summary>A person who set the account up with a phone.</summary>
    private async Task<Visitor> PhonePersonAsync(string username)
    {
        var person = await HalfSetUpAsync(username);
        var html = await SendAsync(person, "/set-up/phone", ("Number", Number));
        var done = await (await person.PostAsync(html, "/set-up/phone", ("Code", host.Gateway.Last.Code))).Content.ReadAsStringAsync();
        done.ShouldContain("Keep your recovery codes");
        return person;
    }

    private async Task<Visitor> HalfSetUpAsync(string username)
    {
        var person = host.Visitor();
        await person.SendAsync("/set-up/" + await host.LinkAsync());
        (await person.SendAsync("/set-up", null, ("Username", username), ("Password", Visitor.Password))).Headers.Location!.ToString().ShouldBe("/set-up/key");
        (await person.HtmlAsync("/set-up/key")).ShouldContain("/set-up/phone");
        return person;
    }

    private static async Task<string> SendAsync(Visitor person, string page, params (string, string)[] fields)
    {
        var html = await (await person.SendAsync(page, page + "?handler=Send", fields)).Content.ReadAsStringAsync();
        html.ShouldContain("Code from the message");
        return html;
    }

    private async Task<int> PhonesAsync(string username)
    {
        await using var session = await host.Database.ForApplianceAsync(default);
        var key = username.ToUpperInvariant();
        var id = await session.Query<User>().Where(u => u.UsernameKey == key).Select(u => u.Id).SingleAsync();
        return await session.Query<Phone>().CountAsync(p => p.UserId == id);
    }

    private static string Field(string html, string name) =>
        System.Text.RegularExpressions.Regex.Match(html, $"name=\"{name}\" value=\"([^\"]+)\"", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(5)).Groups[1].Value;
}
