using System.Net;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.SignIn.SecurityKeys;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>What changes how a person signs in gives their session a new identifier: a cookie that was copied before is worth nothing after.</summary>
public sealed class RenewalTests(SignInHost host) : IClassFixture<SignInHost>
{
    private const string Session = "__Host-appliance-session";
    private const string Other = "velvet quarry lantern mosaic";

    [Fact, Trait("Requirement", "A8")]
    public async Task Every_change_of_a_factor_renews_the_identifier_and_voids_the_old_cookie()
    {
        using var person = await host.PersonAsync("renewed");
        var second = person.Key with { };
        await ShouldRenewAsync(person, "adding a key", async () =>
        {
            second = await AddKeyAsync(person);
        });
        var keys = await KeysAsync("RENEWED");
        await ShouldRenewAsync(person, "removing a key", async () =>
            (await person.SendAsync($"/account/security/keys/{keys[1].Reference}/remove")).Headers.Location!.ToString().ShouldBe("/account/security"));
        await ShouldRenewAsync(person, "new recovery codes", async () =>
            (await (await person.SendAsync("/account/recovery-codes")).Content.ReadAsStringAsync()).ShouldContain("The old ones no longer work."));
        await ShouldRenewAsync(person, "a new password", async () =>
            (await person.SendAsync("/account/password", null, ("Current", Visitor.Password), ("Password", Other))).Headers.Location!.ToString().ShouldBe("/account/security"));
        (await KeysAsync("RENEWED")).ShouldHaveSingleItem();
    }

    [Fact, Trait("Requirement", "A3")]
    public async Task The_last_key_stays_whatever_is_posted_and_however_many_recovery_codes_are_left()
    {
        using var person = await host.PersonAsync("lastkey");
        var only = (await KeysAsync("LASTKEY")).ShouldHaveSingleItem();
        (await person.HtmlAsync("/account/security")).ShouldContain("10 of 10 left");
        var page = await person.HtmlAsync("/account/security");
        page.ShouldNotContain($"/account/security/keys/{only.Reference}/remove");
        foreach (var path in new[] { $"/account/security/keys/{only.Reference}/remove", $"/account/security/keys/{only.Reference}/remove?handler=", $"/account/security/keys/{only.Reference}/REMOVE" })
        {
            var answer = await person.PostAsync(page, path, ("Force", "true"));
            (await answer.Content.ReadAsStringAsync()).ShouldContain("only key");
        }
        (await KeysAsync("LASTKEY")).ShouldHaveSingleItem();
        (await host.LedgerAsync("security-key.removed")).ShouldNotContain(e => e.Subject == only.Reference);

        // Nor where two removals of the last two arrive at once.
        await AddKeyAsync(person);
        page = await person.HtmlAsync("/account/security");
        var keys = await KeysAsync("LASTKEY");
        await Task.WhenAll(keys.Select(k => person.PostAsync(page, $"/account/security/keys/{k.Reference}/remove")));
        (await KeysAsync("LASTKEY")).ShouldHaveSingleItem();
    }

    private async Task ShouldRenewAsync(Visitor person, string what, Func<Task> change)
    {
        var before = person.Cookie(Session)!;
        await change();
        person.Cookie(Session).ShouldNotBe(before, what);
        (await person.IsSignedInAsync()).ShouldBeTrue(what);
        using var thief = host.Visitor();
        thief.SetCookie(Session, before);
        (await thief.IsSignedInAsync()).ShouldBeFalse(what);
    }

    private async Task<TestServers.SoftwareAuthenticator> AddKeyAsync(Visitor person)
    {
        var key = new TestServers.SoftwareAuthenticator { Origin = host.Settings.Origin.GetLeftPart(UriPartial.Authority) };
        var html = await person.HtmlAsync("/account/security/keys/add");
        var done = await person.PostAsync(html, "/account/security/keys/add", ("Credential", key.Register(Visitor.Options(html))), ("Name", "Second"));
        done.StatusCode.ShouldBe(HttpStatusCode.Redirect, await done.Content.ReadAsStringAsync());
        return key;
    }

    private async Task<IReadOnlyList<SecurityKey>> KeysAsync(string usernameKey)
    {
        UserId id;
        await using (var session = await host.Database.ForApplianceAsync(default))
        {
            id = await session.Query<User>().Where(u => u.UsernameKey == usernameKey).Select(u => u.Id).SingleAsync();
        }
        return await host.Services.GetRequiredService<KeyRing>().ListAsync(id, default);
    }
}
