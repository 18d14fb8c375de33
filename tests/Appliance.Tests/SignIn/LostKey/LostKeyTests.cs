using System.Net;
using Appliance.SignIn;
using Appliance.Tests.Mail;
using Appliance.Tests.SignIn.Policy;
using Appliance.Tests.SignIn.Tokens;
using Appliance.Tests.SignIn.Totp;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.LostKey;

/// <summary>Who lost every key is let back in by two owners of the appliance, and by their own password.</summary>
[Trait("Requirement", "A6"), Trait("Requirement", "A15")]
public sealed class LostKeyTests(MailHost host) : IClassFixture<MailHost>
{
    [Fact]
    public async Task One_owner_asks_another_agrees_and_with_password_and_code_a_new_key_takes_the_place_of_everything()
    {
        var (one, oneAddress) = await host.OwnerAsync("lost.one");
        var (two, twoAddress) = await host.OwnerAsync("lost.two");
        var (person, address) = await host.WithAddressAsync("lost.person");
        await host.AddAppAsync(person);
        var made = await person.SendAsync("/account/tokens/new", null, ("Name", "Program"), ("Kind", "token"), ("May", "write"), ("Days", "30"));
        using var program = ApiClient.With(host, PolicyJourneys.Token().Match(await made.Content.ReadAsStringAsync()).Value);
        (await program.GetAsync("/api/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.OK);

        (await one.AskForAsync(person)).Headers.Location!.ToString().ShouldBe(LostKeyJourneys.Page);
        (await host.Mail.WaitAsync(address, "Your keys were reported lost")).Text.ShouldContain(one.Username);
        (await person.HtmlAsync("/teams")).ShouldContain("Your keys were reported lost");
        (await one.HtmlAsync(LostKeyJourneys.Page)).ShouldNotContain("handler=Approve");

        var page = await two.HtmlAsync(LostKeyJourneys.Page);
        page.ShouldContain("I know her voice.");
        var approved = await two.PostAsync(page, LostKeyJourneys.Approve, ("Reference", await host.ReferenceAsync(person)));
        approved.Headers.CacheControl!.NoStore.ShouldBeTrue();
        var code = LostKeyJourneys.CodeOn(await approved.Content.ReadAsStringAsync());
        code.Length.ShouldBe(19);
        (await two.HtmlAsync(LostKeyJourneys.Page)).ShouldNotContain(code);
        (await host.DumpAsync()).ShouldNotContain(code);
        var told = await host.Mail.WaitAsync(address, "You may replace your lost keys");
        (told.Text + told.Html).ShouldNotContain(code);
        (await person.HtmlAsync("/teams")).ShouldContain("There is a code that replaces your keys");

        using var browser = await host.HalfAsync(person);
        (await browser.GiveAsync(code.ToLowerInvariant().Replace("-", " ", StringComparison.Ordinal))).Headers.Location!.ToString().ShouldBe("/sign-in/enrol");
        // Nobody is in yet, and nothing is gone.
        (await browser.IsSignedInAsync()).ShouldBeFalse();
        (await browser.LedToAsync("/sign-in/key")).ShouldBe("/sign-in/enrol");
        (await person.IsSignedInAsync()).ShouldBeTrue();
        (await host.CountAsync("security_keys", person)).ShouldBe(1);
        (await program.GetAsync("/api/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.OK);

        var (html, key) = await browser.EnrolAsync();
        html.ShouldContain("Keep your recovery codes");
        (await browser.IsSignedInAsync()).ShouldBeTrue();
        (await browser.HtmlAsync("/teams")).ShouldContain("Your lost keys were replaced");

        (await person.IsSignedInAsync()).ShouldBeFalse();
        (await program.GetAsync("/api/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await host.CountAsync("security_keys", person)).ShouldBe(1);
        foreach (var table in new[] { "authenticator_apps", "api_tokens", "remembered_devices", "sign_ins", "lost_key_requests" })
        {
            (await host.CountAsync(table, person)).ShouldBe(0, table);
        }
        (await host.CountAsync("sessions", person)).ShouldBe(1);
        using (var finder = await host.HalfAsync(person))
        {
            var prompt = await finder.HtmlAsync("/sign-in/key");
            (await finder.PostAsync(prompt, "/sign-in/key", ("Credential", (person.Key with { Counter = 90 }).Assert(Visitor.Options(prompt))))).Headers.Location.ShouldBeNull();
            (await finder.SendAsync("/sign-in/recovery", null, ("Code", person.Codes[0]))).Headers.Location.ShouldBeNull();
            (await finder.OpensAsync(code)).ShouldBeFalse("a code works once");
            (await finder.IsSignedInAsync()).ShouldBeFalse();
        }
        host.Clock.Move(TimeSpan.FromSeconds(30)); // past the delay of those
        using (var again = await host.HalfAsync(person))
        {
            var prompt = await again.HtmlAsync("/sign-in/key");
            (await again.PostAsync(prompt, "/sign-in/key", ("Credential", (key with { Counter = 90 }).Assert(Visitor.Options(prompt))))).Headers.Location!.ToString().ShouldBe("/");
        }

        await host.Mail.WaitAsync(address, "Your lost keys were replaced");
        (await host.Mail.WaitAsync(oneAddress, "Lost keys were replaced")).Text.ShouldContain(person.Username);
        await host.Mail.WaitAsync(twoAddress, "Lost keys were replaced");
        var (id, oneId, twoId) = (await host.IdAsync(person), await host.IdAsync(one), await host.IdAsync(two));
        foreach (var action in new[] { "lost-key.requested", "lost-key.approved", "lost-key.code-given", "lost-key.used" })
        {
            (await host.LedgerAsync(action)).Count(e => e.Subject == id.ToString()).ShouldBe(1, action);
        }
        var used = (await host.LedgerAsync("lost-key.used")).Single(e => e.Subject == id.ToString()).Details;
        used.ShouldContain(oneId.ToString());
        used.ShouldContain(twoId.ToString());
        used.ShouldContain("\"tokens-revoked\":\"1\"");
        foreach (var visitor in new[] { one, two, person })
        {
            visitor.Dispose();
        }
    }

    [Fact]
    public async Task An_app_can_take_the_place_of_lost_keys_and_then_no_key_is_left()
    {
        var (one, two, person) = await host.ThreeAsync("lost.app");
        using var browser = await host.HalfAsync(person);
        (await browser.OpensAsync(await host.CodeAsync(one, two, person))).ShouldBeTrue();
        var html = await browser.HtmlAsync("/sign-in/enrol/app");
        var app = SoftwareApp.Typed(html);
        host.NextCode();
        var done = await browser.PostAsync(html, "/sign-in/enrol/app", ("Code", app.Code(host.Clock.GetUtcNow())));
        (await done.Content.ReadAsStringAsync()).ShouldContain("Keep your recovery codes");
        (await host.CountAsync("security_keys", person)).ShouldBe(0);
        (await host.CountAsync("authenticator_apps", person)).ShouldBe(1);
        (await person.IsSignedInAsync()).ShouldBeFalse();
        (await browser.IsSignedInAsync()).ShouldBeTrue();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_signs_in_with_a_factor_of_theirs_voids_it_even_when_the_code_was_given_already(bool given)
    {
        var (one, oneAddress) = await host.OwnerAsync("lost.void");
        var (_, two, person) = await host.ThreeAsync("lost.void");
        var code = await host.CodeAsync(one, two, person);
        using var thief = await host.HalfAsync(person);
        var page = "";
        if (given)
        {
            (await thief.OpensAsync(code)).ShouldBeTrue();
            page = await thief.HtmlAsync("/sign-in/enrol");
        }
        using (var owner = await host.HalfAsync(person))
        {
            var prompt = await owner.HtmlAsync("/sign-in/key");
            (await owner.PostAsync(prompt, "/sign-in/key", ("Credential", (person.Key with { Counter = 50 }).Assert(Visitor.Options(prompt))))).Headers.Location!.ToString().ShouldBe("/");
        }
        if (given)
        {
            (await thief.EnrolAsync(page)).Html.ShouldNotContain("Keep your recovery codes");
        }
        else
        {
            (await thief.OpensAsync(code)).ShouldBeFalse();
        }
        (await thief.IsSignedInAsync()).ShouldBeFalse();
        (await host.CountAsync("security_keys", person)).ShouldBe(1);
        (await host.CountAsync("lost_key_requests", person)).ShouldBe(0);
        (await person.IsSignedInAsync()).ShouldBeTrue();
        (await person.HtmlAsync("/teams")).ShouldNotContain("There is a code that replaces your keys");
        (await host.Mail.WaitAsync(oneAddress, "A request for lost keys is over")).Text.ShouldContain("signed in with a second factor");
        (await host.LedgerAsync("lost-key.voided")).ShouldContain(e => e.Details.Contains(host.IdAsync(one).GetAwaiter().GetResult().ToString(), StringComparison.Ordinal));
        one.Dispose();
    }

    [Fact]
    public async Task A_recovery_code_or_a_remembered_sign_in_of_the_persons_own_voids_it_too()
    {
        var (one, two, person) = await host.ThreeAsync("lost.own");
        await one.AskForAsync(person);
        using var browser = await host.HalfAsync(person);
        (await browser.SendAsync("/sign-in/recovery", null, ("Code", person.Codes[0]))).Headers.Location!.ToString().ShouldBe("/");
        (await host.CountAsync("lost_key_requests", person)).ShouldBe(0);
        await two.ApproveAsync("nothing").ShouldRefuseAsync("This request is over");
    }

    [Fact]
    public async Task The_person_stops_it_from_the_mail_where_looking_changes_nothing_and_all_are_told()
    {
        var (one, oneAddress) = await host.OwnerAsync("lost.stop");
        var (two, twoAddress) = await host.OwnerAsync("lost.stop");
        var (person, address) = await host.WithAddressAsync("lost.stop");
        await one.AskForAsync(person);
        var first = (await host.Mail.WaitAsync(address, "Your keys were reported lost")).Link("/lost-key/stop/");
        var code = LostKeyJourneys.CodeOn(await (await two.ApproveAsync(await host.ReferenceAsync(person))).Content.ReadAsStringAsync());
        var link = (await host.Mail.WaitAsync(address, "You may replace your lost keys")).Link("/lost-key/stop/");
        using var reader = host.Visitor();
        (await reader.GetAsync(first)).StatusCode.ShouldBe(HttpStatusCode.NotFound, "the newer mail's takes its place");
        var html = await reader.HtmlAsync(link);
        for (var i = 0; i < 3; i++)
        {
            (await reader.GetAsync(link)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        (await host.CountAsync("lost_key_requests", person)).ShouldBe(1);
        using (var bare = new HttpRequestMessage(HttpMethod.Post, link))
        {
            (await reader.Client.SendAsync(bare)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        }

        (await (await reader.PostAsync(html, link)).Content.ReadAsStringAsync()).ShouldContain("Your keys are as they were");
        (await reader.PostAsync(html, link)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await reader.IsSignedInAsync()).ShouldBeFalse();
        using var browser = await host.HalfAsync(person);
        (await browser.OpensAsync(code)).ShouldBeFalse();
        await host.Mail.WaitAsync(address, "Your keys are not replaced");
        await host.Mail.WaitAsync(oneAddress, "A request for lost keys is over");
        await host.Mail.WaitAsync(twoAddress, "A request for lost keys is over");
        (await host.LedgerAsync("lost-key.stopped")).ShouldContain(e => e.Subject == host.IdAsync(person).GetAwaiter().GetResult().ToString());
        (await host.DumpAsync()).ShouldNotContain(link.Split('/')[^1]);
        foreach (var visitor in new[] { one, two, person })
        {
            visitor.Dispose();
        }
    }

    [Fact]
    public async Task The_person_stops_it_from_a_page_and_nobody_stops_it_for_others()
    {
        var (one, two, person) = await host.ThreeAsync("lost.page");
        using var other = await host.PersonAsync(MailHost.Name("lost.other"));
        await one.AskForAsync(person);
        (await other.SendAsync("/teams", "/account/lost-key/stop")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await host.CountAsync("lost_key_requests", person)).ShouldBe(1);
        (await person.HtmlAsync("/teams")).ShouldContain("action=\"/account/lost-key/stop\"");
        (await person.SendAsync("/teams", "/account/lost-key/stop", ("return", "/teams"))).Headers.Location!.ToString().ShouldBe("/teams");
        (await host.CountAsync("lost_key_requests", person)).ShouldBe(0);
        (await person.HtmlAsync("/teams")).ShouldNotContain("/account/lost-key/stop");
        (await two.HtmlAsync(LostKeyJourneys.Page)).ShouldNotContain(person.Username);
    }

    [Fact]
    public async Task An_owner_refuses_before_or_after_and_the_code_is_worth_nothing()
    {
        var (one, two, person) = await host.ThreeAsync("lost.refuse");
        await one.AskForAsync(person);
        (await two.SendAsync(LostKeyJourneys.Page, LostKeyJourneys.Refuse, ("Reference", await host.ReferenceAsync(person)))).Headers.Location!.ToString().ShouldBe(LostKeyJourneys.Page);
        (await host.LedgerAsync("lost-key.refused")).ShouldContain(e => e.Actor!.Value.Value == host.IdAsync(two).GetAwaiter().GetResult());
        var code = await host.CodeAsync(one, two, person);
        (await one.SendAsync(LostKeyJourneys.Page, LostKeyJourneys.Refuse, ("Reference", await host.ReferenceAsync(person)))).Headers.Location!.ToString().ShouldBe(LostKeyJourneys.Page);
        using var browser = await host.HalfAsync(person);
        (await browser.OpensAsync(code)).ShouldBeFalse();
    }

    [Fact]
    public async Task What_ran_out_is_swept_with_what_people_were_told_of_it_and_makes_room_for_a_new_request()
    {
        var (one, two, person) = await host.ThreeAsync("lost.sweep");
        await one.AskForAsync(person);
        var old = await host.ReferenceAsync(person);
        host.Clock.Move(TimeSpan.FromHours(24));
        foreach (var owner in new[] { one, two })
        {
            await owner.SignInAsync();
        }
        (await two.HtmlAsync(LostKeyJourneys.Page)).ShouldNotContain(person.Username);
        await two.ApproveAsync(old).ShouldRefuseAsync("This request is over");
        (await one.AskForAsync(person)).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await host.ReferenceAsync(person)).ShouldNotBe(old);
        host.Clock.Move(TimeSpan.FromHours(24));
        await host.Services.GetRequiredService<Sessions>().SweepAsync(default);
        (await host.CountAsync("lost_key_requests", person)).ShouldBe(0);
        (await host.ScalarAsync<long>($"select count(*) from notices where user_id = '{await host.IdAsync(person)}' and kind like 'lost-key%' and dismissed_at is null")).ShouldBe(0);
    }
}

/// <summary>Where no mail is sent.</summary>
[Trait("Requirement", "A6")]
public sealed class LostKeyWithoutMailTests(SignInHost host) : IClassFixture<SignInHost>
{
    [Fact]
    public async Task Owners_are_made_and_keys_replaced_all_the_same()
    {
        using var one = await host.PersonAsync("quiet.one");
        using var two = await host.PersonAsync("quiet.two");
        using var person = await host.PersonAsync("quiet.person");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "update users set owner = true where username = 'quiet.one'");
        (await one.SendAsync("/people", "/people?handler=MakeOwner", ("Username", two.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "update users set owner_since = owner_since - interval '25 hours' where username = 'quiet.two'");
        (await one.AskForAsync(person)).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        var reference = (string)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "select reference from lost_key_requests"))!;
        var code = LostKeyJourneys.CodeOn(await (await two.ApproveAsync(reference)).Content.ReadAsStringAsync());
        using var browser = host.Visitor();
        await browser.PasswordAsync(person.Username);
        (await browser.OpensAsync(code)).ShouldBeTrue();
        (await browser.EnrolAsync()).Html.ShouldContain("Keep your recovery codes");
        (await browser.IsSignedInAsync()).ShouldBeTrue();
    }
}
