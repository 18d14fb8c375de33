using System.Net;
using System.Text;
using Appliance.Tests.SignIn.LostKey;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;
using static Appliance.Tests.SignIn.Policy.PolicyJourneys;

namespace Appliance.Tests.SignIn.Policy;

/// <summary>A passkey that signs in alone: only where the policy allows it, only verified, and telling nobody who has one.</summary>
[Trait("Requirement", "A7")]
public sealed class PasskeyTests(PolicyHost host) : IClassFixture<PolicyHost>, IAsyncLifetime
{
    private const string Page = "/sign-in/passkey";

    public async Task InitializeAsync()
    {
        await host.ResetAsync();
        await host.SetAsync("update appliance_policy set passkey_alone = true; delete from sign_in_delays");
    }

    public Task DisposeAsync() => Task.CompletedTask;

    private async Task<(Visitor Person, SoftwareAuthenticator Passkey)> PersonAsync()
    {
        var person = await host.PersonAsync("passkey", Verifying);
        var handle = SoftwareAuthenticator.Text(Encoding.UTF8.GetBytes((await host.IdAsync(person.Username)).ToString()));
        return (person, person.Key with { UserHandle = handle, Counter = 10 });
    }

    private static async Task<HttpResponseMessage> AnswerAsync(Visitor visitor, SoftwareAuthenticator passkey)
    {
        var html = await visitor.HtmlAsync(Page);
        return await visitor.PostAsync(html, Page, ("Credential", passkey.Assert(Visitor.Options(html))));
    }

