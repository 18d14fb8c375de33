using System.Text;
using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Appliance.Browser.FilesJourneys;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>The side panel: under its own address, with back, with previews that run nothing, and with versions that come back.</summary>
[Collection("browser")]
public sealed class FilesPanelTests(Chromium chromium)
{
    [Fact, Trait("Requirement", "F3")]
    public async Task The_panel_has_an_address_which_reload_back_and_forward_keep()
    {
        await using var person = await chromium.PersonAsync();
        var files = await person.BeginAsync(chromium);
        var page = person.Page;
        await page.UploadAsync(TextFile("notes.txt", "first words"), TextFile("other.txt", "other words"));
        await page.CloseTrayAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "notes.txt", Exact = true }).ClickAsync();
        await Expect(page.Locator("[data-panel] pre")).ToHaveTextAsync("first words");
        page.Url.ShouldStartWith(files + "?panel=");
        var address = page.Url;
        await Expect(page.Locator("[data-panel] h2")).ToBeFocusedAsync();
        await Expect(page.Locator("[data-panel]")).ToContainTextAsync("Everyone in the team: 1 member");
        await Expect(page.Locator("[data-panel] .events")).ToContainTextAsync("uploaded it");
        await person.ShouldBeAccessibleAsync();

        await page.GetByRole(AriaRole.Link, new() { Name = "other.txt", Exact = true }).ClickAsync();
        await Expect(page.Locator("[data-panel] pre")).ToHaveTextAsync("other words");
        await page.GoBackAsync();
        await Expect(page.Locator("[data-panel] pre")).ToHaveTextAsync("first words");
        await page.GoBackAsync();
        await Expect(page.Locator("[data-panel]")).ToHaveCountAsync(0);
        await page.GoForwardAsync();
        await Expect(page.Locator("[data-panel] pre")).ToHaveTextAsync("first words");
        await page.ReloadAsync();
        await Expect(page.Locator("[data-panel] pre")).ToHaveTextAsync("first words");
        page.Url.ShouldBe(address);

        await page.Keyboard.PressAsync("Escape");
        await Expect(page.Locator("[data-panel]")).ToHaveCountAsync(0);
        page.Url.ShouldBe(files);
    }

    [Fact, Trait("Requirement", "F4")]
    public async Task An_earlier_version_is_looked_at_restored_and_one_deleted_for_good()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        await page.UploadAsync(TextFile("text.txt", "one"));
        await page.Locator("[data-upload-input]").SetInputFilesAsync(TextFile("text.txt", "two, longer"));
        await page.Locator("#conflict-dialog").GetByRole(AriaRole.Button, new() { Name = "Upload", Exact = true }).ClickAsync();
        await Expect(page.FileRow("text.txt").Locator(".num")).ToHaveTextAsync("11 B");
        await page.CloseTrayAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "text.txt", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Version 1", Exact = true }).ClickAsync();
        await Expect(page.Locator("[data-panel] pre")).ToHaveTextAsync("one");
        await Expect(page.Locator("[data-panel] .notice")).ToContainTextAsync("You see version 1");
        page.Url.ShouldContain("version=1");
        await person.ScreenshotAsync("files-panel-versions");
        await person.ShouldBeAccessibleAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Restore version 1" }).ClickAsync();
        await Expect(page.Toast("Version 1 is the current one again")).ToBeVisibleAsync();
        await Expect(page.Locator(".version").First).ToContainTextAsync("Version 3");
        await Expect(page.Locator(".version").First).ToContainTextAsync("version 1 restored");
        await Expect(page.FileRow("text.txt").Locator(".num")).ToHaveTextAsync("3 B");

        await page.GetByRole(AriaRole.Button, new() { Name = "Delete version 2" }).ClickAsync();
        var question = page.GetByRole(AriaRole.Alertdialog);
        await Expect(question.GetByRole(AriaRole.Button, new() { Name = "Cancel" })).ToBeFocusedAsync();
        await person.ShouldBeAccessibleAsync();
        await question.GetByRole(AriaRole.Button, new() { Name = "Delete version" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "Version 2", Exact = true })).ToHaveCountAsync(0);
        await Expect(page.Locator(".version")).ToHaveCountAsync(2);
    }

    [Fact, Trait("Requirement", "F3")]
    public async Task What_is_hostile_or_broken_is_shown_as_text_or_calmly_not_at_all()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        person.Expected.AddRange(["404", "415", "Failed to load"]);
        var page = person.Page;
        await page.UploadAsync(
            TextFile("page.html", "<script>parent.ran = top.ran = window.ran = true</script><img src=x onerror='window.ran = true'>"),
            TextFile("drawing.svg", "<svg xmlns='http://www.w3.org/2000/svg' onload='window.ran = true'><script>window.ran = true</script></svg>"),
            new FilePayload { Name = "truncated.png", MimeType = "image/png", Buffer = [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10, 0, 0, 0, 13] },
            new FilePayload { Name = "truncated.mp3", MimeType = "audio/mpeg", Buffer = Encoding.ASCII.GetBytes("ID3\u0003nothing more") },
            TextFile("broken.pdf", "%PDF-1.7 and no more"),
            new FilePayload { Name = "bytes.bin", MimeType = "x/y", Buffer = [0, 1, 2, 3, 0xFF] });
        await page.CloseTrayAsync();

        foreach (var name in new[] { "page.html", "drawing.svg" })
        {
            await page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true }).ClickAsync();
            await Expect(page.Locator("[data-panel] pre")).ToContainTextAsync("window.ran", new() { UseInnerText = false });
        }
        foreach (var name in new[] { "truncated.png", "truncated.mp3", "broken.pdf", "bytes.bin" })
        {
            await page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true }).ClickAsync();
            await Expect(page.Locator("[data-panel] h2")).ToHaveTextAsync(name);
            await Expect(page.Locator("[data-panel] [data-cannot]")).ToBeVisibleAsync();
            await Expect(page.Locator("[data-panel]").GetByRole(AriaRole.Link, new() { Name = "Download", Exact = true })).ToBeVisibleAsync();
        }
        await person.ScreenshotAsync("files-panel-cannot");
        await person.ShouldBeAccessibleAsync();
        (await page.EvaluateAsync<bool>("() => 'ran' in window")).ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "F3")]
    public async Task A_picture_and_a_sound_are_shown_in_the_panel()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        await page.UploadAsync(
            new FilePayload { Name = "screen.png", MimeType = "image/png", Buffer = await page.ScreenshotAsync() },
            new FilePayload { Name = "silence.wav", MimeType = "audio/wav", Buffer = Silence(2) });
        await page.CloseTrayAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "screen.png", Exact = true }).ClickAsync();
        await page.WaitForFunctionAsync("() => document.querySelector('[data-panel] img')?.naturalWidth > 0");
        await page.GetByRole(AriaRole.Link, new() { Name = "silence.wav", Exact = true }).ClickAsync();
        await page.WaitForFunctionAsync("() => Math.round(document.querySelector('[data-panel] audio')?.duration) === 2");
        await Expect(page.Locator("[data-panel] [data-cannot]")).ToBeHiddenAsync();
    }

    [Fact, Trait("Requirement", "F3"), Trait("Requirement", "F4")]
    public async Task Without_script_everything_is_there_as_pages_and_forms()
    {
        await using var person = await chromium.PersonAsync();
        var files = await person.BeginAsync(chromium);
        await person.Page.MakeFolderAsync("Folder");
        await person.Page.UploadAsync(TextFile("a.txt"), TextFile("b.txt"));
        await using var plain = await person.AgainAsync(chromium, javaScript: false);
        var page = plain.Page;
        await page.GotoAsync(files);
        await page.GetByRole(AriaRole.Link, new() { Name = "Actions for a.txt" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Rename", Exact = true }).ClickAsync();
        await page.GetByLabel("Name").FillAsync("renamed.txt");
        await page.ChooseAsync("Rename");
        await page.GetByRole(AriaRole.Link, new() { Name = "Move", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Folder" }).Last.ClickAsync();
        await page.ChooseAsync("Move here");
        await Expect(page.FileRow("renamed.txt")).ToBeVisibleAsync();

        await page.GotoAsync(files);
        await page.GetByLabel("Select b.txt").CheckAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Delete" }).ClickAsync();
        await Expect(page.FileRow("b.txt")).ToHaveCountAsync(0);
        await page.GetByRole(AriaRole.Link, new() { Name = "Trash" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Restore b.txt" }).ClickAsync();
        await Expect(page.GetByText("The trash is empty")).ToBeVisibleAsync();
        await page.GotoAsync(files.Replace("/files", "/search?q=rena", StringComparison.Ordinal));
        await page.GetByRole(AriaRole.Link, new() { Name = "renamed.txt" }).ClickAsync();
        await Expect(page.Locator("[data-panel] h2")).ToHaveTextAsync("renamed.txt");
    }

    /// <summary>A second or more of nothing: 8-bit PCM at 8 kHz in a WAVE file.</summary>
    private static byte[] Silence(int seconds)
    {
        var samples = 8000 * seconds;
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write("RIFF"u8);
        writer.Write(36 + samples);
        writer.Write("WAVEfmt "u8);
        writer.Write(16);
        writer.Write((short)1);
        writer.Write((short)1);
        writer.Write(8000);
        writer.Write(8000);
        writer.Write((short)1);
        writer.Write((short)8);
        writer.Write("data"u8);
        writer.Write(samples);
        writer.Write(Enumerable.Repeat((byte)128, samples).ToArray());
        return stream.ToArray();
    }
}
