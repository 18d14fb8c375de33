using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Appliance.Browser.FilesJourneys;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>The list of files: selecting, sorting, renaming, moving, deleting; by pointer and by keyboard alone.</summary>
[Collection("browser")]
public sealed class FilesListTests(Chromium chromium)
{
    [Fact, Trait("Requirement", "F1"), Trait("Requirement", "F4")]
    public async Task By_keyboard_alone_a_folder_is_made_a_file_renamed_cut_pasted_deleted_and_brought_back()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var (page, keys) = (person.Page, person.Page.Keyboard);
        await page.UploadAsync(TextFile("draft.txt"), TextFile("other.txt"));
        await page.CloseTrayAsync();

        await keys.PressAsync("n");
        await keys.TypeAsync("Episodes");
        await keys.PressAsync("Enter");
        await Expect(page.FileRow("Episodes")).ToBeFocusedAsync();
        (await page.NamesAsync()).ShouldBe(["Episodes", "draft.txt", "other.txt"]);

        await keys.PressAsync("ArrowDown");
        await Expect(page.FileRow("draft.txt")).ToBeFocusedAsync();
        await keys.PressAsync("F2");
        (await page.EvaluateAsync<string>("() => getSelection().toString() || document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)"))
            .ShouldBe("draft", "the ending is left as it is");
        await keys.TypeAsync("final");
        await keys.PressAsync("Enter");
        await Expect(page.FileRow("final.txt")).ToBeFocusedAsync();

        await keys.PressAsync("Control+x");
        await keys.PressAsync("Home");
        await keys.PressAsync("Enter");
        await page.ArriveAsync("Episodes");
        await keys.PressAsync("Control+v");
        await Expect(page.FileRow("final.txt")).ToBeFocusedAsync();

        await keys.PressAsync("Delete");
        await Expect(page.FileRow("final.txt")).ToHaveCountAsync(0);
        await Expect(page.Toast("moved to the trash")).ToBeVisibleAsync();
        await page.Toast("moved to the trash").GetByRole(AriaRole.Button, new() { Name = "Undo" }).PressAsync("Enter");
        await Expect(page.FileRow("final.txt")).ToBeFocusedAsync();

        await keys.PressAsync("Backspace");
        await page.ArriveAsync("Files");
        (await page.NamesAsync()).ShouldBe(["Episodes", "other.txt"]);

        await keys.PressAsync("?");
        await Expect(page.GetByRole(AriaRole.Dialog, new() { Name = "Keyboard shortcuts" })).ToBeVisibleAsync();
        await person.ShouldBeAccessibleAsync();
        await keys.PressAsync("Escape");
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task Letters_typed_into_a_field_are_no_shortcuts()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        await person.Page.Keyboard.PressAsync("/");
        await person.Page.Keyboard.TypeAsync("numb?/");
        await Expect(person.Page.GetByRole(AriaRole.Combobox)).ToHaveValueAsync("numb?/");
        (await person.Page.Locator("dialog[open]").CountAsync()).ShouldBe(0);
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task Rows_are_selected_one_by_one_in_ranges_and_all_and_the_bar_says_how_much()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        await page.MakeFilesAsync(6);
        await page.ReloadAsync();

