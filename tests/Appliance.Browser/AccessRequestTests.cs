using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>Somebody asks for more access, says the code, and an owner grants it with a key: wide in light and dark, on a phone in the dark.</summary>
[Collection("browser")]
[Trait("Requirement", "A15")]
public sealed class AccessRequestTests(Chromium chromium)
{
    private Task<object?> SqlAsync(string sql) => chromium.Appliance.Cluster.SuperuserAsync(chromium.Appliance.Settings.DatabaseName, sql);

    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task A_member_becomes_an_owner_and_somebody_comes_back(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        var (owner, member, team, name) = await chromium.TeamOfTwoAsync(width, theme, "ask", "Asked");
        await using var _ = owner;
        await using var __ = member;
        owner.Expected.Add("422");
        var page = owner.Page;

        // By keyboard alone.
        await member.Page.GotoAsync($"/teams/{team}/members");
        await LookAsync(member, "ask-members-" + shape);
        await member.Page.ChooseAsync("Ask to be an owner");
        await LookAsync(member, "ask-form-" + shape);
        await member.Page.GetByLabel("Reason").FillAsync("Anna is away in December, somebody has to let people in.");
        await member.Page.Keyboard.PressAsync("Enter");
        var code = await member.Page.Locator("#access-code").InnerTextAsync();
        code.Length.ShouldBe(7);
        await LookAsync(member, "ask-code-" + shape);

        await page.GotoAsync($"/teams/{team}/members");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Requests for access" })).ToBeVisibleAsync();
        await LookAsync(owner, "ask-requests-" + shape);
        await page.ChooseAsync("Answer " + name);
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = $"{name} asks to be an owner" })).ToBeVisibleAsync();
        await LookAsync(owner, "ask-answer-" + shape);
        await page.GetByLabel("Code").FillAsync("222-222");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("Two more tries");
        await LookAsync(owner, "ask-wrong-" + shape);
        await page.GetByLabel("Code").FillAsync(code);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByText("Owner", new() { Exact = true })).ToHaveCountAsync(2);

        // Their access ends, and they ask for it from outside.
        await SqlAsync($"with g as (delete from memberships m using users u where u.id = m.user_id and u.username = '{name}' returning m.*) insert into revoked_access (team_id, user_id, role, since, added_by, revoked_at) select team_id, user_id, role, since, added_by, now() - interval '1 hour' from g");
        await member.Page.GotoAsync("/teams");
        await LookAsync(member, "ask-ended-" + shape);
        await member.Page.ChooseAsync("Ask to have it back in Asked");
        await member.Page.GetByLabel("Reason").FillAsync("Back from leave");
        await member.Page.ChooseAsync("Ask, and show the code");
        code = await member.Page.Locator("#access-code").InnerTextAsync();
        await LookAsync(member, "ask-back-code-" + shape);
        await page.GotoAsync($"/teams/{team}/members");
        await page.ChooseAsync("Answer " + name);
        foreach (var sentence in new[] { "Two more tries", "One more try", "the request is void" })
        {
            await page.GetByLabel("Code").FillAsync("222-222");
            await page.ChooseAsync("Approve");
            await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync(sentence);
        }
        await LookAsync(owner, "ask-void-" + shape);
        await member.Page.GotoAsync($"/teams/{team}/ask");
        await Expect(member.Page.GetByRole(AriaRole.Heading, new() { Name = "A request for access to a team is void" })).ToBeVisibleAsync();
        await LookAsync(member, "ask-told-" + shape);
        await member.Page.GetByLabel("Reason").FillAsync("Back from leave");
        await member.Page.ChooseAsync("Ask, and show the code");
        code = await member.Page.Locator("#access-code").InnerTextAsync();
        await page.GotoAsync($"/teams/{team}/members");
        await page.ChooseAsync("Answer " + name);
        await page.GetByLabel("Code").FillAsync(code);
        await page.ChooseAsync("Approve");
        await Expect(page.GetByText("Owner", new() { Exact = true })).ToHaveCountAsync(2);
        await member.Page.GotoAsync($"/teams/{team}/members");
        await Expect(member.Page.GetByRole(AriaRole.Heading, new() { Name = "Members" })).ToBeVisibleAsync();
    }

    private static async Task LookAsync(Person person, string name)
    {
        await person.ScreenshotAsync(name);
        await person.ShouldBeAccessibleAsync();
    }
}
