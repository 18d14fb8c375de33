using System.Net;
using Appliance.Tests.Mail;
using Appliance.Tests.SignIn.Policy;
using Appliance.Tests.SignIn.Totp;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.LostKey;

/// <summary>Every way around two owners, the password or the policy.</summary>
[Trait("Requirement", "A6"), Trait("Requirement", "A15")]
public sealed class LostKeyAttackTests(MailHost host) : IClassFixture<MailHost>, IAsyncLifetime
{
    public Task InitializeAsync() => Task.CompletedTask;

    /// <summary>The appliance is everybody's, and so is the address that all tries come from.</summary>
    public async Task DisposeAsync()
    {
        await host.ScalarAsync<object?>("update appliance_policy set second_factor = 'required' returning null");
        await host.ScalarAsync<object?>("delete from key_models returning null");
        await host.ScalarAsync<object?>("delete from sign_in_delays returning null");
    }

    [Fact]
    public async Task An_owner_who_was_made_for_the_purpose_agrees_to_nothing_for_a_day()
    {
        var (one, two, person) = await host.ThreeAsync("second.self");
        using var self = await host.PersonAsync(MailHost.Name("second.self"));
        (await one.SendAsync("/people", "/people?handler=MakeOwner", ("Username", self.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await one.AskForAsync(person);
        await self.ApproveAsync(await host.ReferenceAsync(person)).ShouldRefuseAsync("less than a day before this was asked");
        // Withdrawn and made again is new again, and waiting with an old request does not help.
        await host.ScalarAsync<object?>($"update users set owner_since = owner_since - interval '23 hours' where username = '{self.Username}' returning null");
        await self.ApproveAsync(await host.ReferenceAsync(person)).ShouldRefuseAsync("less than a day before this was asked");
        await host.ScalarAsync<object?>($"update users set owner_since = owner_since - interval '2 hours' where username = '{self.Username}' returning null");
        using var agreed = await self.ApproveAsync(await host.ReferenceAsync(person));
        LostKeyJourneys.CodeOn(await agreed.Content.ReadAsStringAsync()).Length.ShouldBe(19);
        one.Dispose();
        two.Dispose();
        person.Dispose();
    }

    [Fact]
    public async Task Nobody_approves_what_they_asked_for_nor_the_person_nor_who_is_no_owner_or_not_stepped_up()
    {
        var (one, two, person) = await host.ThreeAsync("must.approve");
        await one.AskForAsync(person);
        var reference = await host.ReferenceAsync(person);
        await one.ApproveAsync(reference).ShouldRefuseAsync("You asked for it yourself");

        // The person, as an owner.
        await host.MakeOwnerAsync(person);
        await person.ApproveAsync(reference).ShouldRefuseAsync("It is for you");
        await host.MakeOwnerAsync(person, false);
        var form = await person.HtmlAsync("/teams");
        foreach (var page in new[] { LostKeyJourneys.Page, LostKeyJourneys.Approve, LostKeyJourneys.Refuse })
        {
            (await person.PostAsync(form, page, ("Reference", reference), ("Username", one.Username), ("Reason", "x"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
        (await person.GetAsync(LostKeyJourneys.Page)).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        var ready = await two.HtmlAsync(LostKeyJourneys.Page);
        using (var bare = new HttpRequestMessage(HttpMethod.Post, LostKeyJourneys.Approve) { Content = new FormUrlEncodedContent([new("Reference", reference)]) })
        {
            (await two.Client.SendAsync(bare)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        }
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await two.PostAsync(ready, LostKeyJourneys.Approve, ("Reference", reference))).Headers.Location!.ToString().ShouldStartWith("/step-up");
        (await one.PostAsync(ready, LostKeyJourneys.Page, ("Username", two.Username), ("Reason", "x"))).StatusCode.ShouldNotBe(HttpStatusCode.OK);
        await two.TouchAsync("/step-up");

        // Who was an owner a moment ago.
        ready = await two.HtmlAsync(LostKeyJourneys.Page);
        await host.MakeOwnerAsync(two, false);
        (await two.PostAsync(ready, LostKeyJourneys.Approve, ("Reference", reference))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await host.MakeOwnerAsync(two);
        // Who asked was.
        await host.MakeOwnerAsync(one, false);
        await two.ApproveAsync(reference).ShouldRefuseAsync("no owner of the appliance any more");
        (await host.ScalarAsync<long>($"select count(*) from lost_key_requests where reference = '{reference}' and approved_by is null and code_mac is null")).ShouldBe(1);
        (await host.LedgerAsync("lost-key.approved")).ShouldNotContain(e => e.Subject == host.IdAsync(person).GetAwaiter().GetResult().ToString());
    }

    [Fact]
    public async Task A_second_approver_whose_ownership_ends_in_this_moment_is_told_no_code()
    {
        var (one, two, person) = await host.ThreeAsync("must.moment");
        await one.AskForAsync(person);
        var (reference, page) = (await host.ReferenceAsync(person), await two.HtmlAsync(LostKeyJourneys.Page));
        Task<HttpResponseMessage> attempt;
        await using (var change = await host.Database.ForApplianceAsync(default))
        {
            await change.ExecuteAsync($"update users set owner = false where username = {two.Username}", default);
            attempt = two.PostAsync(page, LostKeyJourneys.Approve, ("Reference", reference));
            while ((long)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"))! == 0 && !attempt.IsCompleted)
            {
                await Task.Delay(20);
            }
            await change.CommitAsync(default);
        }
        (await attempt).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.ScalarAsync<long>($"select count(*) from lost_key_requests where reference = '{reference}' and approved_by is null")).ShouldBe(1);
    }

    [Fact]
    public async Task A_request_is_for_another_who_has_a_password_once_and_with_a_reason_and_takes_a_second_owner()
    {
        var (one, two, person) = await host.ThreeAsync("must.ask");
        await one.AskForAsync(one).ShouldRefuseAsync("Nobody asks for themself");
        var guest = await SignedIn.PersonAsync(host.Services);
        await one.SendAsync(LostKeyJourneys.Page, null, ("Username", guest.Username), ("Reason", "x")).ShouldRefuseAsync("has no password here: their organisation’s identity provider lets them in");
        await one.SendAsync(LostKeyJourneys.Page, null, ("Username", "no.such.person"), ("Reason", "x")).ShouldRefuseAsync("Nobody here has that username");
        foreach (var reason in new[] { "", "   ", new string('x', 201), "one\u0007two", "one\ntwo" })
        {
            await one.AskForAsync(person, reason).ShouldRefuseAsync("Say in 1 to 200 characters");
        }
        (await host.CountAsync("lost_key_requests", person)).ShouldBe(0);
        (await one.AskForAsync(person, "<script>alert(1)</script>")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await two.HtmlAsync(LostKeyJourneys.Page)).ShouldNotContain("<script>alert(1)");
        await two.AskForAsync(person).ShouldRefuseAsync("There is a request");

        await host.ScalarAsync<object?>($"update users set owner = false where username not in ('{one.Username}', '{two.Username}') returning null");
        await one.AskForAsync(two).ShouldRefuseAsync("It takes two owners beside the person");
    }

    [Fact]
    public async Task The_database_itself_keeps_the_three_apart_and_a_code_to_an_approval()
    {
        var (one, two, person) = await host.ThreeAsync("must.database");
        await one.AskForAsync(person);
        var reference = await host.ReferenceAsync(person);
        foreach (var change in new[]
        {
            $"approved_by = requested_by, approved_at = now(), code_mac = '\\x01'", "approved_by = user_id, approved_at = now(), code_mac = '\\x01'", "code_mac = '\\x01'", "sign_in = gen_random_uuid()",
        })
        {
            await Should.ThrowAsync<Exception>(host.ScalarAsync<object?>($"update lost_key_requests set {change} where reference = '{reference}' returning null"));
        }
        await using var session = await host.Database.ForApplianceAsync(default);
        await Should.ThrowAsync<Appliance.Data.ForbiddenByDatabaseException>(session.ExecuteAsync($"update lost_key_requests set requested_by = {await host.IdAsync(two)}", default));
    }

    [Fact]
    public async Task A_code_opens_nothing_without_the_password_for_others_after_an_hour_or_a_second_time()
    {
        var (one, two, person) = await host.ThreeAsync("must.code");
        using var other = await host.PersonAsync(MailHost.Name("must.other"));
        var code = await host.CodeAsync(one, two, person);
        using (var stranger = host.Visitor())
        {
            (await stranger.SendAsync("/sign-in", LostKeyJourneys.CodePage, ("Code", code))).Headers.Location!.ToString().ShouldBe("/sign-in");
        }
        // Another person, after their own password; and the person by what they have beside their password.
        using (var half = await host.HalfAsync(other))
        {
            (await half.OpensAsync(code)).ShouldBeFalse();
            (await half.SendAsync("/sign-in/recovery", null, ("Code", code))).Headers.Location.ShouldBeNull();
            (await half.LedToAsync("/sign-in/enrol")).ShouldBe("/sign-in/key");
        }
        using (var half = await host.HalfAsync(person))
        {
            (await half.SendAsync("/sign-in/recovery", null, ("Code", code))).Headers.Location.ShouldBeNull("it is no recovery code");
            (await half.OpensAsync(person.Codes[0])).ShouldBeFalse("nor the other way round");
        }
        // A mailed link, or a team's identity provider, in the password's place.
        var team = await person.TeamAsync();
        foreach (var instead in new[] { $"only_team = (select id from teams where reference = '{team}'), only_team_reference = '{team}'", "new_password = (select id from mail_links limit 1)" })
        {
            await host.ScalarAsync<object?>($"insert into mail_links (id, token_hash, user_id, purpose, created_at, expires_at) values (gen_random_uuid(), gen_random_uuid()::text::bytea, '{await host.IdAsync(person)}', 'new-password', now(), now()) returning null");
            using var half = await host.HalfAsync(person);
            await host.ScalarAsync<object?>($"update sign_ins set {instead} where user_id = '{await host.IdAsync(person)}' returning null");
            (await half.OpensAsync(code)).ShouldBeFalse(instead);
            await host.ScalarAsync<object?>("delete from sign_in_delays returning null");
        }
        // Twice.
        using (var first = await host.HalfAsync(person))
        {
            using var second = await host.HalfAsync(person);
            var opened = await Task.WhenAll(first.OpensAsync(code), second.OpensAsync(code));
            opened.Count(o => o).ShouldBe(1);
            var (winner, loser) = opened[0] ? (first, second) : (second, first);
            (await loser.LedToAsync("/sign-in/enrol")).ShouldBe("/sign-in/key");
            (await winner.LedToAsync("/sign-in/enrol")).ShouldBeNull();
            // Who was given the page of the winner enrols nothing in another half sign-in.
            (await loser.EnrolAsync(await winner.HtmlAsync("/sign-in/enrol"))).Html.ShouldNotContain("Keep your recovery codes");
            // After five minutes that half sign-in is over, and so is the request.
            host.Clock.Move(TimeSpan.FromMinutes(5));
            (await winner.LedToAsync("/sign-in/enrol")).ShouldBe("/sign-in");
        }
        (await host.CountAsync("security_keys", person)).ShouldBe(1);

        foreach (var owner in new[] { one, two })
        {
            await owner.TouchAsync("/step-up");
        }
        code = await host.CodeAsync(one, two, person);
        host.Clock.Move(TimeSpan.FromHours(1));
        using var late = await host.HalfAsync(person);
        (await late.OpensAsync(code)).ShouldBeFalse("an hour is over");
    }

    [Fact]
    public async Task Both_have_to_be_owners_when_the_code_is_given_and_when_the_key_is_added()
    {
        var (one, two, person) = await host.ThreeAsync("must.still");
        var code = await host.CodeAsync(one, two, person);
        using var browser = await host.HalfAsync(person);
        foreach (var owner in new[] { one, two })
        {
            await host.MakeOwnerAsync(owner, false);
            (await browser.OpensAsync(code)).ShouldBeFalse();
            await host.MakeOwnerAsync(owner);
        }
        (await browser.OpensAsync(code)).ShouldBeTrue();
        var page = await browser.HtmlAsync("/sign-in/enrol");
        await host.MakeOwnerAsync(two, false);
        (await browser.EnrolAsync(page)).Html.ShouldNotContain("Keep your recovery codes");
        (await host.CountAsync("security_keys", person)).ShouldBe(1);
        (await browser.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task Of_the_old_key_and_the_new_one_at_once_one_wins_and_the_other_leaves_nothing()
    {
        var (one, two, person) = await host.ThreeAsync("must.race");
        for (var i = 0; i < 4; i++)
        {
            using var browser = await host.HalfAsync(person);
            (await browser.OpensAsync(await host.CodeAsync(one, two, person))).ShouldBeTrue();
            using var holder = await host.HalfAsync(person);
            var (enrol, prompt) = (await browser.HtmlAsync("/sign-in/enrol"), await holder.HtmlAsync("/sign-in/key"));
            var old = person.Key with { Counter = 100 + (uint)i };
            var adds = browser.EnrolAsync(enrol);
            var signsIn = holder.PostAsync(prompt, "/sign-in/key", ("Credential", old.Assert(Visitor.Options(prompt))));
            var ((html, key), answer) = (await adds, await signsIn);
            var (added, signedIn) = (html.Contains("Keep your recovery codes", StringComparison.Ordinal), answer.Headers.Location?.ToString() == "/");
            // A sign-in that was first is ended by the new key, or has ended the request; one that came second finds the old key gone.
            (added || signedIn).ShouldBeTrue();
            (await host.CountAsync("security_keys", person)).ShouldBe(1);
            (await host.CountAsync("lost_key_requests", person)).ShouldBe(0);
            (await browser.IsSignedInAsync()).ShouldBe(added);
            (await holder.IsSignedInAsync()).ShouldBe(signedIn && !added);
            person.Key = added ? key : person.Key;
            await host.ScalarAsync<object?>("delete from sign_in_delays returning null");
        }
    }

    [Fact]
    public async Task Of_two_who_ask_at_once_one_does()
    {
        var (one, two, person) = await host.ThreeAsync("must.asks");
        var answers = await Task.WhenAll(one.AskForAsync(person), two.AskForAsync(person));
        answers.Select(a => a.StatusCode).Order().ShouldBe([HttpStatusCode.Redirect, HttpStatusCode.UnprocessableEntity]);
        (await host.LedgerAsync("lost-key.requested")).Count(e => e.Subject == host.IdAsync(person).GetAwaiter().GetResult().ToString()).ShouldBe(1);
    }

    [Fact]
    public async Task Of_two_who_approve_at_once_one_is_told_a_code()
    {
        var (one, two, person) = await host.ThreeAsync("must.both");
        using var three = await host.PersonAsync(MailHost.Name("must.three"));
        await host.MakeOwnerAsync(three);
        await one.AskForAsync(person);
        var reference = await host.ReferenceAsync(person);
        var pages = await Task.WhenAll(two.HtmlAsync(LostKeyJourneys.Page), three.HtmlAsync(LostKeyJourneys.Page));
        var answers = await Task.WhenAll(
            two.PostAsync(pages[0], LostKeyJourneys.Approve, ("Reference", reference)), three.PostAsync(pages[1], LostKeyJourneys.Approve, ("Reference", reference)));
        answers.Select(a => a.StatusCode).Order().ShouldBe([HttpStatusCode.OK, HttpStatusCode.UnprocessableEntity]);
        var codes = await Task.WhenAll(answers.Select(async a => LostKeyJourneys.CodeOn(await a.Content.ReadAsStringAsync())));
        codes.Count(c => c.Length > 0).ShouldBe(1);
        (await host.LedgerAsync("lost-key.approved")).Count(e => e.Subject == host.IdAsync(person).GetAwaiter().GetResult().ToString()).ShouldBe(1);
        // Nor does the one who was told get another by approving again.
        await two.ApproveAsync(reference).ShouldRefuseAsync("This request is over");
        using var browser = await host.HalfAsync(person);
        (await browser.OpensAsync(codes.Single(c => c.Length > 0))).ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "A7")]
    public async Task What_is_enrolled_is_held_to_policy_and_models_and_a_try_that_is_refused_costs_nothing()
    {
        var (one, two, person) = await host.ThreeAsync("must.policy");
        using var browser = await host.HalfAsync(person);
        (await browser.OpensAsync(await host.CodeAsync(one, two, person))).ShouldBeTrue();
        var app = await browser.HtmlAsync("/sign-in/enrol/app");
        await host.ScalarAsync<object?>("update appliance_policy set second_factor = 'key' returning null");
        host.NextCode();
        var refused = await browser.PostAsync(app, "/sign-in/enrol/app", ("Code", SoftwareApp.Typed(app).Code(host.Clock.GetUtcNow())));
        refused.StatusCode.ShouldBe(HttpStatusCode.Redirect, "there is no such page any more");
        await host.ScalarAsync<object?>($"insert into key_models values ('{Guid.NewGuid()}', now()) returning null");
        (await browser.EnrolAsync()).Html.ShouldContain("only certain models are allowed here");
        (await browser.IsSignedInAsync()).ShouldBeFalse();
        (await host.CountAsync("security_keys", person)).ShouldBe(1);
        (await host.CountAsync("authenticator_apps", person)).ShouldBe(0);
        (await person.IsSignedInAsync()).ShouldBeTrue();
        // The phone takes no key's place.
        (await browser.HtmlAsync("/sign-in/enrol")).ShouldNotContain("/sign-in/enrol/phone");

        await host.ScalarAsync<object?>("delete from key_models returning null");
        await host.ScalarAsync<object?>("delete from sign_in_delays returning null");
        (await browser.EnrolAsync()).Html.ShouldContain("Keep your recovery codes");
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task Guesses_are_counted_and_the_page_does_not_show_whether_there_is_a_request()
    {
        var (one, two, person) = await host.ThreeAsync("must.guess");
        using var without = await host.HalfAsync(person);
        var before = (await LookAsync(without), await WrongAsync(without));
        await one.AskForAsync(person);
        (await LookAsync(without), await WrongAsync(without)).ShouldBe(before);
        await host.ScalarAsync<object?>("delete from sign_in_delays returning null");
        await two.ApproveAsync(await host.ReferenceAsync(person));
        (await LookAsync(without), await WrongAsync(without)).ShouldBe(before);

        using var guesser = await host.HalfAsync(person);
        HttpResponseMessage answer;
        var tries = 0;
        do
        {
            answer = await guesser.GiveAsync("2222-2222-2222-2222");
        }
        while (answer.StatusCode == HttpStatusCode.OK && ++tries < 10);
        answer.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        tries.ShouldBeLessThan(5);
        (await host.LedgerAsync("sign-in.failed")).ShouldContain(e => e.Subject == host.IdAsync(person).GetAwaiter().GetResult().ToString() && e.Details.Contains("lost-key", StringComparison.Ordinal));

        async Task<string> LookAsync(Visitor visitor) => Body(await visitor.HtmlAsync(LostKeyJourneys.CodePage));
        async Task<string> WrongAsync(Visitor visitor) => Body(await (await visitor.GiveAsync("2222-2222-2222-2222")).Content.ReadAsStringAsync());
        static string Body(string html) => System.Text.RegularExpressions.Regex.Replace(
            html[html.IndexOf("<main", StringComparison.Ordinal)..html.IndexOf("</main>", StringComparison.Ordinal)], "RequestVerificationToken\" type=\"hidden\" value=\"[^\"]*\"", "", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(5));
    }
}
