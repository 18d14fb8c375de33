using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser.Sso;

/// <summary>
/// Single sign-on with real identity providers, in a real browser. They are on another site (https://127.0.0.1, not https://localhost), so that the browser
/// treats their answers as it does on the day: cross-site, with SameSite=Strict cookies held back.
/// </summary>
[Collection("browser")]
[Trait("Requirement", "A12")]
public sealed class SsoTests(Chromium chromium)
{
    [SimpleSamlFact]
    public async Task With_SimpleSAMLphp_signed_requests_and_encrypted_assertions()
    {
        await using var idp = await SimpleSaml.StartAsync();
        await using var owner = await PersonAsync();
        await owner.PlugInKeyAsync();
        var team = await OwnerAsync(owner, "owner.simplesaml");
        using var client = chromium.Appliance.Client();
        var metadata = await client.GetStringAsync($"/sso/{team}/metadata");
        idp.Register(
            new Uri(chromium.Appliance.Settings.Origin, $"/sso/{team}/metadata").AbsoluteUri, new Uri(chromium.Appliance.Settings.Origin, $"/sso/{team}/acs").AbsoluteUri,
            Regex.Match(metadata, "X509Certificate[^>]*>(?<der>[^<]+)<", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5)).Groups["der"].Value);

        async Task AtProviderAsync(IPage page)
        {
            await page.Locator("input[name=username]").FillAsync("anna");
            await page.Locator("input[name=password]").FillAsync("anna-pass");
            await page.Locator("[type=submit]").First.ClickAsync();
        }
        await JourneyAsync(owner, team, await idp.MetadataAsync(), AtProviderAsync, "groups", "editors", idp.Log, "simplesamlphp");
    }

    [Fact]
    public async Task With_the_npm_package_saml_idp()
    {
        await using var owner = await PersonAsync();
        await owner.PlugInKeyAsync();
        var team = await OwnerAsync(owner, "owner.node");
        await using var idp = NodeIdp.Start(
            new Uri(chromium.Appliance.Settings.Origin, $"/sso/{team}/metadata").AbsoluteUri, new Uri(chromium.Appliance.Settings.Origin, $"/sso/{team}/acs").AbsoluteUri);
        static Task AtProviderAsync(IPage page) => page.Locator("button[type=submit], input[type=submit]").First.ClickAsync();
        await JourneyAsync(owner, team, await idp.MetadataAsync(), AtProviderAsync, "groups", "Simple IdP Users", () => "", "saml-idp");
    }

    /// <summary>An owner sets it up with a test before, a newcomer comes in through it, and a member links it; then the pages are looked at.</summary>
    private async Task JourneyAsync(Person owner, string team, string metadata, Func<IPage, Task> atProvider, string groupsAttribute, string group, Func<string> log, string pictures)
    {
        var page = owner.Page;
        await page.GotoAsync($"/teams/{team}/sso");
        await page.GetByLabel("Metadata", new() { Exact = true }).FillAsync(metadata);
        await page.ChooseAsync("Take this metadata");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "3. Test" })).ToBeVisibleAsync();

        await page.ChooseAsync("Test sign-in");
        await atProvider(page);
        await SeesAsync(page, "Test sign-in", log);
        await Expect(page.GetByText(group).First).ToBeVisibleAsync();
        await owner.ScreenshotAsync($"sso-test-{pictures}");
        await owner.ShouldBeAccessibleAsync();
        await page.ChooseAsync("This is right");
        await Expect(page.GetByText("Tested", new() { Exact = true })).ToBeVisibleAsync();

        await page.GetByLabel("On: members may use it").CheckAsync();
        await page.GetByLabel("The identity provider: I answer").CheckAsync();
        await page.GetByLabel("Make an account for whoever signs in for the first time").CheckAsync();
        await page.GetByLabel("Attribute with the groups").FillAsync(groupsAttribute);
        await page.GetByLabel("What a group makes people").FillAsync($"{group} = member");
        await page.GetByLabel("Whoever is in none of these").SelectOptionAsync("nobody");
        await page.ChooseAsync("Save");
        await Expect(page.Locator(".page-head .badge")).ToHaveTextAsync("On");

        // Somebody new, who is signed in nowhere.
        await using (var newcomer = await PersonAsync())
        {
            await newcomer.Page.GotoAsync($"/sso/{team}");
            await newcomer.ScreenshotAsync($"sso-start-{pictures}");
            await newcomer.ShouldBeAccessibleAsync();
            await newcomer.Page.ChooseAsync("Continue");
            await atProvider(newcomer.Page);
            await SeesAsync(newcomer.Page, "Files", log);
            newcomer.Page.Url.ShouldEndWith($"/teams/{team}/files");
            await newcomer.ScreenshotAsync($"sso-newcomer-{pictures}");
            newcomer.Expected.Add("403");
            await newcomer.Page.GotoAsync("/account/security");
            await Expect(newcomer.Page.GetByText("which opens one team and nothing of your account")).ToBeVisibleAsync();
            // The provider remembers them: again without a word.
            await newcomer.Page.GotoAsync($"/teams/{team}/files");
            await newcomer.SignOutAsync();
        }

        // The pages, in every shape.
        foreach (var (width, theme) in new[] { (1280, ColorScheme.Light), (1280, ColorScheme.Dark), (390, ColorScheme.Light), (390, ColorScheme.Dark) })
        {
            await page.SetViewportSizeAsync(width, 800);
            await page.EmulateMediaAsync(new() { ColorScheme = theme });
            await page.GotoAsync($"/teams/{team}/sso");
            await owner.ScreenshotAsync($"sso-{pictures}-{width}-{theme}".ToLowerInvariant());
            await owner.ShouldBeAccessibleAsync();
        }
        // By keyboard: the first thing of the form that Tab reaches and Space changes.
        await page.SetViewportSizeAsync(1280, 800);
        await page.GetByLabel("Allow beginning on the identity provider’s own page").FocusAsync();
        await page.Keyboard.PressAsync("Space");
        await page.GetByLabel("Attribute with the e-mail address").FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByLabel("Allow beginning on the identity provider’s own page")).ToBeCheckedAsync();
    }

    private async Task<Person> PersonAsync()
    {
        var person = await chromium.PersonAsync();
        person.OtherHosts.AddRange(["127.0.0.1", "fonts.googleapis.com"]);
        // A page of saml-idp's asks for it; nothing is sent.
        await person.Context.RouteAsync("https://fonts.googleapis.com/**", route => route.AbortAsync());
        // What the providers' own pages complain of is not ours.
        person.Expected.AddRange(["127.0.0.1", "favicon", "Failed to load resource"]);
        return person;
    }

    private async Task<string> OwnerAsync(Person owner, string name)
    {
        await owner.SetUpAsync(await chromium.SetUpLinkAsync(), name);
        await owner.MakeTeamAsync("Single sign-on");
        var team = new Uri(owner.Page.Url).AbsolutePath.Split('/')[2];
        // The first look makes the connection and its key.
        await owner.Page.GotoAsync($"/teams/{team}/members");
        await owner.Page.ChooseAsync("Single sign-on");
        await Expect(owner.Page.GetByRole(AriaRole.Heading, new() { Name = "Single sign-on", Exact = true })).ToBeVisibleAsync();
        return team;
    }

    private static async Task SeesAsync(IPage page, string heading, Func<string> log)
    {
        try
        {
            await Expect(page.GetByRole(AriaRole.Heading, new() { Name = heading, Exact = true })).ToBeVisibleAsync(new() { Timeout = 20_000 });
        }
        catch (PlaywrightException e)
        {
            throw new InvalidOperationException($"{page.Url}: {await page.Locator("body").InnerTextAsync()}\n{log()}", e);
        }
    }
}
