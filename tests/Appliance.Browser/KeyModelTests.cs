using Appliance.Tests.TestServers;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>A remembered device and the owner's page of key models as people see them, wide and light, on a phone and dark.</summary>
[Collection("browser")]
public sealed class KeyModelTests(Chromium chromium)
{
    [Theory, Trait("Requirement", "A9"), Trait("Requirement", "A3")]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task A_device_is_remembered_and_forgotten_and_models_are_listed_and_allowed(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        var name = "models." + shape;
        await using var person = await chromium.PersonAsync(width, theme);
        var key = await person.PlugInKeyAsync();
        var page = person.Page;
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), name);
        await chromium.Appliance.Cluster.SuperuserAsync(chromium.Appliance.Settings.DatabaseName, $"update users set owner = true where username = '{name}'");
        await person.SignOutAsync();

        // The key is not at hand yet: there is time to tick the box.
        await key.TouchesAsync(false);
        await person.GivePasswordAsync(name);
        await page.GetByLabel("Do not ask for the second factor on this device for 30 days").CheckAsync();
        await person.ScreenshotAsync($"remember-{shape}");
        await person.ShouldBeAccessibleAsync();
        await page.ChooseAsync("Cancel");
        await key.TouchesAsync(true);
        await page.ChooseAsync("Use security key");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
        await person.SignOutAsync();
        await key.TouchesAsync(false);
        await person.GivePasswordAsync(name);
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
        await key.TouchesAsync(true);

        await page.GotoAsync("/account/sessions");
        await person.ScreenshotAsync($"devices-{shape}");
        await person.ShouldBeAccessibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Forget device" }).ClickAsync();
        await Expect(page.GetByText("Remembered devices")).Not.ToBeVisibleAsync();

        await page.GotoAsync("/people/key-models");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Models of security keys" })).ToBeVisibleAsync();
        var root = MakerAuthority.Root("Keys Root").Certificate;
        await page.GetByLabel("FIDO Metadata Service BLOB").SetInputFilesAsync(new FilePayload
        {
            Name = "blob.jwt",
            MimeType = "application/octet-stream",
            Buffer = chromium.Metadata.Blob(
                [.. Enumerable.Range(1, 12).Select(n => MetadataMaker.Entry(Guid.NewGuid(), $"Example key {n}", root))], theme == ColorScheme.Light ? 1 : 2, nextUpdate: "2020-01-01"),
        });
        await page.ChooseAsync("Upload");
        await Expect(page.GetByText("FIDO metadata, number")).ToBeVisibleAsync();
        await person.ScreenshotAsync($"key-models-{shape}");
        await person.ShouldBeAccessibleAsync();
        await page.GetByLabel("Only these models").CheckAsync();
        await page.GetByLabel("Example key 3").CheckAsync();
        await page.ChooseAsync("Save");
        await Expect(page.GetByText("This would lock you out")).ToBeVisibleAsync();
        await Expect(page.GetByLabel("Only these models")).ToBeCheckedAsync();
        await Expect(page.GetByLabel("Example key 3")).ToBeCheckedAsync();
        await person.ScreenshotAsync($"key-models-refused-{shape}");
        await person.ShouldBeAccessibleAsync();
    }
}
