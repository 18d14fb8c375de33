using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Appliance.Browser.FilesJourneys;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>Finding by name, the trash as people see it, and taking several things out as one ZIP.</summary>
[Collection("browser")]
public sealed class FilesSearchTests(Chromium chromium)
{
    [Fact, Trait("Requirement", "F5")]
    public async Task As_one_types_names_are_found_across_folders_marked_and_opened_by_keyboard()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var (page, keys) = (person.Page, person.Page.Keyboard);
        var folder = await page.MakeFolderAsync("Deep");
        await page.MakeFilesAsync(1, "harbour-interview-", folder);
        await page.MakeFilesAsync(3, "harbour-");
        await page.ReloadAsync();

        await keys.PressAsync("/");
        await Expect(page.GetByRole(AriaRole.Combobox)).ToBeFocusedAsync();
        await keys.TypeAsync("INTERV");
        var option = page.GetByRole(AriaRole.Option);
        await Expect(option).ToHaveCountAsync(1);
        await Expect(option.Locator("mark")).ToHaveTextAsync("interv");
        await Expect(option).ToContainTextAsync("Files / Deep");
        await Expect(page.Locator("[data-search-status]")).ToHaveTextAsync("1 result");
        await keys.PressAsync("ArrowDown");
        await Expect(option).ToHaveAttributeAsync("aria-selected", "true");
        await person.ScreenshotAsync("search-as-one-types");
        await person.ShouldBeAccessibleAsync();
        await keys.PressAsync("Enter");
        await Expect(page.Locator("[data-panel] h2")).ToContainTextAsync("harbour-interview");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Deep" })).ToBeVisibleAsync();

        await keys.PressAsync("/");
        await keys.TypeAsync("harbour");
        await Expect(option).ToHaveCountAsync(4);
        await keys.PressAsync("Enter");
        await page.WaitForURLAsync("**/search?q=harbour");
        await Expect(page.Locator("main [role='status']").First).ToHaveTextAsync("4 results");
        await person.ScreenshotAsync("search-results");
        await person.ShouldBeAccessibleAsync();

        await page.GotoAsync(page.Url.Replace("harbour", "nowhere", StringComparison.Ordinal));
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Nothing is called “nowhere”" })).ToBeVisibleAsync();
        await person.ShouldBeAccessibleAsync();
    }

    [Fact, Trait("Requirement", "F4")]
    public async Task The_trash_lists_restores_deletes_one_and_is_emptied_after_asking()
    {
        await using var person = await chromium.PersonAsync();
        var files = await person.BeginAsync(chromium);
        var page = person.Page;
        await page.MakeFilesAsync(4);
        await page.ReloadAsync();
        await page.Locator("[data-rows] tr").First.FocusAsync();
        await page.Keyboard.PressAsync("Control+a");
        await page.Keyboard.PressAsync("Delete");
        await Expect(page.Locator("[data-empty]")).ToBeVisibleAsync();

        await page.GetByRole(AriaRole.Link, new() { Name = "Trash" }).ClickAsync();
        await Expect(page.GetByText("kept 30 days")).ToBeVisibleAsync();
        await Expect(page.GetByText("30 days", new() { Exact = true }).First).ToBeVisibleAsync();
        await person.ScreenshotAsync("trash");
        await person.ShouldBeAccessibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Restore file-00002.txt" }).ClickAsync();
        await Expect(page.GetByText("It is back where it was")).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Delete file-00000.txt for good" }).ClickAsync();
        await person.ShouldBeAccessibleAsync();
        await page.GetByRole(AriaRole.Alertdialog).GetByRole(AriaRole.Button, new() { Name = "Delete for good" }).ClickAsync();
        await Expect(page.GetByText("file-00000.txt")).ToHaveCountAsync(0);
        await page.GetByRole(AriaRole.Button, new() { Name = "Empty trash" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alertdialog)).ToContainTextAsync("2 files will be deleted for good");
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Restore file-00001.txt" })).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Empty trash" }).ClickAsync();
        await page.GetByRole(AriaRole.Alertdialog).GetByRole(AriaRole.Button, new() { Name = "Delete for good" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "The trash is empty" })).ToBeVisibleAsync();
        await person.ShouldBeAccessibleAsync();
        await page.GotoAsync(files);
        (await page.NamesAsync()).ShouldBe(["file-00002.txt"]);
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task Several_files_and_a_folder_come_out_as_one_zip()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        var folder = await page.MakeFolderAsync("Aufnahmen – 東京");
        await page.MakeFilesAsync(2, "in-", folder);
        await page.MakeFilesAsync(2);
        await page.ReloadAsync();
        await page.GetByLabel("Select Aufnahmen – 東京").CheckAsync();
        await page.GetByLabel("Select file-00001.txt").CheckAsync();
        var download = await page.RunAndWaitForDownloadAsync(() => page.Locator("[data-selection]").GetByRole(AriaRole.Button, new() { Name = "Download" }).ClickAsync());
        using var zip = await System.IO.Compression.ZipFile.OpenReadAsync(await download.PathAsync());
        zip.Entries.Select(e => e.FullName).Where(name => !name.EndsWith('/')).Order(StringComparer.Ordinal)
            .ShouldBe(["Aufnahmen – 東京/in-00000.txt", "Aufnahmen – 東京/in-00001.txt", "file-00001.txt"]);
    }
}
