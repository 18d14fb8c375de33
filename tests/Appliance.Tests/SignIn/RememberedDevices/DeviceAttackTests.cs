using Appliance.SignIn;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.RememberedDevices;

/// <summary>Whoever knows a password, and what they can do with the cookie of a remembered device: theirs, stolen, made up.</summary>
[Trait("Requirement", "A9")]
public sealed class DeviceAttackTests(RememberingHost host) : IClassFixture<RememberingHost>
{
    [Theory]
    [InlineData("the thief comes after the person")]
    [InlineData("the thief comes before the person")]
    public async Task A_stolen_cookie_works_once_at_most_and_then_ends_everything_and_is_told(string order)
    {
        var personFirst = order == "the thief comes after the person";
        using var person = await host.RememberedAsync(personFirst ? "stolen.after" : "stolen.before");
        using var thief = host.Thief(person.Device());
        var (first, second) = personFirst ? (person, thief) : (thief, person);

        (await first.PasswordAloneAsync(person.Username)).ShouldBe("/");
        (await first.IsSignedInAsync()).ShouldBeTrue();
        host.Clock.Move(TimeSpan.FromMinutes(1));
        (await second.PasswordAloneAsync(person.Username)).ShouldBe("/sign-in/key");

        (await first.IsSignedInAsync()).ShouldBeFalse("every session ends");
        (await second.IsSignedInAsync()).ShouldBeFalse();
        (await host.DevicesAsync(person)).ShouldBe(0);
        var id = (await host.IdAsync(person)).ToString();
        (await host.LedgerAsync("device.copied")).Count(e => e.Subject == id).ShouldBe(1);
        (await first.PasswordAloneAsync(person.Username)).ShouldBe("/sign-in/key", "no device is remembered");

        (await person.SignInAsync()).Headers.Location!.ToString().ShouldBe("/");
        (await person.HtmlAsync("/account/sessions")).ShouldContain("may have been copied");
        second.Cookie(Devices.Cookie).ShouldBeNull();
    }

    [Fact]
    public async Task An_old_cookie_without_the_password_ends_nothing()
    {
        using var person = await host.RememberedAsync("stolen.nopassword");
        using var thief = host.Thief(person.Device());
        (await person.PasswordAloneAsync()).ShouldBe("/");
        host.Clock.Move(TimeSpan.FromMinutes(1));
        (await thief.PasswordAloneAsync(person.Username, "not the password at all")).ShouldBeNull();
        (await person.IsSignedInAsync()).ShouldBeTrue();
        (await host.DevicesAsync(person)).ShouldBe(1);
    }

    [Fact]
    public async Task Of_many_tabs_at_once_one_signs_in_and_the_others_are_asked_for_the_key()
    {
        using var person = await host.RememberedAsync("device.tabs");
        var cookie = person.Device();
        var tabs = Enumerable.Range(0, 3).Select(_ => host.Thief(cookie)).ToList();
        var led = await Task.WhenAll(tabs.Select(tab => tab.PasswordAloneAsync(person.Username)));
        led.Count(to => to == "/").ShouldBe(1);
        led.Count(to => to == "/sign-in/key").ShouldBe(2);
        var id = (await host.IdAsync(person)).ToString();
        (await host.LedgerAsync("device.copied")).ShouldNotContain(e => e.Subject == id);
        (await tabs[Array.IndexOf(led, "/")].IsSignedInAsync()).ShouldBeTrue();

        // The one that got the new validator goes on; the one before it stays worth nothing, and after half a minute it is a thief's.
        var winner = tabs[Array.IndexOf(led, "/")];
        var used = winner.Device();
        (await winner.PasswordAloneAsync(person.Username)).ShouldBe("/");
        (await host.Thief(used).PasswordAloneAsync(person.Username)).ShouldBe("/sign-in/key");
        (await host.DevicesAsync(person)).ShouldBe(1);
        (await host.Thief(cookie).PasswordAloneAsync(person.Username)).ShouldBe("/sign-in/key");
        (await host.DevicesAsync(person)).ShouldBe(0, "two before the last is nobody's second tab");
        tabs.ForEach(tab => tab.Dispose());
    }

