using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>A member shares a file by link; somebody without an account downloads it. Wide in light and dark, on a phone in the dark.</summary>
[Collection("browser")]
[Trait("Requirement", "F6")]
public sealed class SharingTests(Chromium chromium)
{
    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task A_file_is_shared_with_a_password_downloaded_by_a_stranger_and_taken_back(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        await using var member = await chromium.PersonAsync(width, theme);
        await member.PlugInKeyAsync();
        var page = member.Page;
        await member.SetUpAsync(await chromium.SetUpLinkAsync(), "share." + shape);
        await member.MakeTeamAsync("Sharing");
        var team = new Uri(page.Url).AbsolutePath.Split('/')[2];
        await page.GotoAsync($"/teams/{team}/upload-form");
        await page.Locator("input[type=file]").First.SetInputFilesAsync(new FilePayload { Name = "Contract.txt", MimeType = "text/plain", Buffer = "signed"u8.ToArray() });
        await page.GetByRole(AriaRole.Button, new() { Name = "Upload" }).First.ClickAsync();
        await Expect(page.FileRow("Contract.txt")).ToBeVisibleAsync();
        var entry = await page.FileRow("Contract.txt").GetAttributeAsync("data-entry");
        await page.GotoAsync($"/teams/{team}/links");
        await member.ScreenshotAsync($"share-empty-{shape}");
        await member.ShouldBeAccessibleAsync();

        await page.GotoAsync($"/teams/{team}/files/{entry}/details");
        await page.ChooseAsync("Share by link");
        await page.GetByLabel("Works for so many days").FillAsync("3");
        await page.GetByLabel("For so many downloads").FillAsync("2");
        await page.GetByLabel("Password").FillAsync("open sesame please");
        await member.ScreenshotAsync($"share-form-{shape}");
        await member.ShouldBeAccessibleAsync();
        await page.ChooseAsync("Make a link");
        var link = await page.Locator("#share-link").InnerTextAsync();
        await member.ScreenshotAsync($"share-made-{shape}");
        await member.ShouldBeAccessibleAsync();

        await using var stranger = await chromium.PersonAsync(width, theme);
        var theirs = stranger.Page;
        await theirs.GotoAsync(link);
        await Expect(theirs.GetByText("Contract")).ToHaveCountAsync(0);
        await stranger.ScreenshotAsync($"share-stranger-{shape}");
        await stranger.ShouldBeAccessibleAsync();
        await theirs.GetByLabel("Password").FillAsync("guess");
        await theirs.ChooseAsync("Download");
        await Expect(theirs.GetByRole(AriaRole.Alert)).ToContainTextAsync("This password is not right");
        await stranger.ScreenshotAsync($"share-wrong-{shape}");
        await theirs.GetByLabel("Password").FillAsync("open sesame please");
        var download = await theirs.RunAndWaitForDownloadAsync(() => theirs.Keyboard.PressAsync("Enter"));
        download.SuggestedFilename.ShouldBe("Contract.txt");
        (await File.ReadAllTextAsync(await download.PathAsync())).ShouldBe("signed");

        await page.GotoAsync($"/teams/{team}/links");
        await Expect(page.GetByText("1 of 2 downloads")).ToBeVisibleAsync();
        await page.GetByText("Last downloads").ClickAsync();
        await member.ScreenshotAsync($"share-list-{shape}");
        await member.ShouldBeAccessibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Revoke" }).ClickAsync();
        await Expect(page.GetByText("Revoked")).ToBeVisibleAsync();
        stranger.Expected.Add("404");
        await theirs.GotoAsync(link);
        await Expect(theirs.GetByRole(AriaRole.Heading, new() { Name = "This link does not work" })).ToBeVisibleAsync();
        await stranger.ScreenshotAsync($"share-over-{shape}");
        await stranger.ShouldBeAccessibleAsync();
    }
}
