using System.Net;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.Tests.SignIn.Totp;
using Appliance.Tests.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.RememberedDevices;

/// <summary>The service where devices may be remembered for thirty days, or for what the test says at the next start.</summary>
public sealed class RememberingHost : SignInHost
{
    public TimeSpan? Period { get; set; } = TimeSpan.FromDays(30);

    protected override SignInSettings SignInSettings => new() { RememberDevice = Period };

    public async Task<UserId> IdAsync(Visitor person)
    {
        var key = person.Username.ToUpperInvariant();
        await using var session = await Database.ForApplianceAsync(default);
        return await session.Query<User>().Where(u => u.UsernameKey == key).Select(u => u.Id).SingleAsync();
    }

    public async Task<object?> SqlAsync(string sql) => await Cluster.SuperuserAsync(Settings.DatabaseName, sql);

    public async Task<long> DevicesAsync(Visitor person) => (long)(await SqlAsync($"select count(*) from remembered_devices where user_id = '{await IdAsync(person)}'"))!;

    /// <summary>A person who had this browser remembered, signed out.</summary>
    public async Task<Visitor> RememberedAsync(string username)
    {
        var person = await PersonAsync(username);
        await person.SignOutAsync();
        (await person.RememberAsync()).Headers.Location!.ToString().ShouldBe("/");
        await person.SignOutAsync();
        return person;
    }

    /// <summary>Another browser with the person's password and a copy of their device's cookie, but not their key.</summary>
    public Visitor Thief(string cookie)
    {
        var thief = new Visitor(this) { Cookies = new CookieContainer { MaxCookieSize = 16 * 1024 } };
        thief.SetCookie(Devices.Cookie, cookie);
        return thief;
    }
}

internal static class Devices
{
    public const string Cookie = "__Host-appliance-device";

    public static string Device(this Visitor visitor) => visitor.Cookie(Cookie)!;

    /// <summary>Password and key, with the wish to be remembered.</summary>
    public static async Task<HttpResponseMessage> RememberAsync(this Visitor visitor, string wish = "true")
    {
        await visitor.PasswordAsync();
        var html = await visitor.HtmlAsync("/sign-in/key");
        return await visitor.PostAsync(html, "/sign-in/key", ("Credential", visitor.Answer(html)), ("Remember", wish));
    }

    /// <summary>Where the password alone leads.</summary>
    public static async Task<string?> PasswordAloneAsync(this Visitor visitor, string? username = null, string? password = null)
    {
        using var answer = await visitor.PasswordAsync(username, password);
        return answer.Headers.Location?.ToString();
    }
}

/// <summary>A device that stands in for the second factor, as its person sees it.</summary>
[Trait("Requirement", "A9")]
public sealed class RememberedDeviceTests(RememberingHost host) : IClassFixture<RememberingHost>
{
    [Fact]
    public async Task A_remembered_device_signs_in_with_the_password_alone_for_its_days_with_a_new_validator_each_time()
    {
        using var person = await host.PersonAsync("device.first");
        await person.SignOutAsync();
        await person.PasswordAsync();
        (await person.HtmlAsync("/sign-in/key")).ShouldContain("Do not ask for the second factor on this device for 30 days");
        var answer = await person.RememberAsync();
        var cookie = answer.Headers.GetValues("Set-Cookie").Single(c => c.StartsWith(Devices.Cookie, StringComparison.Ordinal));
        foreach (var attribute in new[] { "max-age=2592000", "secure", "httponly", "samesite=strict", "path=/" })
        {
            cookie.ShouldContain(attribute, Case.Insensitive);
        }
        var seen = new HashSet<string>(StringComparer.Ordinal) { person.Device() };
        for (var days = 0; days < 3; days++)
        {
            await person.SignOutAsync();
            host.Clock.Move(TimeSpan.FromDays(9));
            (await person.PasswordAloneAsync()).ShouldBe("/");
            (await person.IsSignedInAsync()).ShouldBeTrue();
            seen.Add(person.Device()).ShouldBeTrue();
            seen.Select(c => c.Split('.')[0]).Distinct(StringComparer.Ordinal).Count().ShouldBe(1);
        }
        await person.SignOutAsync();
        host.Clock.Move(TimeSpan.FromDays(4));
        (await person.PasswordAloneAsync()).ShouldBe("/sign-in/key", "thirty days from the second factor, not from the last use");
        var id = (await host.IdAsync(person)).ToString();
        (await host.LedgerAsync("sign-in.succeeded")).Count(e => e.Subject == id && e.Details.Contains("remembered-device", StringComparison.Ordinal)).ShouldBe(3);
        (await host.LedgerAsync("device.remembered")).ShouldContain(e => e.Subject == id);
    }

