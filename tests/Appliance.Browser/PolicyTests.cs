using Appliance.SignIn.Policy;
using Appliance.Tests.SignIn.Totp;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>The policies' pages as owners use them, and what a member meets whose sign-in is not enough: wide in light and dark, on a phone in the dark.</summary>
[Collection("browser")]
[Trait("Requirement", "A7")]
public sealed class PolicyTests(Chromium chromium) : IAsyncLifetime
{
    public Task InitializeAsync() => Task.CompletedTask;

    /// <summary>The appliance is everybody's.</summary>
    public Task DisposeAsync() => SqlAsync("update appliance_policy set second_factor = 'required', passkey_alone = false, idle_lock_minutes = null, user_verification = false");

    private async Task<object?> SqlAsync(string sql)
    {
        var answer = await chromium.Appliance.Cluster.SuperuserAsync(chromium.Appliance.Settings.DatabaseName, sql);
        chromium.Appliance.Services.GetRequiredService<Policies>().Forget();
        return answer;
    }

    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task Owners_choose_what_it_takes_and_a_member_without_it_is_told_and_enrols(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        await using var owner = await chromium.PersonAsync(width, theme);
        await owner.PlugInKeyAsync(userVerification: true);
        var page = owner.Page;
        await owner.SetUpAsync(await chromium.SetUpLinkAsync(), "policy.owner." + shape);
        await SqlAsync($"update users set owner = true where username = 'policy.owner.{shape}'");
        await owner.MakeTeamAsync("Policy");
        var team = new Uri(page.Url).AbsolutePath.Split('/')[2];

        await page.GotoAsync("/people");
        await page.ChooseAsync("Sign-in policy");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Sign-in policy" })).ToBeVisibleAsync();
        await owner.ScreenshotAsync($"policy-appliance-{shape}");
        await owner.ShouldBeAccessibleAsync();
        // Their own key can do this, and never had to (Chromium's virtual one always does; others wait to be asked).
        await SqlAsync($"update security_keys k set is_user_verified = false, user_verified_at = null from users u where u.id = k.user_id and u.username = 'policy.owner.{shape}'");
        await SqlAsync($"update sessions s set user_verified = false from users u where u.id = s.user_id and u.username = 'policy.owner.{shape}'");
        owner.Expected.Add("422");
        await page.GetByLabel("Only keys that ask for a PIN").CheckAsync();
        await page.ChooseAsync("Save");
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("This would lock you out");
        await owner.ScreenshotAsync($"policy-refused-{shape}");
        await owner.ShouldBeAccessibleAsync();

        await page.ChooseAsync("Confirm with a key of yours");
        await page.GetByLabel("Only keys that ask for a PIN").CheckAsync();
        await page.ChooseAsync("Save");
        await Expect(page.GetByRole(AriaRole.Alert)).ToHaveCountAsync(0);
        await Expect(page.GetByLabel("Only keys that ask for a PIN")).ToBeCheckedAsync();
        await page.GetByLabel("Only keys that ask for a PIN").UncheckAsync();
        await page.ChooseAsync("Save");
        await Expect(page.GetByLabel("Only keys that ask for a PIN")).Not.ToBeCheckedAsync();

        await page.GotoAsync($"/teams/{team}/members");
        await page.ChooseAsync("Sign-in policy");
        await page.GetByLabel("Every member, and security keys alone").CheckAsync();
        await page.GetByLabel("Locked after so many minutes").FillAsync("5");
        await page.ChooseAsync("Save");
        await Expect(page.GetByLabel("Every member, and security keys alone")).ToBeCheckedAsync();
        await Expect(page.GetByLabel("Locked after so many minutes")).ToHaveValueAsync("5");
        await owner.ScreenshotAsync($"policy-team-{shape}");
        await owner.ShouldBeAccessibleAsync();

        await using var member = await chromium.PersonAsync(width, theme);
        await member.PlugInKeyAsync();
        await member.Page.GotoAsync((await chromium.SetUpLinkAsync()).ToString());
        await member.Page.ChooseAsync("Begin");
        await member.Page.GetByLabel("Username").FillAsync("policy.member." + shape);
        await member.Page.GetByLabel("Password", new() { Exact = true }).FillAsync(Journeys.Password);
        await member.Page.ChooseAsync("Continue");
        await member.Page.GotoAsync("/set-up/app");
        await member.Page.TypeCodeAsync(await SoftwareApp.Typed(await member.Page.ContentAsync()).NextAsync());
        await Expect(member.Page.GetByRole(AriaRole.Heading, new() { Name = "Keep your recovery codes" })).ToBeVisibleAsync();
        await SqlAsync($"insert into memberships select t.id, u.id, 'member', now(), u.id from teams t, users u where t.reference = '{team}' and u.username = 'policy.member.{shape}'");
        await member.Page.GotoAsync($"/teams/{team}/files");
        await Expect(member.Page.GetByText("This team asks for a security key")).ToBeVisibleAsync();
        await member.ScreenshotAsync($"policy-enrol-{shape}");
        await member.ShouldBeAccessibleAsync();
        await member.Page.ChooseAsync("Add a security key");
        await member.Page.GetByLabel("Name of this key").FillAsync("Mine");
        await member.Page.ChooseAsync("Add security key");
        await Expect(member.Page.GetByRole(AriaRole.Heading, new() { Name = "Files" })).ToBeVisibleAsync();
    }

    [Fact, Trait("Requirement", "A3")]
    public async Task A_passkey_that_the_browser_finds_by_itself_signs_in_alone()
    {
        await using var person = await chromium.PersonAsync();
        await person.PlugInKeyAsync(userVerification: true, residentKey: true);
        await SqlAsync("update appliance_policy set passkey_alone = true, user_verification = true");
        var page = person.Page;
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), "policy.passkey");
        await person.SignOutAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "Sign in with a passkey" })).ToBeVisibleAsync();
        await person.ScreenshotAsync("policy-sign-in-passkey");
        await person.ShouldBeAccessibleAsync();
        await page.ChooseAsync("Sign in with a passkey");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
        (await SqlAsync("select count(*) from ledger_entries where action = 'sign-in.succeeded' and details like '%passkey%'")).ShouldBe(1L);
    }
}
