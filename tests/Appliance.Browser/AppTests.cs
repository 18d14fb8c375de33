using Appliance.Tests.SignIn.Totp;
using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>An authenticator app as a person without a security key meets it, by keyboard alone: wide and light, on a phone and dark.</summary>
[Collection("browser")]
[Trait("Requirement", "A4")]
public sealed class AppTests(Chromium chromium)
{
    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task An_app_is_enrolled_signs_in_steps_up_and_unlocks_by_keyboard(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        var username = "app." + shape;
        await using var person = await chromium.PersonAsync(width, theme);
        var page = person.Page;
        await page.GotoAsync((await chromium.SetUpLinkAsync()).ToString());
        await page.ChooseAsync("Begin");
        await page.GetByLabel("Username").FillAsync(username);
        await page.GetByLabel("Password", new() { Exact = true }).FillAsync(Journeys.Password);
        await page.ChooseAsync("Continue");
        await person.ScreenshotAsync($"app-set-up-key-{shape}");
        await person.ShouldBeAccessibleAsync();
        await page.TabToAsync("Use an authenticator app");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Img, new() { Name = "QR code" })).ToBeVisibleAsync();
        await person.ScreenshotAsync($"app-set-up-{shape}");
        await person.ShouldBeAccessibleAsync();
        // Cameras need the dark on the light, in every theme, and large enough.
        (await page.Locator(".qr").BoundingBoxAsync())!.Width.ShouldBeGreaterThanOrEqualTo(180);
        var app = SoftwareApp.Typed(await page.ContentAsync());

        await page.TypeCodeAsync("000000");
        await Expect(page.GetByText("This code did not work")).ToBeVisibleAsync();
        await person.ScreenshotAsync($"app-set-up-wrong-{shape}");
        await person.ShouldBeAccessibleAsync();
        SoftwareApp.Typed(await page.ContentAsync()).Secret.ShouldBe(app.Secret);
        await page.TypeCodeAsync(await app.NextAsync());
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Keep your recovery codes" })).ToBeVisibleAsync();
        await person.ScreenshotAsync($"app-codes-{shape}");
        await page.GetByLabel("I have printed these codes").CheckAsync();
        await page.ChooseAsync("Finish");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
        await person.SignOutAsync();

        await person.GivePasswordAsync(username);
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Enter a code from your app" })).ToBeVisibleAsync();
        await person.ScreenshotAsync($"app-sign-in-{shape}");
        await person.ShouldBeAccessibleAsync();
        await page.TypeCodeAsync(await app.NextAsync());
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();

        await page.GotoAsync("/account/security");
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "Replace app" })).ToBeVisibleAsync();
        await person.ScreenshotAsync($"app-security-{shape}");
        await person.ShouldBeAccessibleAsync();
        await page.TabToAsync("Replace app");
        await page.Keyboard.PressAsync("Enter");
        await person.ScreenshotAsync($"app-replace-{shape}");
        await person.ShouldBeAccessibleAsync();

        await page.Locator("summary", new() { HasText = "Account menu" }).ClickAsync();
        await page.ChooseAsync("Lock");
        await Expect(page.GetByText("This session is locked.")).ToBeVisibleAsync();
        await person.ScreenshotAsync($"app-locked-{shape}");
        await person.ShouldBeAccessibleAsync();
        await page.TypeCodeAsync(await app.NextAsync());
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();

        await page.GotoAsync("/step-up");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Enter a code to go on" })).ToBeVisibleAsync();
        await person.ScreenshotAsync($"app-step-up-{shape}");
        await person.ShouldBeAccessibleAsync();
    }

    [Fact]
    public async Task Who_has_both_is_asked_for_the_key_first_and_without_javascript_the_app_still_works()
    {
        await using var person = await chromium.PersonAsync();
        var key = await person.PlugInKeyAsync();
        var page = person.Page;
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), "app.both");
        await page.GotoAsync("/account/security/app/add");
        var app = SoftwareApp.Typed(await page.ContentAsync());
        await page.TypeCodeAsync(await app.NextAsync());
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "Remove app" })).ToBeVisibleAsync();
        await person.ScreenshotAsync("app-security-both");
        await person.ShouldBeAccessibleAsync();
        await page.GotoAsync("/account/security/app/remove");
        await person.ScreenshotAsync("app-remove");
        await person.ShouldBeAccessibleAsync();
        await person.SignOutAsync();
        await key.RemoveAsync();
        await person.GivePasswordAsync("app.both");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Use your security key" })).ToBeVisibleAsync();
        await person.ScreenshotAsync("app-key-first");
        await page.TabToAsync("Use your authenticator app instead");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "Use your security key instead" })).ToBeVisibleAsync();

        await using var plain = await chromium.PersonAsync(javaScript: false);
        await plain.GivePasswordAsync("app.both");
        await plain.Page.GetByRole(AriaRole.Link, new() { Name = "Use your authenticator app instead" }).ClickAsync();
        await plain.Page.TypeCodeAsync(await app.NextAsync());
        await Expect(plain.Page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
    }
}

internal static class AppKeyboard
{
    /// <summary>Presses Tab until the link or button of this name has the focus, as somebody without a mouse does.</summary>
    public static async Task TabToAsync(this IPage page, string name)
    {
        for (var i = 0; i < 60; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            if (await page.EvaluateAsync<string>("() => document.activeElement?.textContent.trim() ?? ''") == name)
            {
                return;
            }
        }
        throw new InvalidOperationException($"Tab does not reach '{name}'.");
    }

    /// <summary>Types into the code's field and presses Enter.</summary>
    public static async Task TypeCodeAsync(this IPage page, string code)
    {
        await page.GetByLabel("Code from your app").FocusAsync();
        await page.GetByLabel("Code from your app").FillAsync("");
        await page.Keyboard.TypeAsync(code);
        await page.Keyboard.PressAsync("Enter");
    }

    private static readonly System.Runtime.CompilerServices.ConditionalWeakTable<SoftwareApp, StrongBox> s_last = [];

    /// <summary>The next code that was not used yet; waits for it as people do, by looking at the app.</summary>
    public static async Task<string> NextAsync(this SoftwareApp app)
    {
        var last = s_last.GetOrCreateValue(app);
        var step = Math.Max(DateTimeOffset.UtcNow.ToUnixTimeSeconds() / 30, last.Step + 1);
        // A step ahead is within the drift.
        while (step > (DateTimeOffset.UtcNow.ToUnixTimeSeconds() / 30) + 1)
        {
            await Task.Delay(250);
        }
        last.Step = step;
        return app.Code(step);
    }

    private sealed class StrongBox
    {
        public long Step { get; set; }
    }
}
