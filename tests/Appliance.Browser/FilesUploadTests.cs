using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Appliance.Browser.FilesJourneys;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>The upload tray: conflicts asked once, folders, quotas, and going on after everything that can come in between.</summary>
[Collection("browser")]
public sealed class FilesUploadTests(Chromium chromium)
{
    private static readonly byte[] s_large = Enumerable.Range(0, 24 << 20).Select(i => (byte)(i * 31 + (i >> 11))).ToArray();

    /// <summary>Chosen by its path: to hand these bytes to the browser through its protocol takes longer than the test allows on a busy machine.</summary>
    private static readonly Lazy<string> s_largeFile = new(() =>
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("appliance-upload-").FullName, "large.bin");
        File.WriteAllBytes(path, s_large);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        return path;
    });

    [Fact, Trait("Requirement", "F1"), Trait("Requirement", "F4")]
    public async Task Names_that_are_taken_are_asked_about_once_and_each_gets_what_was_chosen()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        await page.UploadAsync(TextFile("version.txt", "1"), TextFile("both.txt", "1"), TextFile("skip.txt", "1"));
        await page.CloseTrayAsync();
        await page.Locator("[data-upload-input]").SetInputFilesAsync(
            [TextFile("version.txt", "22"), TextFile("both.txt", "22"), TextFile("skip.txt", "22"), TextFile("new.txt", "22")]);
        var dialog = page.GetByRole(AriaRole.Dialog, new() { Name = "3 names are taken" });
        await Expect(dialog).ToBeVisibleAsync();
        await dialog.GetByText("Choose for each").ClickAsync();
        await dialog.GetByLabel("What happens with both.txt").SelectOptionAsync("keep-both");
        await dialog.GetByLabel("What happens with skip.txt").SelectOptionAsync("skip");
        await person.ScreenshotAsync("files-conflict");
        await person.ShouldBeAccessibleAsync();
        (await page.Locator(".tray").CountAsync()).ShouldBe(0, "nothing is sent before it is answered");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Upload", Exact = true }).ClickAsync();
        await Expect(page.Locator(".tray strong")).ToHaveTextAsync("3 of 3 uploaded");
        await Expect(page.Locator("[data-rows] > tr")).ToHaveCountAsync(5);
        await Expect(page.FileRow("version.txt").Locator(".num")).ToHaveTextAsync("2 B");
        await Expect(page.FileRow("both.txt").Locator(".num")).ToHaveTextAsync("1 B");
        await Expect(page.FileRow("skip.txt").Locator(".num")).ToHaveTextAsync("1 B");
        await Expect(page.FileRow("new.txt").Locator(".num")).ToHaveTextAsync("2 B");
        (await page.NamesAsync()).ShouldContain(name => name.StartsWith("both", StringComparison.Ordinal) && name != "both.txt");

        // Cancelled: nothing of it is sent, not even what has a free name.
        await page.CloseTrayAsync();
        await page.Locator("[data-upload-input]").SetInputFilesAsync([TextFile("skip.txt", "333"), TextFile("free.txt")]);
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel upload" }).ClickAsync();
        await page.ReloadAsync();
        (await page.NamesAsync()).Length.ShouldBe(5);
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task A_folder_comes_in_with_everything_below_it_and_again_into_itself()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        var folder = Directory.CreateTempSubdirectory("season");
        try
        {
            Directory.CreateDirectory(Path.Combine(folder.FullName, "raw", "takes"));
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "plan.txt"), "plan");
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "raw", "takes", "take 1.txt"), "take");
            await page.Locator("[data-upload-folder]").SetInputFilesAsync(folder.FullName);
            await Expect(page.FileRow(folder.Name)).ToBeVisibleAsync();
            await Expect(page.Locator(".tray strong")).ToHaveTextAsync("2 of 2 uploaded");
            await page.CloseTrayAsync();

            // Once more: the folders are used, and the files in them are asked about.
            await page.Locator("[data-upload-folder]").SetInputFilesAsync(folder.FullName);
            await Expect(page.GetByRole(AriaRole.Dialog, new() { Name = "2 names are taken" })).ToBeVisibleAsync();
            await page.Locator("#conflict-dialog").GetByRole(AriaRole.Button, new() { Name = "Upload", Exact = true }).ClickAsync();
            await Expect(page.Locator(".tray strong")).ToHaveTextAsync("2 of 2 uploaded");
            (await page.NamesAsync()).ShouldBe([folder.Name]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
        foreach (var step in new[] { folder.Name, "raw", "takes" })
        {
            await page.GetByRole(AriaRole.Link, new() { Name = step, Exact = true }).Last.ClickAsync();
        }
        await page.GetByRole(AriaRole.Link, new() { Name = "take 1.txt", Exact = true }).ClickAsync();
        await Expect(page.Locator(".version")).ToHaveCountAsync(2);
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task Folders_and_files_that_are_dropped_come_in_with_everything_below_them_empty_ones_too()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        var outside = Directory.CreateTempSubdirectory("dropped");
        try
        {
            var folder = outside.CreateSubdirectory("Staffel ß");
            folder.CreateSubdirectory("empty");
            // More than the hundred that a directory reader hands out at once.
            var many = folder.CreateSubdirectory("raw").CreateSubdirectory("takes");
            foreach (var n in Enumerable.Range(0, 120))
            {
                await File.WriteAllTextAsync(Path.Combine(many.FullName, $"take {n:000}.txt"), $"take {n}");
            }
            var single = Path.Combine(outside.FullName, "single.txt");
            await File.WriteAllTextAsync(single, "single");
            await page.DropAsync(page.Locator("[data-drop]"), folder.FullName, single);
            await Expect(page.Locator(".tray strong")).ToHaveTextAsync("121 of 121 uploaded", new() { Timeout = 60_000 });
        }
        finally
        {
            outside.Delete(recursive: true);
        }
        await Expect(page.FileRow("single.txt")).ToBeVisibleAsync(); // its row comes a moment after the tray's word
        (await page.NamesAsync()).ShouldBe(["Staffel ß", "single.txt"]);
        await page.CloseTrayAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Staffel ß", Exact = true }).ClickAsync();
        await page.ArriveAsync("Staffel ß");
        (await page.NamesAsync()).ShouldBe(["empty", "raw"]);
        await page.GetByRole(AriaRole.Link, new() { Name = "raw", Exact = true }).ClickAsync();
        await page.ArriveAsync("raw");
        await page.GetByRole(AriaRole.Link, new() { Name = "takes", Exact = true }).ClickAsync();
        await page.ArriveAsync("takes");
        (await page.NamesAsync()).ShouldBe(Enumerable.Range(0, 120).Select(n => $"take {n:000}.txt"));
        await page.GetByRole(AriaRole.Link, new() { Name = "take 119.txt", Exact = true }).ClickAsync();
        await Expect(page.Locator("[data-panel] pre")).ToHaveTextAsync("take 119");
    }

    [Fact, Trait("Requirement", "F10")]
    public async Task What_does_not_fit_is_refused_in_words_before_a_byte_is_sent_and_the_meter_warns()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        await page.UploadAsync(TextFile("first.txt", new string('x', 950)));
        await chromium.SetQuotaAsync(page, 1000, null);
        await page.ReloadAsync();
        await Expect(page.Locator("[data-usage]")).ToContainTextAsync("Almost full");
        var sent = 0;
        page.Request += (_, request) => sent += request.Url.Contains("/uploads", StringComparison.Ordinal) ? 1 : 0;
        await page.Locator("[data-upload-input]").SetInputFilesAsync([TextFile("a.txt", new string('y', 40)), TextFile("b.txt", new string('z', 40))]);
        await Expect(page.Toast("would not fit")).ToContainTextAsync("These 2 files (80 B)");
        await person.ScreenshotAsync("files-quota");
        await person.ShouldBeAccessibleAsync();
        sent.ShouldBe(0);
        (await page.NamesAsync()).ShouldBe(["first.txt"]);
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task When_one_of_several_cannot_be_the_others_are_stored_and_shown()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        person.Expected.Add("400");
        var page = person.Page;
        await page.Locator("[data-upload-input]").SetInputFilesAsync([TextFile("good.txt"), TextFile("CON.txt"), TextFile("also good.txt")]);
        await Expect(page.FileRow("good.txt")).ToBeVisibleAsync();
        await Expect(page.FileRow("also good.txt")).ToBeVisibleAsync();
        await Expect(page.Locator(".tray strong")).ToHaveTextAsync("2 of 3 uploaded, 1 failed");
        await Expect(page.Locator(".tray-item[data-state='failed']")).ToContainTextAsync("device");
        await person.ShouldBeAccessibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove CON.txt" }).ClickAsync();
        await Expect(page.Locator(".tray strong")).ToHaveTextAsync("2 of 2 uploaded");
    }

    [Fact, Trait("Requirement", "F2")]
    public async Task An_upload_is_paused_goes_on_by_itself_after_the_connection_was_lost_and_is_whole()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        person.Expected.AddRange(["ERR_INTERNET_DISCONNECTED", "Failed to load", "net::"]);
        var page = person.Page;
        await SlowAsync(person, 4_000_000);
        await page.Locator("[data-upload-input]").SetInputFilesAsync(s_largeFile.Value);
        var meta = page.Locator(".tray-item .tray-meta");
        await Expect(meta).ToContainTextAsync("MiB of 24.0 MiB");
        await Expect(page.Locator(".tray")).ToContainTextAsync("/s");
        await person.ScreenshotAsync("files-uploading");
        await person.ShouldBeAccessibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Pause large.bin" }).ClickAsync();
        await Expect(meta).ToContainTextAsync("Paused at");
        await page.GetByRole(AriaRole.Button, new() { Name = "Resume large.bin" }).ClickAsync();
        await Expect(meta).ToContainTextAsync("/s");

        await person.Context.SetOfflineAsync(true);
        await Expect(meta).ToContainTextAsync("No connection");
        await Expect(page.Locator("[data-offline]")).ToBeVisibleAsync();
        await person.ScreenshotAsync("files-offline");
        await person.ShouldBeAccessibleAsync();
        await person.Context.SetOfflineAsync(false);
        await SlowAsync(person, -1);
        await Expect(page.Locator(".tray strong")).ToHaveTextAsync("1 of 1 uploaded", new() { Timeout = 60_000 });
        await WholeAsync(page);
    }

    [Fact, Trait("Requirement", "F2")]
    public async Task An_upload_survives_a_restart_of_the_server()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        person.Expected.AddRange(["ERR_", "Failed to load", "503"]);
        var page = person.Page;
        await SlowAsync(person, 6_000_000);
        await page.Locator("[data-upload-input]").SetInputFilesAsync(s_largeFile.Value);
        await Expect(page.Locator(".tray-item .tray-meta")).ToContainTextAsync("MiB of 24.0 MiB");
        await chromium.Appliance.StopServiceAsync();
        await chromium.Appliance.StartServiceAsync();
        await SlowAsync(person, -1);
        await Expect(page.Locator(".tray strong")).ToHaveTextAsync("1 of 1 uploaded", new() { Timeout = 120_000 });
        await WholeAsync(page);
    }

    [Fact, Trait("Requirement", "F2")]
    public async Task After_the_window_was_closed_choosing_the_same_file_goes_on_where_it_stopped_and_says_so()
    {
        await using var person = await chromium.PersonAsync();
        var files = await person.BeginAsync(chromium);
        var page = person.Page;
        var folder = Directory.CreateTempSubdirectory();
        var path = Path.Combine(folder.FullName, "large.bin");
        await File.WriteAllBytesAsync(path, s_large);
        try
        {
            await SlowAsync(person, 3_000_000);
            await page.Locator("[data-upload-input]").SetInputFilesAsync(path);
            await Expect(page.Locator(".tray-item .tray-meta")).ToContainTextAsync("MiB of 24.0 MiB");
            await page.GetByRole(AriaRole.Button, new() { Name = "Pause large.bin" }).ClickAsync(); // as closing does: the request ends
            await Expect(page.Locator(".tray-item .tray-meta")).ToContainTextAsync("Paused at");
            await SlowAsync(person, -1);
            await page.GotoAsync("about:blank");

            await page.GotoAsync(files);
            await Expect(page.Locator("[data-unfinished]")).ToContainTextAsync("1 upload into this folder was not finished. Choose the same files again");
            await person.ShouldBeAccessibleAsync();
            await page.Locator("[data-upload-input]").SetInputFilesAsync(path);
            await Expect(page.Locator(".tray-item .tray-meta")).ToContainTextAsync("resumed where it had stopped", new() { Timeout = 60_000 });
        }
        finally
        {
            folder.Delete(recursive: true);
        }
        await WholeAsync(page);
        await page.ReloadAsync();
        await Expect(page.Locator("[data-unfinished]")).ToBeHiddenAsync();
    }

    [Fact, Trait("Requirement", "F1")]
    public async Task Walking_to_another_folder_and_back_keeps_an_upload_running()
    {
        await using var person = await chromium.PersonAsync();
        await person.BeginAsync(chromium);
        var page = person.Page;
        await page.MakeFolderAsync("Elsewhere");
        await page.ReloadAsync();
        await SlowAsync(person, 4_000_000);
        await page.Locator("[data-upload-input]").SetInputFilesAsync(s_largeFile.Value);
        await Expect(page.Locator(".tray-item .tray-meta")).ToContainTextAsync("MiB of 24.0 MiB");
        await page.GetByRole(AriaRole.Link, new() { Name = "Elsewhere", Exact = true }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Elsewhere" })).ToBeVisibleAsync();
        await Expect(page.Locator(".tray strong")).ToHaveTextAsync("Uploading 1 of 1");
        await page.Keyboard.PressAsync("n"); // the page works as any other
        await page.Keyboard.TypeAsync("Inside");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.FileRow("Inside")).ToBeFocusedAsync();
        await page.GoBackAsync();
        await Expect(page.FileRow("Elsewhere")).ToBeVisibleAsync();
        await SlowAsync(person, -1);
        await Expect(page.FileRow("large.bin")).ToBeVisibleAsync(new() { Timeout = 60_000 });
        await WholeAsync(page);
    }

    private static async Task SlowAsync(Person person, int bytesPerSecond)
    {
        var session = await person.Context.NewCDPSessionAsync(person.Page);
        await session.SendAsync("Network.enable");
        await session.SendAsync("Network.emulateNetworkConditions", new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["offline"] = false, ["latency"] = 0, ["downloadThroughput"] = -1, ["uploadThroughput"] = bytesPerSecond,
        });
    }

    private static async Task WholeAsync(IPage page)
    {
        await Expect(page.FileRow("large.bin")).ToBeVisibleAsync(new() { Timeout = 30_000 });
        var reference = await page.FileRow("large.bin").GetAttributeAsync("data-entry");
        var download = await page.RunAndWaitForDownloadAsync(() => page.EvaluateAsync("address => { location.href = address; }", new Uri(new Uri(page.Url), page.Url.Split('?')[0] + "/../files/" + reference + "/content").ToString()));
        (await File.ReadAllBytesAsync(await download.PathAsync())).AsSpan().SequenceEqual(s_large).ShouldBeTrue();
    }
}
