using System.Net;
using Appliance.Accounts;
using Appliance.SignIn;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>From nothing to the first owner, and what can go wrong on the way.</summary>
public sealed class SetUpTests(SignInHost host) : IClassFixture<SignInHost>
{
    [Fact, Trait("Requirement", "O2")]
    public async Task The_first_start_prints_a_link_that_makes_the_first_owner_and_later_ones_print_none()
    {
        await using var fresh = new SignInHost();
        await fresh.InitializeAsync();
        var first = Printed(fresh.Output);
        await fresh.StopServiceAsync();
        await fresh.StartServiceAsync();
        var second = Printed(fresh.Output[(fresh.Output.IndexOf(first, StringComparison.Ordinal) + first.Length)..]);

        // A new start voids the old link.
        using var old = fresh.Visitor();
        (await old.GetAsync("/set-up/" + first)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using var owner = fresh.Visitor();
        await owner.SetUpAsync(second, "mara", Visitor.Password);
        (await owner.IsSignedInAsync()).ShouldBeTrue();
        (await owner.GetAsync("/people")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await fresh.LedgerAsync("account.created")).Count.ShouldBe(1);

        var before = fresh.Output.Length;
        await fresh.StopServiceAsync();
        await fresh.StartServiceAsync();
        fresh.Output.Length.ShouldBe(before);
    }

    [Fact, Trait("Requirement", "O2")]
    public async Task A_link_works_once_and_a_used_an_expired_and_a_made_up_one_look_the_same()
    {
        var used = await host.LinkAsync();
        using var first = host.Visitor();
        await first.SetUpAsync(used, "once", Visitor.Password);
        var expired = await host.LinkAsync();
        host.Clock.Move(TimeSpan.FromHours(25));
        using var visitor = host.Visitor();
        var pages = new List<string>();
        foreach (var token in new[] { used, expired, Token.New() })
        {
            var answer = await visitor.GetAsync("/set-up/" + token);
            answer.StatusCode.ShouldBe(HttpStatusCode.NotFound);
            pages.Add(WithoutTokens(await answer.Content.ReadAsStringAsync()).Replace(token, "", StringComparison.Ordinal));
        }
        pages.Distinct().Count().ShouldBe(1);
        (await visitor.GetAsync("/set-up")).Headers.Location!.ToString().ShouldBe("/set-up/over");
    }

    [Fact, Trait("Requirement", "O2")]
    public async Task Looking_at_a_link_does_not_use_it_up()
    {
        var token = await host.LinkAsync();
        for (var i = 0; i < 3; i++)
        {
            using var scanner = host.Visitor();
            (await scanner.GetAsync("/set-up/" + token)).StatusCode.ShouldBe(HttpStatusCode.OK);
            scanner.Cookies.GetAllCookies().ShouldNotContain(c => c.Name.Contains("set-up", StringComparison.Ordinal));
        }
        using var person = host.Visitor();
        await person.SetUpAsync(token, "looker", Visitor.Password);
    }

    [Fact, Trait("Requirement", "O2")]
    public async Task Two_who_finish_the_same_link_at_once_make_one_account()
    {
        var token = await host.LinkAsync();
        using var one = host.Visitor();
        using var other = host.Visitor();
        var pages = new List<(Visitor Visitor, string Html)>();
        foreach (var visitor in new[] { one, other })
        {
            await visitor.SendAsync("/set-up/" + token);
            await visitor.SendAsync("/set-up", null, ("Username", "twice"), ("Password", Visitor.Password));
            pages.Add((visitor, await visitor.HtmlAsync("/set-up/key")));
        }
        var answers = await Task.WhenAll(pages.Select(p => p.Visitor.PostAsync(p.Html, "/set-up/key", ("Credential", p.Visitor.Key.Register(Visitor.Options(p.Html))), ("Name", "k"))));
        answers.ShouldAllBe(a => (int)a.StatusCode < 500);
        (await Task.WhenAll(one.IsSignedInAsync(), other.IsSignedInAsync())).Count(yes => yes).ShouldBe(1);
        await using var session = await host.Database.ForApplianceAsync(default);
        (await session.Query<User>().CountAsync(u => u.UsernameKey == "TWICE")).ShouldBe(1);
    }

    [Fact, Trait("Requirement", "O2")]
    public async Task A_set_up_that_was_left_half_way_made_nothing_and_can_go_on()
    {
        var token = await host.LinkAsync();
        using (var gone = host.Visitor())
        {
            await gone.SendAsync("/set-up/" + token);
            await gone.SendAsync("/set-up", null, ("Username", "halfway"), ("Password", Visitor.Password));
            // No account: neither the name nor the password opens anything.
            using var thief = host.Visitor();
            (await thief.PasswordAsync("halfway")).Headers.Location.ShouldBeNull();
        }
        // Somebody else may have the name meanwhile …
        using var quick = await host.PersonAsync("halfway");
        // … and the link goes on with another one, in another browser.
        using var again = host.Visitor();
        await again.SendAsync("/set-up/" + token);
        var html = await again.HtmlAsync("/set-up/key");
        var refused = await again.PostAsync(html, "/set-up/key", ("Credential", again.Key.Register(Visitor.Options(html))), ("Name", "k"));
        (await refused.Content.ReadAsStringAsync()).ShouldContain("username");
        await again.SetUpAsync(token, "halfway-2", Visitor.Password);
        (await again.IsSignedInAsync()).ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "O2")]
    public async Task A_further_person_is_no_owner_of_the_appliance()
    {
        using var ben = await host.PersonAsync("ben");
        (await ben.GetAsync("/people")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact, Trait("Requirement", "A2")]
    public async Task A_weak_password_is_refused_with_the_reason_in_words()
    {
        using var visitor = host.Visitor();
        await visitor.SendAsync("/set-up/" + await host.LinkAsync());
        var html = await (await visitor.SendAsync("/set-up", null, ("Username", "weakling"), ("Password", "password1234"))).Content.ReadAsStringAsync();
        html.ShouldContain("Hard to guess: 50 bits or more.");
        html.ShouldNotContain("password1234");
    }

    private static string Printed(string output) =>
        output.Split("/set-up/", StringSplitOptions.None)[1].Split('\n')[0].Trim();

    internal static string WithoutTokens(string html) => System.Text.RegularExpressions.Regex.Replace(html, "CfDJ8[A-Za-z0-9_-]+", "", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(5));
}
