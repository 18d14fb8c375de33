using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>Mail as people meet it: the address, the phrase, a forgotten password, an invitation.</summary>
[Collection("browser")]
public sealed class MailTests(Chromium chromium)
{
    private const string Fresh = "velvet quarry lantern mosaic";

    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(390, ColorScheme.Dark)]
    [Trait("Requirement", "A10")]
    [Trait("Requirement", "A14")]
    public async Task An_address_is_confirmed_a_phrase_chosen_and_a_forgotten_password_replaced_with_the_key(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        var (username, address) = ("mail." + shape, $"mail-{shape}@example.org");
        await using var person = await chromium.PersonAsync(width, theme);
        await person.PlugInKeyAsync();
        var page = person.Page;
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), username);
        await page.GotoAsync("/account/address");
        await page.GetByLabel("E-mail address").FillAsync(address);
        await page.ChooseAsync("Send me a link");
        await Expect(page.GetByText("A link is on its way to")).ToBeVisibleAsync();
        await LookAsync(person, "mail-address-" + shape);
        await page.GotoAsync((await chromium.Mail.WaitAsync(address, "Is this your address?")).Link("/confirm-address/"));
        await LookAsync(person, "mail-confirm-" + shape);
        await page.ChooseAsync("Confirm");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Address confirmed" })).ToBeVisibleAsync();
        await page.ChooseAsync("Messages we sent you");
        await page.GetByLabel("Phrase").FillAsync("seven green herons");
        await page.ChooseAsync("Change phrase");
        await LookAsync(person, "mail-messages-" + shape);
        await page.GotoAsync("/account/security");
        await LookAsync(person, "mail-security-" + shape);
        await person.SignOutAsync();

        await page.ChooseAsync("Forgot your password?");
        await LookAsync(person, "mail-forgotten-" + shape);
        await page.GetByLabel("Username or e-mail address").FillAsync(username);
        await page.ChooseAsync("Send me a link");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Look at your mail" })).ToBeVisibleAsync();
        await LookAsync(person, "mail-asked-" + shape);
        var mail = await chromium.Mail.WaitAsync(address, "Choose a new password");
        mail.Text.ShouldContain("Your phrase: seven green herons");
        await page.GotoAsync(mail.Link("/new-password/"));
        await LookAsync(person, "mail-link-" + shape);
        await page.ChooseAsync("Go on");
        await LookAsync(person, "mail-choose-" + shape);
        await page.GetByLabel("Password", new() { Exact = true }).FillAsync(Fresh);
        await page.ChooseAsync("Go on");
        // The key answers by itself.
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
        await page.GotoAsync("/account/messages");
        await Expect(page.GetByText("Your password was replaced")).ToBeVisibleAsync();
        await LookAsync(person, "mail-list-" + shape);
        await person.SignOutAsync();
        await person.SignInAsync(username, Fresh);
    }

    [Fact]
    [Trait("Requirement", "T5")]
    public async Task Somebody_without_an_account_is_invited_makes_one_and_is_in_the_team()
    {
        await using var owner = await chromium.PersonAsync();
        await owner.PlugInKeyAsync();
        await owner.SetUpAsync(await chromium.SetUpLinkAsync(), "mail.inviter");
        await owner.MakeTeamAsync("Harbour");
        await owner.Page.ChooseAsync("Members");
        await owner.Page.GetByLabel("E-mail address").FillAsync("newcomer@example.org");
        await owner.Page.ChooseAsync("Send an invitation");
        await Expect(owner.Page.GetByText("newcomer@example.org").First).ToBeVisibleAsync();
        await LookAsync(owner, "mail-invited");

        await using var newcomer = await chromium.PersonAsync(390);
        await newcomer.PlugInKeyAsync();
        var page = newcomer.Page;
        await page.GotoAsync((await chromium.Mail.WaitAsync("newcomer@example.org", "invites you")).Link("/invitation/"));
        await LookAsync(newcomer, "mail-invitation");
        await page.ChooseAsync("Make an account");
        await LookAsync(newcomer, "mail-invited-set-up");
        await page.GetByLabel("Username").FillAsync("mail.newcomer");
        await page.GetByLabel("Password", new() { Exact = true }).FillAsync(Journeys.Password);
        await page.ChooseAsync("Continue");
        await page.ChooseAsync("Add security key");
        await page.GetByLabel("I have printed these codes").CheckAsync();
        await page.ChooseAsync("Finish");
        await LookAsync(newcomer, "mail-invitation-taken");
        await page.ChooseAsync("Take the place");
        await Expect(page.GetByText("Harbour").First).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
    }

    private static async Task LookAsync(Person person, string name)
    {
        await person.ScreenshotAsync(name);
        await person.ShouldBeAccessibleAsync();
    }
}

/// <summary>Text messages as a person without key and app meets them.</summary>
[Collection("browser")]
[Trait("Requirement", "A5")]
public sealed class SmsTests(Chromium chromium)
{
    [Fact]
    public async Task A_phone_is_enrolled_as_the_last_resort_and_signs_in()
    {
        await using var person = await chromium.PersonAsync(390, ColorScheme.Dark);
        var page = person.Page;
        await page.GotoAsync((await chromium.SetUpLinkAsync()).ToString());
        await page.ChooseAsync("Begin");
        await page.GetByLabel("Username").FillAsync("sms.person");
        await page.GetByLabel("Password", new() { Exact = true }).FillAsync(Journeys.Password);
        await page.ChooseAsync("Continue");
        await page.GetByRole(AriaRole.Link, new() { NameRegex = new("text message", System.Text.RegularExpressions.RegexOptions.IgnoreCase, TimeSpan.FromSeconds(1)) }).ClickAsync();
        await LookAsync(person, "sms-number");
        await page.Locator("input[type=tel]").FillAsync("+41 79 123 45 67");
        await page.Locator("main form button[type=submit], form button[type=submit]").First.ClickAsync();
        await LookAsync(person, "sms-code");
        await page.Locator("input[name=Code]").FillAsync(chromium.Gateway.Last.Code);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Keep your recovery codes" })).ToBeVisibleAsync();
        await page.GetByLabel("I have printed these codes").CheckAsync();
        await page.ChooseAsync("Finish");
        await page.GotoAsync("/account/security");
        await LookAsync(person, "sms-security");
        await person.SignOutAsync();
        await person.GivePasswordAsync("sms.person");
        await LookAsync(person, "sms-sign-in");
        await page.Locator("form button[type=submit]").First.ClickAsync();
        await Expect(page.Locator("input[name=Code]")).ToBeVisibleAsync();
        await LookAsync(person, "sms-sign-in-code");
        await page.Locator("input[name=Code]").FillAsync(chromium.Gateway.Last.Code);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();
    }

    private static async Task LookAsync(Person person, string name)
    {
        await person.ScreenshotAsync(name);
        await person.ShouldBeAccessibleAsync();
    }
}
