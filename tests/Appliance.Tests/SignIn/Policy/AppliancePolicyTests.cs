using System.Net;
using Appliance.Tests.SignIn.Totp;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;
using static Appliance.Tests.SignIn.Policy.PolicyJourneys;

namespace Appliance.Tests.SignIn.Policy;

/// <summary>What the appliance's owners ask of everybody, and what becomes of those who do not have it.</summary>
[Trait("Requirement", "A7")]
public sealed class AppliancePolicyTests(PolicyHost host) : IClassFixture<PolicyHost>, IAsyncLifetime
{
    private const string Page = "/people/policy";

    public Task InitializeAsync() => host.ResetAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact, Trait("Requirement", "A3"), Trait("Requirement", "A8")]
    public async Task Where_keys_alone_count_who_has_an_app_gives_its_code_and_can_then_only_add_a_key()
    {
        using var owner = await host.OwnerAsync();
        var name = host.Name("app");
        var (person, app) = await host.AppPersonAsync(name);
        using var _ = person;
        using var program = await host.ProgramAsync(person);
        (await program.GetAsync("/api/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await person.IsSignedInAsync()).ShouldBeTrue();

        await owner.SetPolicyAsync(Page, ("SecondFactor", "key"));

        // The session under way is bound from its next request; so is the token.
        await person.ShouldOnlyEnrolAsync();
        using (var refused = await program.GetAsync("/api/v1/teams"))
        {
            refused.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
            (await refused.Content.ReadAsStringAsync()).ShouldContain("policy-unmet");
        }
        (await person.HtmlAsync("/account/enrol")).ShouldContain("asks for a security key");

        // Anew: the password alone opens nothing, the code opens enrolling, the key opens the rest.
        using var again = host.Visitor();
        (await again.PasswordAsync(name)).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        (await again.LedToAsync("/sign-in/key")).ShouldBe("/sign-in/app");
        (await again.LedToAsync("/account/security/keys/add")).ShouldStartWith("/sign-in");
        host.NextCode();
        (await again.SendAsync("/sign-in/app", null, ("Code", app.Code(host.Clock.GetUtcNow())))).Headers.Location!.ToString().ShouldBe("/");
        await again.ShouldOnlyEnrolAsync();
        (await again.AddKeyAsync()).Headers.Location!.ToString().ShouldBe("/account/security");
        (await again.IsSignedInAsync()).ShouldBeTrue();
        // A token is as good as the session that it was made in.
        (await program.GetAsync("/api/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        using var better = await host.ProgramAsync(again);
        (await better.GetAsync("/api/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.OK);

        // From now on the app's codes are not taken: they could have been fished.
        using var fisher = host.Visitor();
        await fisher.PasswordAsync(name);
        (await fisher.HtmlAsync("/sign-in/key")).ShouldNotContain("/sign-in/app");
        host.NextCode();
        var code = await fisher.PostAsync(await fisher.HtmlAsync("/sign-in/key"), "/sign-in/app", ("Code", app.Code(host.Clock.GetUtcNow())));
        code.Headers.Location?.ToString().ShouldNotBe("/");
        (await fisher.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task Without_any_factor_only_a_key_can_be_the_first_one()
    {
        await host.SqlAsync("update appliance_policy set second_factor = 'key'");
        using var newcomer = host.Visitor();
        await newcomer.SendAsync("/set-up/" + await host.LinkAsync());
        await newcomer.SendAsync("/set-up", null, ("Username", host.Name("new")), ("Password", Visitor.Password));
        (await newcomer.HtmlAsync("/set-up/key")).ShouldNotContain("/set-up/app");
        (await newcomer.LedToAsync("/set-up/app")).ShouldBe("/set-up/key");
        var without = await newcomer.PostAsync(await newcomer.HtmlAsync("/set-up/key"), "/set-up/key?handler=Without");
        (await without.Content.ReadAsStringAsync()).ShouldContain("A second factor is required here");
        (await newcomer.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task Only_the_appliances_owners_change_it_and_only_stepped_up()
    {
        using var member = await host.PersonAsync("member", Verifying);
        (await member.GetAsync(Page)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        var form = await member.HtmlAsync("/teams");
        (await member.PostAsync(form, Page, ("Choice.SecondFactor", "optional"), ("Choice.Version", "0"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        using var owner = await host.OwnerAsync();
        var page = await owner.HtmlAsync(Page);
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await owner.PostAsync(page, Page, ("Choice.SecondFactor", "optional"))).Headers.Location!.ToString().ShouldStartWith("/step-up");
        (await owner.LedToAsync(Page)).ShouldStartWith("/step-up");
        (await host.CountAsync("appliance_policy where second_factor = 'required'")).ShouldBe(1);
    }

    [Fact]
    public async Task Nobody_asks_for_what_they_do_not_have_themselves()
    {
        var changes = (await host.LedgerAsync("policy.changed")).Count;
        using var copied = await host.OwnerAsync(SoftwareAuthenticator.UserPresent | SoftwareAuthenticator.BackupEligible);
        await copied.ShouldRefuseAsync(Page, "This would lock you out", ("SecondFactor", "required"), ("DeviceBound", "true"));
        await copied.ShouldRefuseAsync(Page, "This would lock you out", ("SecondFactor", "key"), ("UserVerification", "true"));
        (await copied.HtmlAsync("/step-up")).ShouldContain("&quot;userVerification&quot;:&quot;discouraged&quot;");
        (await copied.HtmlAsync("/step-up?verify=true")).ShouldContain("&quot;userVerification&quot;:&quot;preferred&quot;");
        (await host.CountAsync("appliance_policy where second_factor = 'required' and not device_bound and not user_verification")).ShouldBe(1);

        var name = host.Name("owner");
        var (owner, app) = await host.AppPersonAsync(name);
        using var _ = owner;
        await host.SqlAsync($"update users set owner = true where id = '{await host.IdAsync(name)}'");
        await owner.ShouldRefuseAsync(Page, "This would lock you out", ("SecondFactor", "key"));
        (await host.LedgerAsync("policy.changed")).Count.ShouldBe(changes);

        // Having a key is not enough where the session was opened with something else: it has to work first.
        await owner.AddKeyAsync();
        await host.SignInWithAppAsync(owner, name, app);
        await owner.ShouldRefuseAsync(Page, "Confirm with it now", ("SecondFactor", "key"));
        (await owner.TouchAsync("/step-up")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await owner.SetPolicyAsync(Page, ("SecondFactor", "key"));
        (await owner.IsSignedInAsync()).ShouldBeTrue();
    }

    [Fact]
    public async Task Each_change_is_in_the_ledger_with_what_was_before_and_what_changes_nothing_is_not()
    {
        using var owner = await host.OwnerAsync();
        await owner.SetPolicyAsync(Page, ("SecondFactor", "key"), ("IdleLockMinutes", "5"), ("PasskeyAlone", "true"));
        var entries = await host.LedgerAsync("policy.changed");
        var entry = entries.Single(e => e.Actor == host.IdAsync(owner.Username).GetAwaiter().GetResult());
        foreach (var detail in new[] { "\"second_factor\":\"key\"", "\"second_factor_before\":\"required\"", "\"idle_lock_minutes\":\"5\"", "\"idle_lock_minutes_before\":\"none\"", "\"passkey_alone\":\"yes\"" })
        {
            entry.Details.ShouldContain(detail);
        }
        entry.Details.ShouldNotContain("session_hours");
        await owner.SetPolicyAsync(Page, ("SecondFactor", "key"), ("IdleLockMinutes", "5"), ("PasskeyAlone", "true"));
        (await host.LedgerAsync("policy.changed")).Count.ShouldBe(entries.Count);
    }

    [Fact]
    public async Task Of_two_changes_at_once_one_is_made_and_the_other_is_shown_it()
    {
        using var one = await host.OwnerAsync();
        using var other = await host.OwnerAsync();
        var pages = await Task.WhenAll(one.HtmlAsync(Page), other.HtmlAsync(Page));
        var answers = await Task.WhenAll(
            one.PostAsync(pages[0], Page, ("Choice.SecondFactor", "key"), ("Choice.IdleLockMinutes", "3")),
            other.PostAsync(pages[1], Page, ("Choice.SecondFactor", "key"), ("Choice.IdleLockMinutes", "4")));
        answers.Select(a => a.StatusCode).Order().ShouldBe([HttpStatusCode.Redirect, HttpStatusCode.UnprocessableEntity]);
        (await answers.Single(a => a.StatusCode == HttpStatusCode.UnprocessableEntity).Content.ReadAsStringAsync()).ShouldContain("Somebody changed this policy meanwhile");
    }

    [Fact, Trait("Requirement", "A3")]
    public async Task A_key_that_can_be_copied_is_refused_at_enrolment_and_opens_only_enrolling_at_sign_in()
    {
        const byte Copied = SoftwareAuthenticator.UserPresent | SoftwareAuthenticator.BackupEligible;
        using var owner = await host.OwnerAsync();
        using var person = await host.PersonAsync("copied", Copied);
        await owner.SetPolicyAsync(Page, ("SecondFactor", "required"), ("DeviceBound", "true"));
        await person.ShouldOnlyEnrolAsync();
        await person.SendAsync("/account/enrol", "/sign-out");
        (await person.SignInAsync()).StatusCode.ShouldBe(HttpStatusCode.Redirect); // it is asked first, and right
        await person.ShouldOnlyEnrolAsync();
        var refused = await person.AddKeyAsync(Copied);
        refused.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await refused.Content.ReadAsStringAsync()).ShouldContain("This key can be copied to other devices");
        await person.ShouldOnlyEnrolAsync();
        (await person.AddKeyAsync()).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await person.IsSignedInAsync()).ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "A3")]
    public async Task A_key_that_does_not_verify_its_user_is_refused_at_enrolment_and_opens_only_enrolling_until_it_does()
    {
        using var owner = await host.OwnerAsync();
        using var person = await host.PersonAsync("present", SoftwareAuthenticator.UserPresent);
        await owner.SetPolicyAsync(Page, ("SecondFactor", "key"), ("UserVerification", "true"));
        await person.ShouldOnlyEnrolAsync();
        (await person.HtmlAsync("/account/security/keys/add")).ShouldContain("&quot;userVerification&quot;:&quot;required&quot;");
        (await person.AddKeyAsync()).StatusCode.ShouldBe(HttpStatusCode.OK);
        await person.ShouldOnlyEnrolAsync();
        await person.TouchAsync("/step-up");
        await person.ShouldOnlyEnrolAsync();

        // The same key can do it, once it is asked to.
        person.Key = person.Key with { Flags = Verifying };
        await person.TouchAsync("/step-up");
        (await person.IsSignedInAsync()).ShouldBeTrue();
        (await host.CountAsync($"security_keys where user_id = '{await host.IdAsync(person.Username)}' and user_verified_at is not null")).ShouldBe(1);
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task Times_are_only_ever_shorter_than_the_operators_and_hold_for_sessions_under_way()
    {
        using var owner = await host.OwnerAsync();
        await owner.ShouldRefuseAsync(Page, "minutes from 1 to 15", ("SecondFactor", "required"), ("IdleLockMinutes", "16"));
        await owner.ShouldRefuseAsync(Page, "hours from 1 to 12", ("SecondFactor", "required"), ("SessionHours", "13"));
        foreach (var wrong in new[] { "0", "-1", "1.5", "x", "99999999999" })
        {
            await owner.ShouldRefuseAsync(Page, "is a number of", ("SecondFactor", "required"), ("SessionHours", wrong));
        }
        await owner.ShouldRefuseAsync(Page, "Choose who needs", ("SecondFactor", "nobody"));

        using var person = await host.PersonAsync("times", Verifying);
        await owner.SetPolicyAsync(Page, ("SecondFactor", "required"), ("IdleLockMinutes", "5"), ("SessionHours", "1"), ("PasswordDays", "30"));
        host.Clock.Move(TimeSpan.FromMinutes(4));
        (await person.IsSignedInAsync()).ShouldBeTrue();
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await person.LedToAsync("/teams")).ShouldStartWith("/locked");
        (await person.HtmlAsync("/locked")).ShouldContain("Locked after 5 minutes");
        (await person.TouchAsync("/locked", "/locked?handler=Key")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await person.IsSignedInAsync()).ShouldBeTrue();
        for (var i = 0; i < 13; i++)
        {
            host.Clock.Move(TimeSpan.FromMinutes(4));
            await person.IsSignedInAsync();
        }
        (await person.LedToAsync("/teams")).ShouldStartWith("/sign-in");

        host.Clock.Move(TimeSpan.FromDays(31));
        await person.SignInAsync();
        (await person.LedToAsync("/teams")).ShouldStartWith("/account/password");
    }

    [Fact]
    public async Task Where_it_is_left_to_everybody_a_password_alone_signs_in_and_who_has_a_factor_is_asked_for_it()
    {
        await host.SqlAsync("update appliance_policy set second_factor = 'optional'");
        using var bare = host.Visitor();
        var name = host.Name("bare");
        await bare.SendAsync("/set-up/" + await host.LinkAsync());
        await bare.SendAsync("/set-up", null, ("Username", name), ("Password", Visitor.Password));
        (await bare.SendAsync("/set-up/key", "/set-up/key?handler=Without")).Headers.Location!.ToString().ShouldBe("/");
        (await bare.IsSignedInAsync()).ShouldBeTrue();
        await bare.SignOutAsync();
        (await bare.PasswordAsync(name, "wrong horse battery staple")).Headers.Location.ShouldBeNull();
        (await bare.PasswordAsync(name)).Headers.Location!.ToString().ShouldBe("/");
        (await bare.IsSignedInAsync()).ShouldBeTrue();

        using var keyed = await host.PersonAsync("keyed", Verifying);
        using var thief = host.Visitor();
        (await thief.PasswordAsync(keyed.Username)).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        (await thief.IsSignedInAsync()).ShouldBeFalse();

        // The last one may go, and what stood for it goes with it.
        (await keyed.SendAsync(await RemoveAddressAsync(keyed))).Headers.Location!.ToString().ShouldBe("/account/security");
        (await host.CountAsync($"recovery_codes where user_id = '{await host.IdAsync(keyed.Username)}'")).ShouldBe(0);
        (await thief.PasswordAsync(keyed.Username)).Headers.Location!.ToString().ShouldBe("/");

        // Stricter again: sessions that a password opened can only enrol.
        await host.ResetAsync();
        await bare.ShouldOnlyEnrolAsync();
        (await bare.AddKeyAsync()).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await bare.IsSignedInAsync()).ShouldBeTrue();
    }

    [Fact]
    public async Task The_last_key_that_counts_stays_and_the_page_says_so_before()
    {
        using var owner = await host.OwnerAsync();
        using var person = await host.PersonAsync("last", SoftwareAuthenticator.UserPresent | SoftwareAuthenticator.BackupEligible);
        await person.AddKeyAsync(); // this one stays on its device
        await host.AddAppAsync(person);
        await owner.SetPolicyAsync(Page, ("SecondFactor", "key"), ("DeviceBound", "true"));
        (await person.IsSignedInAsync()).ShouldBeTrue();
        var address = await RemoveAddressAsync(person, "Another");
        (await person.HtmlAsync(address)).ShouldContain("this is the last that you have");
        (await person.HtmlAsync(address)).ShouldNotContain("Remove key</button>");
        (await person.SendAsync(address)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await host.CountAsync($"security_keys where user_id = '{await host.IdAsync(person.Username)}'")).ShouldBe(2);

        // What does not count may go; with a second one that counts, so may the first.
        (await person.SendAsync(await RemoveAddressAsync(person, "A key"))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await person.SendAsync("/account/security/app/remove")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await person.AddKeyAsync();
        (await person.SendAsync(address)).StatusCode.ShouldBe(HttpStatusCode.Redirect);
    }

    private async Task<string> RemoveAddressAsync(Visitor person, string? name = null)
    {
        var id = await host.IdAsync(person.Username);
        var reference = (string)(await host.SqlAsync($"select reference from security_keys where user_id = '{id}' {(name is null ? "" : $"and name = '{name}'")} order by created_at limit 1"))!;
        return $"/account/security/keys/{reference}/remove";
    }
}