    [Fact]
    public async Task Another_persons_cookie_is_worth_nothing_and_stays_good_for_its_own()
    {
        using var person = await host.RememberedAsync("device.mine");
        using var mallory = await host.PersonAsync("device.mallory");
        await mallory.SignOutAsync();
        mallory.SetCookie(Devices.Cookie, person.Device());
        (await mallory.PasswordAloneAsync()).ShouldBe("/sign-in/key");
        var id = (await host.IdAsync(person)).ToString();
        (await host.LedgerAsync("device.copied")).ShouldNotContain(e => e.Subject == id);
        (await person.PasswordAloneAsync()).ShouldBe("/");
    }

    [Fact]
    public async Task Garbage_is_worth_nothing_and_raises_no_alarm()
    {
        using var person = await host.RememberedAsync("device.garbage");
        var good = person.Device();
        var (selector, validator) = (good.Split('.')[0], good.Split('.')[1]);
        foreach (var garbage in new[]
        {
            new string('A', 8192), "", ".", "..", selector, good + "." + validator, good[..^1], good[..^1] + "*", Token.New() + "." + validator, validator + "." + selector,
        })
        {
            using var visitor = host.Thief(garbage);
            (await visitor.PasswordAloneAsync(person.Username)).ShouldBe("/sign-in/key", garbage);
        }
        (await host.DevicesAsync(person)).ShouldBe(1);
        (await person.PasswordAloneAsync()).ShouldBe("/");
    }

    [Fact]
    public async Task A_validator_that_was_never_given_out_is_a_thiefs()
    {
        using var person = await host.RememberedAsync("device.tampered");
        using var thief = host.Thief(person.Device().Split('.')[0] + "." + Token.New());
        (await thief.PasswordAloneAsync(person.Username)).ShouldBe("/sign-in/key");
        (await host.DevicesAsync(person)).ShouldBe(0);
        var id = (await host.IdAsync(person)).ToString();
        (await host.LedgerAsync("device.copied")).ShouldContain(e => e.Subject == id);
    }

    [Fact]
    public async Task The_database_holds_nothing_that_a_device_could_be_made_of()
    {
        using var person = await host.RememberedAsync("device.dump");
        var dump = await host.DumpAsync();
        foreach (var part in person.Device().Split('.'))
        {
            dump.ShouldNotContain(part);
        }
        dump.ShouldContain("device.dump");
    }

    [Fact]
    public async Task Past_its_days_or_with_a_clock_that_was_set_back_it_is_worth_nothing()
    {
        using var late = await host.RememberedAsync("device.late");
        await host.SqlAsync($"update remembered_devices set expires_at = created_at + interval '1 second' where user_id = '{await host.IdAsync(late)}'");
        host.Clock.Move(TimeSpan.FromSeconds(2));
        (await late.PasswordAloneAsync()).ShouldBe("/sign-in/key");

        using var early = await host.RememberedAsync("device.early");
        await host.SqlAsync($"update remembered_devices set created_at = created_at + interval '1 hour', rotated_at = rotated_at + interval '1 hour' where user_id = '{await host.IdAsync(early)}'");
        (await early.PasswordAloneAsync()).ShouldBe("/sign-in/key");
        var ids = new[] { (await host.IdAsync(late)).ToString(), (await host.IdAsync(early)).ToString() };
        (await host.LedgerAsync("device.copied")).ShouldNotContain(e => ids.Contains(e.Subject));
    }

    [Fact]
    public async Task Where_policy_allows_it_no_more_or_for_fewer_days_a_cookie_from_before_follows()
    {
        var own = new RememberingHost();
        await own.InitializeAsync();
        await using var _ = own;
        using var person = await own.RememberedAsync("device.policy");
        own.Clock.Move(TimeSpan.FromDays(3));

        await RestartAsync(own, TimeSpan.FromDays(2));
        (await person.PasswordAloneAsync()).ShouldBe("/sign-in/key");
        await RestartAsync(own, null);
        (await person.PasswordAloneAsync()).ShouldBe("/sign-in/key");
        (await person.HtmlAsync("/sign-in/key")).ShouldNotContain("name=\"Remember\"");
        (await person.RememberAsync()).Headers.Location!.ToString().ShouldBe("/");
        (await person.HtmlAsync("/account/sessions")).ShouldNotContain("Remembered devices");
        (await own.DevicesAsync(person)).ShouldBe(1);
        await person.SignOutAsync();
        await RestartAsync(own, TimeSpan.FromDays(30));
        (await person.PasswordAloneAsync()).ShouldBe("/");
    }

    private static async Task RestartAsync(RememberingHost own, TimeSpan? period)
    {
        await own.StopServiceAsync();
        own.Period = period;
        await own.StartServiceAsync();
    }
}
