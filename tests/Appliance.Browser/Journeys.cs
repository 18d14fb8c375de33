using Appliance.Accounts;
using Appliance.SignIn;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>What people do, in the words of the pages, so that the tests read as a person would tell it.</summary>
internal static class Journeys
{
    public const string Password = "unlikely-harbour-velvet-19";

    /// <summary>Follows a set-up link to the end; answers the ten recovery codes.</summary>
    public static async Task<IReadOnlyList<string>> SetUpAsync(this Person person, Uri link, string username, string password = Password)
    {
        var page = person.Page;
        await page.GotoAsync(link.ToString());
        await page.ChooseAsync("Begin");
        await page.GetByLabel("Username").FillAsync(username);
        await page.GetByLabel("Password", new() { Exact = true }).FillAsync(password);
        await page.ChooseAsync("Continue");
        await page.GetByLabel("Name of this key").FillAsync("Key of " + username);
        await page.ChooseAsync("Add security key");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Keep your recovery codes" })).ToBeVisibleAsync();
        var codes = await page.Locator("#codes code").AllInnerTextsAsync();
        await page.GetByLabel("I have printed these codes").CheckAsync();
        await page.ChooseAsync("Finish");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
        return codes;
    }

    public static async Task SignInAsync(this Person person, string username, string password = Password)
    {
        await person.GivePasswordAsync(username, password);
        // The key answers by itself: the prompt asks as soon as it is seen.
        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
    }

    public static async Task GivePasswordAsync(this Person person, string username, string password = Password)
    {
        await person.Page.GotoAsync("/sign-in");
        await person.Page.GetByLabel("Username").FillAsync(username);
        await person.Page.GetByLabel("Password").FillAsync(password);
        await person.Page.ChooseAsync("Sign in");
    }

    public static async Task SignOutAsync(this Person person)
    {
        await person.Page.Locator("summary", new() { HasText = "Account menu" }).ClickAsync();
        await person.Page.ChooseAsync("Sign out");
        await person.Page.WaitForURLAsync("**/sign-in*");
    }

    /// <summary>Makes a team and opens its files.</summary>
    public static async Task MakeTeamAsync(this Person person, string name)
    {
        await person.Page.GotoAsync("/teams");
        await person.Page.GetByLabel("Team name").FillAsync(name);
        await person.Page.ChooseAsync("Create team");
        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Name = "Files" })).ToBeVisibleAsync();
    }

    /// <summary>An owner and a member, both with a key, in a team of theirs. The caller disposes both.</summary>
    /// <param name="chromium">The browser.</param>
    /// <param name="width">Of both windows, in pixels.</param>
    /// <param name="theme">Light or dark.</param>
    /// <param name="stem">What their usernames begin with: STEM.owner… and STEM.member….</param>
    /// <param name="name">The team's.</param>
    public static async Task<(Person Owner, Person Member, string Team, string Username)> TeamOfTwoAsync(this Chromium chromium, int width, ColorScheme theme, string stem, string name)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        var (owner, member, username) = (await chromium.PersonAsync(width, theme), await chromium.PersonAsync(width, theme), $"{stem}.member.{shape}");
        await owner.PlugInKeyAsync();
        await owner.SetUpAsync(await chromium.SetUpLinkAsync(), $"{stem}.owner.{shape}");
        await owner.MakeTeamAsync(name);
        var team = new Uri(owner.Page.Url).AbsolutePath.Split('/')[2];
        await member.PlugInKeyAsync();
        await member.SetUpAsync(await chromium.SetUpLinkAsync(), username);
        await owner.LetInAsync(team, member, username);
        return (owner, member, team, username);
    }

    /// <summary>Offers somebody a place in the team, which they take.</summary>
    public static async Task LetInAsync(this Person owner, string team, Person other, string username)
    {
        await owner.Page.GotoAsync($"/teams/{team}/members");
        await owner.Page.GetByLabel("Username").FillAsync(username);
        await owner.Page.ChooseAsync("Offer a place");
        await other.Page.GotoAsync("/teams");
        await other.Page.ChooseAsync("Join");
    }

    public static Task ChooseAsync(this IPage page, string button) =>
        page.GetByRole(AriaRole.Button, new() { Name = button, Exact = true }).Or(page.GetByRole(AriaRole.Link, new() { Name = button, Exact = true })).First.ClickAsync();

    /// <summary>The first owner's link, or one for a further person where there is an owner already.</summary>
    public static async Task<Uri> SetUpLinkAsync(this Chromium chromium)
    {
        var links = chromium.Appliance.Services.GetRequiredService<SetUpLinks>();
        var token = await links.ForFirstOwnerAsync(default) ?? await chromium.FurtherLinkAsync(links);
        return new Uri(chromium.Appliance.Settings.Origin, "/set-up/" + token);
    }

    private static async Task<string> FurtherLinkAsync(this Chromium chromium, SetUpLinks links)
    {
        await using var session = await chromium.Appliance.Database.ForApplianceAsync(default);
        var owner = await session.Query<User>().FirstAsync(u => u.Owner);
        var http = new Microsoft.AspNetCore.Http.DefaultHttpContext
        {
            User = new(new System.Security.Claims.ClaimsIdentity(
                [new(System.Security.Claims.ClaimTypes.NameIdentifier, owner.Id.ToString())], "test")),
            RequestServices = chromium.Appliance.Services,
        };
        return await links.ForPersonAsync(http, default);
    }
}