    private async Task<string> RefusalAsync(Visitor visitor, SoftwareAuthenticator passkey)
    {
        host.Clock.Move(TimeSpan.FromMinutes(16)); // past the delay of the one before
        using var answer = await AnswerAsync(visitor, passkey);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await visitor.IsSignedInAsync()).ShouldBeFalse();
        var html = await answer.Content.ReadAsStringAsync();
        var from = html.IndexOf("data-key-error", StringComparison.Ordinal);
        return html[from..html.IndexOf("</span>", from, StringComparison.Ordinal)];
    }

    [Fact, Trait("Requirement", "A6")]
    public async Task It_voids_what_two_owners_agreed_for_lost_keys()
    {
        var (person, passkey) = await PersonAsync();
        using var _ = person;
        using var one = await host.OwnerAsync();
        using var two = await host.OwnerAsync();
        await one.AskForAsync(person);
        (await host.CountAsync($"lost_key_requests where user_id = '{await host.IdAsync(person.Username)}'")).ShouldBe(1);
        using var browser = host.Visitor();
        (await AnswerAsync(browser, passkey)).Headers.Location!.ToString().ShouldBe("/");
        (await host.CountAsync($"lost_key_requests where user_id = '{await host.IdAsync(person.Username)}'")).ShouldBe(0);
    }

    [Fact, Trait("Requirement", "A6")]
    public async Task One_that_is_replaced_as_lost_in_this_moment_opens_nothing()
    {
        var (person, passkey) = await PersonAsync();
        using var _ = person;
        using var one = await host.OwnerAsync();
        await one.AskForAsync(person);
        var id = await host.IdAsync(person.Username);
        using var browser = host.Visitor();
        Task<HttpResponseMessage> attempt;
        await using (var change = await host.Database.ForApplianceAsync(default))
        {
            // As the one who adds the new key does: whoever would void the request waits.
            await change.ExecuteAsync($"delete from lost_key_requests where user_id = {id.Value}", default);
            attempt = AnswerAsync(browser, passkey);
            while ((long)(await host.SqlAsync("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"))! == 0 && !attempt.IsCompleted)
            {
                await Task.Delay(20);
            }
            await change.ExecuteAsync($"delete from security_keys where user_id = {id.Value}", default);
            await change.CommitAsync(default);
        }
        (await attempt).Headers.Location.ShouldBeNull();
        (await browser.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "A3")]
    public async Task It_signs_in_alone_where_the_policy_allows_it_and_where_not_there_is_no_such_page()
    {
        var (person, passkey) = await PersonAsync();
        using var _ = person;
        using var browser = host.Visitor();
        (await browser.HtmlAsync("/sign-in")).ShouldContain("Sign in with a passkey");
        (await browser.HtmlAsync(Page)).ShouldContain("&quot;userVerification&quot;:&quot;required&quot;");
        (await person.HtmlAsync("/account/security/keys/add")).ShouldContain("&quot;residentKey&quot;:&quot;preferred&quot;");
        (await AnswerAsync(browser, passkey)).Headers.Location!.ToString().ShouldBe("/");
        (await browser.IsSignedInAsync()).ShouldBeTrue();
        (await host.LedgerAsync("sign-in.succeeded")).ShouldContain(e => e.Subject == e.Actor.ToString() && e.Details.Contains("passkey", StringComparison.Ordinal));

        using var late = host.Visitor();
        var open = await late.HtmlAsync(Page);
        await host.ResetAsync();
        (await late.HtmlAsync("/sign-in")).ShouldNotContain("passkey");
        (await late.GetAsync(Page)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await late.PostAsync(open, Page, ("Credential", (passkey with { Counter = 20 }).Assert(Visitor.Options(open))))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await late.IsSignedInAsync()).ShouldBeFalse();
        (await person.HtmlAsync("/account/security/keys/add")).ShouldContain("&quot;residentKey&quot;:&quot;discouraged&quot;");
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task Whatever_is_wrong_the_answer_is_the_same()
    {
        var (person, passkey) = await PersonAsync();
        using var _ = person;
        var (other, theirs) = await PersonAsync();
        using var __ = other;
        using var browser = host.Visitor();
        string[] answers =
        [
            await RefusalAsync(browser, passkey with { CredentialId = new byte[32] }), // nobody's
            await RefusalAsync(browser, passkey with { ChangeSignature = s => { s[^1] ^= 1; return s; } }),
            await RefusalAsync(browser, passkey with { Flags = SoftwareAuthenticator.UserPresent }), // held, but by whom?
            await RefusalAsync(browser, passkey with { UserHandle = theirs.UserHandle }),
            await RefusalAsync(browser, passkey with { UserHandle = null }),
            await RefusalAsync(browser, passkey with { Origin = "https://elsewhere.example" }),
            await RefusalAsync(browser, theirs with { CredentialId = passkey.CredentialId }),
        ];
        answers.Distinct().ShouldHaveSingleItem().ShouldContain("This passkey does not sign in here");
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task A_question_is_answered_once_in_the_browser_that_asked_and_a_locked_out_account_waits_here_too()
    {
        var (person, passkey) = await PersonAsync();
        using var _ = person;
        using var browser = host.Visitor();
        var html = await browser.HtmlAsync(Page);
        var answer = passkey.Assert(Visitor.Options(html));
        using var elsewhere = host.Visitor();
        (await elsewhere.PostAsync(html, Page, ("Credential", answer))).Headers.Location.ShouldBeNull();
        (await elsewhere.IsSignedInAsync()).ShouldBeFalse();
        (await browser.PostAsync(html, Page, ("Credential", answer))).Headers.Location!.ToString().ShouldBe("/");
        await browser.SignOutAsync();
        (await browser.PostAsync(html, Page, ("Credential", answer))).Headers.Location.ShouldBeNull();
        (await browser.IsSignedInAsync()).ShouldBeFalse();

        using var guesser = host.Visitor();
        for (var i = 0; i < 4; i++)
        {
            await guesser.PasswordAsync(person.Username, "wrong horse battery staple");
        }
        (await AnswerAsync(browser, passkey with { Counter = 30 })).StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        (await browser.IsSignedInAsync()).ShouldBeFalse();
        host.Clock.Move(TimeSpan.FromMinutes(1));
        (await AnswerAsync(browser, passkey with { Counter = 40 })).Headers.Location!.ToString().ShouldBe("/");
    }

    [Fact, Trait("Requirement", "A12")]
    public async Task An_account_that_only_an_identity_provider_signs_in_to_stays_the_providers()
    {
        var (person, passkey) = await PersonAsync();
        using var _ = person;
        await host.SqlAsync($"update users set password_hash = null where id = '{await host.IdAsync(person.Username)}'");
        using var browser = host.Visitor();
        (await RefusalAsync(browser, passkey)).ShouldContain("This passkey does not sign in here");
    }

    [Fact]
    public async Task A_passkey_that_the_policy_does_not_count_opens_only_enrolling()
    {
        var person = await host.PersonAsync("copied", Verifying | SoftwareAuthenticator.BackupEligible);
        using var _ = person;
        var handle = SoftwareAuthenticator.Text(Encoding.UTF8.GetBytes((await host.IdAsync(person.Username)).ToString()));
        await host.SqlAsync("update appliance_policy set device_bound = true");
        using var browser = host.Visitor();
        (await AnswerAsync(browser, person.Key with { UserHandle = handle, Counter = 10 })).Headers.Location!.ToString().ShouldBe("/");
        await browser.ShouldOnlyEnrolAsync();
    }
}
