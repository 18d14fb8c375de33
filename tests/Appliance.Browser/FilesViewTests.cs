using System.Text;
using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Appliance.Browser.FilesJourneys;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>Tiles, one file over the whole window, what stands there while something is fetched, and how the list follows what others do.</summary>
[Collection("browser")]
public sealed class FilesViewTests(Chromium chromium)
{
    [Fact, Trait("Requirement", "F1"), Trait("Requirement", "F3")]
    public async Task Tiles_are_remembered_show_pictures_of_what_may_be_shown_and_are_walked_by_keyboard()
    {
        await using var person = await chromium.PersonAsync();
        var files = await person.BeginAsync(chromium);
        var page = person.Page;
        var asked = new List<string>();
        page.Request += (_, request) =>
        {
            if (new Uri(request.Url).AbsolutePath.EndsWith("/preview", StringComparison.Ordinal))
            {
                asked.Add(request.Url);
            }
        };
        var picture = await page.ScreenshotAsync();
        var large = new byte[3 << 20];
        picture.CopyTo(large, 0);
        await page.MakeFolderAsync("a folder");
        await page.ReloadAsync();
        await page.UploadAsync(
            new FilePayload { Name = "b.png", MimeType = "image/png", Buffer = picture },
            // Its name says image, its bytes do not; and the other way round.
            TextFile("c.png", "<svg onload=alert(1)>"), new FilePayload { Name = "d.txt", MimeType = "text/plain", Buffer = picture },
            new FilePayload { Name = "e.png", MimeType = "image/png", Buffer = large },
            TextFile("f.txt"), TextFile("g.txt"), TextFile("h.txt"), TextFile("i.txt"));
        await page.CloseTrayAsync();
        asked.ShouldBeEmpty("the list shows no pictures");

        var toggle = page.GetByRole(AriaRole.Button, new() { Name = "Tiles", Exact = true });
        await Expect(toggle).ToHaveAttributeAsync("aria-pressed", "false");
        await toggle.ClickAsync();
        await Expect(toggle).ToHaveAttributeAsync("aria-pressed", "true");
        await page.WaitForFunctionAsync("() => [...document.querySelectorAll('.thumb')].filter(i => i.naturalWidth > 0).length === 2");
        await Expect(page.FileRow("b.png").Locator(".thumb")).ToHaveCountAsync(1);
        await Expect(page.FileRow("d.txt").Locator(".thumb")).ToHaveCountAsync(1);
        asked.Count.ShouldBe(2, "neither what is no image nor what is too large is asked for");
        await person.ScreenshotAsync("files-tiles");
        await person.ShouldBeAccessibleAsync();

        // Remembered, and there with the first paint.
        await page.ReloadAsync();
        await Expect(toggle).ToHaveAttributeAsync("aria-pressed", "true");
        var side = await page.EvaluateAsync<int>("() => { const t = [...document.querySelectorAll('[data-rows] > tr')].map(r => r.offsetTop); return t.filter(y => y === t[0]).length; }");
        side.ShouldBeGreaterThan(2);
        await page.FileRow("a folder").FocusAsync();
        await page.Keyboard.PressAsync("ArrowRight");
        await Expect(page.FileRow("b.png")).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("ArrowLeft");
        await page.Keyboard.PressAsync("ArrowDown");
        (await page.EvaluateAsync<int>("() => [...document.querySelectorAll('[data-rows] > tr')].indexOf(document.activeElement)")).ShouldBe(side);
        await page.Keyboard.PressAsync("ArrowUp");
        await Expect(page.FileRow("a folder")).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Shift+ArrowRight");
        await Expect(page.Locator("[data-selection-text]")).ToContainTextAsync("2 items selected");
        await person.ShouldBeAccessibleAsync();

        // Without script it is the list it always was.
        await using var plain = await person.AgainAsync(chromium, javaScript: false);
        await plain.Page.GotoAsync(files);
        await Expect(plain.Page.FileRow("b.png")).ToBeVisibleAsync();
        (await plain.Page.Locator(".thumb").CountAsync()).ShouldBe(0);
        await Expect(plain.Page.GetByRole(AriaRole.Button, new() { Name = "Tiles", Exact = true })).ToBeHiddenAsync();
    }

