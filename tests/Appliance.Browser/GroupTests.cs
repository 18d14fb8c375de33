using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>A group that may read a folder, what its member sees of the team, and what the owner sees of the member.</summary>
[Collection("browser")]
[Trait("Requirement", "T4")]
public sealed class GroupTests(Chromium chromium)
{
    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task An_owner_makes_a_group_and_its_member_sees_what_it_grants(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        var (owner, other, team, name) = await chromium.TeamOfTwoAsync(width, theme, "group", "Groups");
        await using var _ = owner;
        await using var __ = other;
        var page = owner.Page;
        foreach (var folder in new[] { "Accounts", "Plans" })
        {
            await page.GotoAsync($"/teams/{team}/new-folder");
            await page.GetByLabel("Name", new() { Exact = true }).FillAsync(folder);
            await page.Locator("main form button[type=submit]").ClickAsync();
            await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Files" })).ToBeVisibleAsync();
        }

        await page.GotoAsync($"/teams/{team}/members");
        await page.ChooseAsync("Groups");
        await Expect(page.GetByText("All members", new() { Exact = true })).ToBeVisibleAsync();
        await owner.ScreenshotAsync($"groups-list-{shape}");
        await owner.ShouldBeAccessibleAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Everyone", Exact = true }).ClickAsync();
        await page.GetByLabel("Top-level folders without").SelectOptionAsync("nothing");
        await page.GetByLabel("Files beside the folders").SelectOptionAsync("nothing");
        await page.ChooseAsync("Save");
        await Expect(page.GetByLabel("Top-level folders without")).ToHaveValueAsync("0");
        await page.GotoAsync($"/teams/{team}/groups");
        await page.GetByLabel("Name").FillAsync("Planners");
        await page.ChooseAsync("Make a group");
        await page.GetByLabel("Username").FillAsync(name);
        await page.ChooseAsync("Add to the group");
        await Expect(page.GetByText("In the group since")).ToBeVisibleAsync();
        await page.GetByLabel("Plans").SelectOptionAsync("read");
        await page.GetByText("Share by link what they may read").ClickAsync();
        await page.ChooseAsync("Save");
        await Expect(page.GetByLabel("Plans")).ToHaveValueAsync("1");
        await owner.ScreenshotAsync($"groups-group-{shape}");
        await owner.ShouldBeAccessibleAsync();

        // The member sees one folder, and nothing that would be refused.
        await other.Page.GotoAsync($"/teams/{team}/files");
        await Expect(other.Page.GetByRole(AriaRole.Link, new() { Name = "Plans", Exact = true })).ToBeVisibleAsync();
        (await other.Page.GetByText("Accounts").CountAsync()).ShouldBe(0);
        (await other.Page.Locator("[data-act=new-folder], [data-upload-choose]").CountAsync()).ShouldBe(0);
        await page.GotoAsync($"/teams/{team}/files");
        await page.GetByRole(AriaRole.Link, new() { Name = "Actions for Plans" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Menuitem, new() { Name = "Move to trash" })).ToBeVisibleAsync();
        await page.Keyboard.PressAsync("Escape");
        await other.Page.GetByRole(AriaRole.Link, new() { Name = "Actions for Plans" }).ClickAsync();
        await Expect(other.Page.GetByRole(AriaRole.Menuitem, new() { Name = "Details" })).ToBeVisibleAsync();
        (await other.Page.GetByRole(AriaRole.Menuitem, new() { Name = "Move to trash" }).CountAsync()).ShouldBe(0);
        await other.ScreenshotAsync($"groups-files-{shape}");
        await other.Page.Keyboard.PressAsync("Escape");
        await other.ShouldBeAccessibleAsync();

        await page.GotoAsync($"/teams/{team}/members");
        await page.GetByText($"Actions for {name}").Locator("..").ClickAsync();
        await page.ChooseAsync("What they may");
        await Expect(page.GetByRole(AriaRole.Row, new() { Name = "Plans read Planners" })).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Row, new() { Name = "Accounts nothing" })).ToBeVisibleAsync();
        await owner.ScreenshotAsync($"groups-reach-{shape}");
        await owner.ShouldBeAccessibleAsync();
    }
}
