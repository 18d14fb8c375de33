using Appliance.Teams.UnusedAccess;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>A second owner, access that nobody used, and giving it back: wide in light and dark, on a phone in the dark.</summary>
[Collection("browser")]
[Trait("Requirement", "A13")]
[Trait("Requirement", "T6")]
public sealed class AccessTests(Chromium chromium)
{
    private Task<object?> SqlAsync(string sql) => chromium.Appliance.Cluster.SuperuserAsync(chromium.Appliance.Settings.DatabaseName, sql);

    private Task<object?> AgeAsync(string username, int days) => SqlAsync(
        $"""
        with a as (update users set last_sign_in_at = last_sign_in_at - interval '{days} days' where username = '{username}' returning id),
             b as (delete from sessions where user_id in (select id from a))
        update memberships set since = since - interval '{days} days', warned_at = warned_at - interval '{days} days' where user_id in (select id from a)
        """);

    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task An_owner_sees_who_stays_away_and_gives_back_what_ended(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        var (owner, other, team, name) = await chromium.TeamOfTwoAsync(width, theme, "access", "Access");
        await using var _ = owner;
        await using var __ = other;
        var page = owner.Page;

        await page.GotoAsync($"/teams/{team}/members");
        await page.GetByText($"Actions for {name}").Locator("..").ClickAsync();
        await page.ChooseAsync("Make an owner");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = $"Make {name} an owner?" })).ToBeVisibleAsync();
        await owner.ScreenshotAsync($"access-role-{shape}");
        await owner.ShouldBeAccessibleAsync();
        await page.ChooseAsync("Make an owner");
        await Expect(page.GetByText("Owner", new() { Exact = true })).ToHaveCountAsync(2);
        await owner.ScreenshotAsync($"access-members-{shape}");

        var care = chromium.Appliance.Services.GetRequiredService<UnusedAccessCare>();
        await AgeAsync(name, 24);
        await care.RunOnceAsync(default);
        await page.ChooseAsync("Access");
        await Expect(page.GetByText("Ends soon")).ToBeVisibleAsync();
        await owner.ScreenshotAsync($"access-warned-{shape}");
        await owner.ShouldBeAccessibleAsync();
        await page.ChooseAsync("Review now");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Access review" })).ToBeVisibleAsync();
        await owner.ScreenshotAsync($"access-review-{shape}");
        await owner.ShouldBeAccessibleAsync();
        await page.ChooseAsync("Sign");
        await Expect(page.GetByText("2 kept, 0 taken out")).ToBeVisibleAsync();
        await owner.ScreenshotAsync($"access-reviewed-{shape}");
        await AgeAsync(name, 8);
        await care.RunOnceAsync(default);
        await page.ReloadAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Ended because nobody used it" })).ToBeVisibleAsync();
        await Expect(page.GetByText("The only owner: this access does not end")).ToBeVisibleAsync();
        await owner.ScreenshotAsync($"access-ended-{shape}");
        await owner.ShouldBeAccessibleAsync();

        await other.SignInAsync(name);
        await Expect(other.Page.GetByRole(AriaRole.Heading, new() { Name = "Access that ended" })).ToBeVisibleAsync();
        await other.ScreenshotAsync($"access-mine-{shape}");
        await other.ShouldBeAccessibleAsync();

        await page.ChooseAsync("Reinstate " + name);
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = $"Give {name} access again?" })).ToBeVisibleAsync();
        await owner.ScreenshotAsync($"access-reinstate-{shape}");
        await owner.ShouldBeAccessibleAsync();
        // By keyboard alone.
        await page.GetByRole(AriaRole.Button, new() { Name = "Reinstate", Exact = true }).FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Ended because nobody used it" })).ToHaveCountAsync(0);
        await other.Page.ReloadAsync();
        await Expect(other.Page.GetByRole(AriaRole.Link, new() { Name = "Access", Exact = true })).ToBeVisibleAsync();
        (await SqlAsync($"select count(*) from memberships m join users u on u.id = m.user_id where u.username = '{name}' and m.role = 'owner'")).ShouldBe(1L);
    }
}
