using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Appliance.Browser.FilesJourneys;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>Every state of the files pages as people see it: light and dark, wide and on a phone. axe finds nothing in any of them.</summary>
[Collection("browser")]
public sealed class FilesLookTests(Chromium chromium)
{
    [Theory, Trait("Requirement", "F1"), Trait("Requirement", "F3")]
    [MemberData(nameof(PageTests.Shapes), MemberType = typeof(PageTests))]
    public async Task Every_state_is_accessible_in_every_shape(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        var phone = width < 768;
        await using var person = await chromium.PersonAsync(width, theme, touch: phone);
        var files = await person.BeginAsync(chromium);
        var page = person.Page;
        await LookAsync("files-empty");

        foreach (var folder in new[] { "Cover art", "Season 2", "מוזיקה ורישיונות" })
        {
            await page.MakeFolderAsync(folder);
        }
        var picture = await page.ScreenshotAsync();
        await page.UploadAsync(
            new FilePayload { Name = "Harbour at dawn.png", MimeType = "image/png", Buffer = picture },
            TextFile("01 – Opening conversation with the harbour master.wav", new string('w', 310_000)),
            TextFile("Interview_2026-10-14_second-microphone_unedited_DO-NOT-PUBLISH_before-legal-has-seen-it.flac", new string('f', 99_000)),
            TextFile("عقد الضيف.pdf", "%PDF-1.7"), TextFile("Show notes.md", "# Harbour\n\nNotes of the second season.\n"), TextFile("Teaser vertical.mp4", "m"));
        await page.CloseTrayAsync();
        await chromium.SetQuotaAsync(page, 1 << 20, 1000);
        await page.ReloadAsync();
        await LookAsync("files-full");

        await page.GetByRole(AriaRole.Button, new() { Name = "Tiles", Exact = true }).ClickAsync();
        await page.WaitForFunctionAsync("() => document.querySelector('.thumb')?.naturalWidth > 0");
        await LookAsync("files-tiles");
        await page.FileRow("Harbour at dawn.png").FocusAsync();
        await page.Keyboard.PressAsync("v");
        await page.WaitForFunctionAsync("() => document.querySelector('#viewer img')?.naturalWidth > 0");
        await LookAsync("files-viewer");
        await page.Keyboard.PressAsync("Escape");
        await page.GetByRole(AriaRole.Button, new() { Name = "Tiles", Exact = true }).ClickAsync();

        await page.GetByLabel("Select Show notes.md").CheckAsync();
        await page.GetByLabel("Select Cover art").CheckAsync();
        await LookAsync("files-selected");
        await page.Keyboard.PressAsync("Escape");

        await page.GetByRole(AriaRole.Link, new() { Name = "Actions for Show notes.md" }).ClickAsync();
        await LookAsync("files-menu");
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Move to …" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Cover art" })).ToBeVisibleAsync();
        await LookAsync("files-move");
        await page.Keyboard.PressAsync("Escape");

        await page.Locator("[data-upload-input]").SetInputFilesAsync([TextFile("Show notes.md", "# Harbour\n\nNotes of the second season, revised.\n"), TextFile("Teaser vertical.mp4", "m")]);
        await page.GetByText("Choose for each").ClickAsync();
        await LookAsync("files-conflict");
        await page.Locator("#conflict-dialog").GetByRole(AriaRole.Button, new() { Name = "Upload", Exact = true }).ClickAsync();
        await Expect(page.Locator(".tray strong")).ToHaveTextAsync("2 of 2 uploaded");
        await LookAsync("files-uploaded");
        await page.CloseTrayAsync();

        await page.GetByRole(AriaRole.Link, new() { Name = "Show notes.md", Exact = true }).ClickAsync();
        await Expect(page.Locator("[data-panel] pre")).ToContainTextAsync("revised");
        await LookAsync("files-panel-text");
        await page.GetByRole(AriaRole.Link, new() { Name = "Close details" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Harbour at dawn.png", Exact = true }).ClickAsync();
        await page.WaitForFunctionAsync("() => document.querySelector('[data-panel] img')?.naturalWidth > 0");
        await LookAsync("files-panel");
        var details = (await page.Locator("[data-panel]").GetAttributeAsync("data-panel"))!;
        await page.GotoAsync($"{files}/{details}/details");
        await LookAsync("files-details-page");

        await page.GotoAsync(files);
        foreach (var name in new[] { "Teaser vertical.mp4", "Season 2" })
        {
            await page.FileRow(name).FocusAsync();
            await page.Keyboard.PressAsync("Delete");
            await Expect(page.FileRow(name)).ToHaveCountAsync(0);
        }
        await LookAsync("files-undo");
        await page.GotoAsync(files.Replace("/files", "/trash", StringComparison.Ordinal));
        await LookAsync("trash");
        await page.GotoAsync(files.Replace("/files", "/search?q=harbour", StringComparison.Ordinal));
        await LookAsync("search");
        await page.GotoAsync(files.Replace("/files", "/search", StringComparison.Ordinal));
        await LookAsync("search-empty");
        await page.GotoAsync($"{files}/{details}/rename");
        await LookAsync("rename");
        async Task LookAsync(string what)
        {
            await person.ScreenshotAsync($"{what}-{shape}");
            await person.ShouldBeAccessibleAsync();
            (await page.EvaluateAsync<bool>("() => matchMedia('(pointer: coarse)').matches")).ShouldBe(phone);
            if (phone)
            {
                (await page.SmallTargetsAsync()).ShouldBeEmpty(what);
            }
        }
    }
}
