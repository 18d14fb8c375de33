using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.RememberedDevices;

/// <summary>A remembered device under the appliance's policy: never where more is asked for than a second factor of some kind, and as long as the policy says.</summary>
[Trait("Requirement", "A9")]
[Trait("Requirement", "A7")]
public sealed class DevicePolicyTests(RememberingHost host) : IClassFixture<RememberingHost>
{
    [Theory]
    [InlineData("second_factor = 'key'")]
    [InlineData("device_bound = true")]
    [InlineData("user_verification = true")]
    public async Task Where_keys_alone_or_keys_of_a_kind_count_a_device_stands_in_for_nothing(string rule)
    {
        using var person = await host.RememberedAsync("policy." + rule.Split(' ')[0].Replace("_", "", StringComparison.Ordinal));
        try
        {
            await host.SqlAsync("update appliance_policy set " + rule);
            (await person.PasswordAloneAsync()).ShouldBe("/sign-in/key");
            (await person.IsSignedInAsync()).ShouldBeFalse();
            (await person.HtmlAsync("/sign-in/key")).ShouldNotContain("name=\"Remember\"");
        }
        finally
        {
            await host.SqlAsync("update appliance_policy set second_factor = 'required', device_bound = false, user_verification = false");
        }
        // It was not used up by having been refused.
        (await person.PasswordAloneAsync()).ShouldBe("/");
    }

    [Fact]
    public async Task Of_the_policys_days_and_the_operators_the_fewer_count()
    {
        using var person = await host.RememberedAsync("policy.days");
        try
        {
            await host.SqlAsync("update appliance_policy set remembered_days = 2");
            host.Clock.Move(TimeSpan.FromDays(1));
            (await person.PasswordAloneAsync()).ShouldBe("/");
            host.Clock.Move(TimeSpan.FromDays(1));
            (await person.PasswordAloneAsync()).ShouldBe("/sign-in/key");
        }
        finally
        {
            await host.SqlAsync("update appliance_policy set remembered_days = 0");
        }
    }
}
