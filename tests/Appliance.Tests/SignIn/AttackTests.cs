using System.Net;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.Tests.TestServers;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>What somebody tries who knows a password, holds an old cookie, or is quick.</summary>
public sealed class AttackTests(SignInHost host) : IClassFixture<SignInHost>
{
    private const string Session = "__Host-appliance-session";
    private const string Half = "__Host-appliance-sign-in";
    private const string Other = "velvet quarry lantern mosaic";

    [Fact, Trait("Requirement", "A3"), Trait("Requirement", "A8")]
    public async Task Who_knows_a_password_gets_nowhere_with_the_question_and_key_of_an_own_account()
    {
        using var victim = await host.PersonAsync("att.victim");
        using var mallory = await host.PersonAsync("att.mallory");
        await mallory.SignOutAsync();
        await mallory.PasswordAsync();
        var own = await mallory.HtmlAsync("/sign-in/key");
        var answer = mallory.Answer(own);
        // The victim's half signed-in cookie in the browser in which the own question was asked.
        using var thief = host.Visitor();
        await thief.PasswordAsync("att.victim");
        mallory.SetCookie(Half, thief.Cookie(Half)!);
        var page = await mallory.HtmlAsync("/sign-in/key");
        var refused = await mallory.PostAsync(page, "/sign-in/key", ("Reference", Field(own, "Reference")), ("Credential", answer));
        refused.Headers.Location.ShouldBeNull();
        mallory.Cookie(Session).ShouldBeNull();
        (await mallory.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "A3"), Trait("Requirement", "A8")]
    public async Task Anothers_key_does_not_step_up_or_unlock()
    {
        using var victim = await host.PersonAsync("att.open");
        using var mallory = await host.PersonAsync("att.opener");
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await victim.GetAsync("/account/password")).Headers.Location!.ToString().ShouldStartWith("/step-up");
        victim.Key = mallory.Key;
        (await victim.TouchAsync("/step-up")).Headers.Location.ShouldBeNull();
        (await victim.GetAsync("/account/password")).Headers.Location!.ToString().ShouldStartWith("/step-up");
        host.Clock.Move(TimeSpan.FromMinutes(16));
        (await victim.TouchAsync("/locked", "/locked?handler=Key")).Headers.Location.ShouldBeNull();
        (await victim.SendAsync("/locked", "/locked?handler=Password", ("Password", Other))).Headers.Location.ShouldBeNull();
        (await victim.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task Nothing_that_was_begun_with_the_old_password_survives_its_change()
    {
        using var person = await host.PersonAsync("att.changed");
        using var thief = host.Visitor();
        await thief.PasswordAsync("att.changed");
        var page = await thief.HtmlAsync("/sign-in/recovery");
        var locked = host.Visitor();
        locked.SetCookie(Session, await SignedIn.SessionAsync(host.Services, await UserAsync("ATT.CHANGED")) is var cookie ? cookie[(cookie.IndexOf('=', StringComparison.Ordinal) + 1)..] : "");
        (await locked.SendAsync("/account/sessions", "/lock")).Headers.Location!.ToString().ShouldBe("/locked");
        var unlock = await locked.HtmlAsync("/locked");

        (await person.SendAsync("/account/password", null, ("Current", Visitor.Password), ("Password", Other))).Headers.Location!.ToString().ShouldBe("/account/security");

        // Half signed in, with a recovery code in the hand.
        (await thief.PostAsync(page, "/sign-in/recovery", ("Code", person.Codes[0]))).Headers.Location!.ToString().ShouldBe("/sign-in");
        (await thief.IsSignedInAsync()).ShouldBeFalse();
        // Locked, with the old password and with the new one.
        foreach (var password in new[] { Visitor.Password, Other })
        {
            (await locked.PostAsync(unlock, "/locked?handler=Password", ("Password", password))).Headers.Location!.ToString().ShouldStartWith("/sign-in");
        }
        (await person.HtmlAsync("/account/security")).ShouldContain("10 of 10 left");
        locked.Dispose();
    }

    /// <summary>The change commits while the old password is being hashed: the attempt waits at the row, and then sees it changed.</summary>
    [Theory, Trait("Requirement", "A1"), Trait("Requirement", "A8")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_password_that_is_changed_while_it_is_checked_opens_nothing_and_does_not_come_back(bool weak)
    {
        var name = weak ? "att.weak" : "att.raced";
        using var person = await host.PersonAsync(name);
        if (weak)
        {
            var old = Argon2.Hash(System.Text.Encoding.UTF8.GetBytes(Visitor.Password), new Argon2.Cost(19456, 1, 1));
            await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update users set password_hash = '{old}' where username_key = '{name.ToUpperInvariant()}'");
        }
        var fresh = Argon2.Hash(System.Text.Encoding.UTF8.GetBytes(Other), Argon2.Cost.Default);
        using var thief = host.Visitor();
        var html = await thief.HtmlAsync("/sign-in");
        Task<HttpResponseMessage> attempt;
        await using (var change = await host.Database.ForApplianceAsync(default))
        {
            // Not committed yet: who reads sees the old one, who wants to write waits.
            await change.ExecuteAsync($"update users set password_hash = {fresh} where username_key = {name.ToUpperInvariant()}", default);
            attempt = thief.PostAsync(html, "/sign-in", ("Username", name), ("Password", Visitor.Password));
            while ((long)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"))! == 0 && !attempt.IsCompleted)
            {
                await Task.Delay(20);
            }
            await change.CommitAsync(default);
        }
        (await (await attempt).Content.ReadAsStringAsync()).ShouldContain("do not match");
        thief.Cookie(Half).ShouldBeNull();
        (await UserAsync(name.ToUpperInvariant())).PasswordHash.ShouldBe(fresh);
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_clock_that_is_set_back_makes_no_step_up_last_longer()
    {
        using var person = await host.PersonAsync("att.clock");
        host.Clock.Move(TimeSpan.FromMinutes(10));
        (await person.TouchAsync("/step-up")).Headers.Location!.ToString().ShouldBe("/");
        (await person.GetAsync("/account/password")).StatusCode.ShouldBe(HttpStatusCode.OK);
        host.Clock.Move(TimeSpan.FromMinutes(-3));
        (await person.GetAsync("/account/password")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        host.Clock.Move(TimeSpan.FromMinutes(3));
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task Anothers_sessions_and_notices_stay_whatever_reference_is_sent()
    {
        using var victim = await host.PersonAsync("att.listed");
        using var mallory = await host.PersonAsync("att.lister");
        var id = (await UserAsync("ATT.LISTED")).Id;
        string session, notice;
        await using (var look = await host.Database.ForApplianceAsync(default))
        {
            session = await look.Query<Session>().Where(s => s.UserId == id).Select(s => s.Reference).SingleAsync();
            notice = await look.Query<Notice>().Where(n => n.UserId == id).Select(n => n.Reference).SingleAsync();
        }
        var page = await mallory.HtmlAsync("/account/sessions");
        page.ShouldNotContain(session);
        page.ShouldNotContain(notice);
        (await mallory.PostAsync(page, "/account/sessions?handler=End", ("Reference", session))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await mallory.PostAsync(page, $"/notices/{notice}/dismiss")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await mallory.PostAsync(page, "/account/sessions?handler=EndOthers");
        await mallory.PostAsync(page, "/account/recovery-codes/stored", ("Stored", "true"));
        (await victim.HtmlAsync("/account/sessions")).ShouldContain("may not be stored");
    }

    [Fact, Trait("Requirement", "O2")]
    public async Task A_link_that_is_revoked_while_somebody_sets_up_makes_no_account()
    {
        using var owner = await host.PersonAsync("att.owner");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "update users set owner = true where username_key = 'ATT.OWNER'");
        var made = await (await owner.SendAsync("/people")).Content.ReadAsStringAsync();
        var token = made.Split("/set-up/")[1][..43];
        using var late = host.Visitor();
        await late.SendAsync("/set-up/" + token);
        await late.SendAsync("/set-up", null, ("Username", "att.late"), ("Password", Visitor.Password));
        var key = await late.HtmlAsync("/set-up/key");

        var list = await owner.HtmlAsync("/people");
        list.ShouldNotContain(token);
        var reference = Field(list, "Reference");
        using var member = await host.PersonAsync("att.member");
        (await member.PostAsync(await member.HtmlAsync("/account/sessions"), "/people?handler=Revoke", ("Reference", reference))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await late.GetAsync("/set-up/key")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await owner.PostAsync(list, "/people?handler=Revoke", ("Reference", reference))).Headers.Location!.ToString().ShouldBe("/people");
        (await owner.PostAsync(list, "/people?handler=Revoke", ("Reference", reference))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await owner.HtmlAsync("/people")).ShouldNotContain(reference);
        (await host.LedgerAsync("set-up-link.revoked")).ShouldHaveSingleItem().Subject.ShouldBe(reference);

        (await late.PostAsync(key, "/set-up/key", ("Credential", late.Key.Register(Visitor.Options(key))), ("Name", "k"))).Headers.Location!.ToString().ShouldBe("/set-up/over");
        (await late.GetAsync("/set-up/" + token)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await using var session = await host.Database.ForApplianceAsync(default);
        (await session.Query<User>().AnyAsync(u => u.UsernameKey == "ATT.LATE")).ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "O4")]
    public async Task A_page_is_not_shown_by_a_method_that_it_does_not_take()
    {
        using var person = await host.PersonAsync("att.method");
        var html = await person.HtmlAsync("/account/security");
        foreach (var (path, method) in new[] { ("/account/security", "POST"), ("/account/sessions", "POST"), ("/account/sessions?handler=None", "POST"), ("/sign-in", "PUT"), ("/account/security", "DELETE") })
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            request.Headers.Add("RequestVerificationToken", html.Split("<meta name=\"csrf\" content=\"")[1].Split('"')[0]);
            (await person.Client.SendAsync(request)).StatusCode.ShouldBe(HttpStatusCode.MethodNotAllowed, $"{method} {path}");
        }
    }

    private static string Field(string html, string name) =>
        html.Split($"<input type=\"hidden\" name=\"{name}\" value=\"")[1].Split('"')[0];

    private async Task<User> UserAsync(string key)
    {
        await using var session = await host.Database.ForApplianceAsync(default);
        return await session.Query<User>().AsNoTracking().SingleAsync(u => u.UsernameKey == key);
    }
}
