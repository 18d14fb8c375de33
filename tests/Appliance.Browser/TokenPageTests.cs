using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>Making and revoking a token as a person does it, wide and light, on a phone and dark.</summary>
[Collection("browser")]
[Trait("Requirement", "A16")]
public sealed class TokenPageTests(Chromium chromium)
{
    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task A_token_is_made_shown_once_listed_and_revoked(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        await using var person = await chromium.PersonAsync(width, theme);
        await person.PlugInKeyAsync();
        var page = person.Page;
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), "tokens." + shape);
        await page.GotoAsync("/account/tokens");
        await Expect(page.GetByText("There are none yet")).ToBeVisibleAsync();
        await person.ShouldBeAccessibleAsync();
        await page.ChooseAsync("Make one");
        await page.GetByLabel("Name").FillAsync("Backup script");
        await page.GetByLabel("May").SelectOptionAsync("write");
        await person.ScreenshotAsync($"token-new-{shape}");
        await person.ShouldBeAccessibleAsync();
        await page.ChooseAsync("Make it");
        var secret = await page.Locator("#secret").InnerTextAsync();
        secret.ShouldStartWith("apt_");
        await person.ShouldBeAccessibleAsync();
        await person.ScreenshotAsync($"token-made-{shape}");
        await page.ChooseAsync("Done");
        await Expect(page.GetByText("Backup script").First).ToBeVisibleAsync();
        (await page.ContentAsync()).ShouldNotContain(secret);
        await person.ScreenshotAsync($"tokens-{shape}");
        await person.ShouldBeAccessibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Revoke Backup script" }).ClickAsync();
        await Expect(page.GetByText("There are none yet")).ToBeVisibleAsync();
    }
}
