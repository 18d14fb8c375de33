using Appliance.Accounts;
using Appliance.SignIn.Sms;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.Sms;

/// <summary>Text messages where the operator named no gateway, or one that is not who it should be.</summary>
[Trait("Requirement", "A5")]
public sealed class NoGatewayTests(SignInHost host) : IClassFixture<SignInHost>
{
    [Fact]
    public async Task Without_a_gateway_nobody_is_offered_messages_whatever_is_posted()
    {
        using var person = host.Visitor();
        await person.SendAsync("/set-up/" + await host.LinkAsync());
        await person.SendAsync("/set-up", null, ("Username", "nosms.setup"), ("Password", Visitor.Password));
        var html = await person.HtmlAsync("/set-up/key");
        html.ShouldNotContain("/set-up/phone");
        (await person.GetAsync("/set-up/phone")).Headers.Location!.ToString().ShouldBe("/set-up/key");
        (await person.PostAsync(html, "/set-up/phone?handler=Send", ("Number", "+41791234567"))).Headers.Location!.ToString().ShouldBe("/set-up/key");
        (await person.IsSignedInAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task A_phone_whose_gateway_was_taken_away_does_not_let_a_password_alone_enrol()
    {
        using var person = await host.PersonAsync("nosms.gone");
        var id = await IdAsync("NOSMS.GONE");
        await host.Cluster.SuperuserAsync(
            host.Settings.DatabaseName,
            $"delete from security_keys where user_id = '{id}'; delete from recovery_codes where user_id = '{id}'; insert into phones (user_id, sealed_number, created_at) values ('{id}', '\\x01', now())");
        using var thief = host.Visitor();
        await thief.PasswordAsync("nosms.gone");
        (await thief.GetAsync("/sign-in/key")).Headers.Location!.ToString().ShouldBe("/sign-in/recovery");
        foreach (var page in new[] { "/sign-in/enrol", "/sign-in/enrol/app", "/sign-in/enrol/phone", "/sign-in/phone" })
        {
            (await thief.GetAsync(page)).Headers.Location!.ToString().ShouldBe("/sign-in/key", page);
        }
    }

    [Fact]
    public async Task A_gateway_of_another_name_or_authority_is_told_nothing()
    {
        await using var misnamed = await SmsReceiver.StartAsync("sms.example.org");
        await using var good = await SmsReceiver.StartAsync();
        foreach (var settings in new[] { misnamed.Settings, good.Settings with { AuthorityFile = misnamed.Settings.AuthorityFile }, good.Settings with { AuthorityFile = null } })
        {
            using var gateway = Gateway(settings);
            (await gateway.SendAsync("+41791234567", "12345678", default)).ShouldBe(SmsOutcome.Refused);
        }
        misnamed.Messages.ShouldBeEmpty();
        good.Messages.ShouldBeEmpty();
        // The same with the right one, and with a key that the gateway does not know.
        using (var right = Gateway(good.Settings with { Timeout = TimeSpan.FromSeconds(60) }))
        {
            (await right.SendAsync("+41791234567", "12345678", default)).ShouldBe(SmsOutcome.Sent);
        }
        using var wrong = Gateway(good.Settings with { KeyFile = misnamed.Settings.KeyFile, Timeout = TimeSpan.FromSeconds(60) });
        (await wrong.SendAsync("+41791234567", "12345678", default)).ShouldBe(SmsOutcome.Refused);
        good.Complaints.ShouldBe(["signature"]);
    }

    private SmsGateway Gateway(SmsSettings settings) => new(host.Settings with { Sms = settings }, TimeProvider.System, NullLogger<SmsGateway>.Instance);

    private async Task<Appliance.Data.UserId> IdAsync(string usernameKey)
    {
        await using var session = await host.Database.ForApplianceAsync(default);
        return await session.Query<User>().Where(u => u.UsernameKey == usernameKey).Select(u => u.Id).SingleAsync();
    }
}