    [Fact, Trait("Requirement", "F3")]
    public async Task A_file_fills_the_window_and_arrow_keys_lead_to_the_next_and_back()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        person.Expected.Add("Failed to load");
        var picture = await page.ScreenshotAsync();
        await page.MakeFolderAsync("folders are passed over");
        await page.ReloadAsync();
        await page.UploadAsync(
            new FilePayload { Name = "a.png", MimeType = "image/png", Buffer = picture }, TextFile("b.txt", "second words"),
            new FilePayload { Name = "c.pdf", MimeType = "application/pdf", Buffer = SamplePdf.With(["Third"]) },
            new FilePayload { Name = "d.bin", MimeType = "application/octet-stream", Buffer = [0, 1, 2, 3] },
            new FilePayload { Name = "e.wav", MimeType = "audio/wav", Buffer = [.. Encoding.ASCII.GetBytes("RIFF"), 0x24, 0, 0, 0, .. Encoding.ASCII.GetBytes("WAVEfmt "), 16, 0, 0, 0, 1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x40, 0x1f, 0, 0, 1, 0, 8, 0, .. Encoding.ASCII.GetBytes("data"), 0, 0, 0, 0] });
        await page.CloseTrayAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "a.png", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Full screen" }).ClickAsync();
        var viewer = page.GetByRole(AriaRole.Dialog, new() { Name = "a.png" });
        await Expect(viewer).ToBeVisibleAsync();
        await page.WaitForFunctionAsync("() => document.querySelector('#viewer img')?.naturalWidth > 0");
        await Expect(page.Locator("[data-viewer-place]")).ToHaveTextAsync("1 of 5");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Previous file" })).ToBeDisabledAsync();
        var box = (await page.Locator("#viewer").BoundingBoxAsync())!;
        (box.Width, box.Height).ShouldBe((1280, 800));
        await person.ShouldBeAccessibleAsync();