    [Fact]
    public async Task A_session_that_it_gives_is_not_stepped_up()
    {
        using var person = await host.RememberedAsync("device.sensitive");
        (await person.PasswordAloneAsync()).ShouldBe("/");
        (await person.GetAsync("/account/security/keys/add")).Headers.Location!.ToString().ShouldStartWith("/step-up");
        (await person.TouchAsync("/step-up")).Headers.Location!.ToString().ShouldBe("/");
        (await person.GetAsync("/account/security/keys/add")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task It_is_remembered_only_where_the_person_wishes_so_and_not_with_a_recovery_code()
    {
        using var person = await host.PersonAsync("device.unasked");
        await person.SignOutAsync();
        (await person.SignInAsync()).Headers.Location!.ToString().ShouldBe("/");
        await person.SignOutAsync();
        await person.RememberAsync(wish: "false");
        await person.SignOutAsync();
        await person.PasswordAsync();
        (await person.SendAsync("/sign-in/recovery", null, ("Code", person.Codes[0]), ("Remember", "true"))).Headers.Location!.ToString().ShouldBe("/");
        person.Cookie(Devices.Cookie).ShouldBeNull();
        (await host.DevicesAsync(person)).ShouldBe(0);
    }

    [Fact]
    public async Task A_code_from_an_app_can_be_remembered_as_well()
    {
        var (person, app) = await host.AppPersonAsync("device.app");
        using var _ = person;
        await person.SignOutAsync();
        await person.PasswordAsync("device.app");
        (await person.HtmlAsync("/sign-in/app")).ShouldContain("name=\"Remember\"");
        (await person.SendAsync("/sign-in/app", null, ("Code", app.Code(host.Clock.GetUtcNow())), ("Remember", "true"))).Headers.Location!.ToString().ShouldBe("/");
        await person.SignOutAsync();
        (await person.PasswordAloneAsync("device.app")).ShouldBe("/");
    }

    [Fact]
    public async Task A_sign_in_that_is_limited_to_a_team_is_neither_offered_it_nor_remembered()
    {
        using var person = await host.PersonAsync("device.team");
        await person.SignOutAsync();
        await person.PasswordAsync();
        var html = await person.HtmlAsync("/sign-in/key");
        await host.SqlAsync("insert into teams (id, reference, name, created_at) values (gen_random_uuid(), 'devices', 'Devices', now())");
        await host.SqlAsync($"update sign_ins set only_team = (select id from teams where reference = 'devices'), only_team_reference = 'x' where user_id = '{await host.IdAsync(person)}'");
        (await person.HtmlAsync("/sign-in/key")).ShouldNotContain("name=\"Remember\"");
        await person.PostAsync(html, "/sign-in/key", ("Credential", person.Answer(html)), ("Remember", "true"));
        person.Cookie(Devices.Cookie).ShouldBeNull();
        (await host.DevicesAsync(person)).ShouldBe(0);
    }

    [Fact]
    public async Task Devices_are_listed_with_the_sessions_and_forgotten_one_by_one()
    {
        using var person = await host.RememberedAsync("device.listed");
        using var other = await host.RememberedAsync("device.others");
        (await other.PasswordAloneAsync()).ShouldBe("/");
        var theirs = (string)(await host.SqlAsync($"select reference from remembered_devices where user_id = '{await host.IdAsync(other)}'"))!;
        (await person.PasswordAloneAsync()).ShouldBe("/");
        (await person.HtmlAsync("/account/sessions")).ShouldContain("Remembered devices");
        (await person.SendAsync("/account/sessions", "/account/sessions?handler=Forget", ("Reference", theirs))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.DevicesAsync(other)).ShouldBe(1);

        var mine = (string)(await host.SqlAsync($"select reference from remembered_devices where user_id = '{await host.IdAsync(person)}'"))!;
        (await person.SendAsync("/account/sessions", "/account/sessions?handler=Forget", ("Reference", mine))).Headers.Location!.ToString().ShouldBe("/account/sessions");
        (await person.HtmlAsync("/account/sessions")).ShouldNotContain("Remembered devices");
        await person.SignOutAsync();
        (await person.PasswordAloneAsync()).ShouldBe("/sign-in/key");
        (await host.LedgerAsync("device.forgotten")).ShouldContain(e => e.Details.Contains(mine, StringComparison.Ordinal));
    }

    public static TheoryData<string> Changes => ["password", "key added", "key removed", "app added", "app removed", "end others", "recovery code"];

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task A_change_of_what_it_stands_in_for_forgets_every_device(string change)
    {
        const string Fresh = "velvet quarry lantern mosaic";
        using var person = await host.PersonAsync("device." + change.Replace(' ', '.'));
        if (change == "app removed")
        {
            await host.AddAppAsync(person);
        }
        if (change == "key removed")
        {
            await AddKeyAsync(person);
        }
        await person.SignOutAsync();
        await person.RememberAsync();
        (await host.DevicesAsync(person)).ShouldBe(1);
        switch (change)
        {
            case "password":
                (await person.SendAsync("/account/password", null, ("Current", Visitor.Password), ("Password", Fresh))).Headers.Location!.ToString().ShouldBe("/account/security");
                break;
            case "key added":
                await AddKeyAsync(person);
                break;
            case "key removed":
                var reference = await host.SqlAsync($"select reference from security_keys where user_id = '{await host.IdAsync(person)}' and name = 'Second'");
                (await person.SendAsync($"/account/security/keys/{reference}/remove")).Headers.Location!.ToString().ShouldBe("/account/security");
                break;
            case "app added":
                await host.AddAppAsync(person);
                break;
            case "app removed":
                (await person.SendAsync("/account/security/app/remove")).Headers.Location!.ToString().ShouldBe("/account/security");
                break;
            case "end others":
                (await person.SendAsync("/account/sessions", "/account/sessions?handler=EndOthers")).Headers.Location!.ToString().ShouldBe("/account/sessions");
                break;
            default:
                using (var elsewhere = host.Visitor())
                {
                    await elsewhere.PasswordAsync(person.Username);
                    (await elsewhere.SendAsync("/sign-in/recovery", null, ("Code", person.Codes[0]))).Headers.Location!.ToString().ShouldBe("/");
                }
                break;
        }
        (await host.DevicesAsync(person)).ShouldBe(0);
        await person.SignOutAsync();
        (await person.PasswordAloneAsync(password: change == "password" ? Fresh : null)).ShouldBe("/sign-in/key");
        var id = (await host.IdAsync(person)).ToString();
        (await host.LedgerAsync("device.forgotten")).ShouldContain(e => e.Subject == id && e.Details.Contains("\"why\"", StringComparison.Ordinal));
        (await host.LedgerAsync("device.copied")).ShouldNotContain(e => e.Subject == id);
    }

    [Fact]
    public async Task A_person_has_a_bounded_number_of_them_and_old_ones_are_swept()
    {
        using var person = await host.RememberedAsync("device.many");
        var id = await host.IdAsync(person);
        await host.SqlAsync($"""
            insert into remembered_devices select gen_random_uuid(), 'many' || n, '{id}', sha256(('s' || n)::bytea), 'v', null, now() - n * interval '1 hour', now(), now() + interval '1 year'
              from generate_series(1, 40) n
            """);
        using var elsewhere = host.Visitor();
        await elsewhere.PasswordAsync(person.Username);
        var html = await elsewhere.HtmlAsync("/sign-in/key");
        await elsewhere.PostAsync(html, "/sign-in/key", ("Credential", (person.Key with { Counter = 60 }).Assert(Visitor.Options(html))), ("Remember", "true"));
        (await host.DevicesAsync(person)).ShouldBe(20);
        await host.SqlAsync($"update remembered_devices set expires_at = now() - interval '1 year' where user_id = '{id}'");
        await host.Services.GetRequiredService<Sessions>().SweepAsync(default);
        (await host.DevicesAsync(person)).ShouldBe(0);
    }

    private static async Task AddKeyAsync(Visitor person)
    {
        var html = await person.HtmlAsync("/account/security/keys/add");
        var second = new SoftwareAuthenticator { Origin = person.Key.Origin };
        (await person.PostAsync(html, "/account/security/keys/add", ("Credential", second.Register(Visitor.Options(html))), ("Name", "Second")))
            .Headers.Location!.ToString().ShouldBe("/account/security");
    }
}
