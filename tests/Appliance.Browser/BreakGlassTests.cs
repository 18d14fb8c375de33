using Appliance.Data;
using Microsoft.Playwright;
using Npgsql;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>An operator asks to read a team's files; its owner sees it, consents, sees what is read, and ends it: wide in light and dark, on a phone in the dark.</summary>
[Collection("browser")]
[Trait("Requirement", "O5")]
public sealed class BreakGlassTests(Chromium chromium)
{
    private static readonly string s_key = new('a', 64);

    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task An_owner_lets_an_operator_read_sees_what_is_read_and_ends_it(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        await using var owner = await chromium.PersonAsync(width, theme);
        await owner.PlugInKeyAsync();
        var page = owner.Page;
        await owner.SetUpAsync(await chromium.SetUpLinkAsync(), "glass.owner." + shape);
        await owner.MakeTeamAsync("Glass");
        var team = new Uri(page.Url).AbsolutePath.Split('/')[2];
        await page.GotoAsync($"/teams/{team}/break-glass");
        await Expect(page.GetByText("No operator has ever asked.")).ToBeVisibleAsync();
        await LookAsync(owner, "glass-none-" + shape);
        await chromium.Appliance.Cluster.SuperuserAsync(chromium.Appliance.Settings.DatabaseName, $"""
            insert into entries (id, team_id, reference, kind, name, name_key, size, revision, created_at, created_by, modified_at, modified_by)
            select gen_random_uuid(), t.id, '{Reference.New()}', 'folder', 'Contracts', 'CONTRACTS', 0, 1, now(), m.user_id, now(), m.user_id from teams t join memberships m on m.team_id = t.id where t.reference = '{team}'
            """);

        var (refused, grant) = (await AskAsync(team, "Looking around a little"), await AskAsync(team, "The owner of the contracts is ill, the notary needs one today"));
        await page.GotoAsync($"/teams/{team}/members");
        await Expect(page.GetByText("asks to read this team’s files").First).ToBeVisibleAsync();
        await LookAsync(owner, "glass-members-" + shape);
        await page.GotoAsync($"/teams/{team}/access");
        await LookAsync(owner, "glass-access-" + shape);
        await page.GotoAsync($"/teams/{team}/break-glass/{refused}");
        await page.ChooseAsync("Refuse");
        await Expect(page.GetByText("Refused", new() { Exact = true })).ToBeVisibleAsync();
        await page.ChooseAsync("Answer ada");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Let them read everything for 4 hours?" })).ToBeVisibleAsync();
        await LookAsync(owner, "glass-answer-" + shape);
        await page.ChooseAsync("Let them read");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "ada can read this team’s files" })).ToBeVisibleAsync();

        (await SqlAsync($"select count(*) from operator_break_glass_files('{grant}', 'ada', '{s_key}', null, null, null, 10, now(), gen_random_uuid(), now(), null)")).ShouldBe(2L);
        (await SqlAsync($"select count(*) from operator_break_glass_files('{grant}', 'ada', '{s_key}', (select reference from operator_break_glass_files('{grant}', 'ada', '{s_key}', null, null, null, 10, now(), gen_random_uuid(), now(), null) where kind = 'folder'), null, null, 10, now(), gen_random_uuid(), now(), null)")).ShouldBe(1L);
        await page.ReloadAsync();
        await Expect(page.GetByText("0 downloads, 3 folders listed.")).ToBeVisibleAsync();
        await page.GetByText("What was looked at").ClickAsync();
        await Expect(page.GetByText("Contracts", new() { Exact = true })).ToBeVisibleAsync();
        await LookAsync(owner, "glass-active-" + shape);
        await page.ChooseAsync("End it now for ada");
        await Expect(page.GetByText("Ended", new() { Exact = true })).ToBeVisibleAsync();
        await LookAsync(owner, "glass-ended-" + shape);
        (await SqlAsync($"select count(*) from operator_break_glass_files('{grant}', 'ada', '{s_key}', null, null, null, 10, now(), gen_random_uuid(), now(), null)")).ShouldBe(0L);
    }

    private async Task<string> AskAsync(string team, string reason)
    {
        var grant = Reference.New();
        (await SqlAsync($"select operator_break_glass_ask('{team}', '{grant}', 'ada', '{s_key}', '{reason}', 4, '24 hours', now(), gen_random_uuid(), now(), null)")).ShouldBe("asked");
        return grant;
    }

    /// <summary>As the operators' port does it: this browser's appliance has none.</summary>
    private async Task<object?> SqlAsync(string sql)
    {
        await using var connection = new NpgsqlConnection($"Host={chromium.Appliance.Cluster.Socket};Username=appliance_operator;Database={chromium.Appliance.Settings.DatabaseName};Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    private static async Task LookAsync(Person person, string name)
    {
        await person.ScreenshotAsync(name);
        await person.ShouldBeAccessibleAsync();
    }
}
