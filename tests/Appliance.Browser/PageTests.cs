using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>Every page as people see it: light and dark, wide and on a phone, by keyboard, and without script where the platform allows.</summary>
[Collection("browser")]
public sealed class PageTests(Chromium chromium)
{
    public static TheoryData<int, ColorScheme> Shapes => new()
    {
        { 1280, ColorScheme.Light },
        { 1280, ColorScheme.Dark },
        { 390, ColorScheme.Light },
        { 390, ColorScheme.Dark },
    };

    [Theory, Trait("Requirement", "O4")]
    [MemberData(nameof(Shapes))]
    public async Task Every_page_is_accessible_in_every_shape(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        await using var person = await chromium.PersonAsync(width, theme);
        person.Expected.Add("404");
        await person.PlugInKeyAsync();
        var page = person.Page;
        var name = "look." + shape;

        await page.GotoAsync((await chromium.SetUpLinkAsync()).ToString());
        await LookAsync("set-up-link");
        await page.ChooseAsync("Begin");
        await page.GetByLabel("Username").FillAsync(name);
        await page.GetByLabel("Password", new() { Exact = true }).FillAsync("summer2024");
        await Expect(page.Locator("[data-password-bits]")).Not.ToBeEmptyAsync();
        await LookAsync("set-up-account");
        await page.GetByLabel("Password", new() { Exact = true }).FillAsync(Journeys.Password);
        await page.ChooseAsync("Continue");
        await Expect(page.GetByLabel("Name of this key")).ToBeVisibleAsync();
        await LookAsync("set-up-key");
        await page.ChooseAsync("Add security key");
        await Expect(page.Locator("#codes")).ToBeVisibleAsync();
        await LookAsync("set-up-codes");
        await page.GetByLabel("I have printed these codes").CheckAsync();
        await page.ChooseAsync("Finish");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
        await LookAsync("teams-empty");

        await person.MakeTeamAsync("Nordlicht Studio");
        await LookAsync("files-empty");
        var files = page.Url;
        foreach (var folder in new[] { "Cover art", "מוזיקה ורישיונות" })
        {
            await page.GotoAsync(files.Replace("/files", "/new-folder", StringComparison.Ordinal));
            await page.GetByLabel("Name", new() { Exact = true }).FillAsync(folder);
            await page.ChooseAsync("Create folder");
        }
        await page.Locator("[data-upload-input]").SetInputFilesAsync(new[]
        {
            "01 – Opening conversation with the harbour master.wav", "Interview_2026-10-14_second-microphone_unedited_DO-NOT-PUBLISH_before-legal-has-seen-it.flac",
            "Harbour at dawn.jpeg", "عقد الضيف.pdf", "Show notes.md",
        }.Select(n => new FilePayload { Name = n, MimeType = "text/plain", Buffer = new byte[4200] }));
        await Expect(page.Locator("a.file-name[title='Show notes.md']")).ToBeVisibleAsync(new() { Timeout = 20_000 });
        await LookAsync("files");
        foreach (var (address, what) in new[]
        {
            (files.Replace("/files", "/new-folder", StringComparison.Ordinal), "new-folder"), (files.Replace("/files", "/upload-form", StringComparison.Ordinal), "upload-form"),
            (files.Replace("/files", "/members", StringComparison.Ordinal), "members"), (files.Replace("/files", "/ledger", StringComparison.Ordinal), "ledger"),
            ("/account/security", "account-security"), ("/account/sessions", "account-sessions"), ("/account/password", "account-password"),
            ("/account/recovery-codes", "recovery-codes"), ("/account/security/keys/add", "add-key"), ("/nowhere", "not-found"),
        })
        {
            await page.GotoAsync(address);
            await LookAsync(what);
        }
        await page.GotoAsync("/teams");
        await person.SignOutAsync();
        await LookAsync("sign-in");
        await person.GivePasswordAsync(name, "wrong-password-here");
        await Expect(page.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
        await LookAsync("sign-in-refused");

        async Task LookAsync(string what)
        {
            await person.ScreenshotAsync($"{what}-{shape}");
            await person.ShouldBeAccessibleAsync();
        }
    }

    [Fact, Trait("Requirement", "A3")]
    public async Task Signing_in_works_by_keyboard_alone()
    {
        await using var person = await chromium.PersonAsync();
        await person.PlugInKeyAsync();
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), "by.keyboard");
        await person.SignOutAsync();
        await person.Page.GotoAsync("/sign-in");
        await person.Page.GetByLabel("Username").FocusAsync();
        await person.Page.Keyboard.TypeAsync("by.keyboard");
        await person.Page.Keyboard.PressAsync("Tab");
        await person.Page.Keyboard.TypeAsync(Journeys.Password);
        await person.Page.Keyboard.PressAsync("Enter");
        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
    }

    [Fact, Trait("Requirement", "O4")]
    public async Task The_policy_stops_what_it_promises_to_stop_in_a_real_browser()
    {
        await using var person = await chromium.PersonAsync();
        person.Expected.AddRange(["Content Security Policy", "TrustedHTML", "TrustedScript", "Trusted Type", "violates", "Refused"]);
        await person.Page.GotoAsync("/sign-in");
        var stopped = await person.Page.EvaluateAsync<string[]>("""
            () => {
              const stopped = [];
              const script = document.createElement('script');
              try { script.textContent = 'window.ran = true'; document.body.append(script); } catch { }
              if (!window.ran) stopped.push('inline script');
              try { document.body.innerHTML = '<b>x</b>'; } catch { stopped.push('innerHTML'); }
              return stopped;
            }
            """);
        stopped.ShouldBe(["inline script", "innerHTML"]);
        // A foreign image is never asked for: the request would fail this test when the person leaves.
        await person.Page.EvaluateAsync("() => { const image = new Image(); image.src = 'https://elsewhere.example/x.png'; document.body.append(image); }");
        await person.Page.EvaluateAsync("() => new Promise(done => setTimeout(done, 300))");
    }

    [Fact, Trait("Requirement", "F2")]
    public async Task Without_script_a_folder_is_made_and_a_file_goes_in()
    {
        await using var person = await chromium.PersonAsync();
        await person.PlugInKeyAsync();
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), "no.script");
        await person.MakeTeamAsync("Plain");
        await using var plain = await chromium.PersonAsync(javaScript: false);
        await plain.Context.AddCookiesAsync((await person.Context.CookiesAsync()).Select(c => new Cookie
        {
            Name = c.Name, Value = c.Value, Url = chromium.Appliance.Settings.Origin.ToString(), Secure = true, HttpOnly = c.HttpOnly, SameSite = c.SameSite,
        }));
        await plain.Page.GotoAsync(person.Page.Url);
        await plain.Page.GetByRole(AriaRole.Link, new() { Name = "New folder" }).ClickAsync();
        await plain.Page.GetByLabel("Name", new() { Exact = true }).FillAsync("By hand");
        await plain.Page.ChooseAsync("Create folder");
        await plain.Page.GetByRole(AriaRole.Link, new() { Name = "Upload" }).ClickAsync();
        await plain.Page.GetByLabel("Files", new() { Exact = true }).SetInputFilesAsync(new FilePayload { Name = "plain.txt", MimeType = "text/plain", Buffer = "hello"u8.ToArray() });
        await plain.Page.ChooseAsync("Upload");
        await Expect(plain.Page.Locator("a.file-name[title='plain.txt']")).ToBeVisibleAsync();
    }
}
