using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>What people do with files.</summary>
internal static class FilesJourneys
{
    private static int s_people;

    /// <summary>A new person with a team of their own, on its empty list of files; answers the list's address.</summary>
    public static async Task<string> BeginAsync(this Person person, Chromium chromium)
    {
        await person.PlugInKeyAsync();
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), $"files.{Interlocked.Increment(ref s_people)}.{Guid.NewGuid():N}"[..24]);
        await person.MakeTeamAsync("Nordlicht Studio");
        await person.Page.WaitForLoadStateAsync(); // its modules have run
        return person.Page.Url;
    }

    /// <summary>The same person in another window, or without script: their cookies are taken along.</summary>
    public static async Task<Person> AgainAsync(this Person person, Chromium chromium, int width = 1280, ColorScheme theme = ColorScheme.Light, bool javaScript = true)
    {
        var again = await chromium.PersonAsync(width, theme, javaScript);
        await again.Context.AddCookiesAsync((await person.Context.CookiesAsync()).Select(c => new Cookie
        {
            Name = c.Name, Value = c.Value, Url = chromium.Appliance.Settings.Origin.ToString(), Secure = true, HttpOnly = c.HttpOnly, SameSite = c.SameSite,
        }));
        return again;
    }

    public static FilePayload TextFile(string name, string content = "hello") => new() { Name = name, MimeType = "text/plain", Buffer = Encoding.UTF8.GetBytes(content) };

    /// <summary>Chooses files, answers the conflict dialog by nothing, and waits for their rows.</summary>
    public static async Task UploadAsync(this IPage page, params FilePayload[] files)
    {
        await page.Locator("[data-upload-input]").SetInputFilesAsync(files);
        foreach (var file in files)
        {
            await Expect(page.FileRow(file.Name)).ToBeVisibleAsync();
        }
        await Expect(page.Locator(".tray strong")).ToContainTextAsync("uploaded");
    }

    public static async Task CloseTrayAsync(this IPage page)
    {
        await page.Locator(".tray").GetByRole(AriaRole.Button, new() { Name = "Close", Exact = true }).ClickAsync();
        await Expect(page.Locator(".tray")).ToHaveCountAsync(0);
    }

    public static ILocator FileRow(this IPage page, string name) => page.Locator($"[data-rows] > tr[data-name=\"{name}\"]");

    public static ILocator Toast(this IPage page, string text) => page.Locator(".toast", new() { HasText = text }).Last;

    /// <summary>The names in the list, as they stand.</summary>
    public static Task<string[]> NamesAsync(this IPage page) =>
        page.EvaluateAsync<string[]>("() => [...document.querySelectorAll('[data-rows] > tr')].map(row => row.dataset.name)");

    /// <summary>Asks the JSON API as the page's own modules do; answers the parsed body.</summary>
    public static Task<JsonElement> ApiAsync(this IPage page, string method, string path, object? body = null) =>
        page.EvaluateAsync<JsonElement>(
            """
            async ([method, path, body]) => {
              const answer = await fetch(`/api/v1/teams/${document.querySelector('[data-team]').dataset.team}${path}`, {
                method, body: body === null ? undefined : JSON.stringify(body),
                headers: { 'Content-Type': 'application/json', RequestVerificationToken: document.querySelector('meta[name="csrf"]').content } });
              if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
              return answer.status === 204 ? {} : answer.json();
            }
            """, new object?[] { method, path, body });

    public static async Task<string> MakeFolderAsync(this IPage page, string name, string? folder = null) =>
        (await page.ApiAsync("POST", "/folders", new { name, folder, existing = "refuse" })).GetProperty("reference").GetString()!;

    /// <summary>Many small files, quickly, through the API.</summary>
    public static Task MakeFilesAsync(this IPage page, int count, string prefix = "file-", string? folder = null) =>
        page.EvaluateAsync(
            """
            async ([count, prefix, folder]) => {
              const team = document.querySelector('[data-team]').dataset.team;
              const token = document.querySelector('meta[name="csrf"]').content;
              let next = 0;
              const one = async () => {
                while (next < count) {
                  const name = `${prefix}${String(next++).padStart(5, '0')}.txt`;
                  const answer = await fetch(`/api/v1/teams/${team}/files?${new URLSearchParams({ name, ...(folder ? { folder } : {}) })}`, { method: 'POST', body: 'x', headers: { RequestVerificationToken: token } });
                  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
                }
              };
              await Promise.all(Array.from({ length: 8 }, one));
            }
            """, new object?[] { count, prefix, folder });

    /// <summary>Drops files and folders of this machine there, as the system's own file manager would.</summary>
    public static async Task DropAsync(this IPage page, ILocator onto, params string[] paths)
    {
        var box = (await onto.BoundingBoxAsync())!;
        await using var session = await page.Context.NewCDPSessionAsync(page);
        foreach (var type in new[] { "dragEnter", "dragOver", "drop" })
        {
            await session.SendAsync("Input.dispatchDragEvent", new Dictionary<string, object>(StringComparer.Ordinal)
            {
                ["type"] = type,
                ["x"] = box.X + box.Width / 2,
                ["y"] = box.Y + box.Height / 2,
                ["data"] = new Dictionary<string, object>(StringComparer.Ordinal) { ["items"] = Array.Empty<object>(), ["files"] = paths, ["dragOperationsMask"] = 1 },
            });
        }
    }

    /// <summary>Follows what was just chosen to another folder, and waits until its page works.</summary>
    public static async Task ArriveAsync(this IPage page, string heading)
    {
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = heading, Exact = true })).ToBeVisibleAsync();
        await page.WaitForLoadStateAsync();
    }

    /// <summary>Thousands of folders at once, past the API: "folder-00000" and so on, at the root.</summary>
    public static async Task MakeManyAsync(this Chromium chromium, IPage page, int count)
    {
        var (team, person) = await chromium.TeamOfAsync(page);
        await using var session = await chromium.Appliance.Database.ForTeamAsync(team, person, default);
        await session.ExecuteAsync(
            $"""
            insert into entries (id, team_id, reference, kind, name, name_key, size, created_at, created_by, modified_at, modified_by)
            select gen_random_uuid(), {team.Value}, substr(md5(n::text) || md5(n::text), 1, 26), 'folder', 'folder-' || lpad(n::text, 5, '0'), 'FOLDER-' || lpad(n::text, 5, '0'), 0,
                   now(), {person.Value}, now(), {person.Value}
            from generate_series(0, {count - 1}) n
            """, default);
        await session.CommitAsync(default);
    }

    private static async Task<(Appliance.Vault.TeamId Team, Appliance.Data.UserId Person)> TeamOfAsync(this Chromium chromium, IPage page)
    {
        var reference = await page.EvaluateAsync<string>("() => document.querySelector('[data-team]').dataset.team");
        var username = await page.Locator(".account strong").TextContentAsync();
        await using var appliance = await chromium.Appliance.Database.ForApplianceAsync(default);
        var user = (await appliance.Query<Appliance.Accounts.User>().SingleAsync(u => u.Username == username)).Id;
        await using var session = await chromium.Appliance.Database.ForUserAsync(user, default);
        return (new((await session.SqlAsync<Guid>($"""select id as "Value" from teams where reference = {reference}""", default)).Single()), user);
    }

    /// <summary>What a finger may press in the page or in an open dialog and is smaller than 44 by 44 pixels (WCAG 2.2, 2.5.5).</summary>
    public static Task<string[]> SmallTargetsAsync(this IPage page) => page.EvaluateAsync<string[]>(
        """
        () => [...document.querySelectorAll('main :is(a.btn, button, summary, .cell-check label), dialog[open] :is(a.btn, button, summary), #row-menu:popover-open button, .tray button')]
            .filter(e => e.checkVisibility({ visibilityProperty: true }) && !e.matches('.visually-hidden'))
            .map(e => [e, e.getBoundingClientRect()]).filter(([, at]) => at.height < 43.9 || at.width < 43.9)
            .map(([e, at]) => `${e.className} "${(e.getAttribute('aria-label') ?? e.textContent).trim()}" ${at.width}x${at.height}`)
        """);

    /// <summary>What the operator allows the team of this page.</summary>
    public static async Task SetQuotaAsync(this Chromium chromium, IPage page, long? bytes, long? files)
    {
        var (team, _) = await chromium.TeamOfAsync(page);
        await using var job = await chromium.Appliance.Database.ForJobAsync(team, default);
        await job.SqlAsync<int>($"""select 1 as "Value" from (select app_set_quota({bytes}::bigint, {files}::bigint)) done""", default);
        await job.CommitAsync(default);
    }
}