        await page.Keyboard.PressAsync("ArrowRight");
        await Expect(page.Locator("#viewer pre")).ToHaveTextAsync("second words");
        await person.ShouldBeAccessibleAsync();
        await page.Keyboard.PressAsync("ArrowRight");
        await Expect(page.FrameLocator("#viewer iframe").Locator("[data-words]")).ToContainTextAsync("Third");
        await page.GetByRole(AriaRole.Button, new() { Name = "Next file" }).ClickAsync();
        await Expect(page.Locator("#viewer [data-cannot]")).ToBeVisibleAsync();
        await page.Keyboard.PressAsync("ArrowRight");
        await Expect(page.Locator("#viewer audio")).ToHaveCountAsync(1);
        await Expect(page.Locator("#viewer h2")).ToHaveTextAsync("e.wav");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Next file" })).ToBeDisabledAsync();
        await page.Locator("#viewer h2").FocusAsync();
        await page.Keyboard.PressAsync("ArrowRight"); // nothing behind the last
        await page.Keyboard.PressAsync("ArrowLeft");
        await Expect(page.Locator("#viewer h2")).ToHaveTextAsync("d.bin");
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.Locator("#viewer")).ToBeHiddenAsync();
        await Expect(page.FileRow("d.bin")).ToBeFocusedAsync();
        // And from the list, by one key.
        await page.Keyboard.PressAsync("v");
        await Expect(page.Locator("#viewer h2")).ToHaveTextAsync("d.bin");
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task What_takes_long_is_announced_at_once_drawn_after_a_moment_and_moves_nothing_when_it_comes()
    {
        await using var person = await chromium.PersonAsync(motion: true);
        await person.BeginAsync(chromium);
        var page = person.Page;
        await page.UploadAsync(TextFile("a.txt", "words"));
        await page.CloseTrayAsync();
        var gate = new TaskCompletionSource();
        await page.RouteAsync("**/details", async route =>
        {
            await gate.Task;
            await route.ContinueAsync();
        });
        await page.GetByRole(AriaRole.Link, new() { Name = "a.txt", Exact = true }).ClickAsync();
        await Expect(page.Locator("[data-files]")).ToHaveAttributeAsync("aria-busy", "true");
        await Expect(page.Locator(".panel-waiting")).ToBeVisibleAsync();
        (await page.EvaluateAsync<string>("() => getComputedStyle(document.querySelector('.skeleton')).animationName")).ShouldNotBe("none");
        var (row, panel) = ((await page.FileRow("a.txt").BoundingBoxAsync())!, (await page.Locator(".panel-waiting").BoundingBoxAsync())!);
        await person.ScreenshotAsync("files-waiting");
        await person.ShouldBeAccessibleAsync();
        await page.EmulateMediaAsync(new() { ReducedMotion = ReducedMotion.Reduce });
        (await page.EvaluateAsync<string>("() => getComputedStyle(document.querySelector('.skeleton')).animationName")).ShouldBe("none");
        gate.SetResult();
        await Expect(page.Locator("[data-panel] pre")).ToHaveTextAsync("words");
        await Expect(page.Locator(".panel-waiting")).ToHaveCountAsync(0);
        (await page.Locator("[data-files]").GetAttributeAsync("aria-busy")).ShouldBeNull();
        var (rowAfter, panelAfter) = ((await page.FileRow("a.txt").BoundingBoxAsync())!, (await page.Locator("[data-panel]").BoundingBoxAsync())!);
        (rowAfter.X, rowAfter.Y, rowAfter.Width, rowAfter.Height).ShouldBe((row.X, row.Y, row.Width, row.Height));
        (panelAfter.X, panelAfter.Y, panelAfter.Width).ShouldBe((panel.X, panel.Y, panel.Width));

        // What comes quickly never shows one.
        await page.EvaluateAsync("() => { window.seen = 0; new MutationObserver((all) => { window.seen += all.flatMap((m) => [...m.addedNodes]).filter((n) => n.matches?.('.panel-waiting')).length; }).observe(document.querySelector('main'), { childList: true }); }");
        await page.UnrouteAllAsync();
        await page.Keyboard.PressAsync("Escape");
        var answer = await page.EvaluateAsync<string>("async () => (await fetch(`${location.pathname}/${document.querySelector('[data-name=\"a.txt\"]').dataset.entry}/details`)).text()");
        await page.RouteAsync("**/details", route => route.FulfillAsync(new() { Body = answer, ContentType = "text/html; charset=utf-8" }));
        await page.GetByRole(AriaRole.Link, new() { Name = "a.txt", Exact = true }).ClickAsync();
        await Expect(page.Locator("[data-panel] h2")).ToHaveTextAsync("a.txt");
        (await page.EvaluateAsync<int>("() => window.seen")).ShouldBe(0);
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task What_somebody_else_does_comes_into_the_list_and_disturbs_nothing()
    {
        await using var person = await chromium.PersonAsync();
        var files = await person.BeginAsync(chromium);
        var page = person.Page;
        await page.UploadAsync(TextFile("b.txt"), TextFile("c.txt"), TextFile("d.txt"));
        await page.CloseTrayAsync();
        await page.GetByLabel("Select b.txt").CheckAsync();
        await page.FileRow("c.txt").FocusAsync();
        var answers = new List<int>();
        page.Response += (_, response) =>
        {
            if (response.Url.Contains("/entries?", StringComparison.Ordinal))
            {
                answers.Add(response.Status);
            }
        };

        await using var other = await person.AgainAsync(chromium);
        await other.Page.GotoAsync(files);
        await other.Page.MakeFilesAsync(1, "a-new-");
        await other.Page.FileRow("d.txt").FocusAsync();
        await other.Page.Keyboard.PressAsync("Delete");
        await Expect(other.Page.FileRow("d.txt")).ToHaveCountAsync(0);

        await Expect(page.FileRow("a-new-00000.txt")).ToBeVisibleAsync(new() { Timeout = 30_000 });
        await Expect(page.FileRow("d.txt")).ToHaveCountAsync(0);
        await Expect(page.Locator("[data-announce]")).ToHaveTextAsync("This folder was changed: 1 new, 1 gone.");
        await Expect(page.FileRow("b.txt")).ToHaveAttributeAsync("aria-selected", "true");
        await Expect(page.FileRow("c.txt")).ToBeFocusedAsync();
        await person.ShouldBeAccessibleAsync();

        // Nothing changes while somebody types a name; it comes when that is over. What one has the focus on leaves it to its neighbour.
        await page.Keyboard.PressAsync("F2");
        var field = page.Locator("#name-field");
        await field.FillAsync("half a na");
        var entry = await page.FileRow("c.txt").GetAttributeAsync("data-entry");
        await other.Page.ApiAsync("POST", "/entries/trash", new { entries = new[] { entry } });
        await Task.Delay(10_000);
        await Expect(field).ToHaveValueAsync("half a na");
        await Expect(page.FileRow("c.txt")).ToHaveCountAsync(1);
        await page.Keyboard.PressAsync("Escape");
        await page.FileRow("c.txt").FocusAsync();
        await Expect(page.FileRow("c.txt")).ToHaveCountAsync(0, new() { Timeout = 30_000 });
        await Expect(page.FileRow("b.txt")).ToBeFocusedAsync();

        // While nothing happens the answer is 304, which carries nothing.
        answers.Clear();
        await page.WaitForResponseAsync(response => response.Url.Contains("/entries?", StringComparison.Ordinal) && response.Status == 304, new() { Timeout = 30_000 });
        answers.ShouldNotContain(200);
    }
}