        await Click(1);
        await Click(3, KeyboardModifier.Shift);
        await Chosen("3 items selected, 3 B");
        await Click(5, KeyboardModifier.Control);
        await Chosen("4 items selected, 4 B");
        await Click(2, KeyboardModifier.Control);
        await Chosen("3 items selected, 3 B");
        await page.GetByLabel("Select all").CheckAsync();
        await Chosen("6 items selected, 6 B");
        (await page.Locator("[data-rows] input:checked").CountAsync()).ShouldBe(6);
        await Expect(page.Locator("[data-announce]")).ToHaveTextAsync("6 items selected, 6 B");
        await person.ShouldBeAccessibleAsync();
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.Locator("[aria-selected='true']")).ToHaveCountAsync(0);

        await page.GetByLabel("Select file-00004.txt").CheckAsync();
        await Chosen("1 item selected, 1 B");

        Task Click(int row, params KeyboardModifier[] with) => page.FileRow($"file-0000{row}.txt").Locator("td").Nth(3).ClickAsync(new() { Modifiers = with });

        Task Chosen(string text) => Expect(page.Locator("[data-selection-text]")).ToHaveTextAsync(text);
    }

    [Fact, Trait("Requirement", "F4")]
    public async Task Several_are_deleted_at_once_and_undo_brings_all_of_them_back()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        await page.MakeFilesAsync(5);
        await page.ReloadAsync();
        await page.GetByLabel("Select file-00001.txt").CheckAsync();
        await page.GetByLabel("Select file-00003.txt").CheckAsync();
        await page.Locator("[data-selection]").GetByRole(AriaRole.Button, new() { Name = "Delete" }).ClickAsync();
        await Expect(page.Toast("2 items moved to the trash")).ToBeVisibleAsync();
        (await page.NamesAsync()).ShouldBe(["file-00000.txt", "file-00002.txt", "file-00004.txt"]);
        await page.ReloadAsync();
        (await page.NamesAsync()).Length.ShouldBe(3, "the server says the same");

        await page.GetByLabel("Select file-00000.txt").CheckAsync();
        await page.Locator("[data-selection]").GetByRole(AriaRole.Button, new() { Name = "Delete" }).ClickAsync();
        await page.Toast("“file-00000.txt” moved to the trash").GetByRole(AriaRole.Button, new() { Name = "Undo" }).ClickAsync();
        await Expect(page.FileRow("file-00000.txt")).ToBeVisibleAsync();
        (await page.NamesAsync()).First().ShouldBe("file-00000.txt");
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task Dragged_rows_move_into_a_folder_and_up_the_breadcrumbs_and_undo_moves_them_back()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        await page.MakeFolderAsync("Takes");
        await page.MakeFilesAsync(3);
        await page.ReloadAsync();
        await page.GetByLabel("Select file-00000.txt").CheckAsync();
        await page.GetByLabel("Select file-00001.txt").CheckAsync();
        await page.FileRow("file-00001.txt").DragToAsync(page.FileRow("Takes"));
        await Expect(page.Toast("2 items moved to “Takes”")).ToBeVisibleAsync();
        (await page.NamesAsync()).ShouldBe(["Takes", "file-00002.txt"]);

        await page.GetByRole(AriaRole.Link, new() { Name = "Takes", Exact = true }).ClickAsync();
        await page.ArriveAsync("Takes");
        await Expect(page.FileRow("file-00001.txt")).ToBeVisibleAsync();
        await page.FileRow("file-00001.txt").DragToAsync(page.Locator(".breadcrumbs a", new() { HasText = "Files" }));
        await Expect(page.Toast("moved to “Files”")).ToBeVisibleAsync();
        (await page.NamesAsync()).ShouldBe(["file-00000.txt"]);
        await page.Toast("moved to “Files”").GetByRole(AriaRole.Button, new() { Name = "Undo" }).ClickAsync();
        await Expect(page.FileRow("file-00001.txt")).ToBeVisibleAsync();
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task A_dialog_walks_through_the_folders_for_whoever_does_not_drag()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        var outer = await page.MakeFolderAsync("Outer");
        await page.MakeFolderAsync("Inner", outer);
        await page.UploadAsync(TextFile("a.txt"));
        await page.CloseTrayAsync();
        await page.ReloadAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Actions for a.txt" }).ClickAsync();
        await person.ShouldBeAccessibleAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Move to …" }).ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog, new() { Name = "Move “a.txt”" });
        await Expect(dialog.GetByRole(AriaRole.Button, new() { Name = "Move here" })).ToBeDisabledAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Outer" }).ClickAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Inner" }).ClickAsync();
        await Expect(dialog.GetByText("No folders in here.")).ToBeVisibleAsync();
        await person.ShouldBeAccessibleAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Move here" }).ClickAsync();
        await Expect(page.Toast("“a.txt” moved to “Inner”")).ToBeVisibleAsync();
        (await page.NamesAsync()).ShouldBe(["Outer"]);
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task A_name_that_is_taken_is_said_in_the_dialog_which_stays()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        person.Expected.Add("409");
        var page = person.Page;
        await page.MakeFilesAsync(2);
        await page.ReloadAsync();
        await page.FileRow("file-00001.txt").FocusAsync();
        await page.Keyboard.PressAsync("F2");
        var field = page.GetByRole(AriaRole.Dialog, new() { Name = "Rename file" }).GetByLabel("Name");
        await field.FillAsync("FILE-00000.TXT");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#name-error")).ToContainTextAsync("already");
        await Expect(field).ToHaveValueAsync("FILE-00000.TXT");
        await Expect(field).ToBeFocusedAsync();
        await person.ScreenshotAsync("files-rename-conflict");
        await person.ShouldBeAccessibleAsync();
        await field.FillAsync("renamed.txt");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.FileRow("renamed.txt")).ToBeFocusedAsync();
    }

    [Fact, Trait("Requirement", "F5")]
    public async Task Headings_sort_and_the_address_carries_the_order()
    {
        await using var person = await chromium.PersonAsync();
        var files = await person.BeginAsync(chromium);
        var page = person.Page;
        await page.MakeFolderAsync("Folder");
        await page.UploadAsync(TextFile("b.txt", "12345"), TextFile("a.txt", "123"), TextFile("c.txt", "1"));
        await page.GetByRole(AriaRole.Link, new() { Name = "Size" }).ClickAsync();
        await page.WaitForURLAsync(files + "?sort=size&order=desc");
        (await page.NamesAsync()).ShouldBe(["Folder", "b.txt", "a.txt", "c.txt"]);
        await Expect(page.GetByRole(AriaRole.Columnheader, new() { Name = "Size" })).ToHaveAttributeAsync("aria-sort", "descending");
        await page.GetByRole(AriaRole.Link, new() { Name = "Size" }).ClickAsync();
        await page.WaitForURLAsync(files + "?sort=size&order=asc");
        (await page.NamesAsync()).ShouldBe(["Folder", "c.txt", "a.txt", "b.txt"]);
        await page.GetByRole(AriaRole.Link, new() { Name = "Changed" }).ClickAsync();
        await page.WaitForURLAsync(files + "?sort=modified&order=desc");
        await page.GetByRole(AriaRole.Link, new() { Name = "Name" }).ClickAsync();
        await page.WaitForURLAsync(files);
    }

    [Fact, Trait("Requirement", "F5")]
    public async Task Five_thousand_entries_are_scrolled_through_without_paging_by_hand()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        await chromium.MakeManyAsync(page, 5000);
        await page.ReloadAsync();
        (await page.NamesAsync()).Length.ShouldBe(200);
        for (var seen = 0; seen < 1000; seen = (await page.NamesAsync()).Length)
        {
            await page.EvaluateAsync("() => scrollTo(0, document.documentElement.scrollHeight)");
            await page.WaitForFunctionAsync("seen => document.querySelectorAll('[data-rows] > tr').length > seen", seen);
        }
        await page.FileRow("folder-00000").FocusAsync();
        await page.Keyboard.PressAsync("Control+a");
        // Asked in the page: an expectation of Playwright's describes the whole page for each try, which takes longer than all of this.
        await page.WaitForFunctionAsync("() => document.querySelector('[data-selection-text]').textContent.startsWith('5,000 items selected')", null, new() { Timeout = 60_000 });
        var names = await page.NamesAsync();
        names.ShouldBe(Enumerable.Range(0, 5000).Select(n => $"folder-{n:00000}"), "every one, once, in order");
        (await page.Locator("[data-more]").CountAsync()).ShouldBe(0);
        await page.Keyboard.PressAsync("End");
        await page.WaitForFunctionAsync("() => document.activeElement.dataset.name === 'folder-04999' && document.activeElement.getBoundingClientRect().top < innerHeight");
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task Two_windows_on_one_folder_find_out_what_the_other_did()
    {
        await using var here = await chromium.PersonAsync();
        var files = await here.BeginAsync(chromium);
        await here.Page.MakeFilesAsync(3);
        await here.Page.ReloadAsync();
        await using var there = await here.AgainAsync(chromium);
        there.Expected.Add("404");
        await there.Page.GotoAsync(files);
        await Expect(there.Page.FileRow("file-00001.txt")).ToBeVisibleAsync();

        await here.Page.FileRow("file-00001.txt").FocusAsync();
        await here.Page.Keyboard.PressAsync("Delete");
        await Expect(here.Page.FileRow("file-00001.txt")).ToHaveCountAsync(0);
        await here.Page.UploadAsync(TextFile("new.txt"));

        // There, the row still stands. Deleting it is refused in words, and the list is read anew.
        await there.Page.FileRow("file-00001.txt").FocusAsync();
        await there.Page.Keyboard.PressAsync("Delete");
        await Expect(there.Page.Toast("not there any more")).ToBeVisibleAsync();
        await Expect(there.Page.FileRow("file-00001.txt")).ToHaveCountAsync(0);
        await Expect(there.Page.FileRow("new.txt")).ToBeVisibleAsync();
    }
}
