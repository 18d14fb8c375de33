using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>Owners of the appliance make another owner, and let somebody in who lost their key.</summary>
[Collection("browser")]
[Trait("Requirement", "A6")]
public sealed class LostKeyTests(Chromium chromium)
{
    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task Two_owners_let_somebody_replace_a_lost_key(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        await using var one = await chromium.PersonAsync(width, theme);
        await one.PlugInKeyAsync();
        await one.SetUpAsync(await chromium.SetUpLinkAsync(), "lost.one." + shape);
        await chromium.Appliance.Cluster.SuperuserAsync(chromium.Appliance.Settings.DatabaseName, $"update users set owner = true where username = 'lost.one.{shape}'");
        await using var two = await chromium.PersonAsync(width, theme);
        await two.PlugInKeyAsync();
        await two.SetUpAsync(await chromium.SetUpLinkAsync(), "lost.two." + shape);
        await using var person = await chromium.PersonAsync(width, theme);
        var lost = await person.PlugInKeyAsync();
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), "lost.person." + shape);

        // A second owner, by the keyboard.
        await one.Page.GotoAsync("/teams");
        await one.Page.Locator("summary", new() { HasText = "Account menu" }).ClickAsync();
        await one.Page.GetByRole(AriaRole.Link, new() { Name = "People" }).Last.ClickAsync();
        await Expect(one.Page.GetByRole(AriaRole.Heading, new() { Name = "People" })).ToBeVisibleAsync();
        await one.Page.GetByLabel("Username, or how it begins").FillAsync("lost.two." + shape);
        await one.Page.Keyboard.PressAsync("Enter");
        await Expect(one.Page.GetByText("One account.")).ToBeVisibleAsync();
        await one.Page.Locator("summary", new() { HasText = "Actions for lost.two" }).FocusAsync();
        await one.Page.Keyboard.PressAsync("Enter");
        await LookAsync(one, "people-menu-" + shape);
        await one.Page.GetByRole(AriaRole.Button, new() { Name = "Make an owner" }).FocusAsync();
        await one.Page.Keyboard.PressAsync("Enter");
        await Expect(one.Page.Locator(".row .badge", new() { HasText = "Owner" })).ToBeVisibleAsync();
        await one.Page.GotoAsync("/people?name=lost.");
        await LookAsync(one, "people-" + shape);

        await two.Page.GotoAsync("/teams");
        await Expect(two.Page.GetByRole(AriaRole.Heading, new() { Name = "You were made an owner of this appliance" })).ToBeVisibleAsync();
        await LookAsync(two, "people-notice-" + shape);

        // A day goes by: nobody agrees who has just become an owner.
        await chromium.Appliance.Cluster.SuperuserAsync(chromium.Appliance.Settings.DatabaseName, $"update users set owner_since = owner_since - interval '25 hours' where username = 'lost.two.{shape}'");

        // The key is lost, and the sheet of codes with it.
        await lost.RemoveAsync();
        await person.SignOutAsync();
        await one.Page.Locator("summary", new() { HasText = "Actions for lost.person." + shape }).ClickAsync();
        await one.Page.ChooseAsync("Lost their keys");
        await Expect(one.Page.GetByLabel("Username")).ToHaveValueAsync("lost.person." + shape);
        await one.Page.GetByLabel("What happened").FillAsync("Left the bag on the train. She stood at my desk.");
        await one.Page.ChooseAsync("Ask another owner");
        await Expect(one.Page.GetByText("She stood at my desk").First).ToBeVisibleAsync();
        await LookAsync(one, "lost-key-asked-" + shape);

        await two.Page.GotoAsync("/people/lost-key");
        await LookAsync(two, "lost-key-approve-" + shape);
        await two.Page.ChooseAsync("Approve for lost.person." + shape);
        var code = await two.Page.Locator("#lost-key-code").InnerTextAsync();
        code.Length.ShouldBe(19);
        await LookAsync(two, "lost-key-code-" + shape);

        await person.GivePasswordAsync("lost.person." + shape);
        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Name = "Use your security key" })).ToBeVisibleAsync();
        await person.Page.GotoAsync("/sign-in/recovery");
        await LookAsync(person, "lost-key-recovery-" + shape);
        await person.Page.ChooseAsync("Two owners of this appliance can help");
        await LookAsync(person, "lost-key-sign-in-" + shape);
        await person.Page.GetByLabel("Code from an owner").FillAsync("2222-2222-2222-2222");
        await person.Page.ChooseAsync("Go on");
        await Expect(person.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("This code did not work");
        await LookAsync(person, "lost-key-wrong-" + shape);
        await person.Page.GetByLabel("Code from an owner").FillAsync(code);
        await person.Page.ChooseAsync("Go on");

        var found = await person.PlugInKeyAsync();
        await Expect(person.Page.GetByText("Your lost keys, app and recovery codes stop working then")).ToBeVisibleAsync();
        await LookAsync(person, "lost-key-enrol-" + shape);
        await person.Page.GetByLabel("Name of this key").FillAsync("New key");
        await person.Page.ChooseAsync("Add security key");
        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Name = "Keep your recovery codes" })).ToBeVisibleAsync();
        await person.Page.GetByLabel("I have printed these codes").CheckAsync();
        await person.Page.ChooseAsync("Finish");
        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Name = "Your lost keys were replaced" })).ToBeVisibleAsync();
        await LookAsync(person, "lost-key-done-" + shape);
        await person.Page.GotoAsync("/account/security");
        await Expect(person.Page.GetByText("New key").First).ToBeVisibleAsync();
        await Expect(person.Page.GetByText("Key of lost.person")).ToHaveCountAsync(0);
        await person.SignOutAsync();
        await person.SignInAsync("lost.person." + shape);
        (await found.CredentialCountAsync()).ShouldBe(1);
    }

    [Fact]
    public async Task Somebody_whose_key_is_not_lost_stops_it_from_the_mail_and_from_a_page()
    {
        await using var owner = await chromium.PersonAsync();
        await owner.PlugInKeyAsync();
        await owner.SetUpAsync(await chromium.SetUpLinkAsync(), "lost.asker");
        await using var second = await chromium.PersonAsync();
        await second.PlugInKeyAsync();
        await second.SetUpAsync(await chromium.SetUpLinkAsync(), "lost.second");
        await chromium.Appliance.Cluster.SuperuserAsync(chromium.Appliance.Settings.DatabaseName, "update users set owner = true where username in ('lost.asker', 'lost.second')");
        await using var person = await chromium.PersonAsync(390);
        await person.PlugInKeyAsync();
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), "lost.stopper");
        var page = person.Page;
        await page.GotoAsync("/account/address");
        await page.GetByLabel("E-mail address").FillAsync("stopper@example.org");
        await page.ChooseAsync("Send me a link");
        await page.GotoAsync((await chromium.Mail.WaitAsync("stopper@example.org", "Is this your address?")).Link("/confirm-address/"));
        await page.ChooseAsync("Confirm");

        await AskAsync();
        await page.GotoAsync((await chromium.Mail.WaitAsync("stopper@example.org", "Your keys were reported lost")).Link("/lost-key/stop/"));
        await LookAsync(person, "lost-key-stop");
        await page.ChooseAsync("Stop this");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Stopped" })).ToBeVisibleAsync();
        await LookAsync(person, "lost-key-stopped");

        await AskAsync();
        await page.GotoAsync("/teams");
        await LookAsync(person, "lost-key-notice");
        await page.ChooseAsync("Stop this");
        await Expect(page.GetByText("Your keys were reported lost")).ToHaveCountAsync(0);
        await owner.Page.GotoAsync("/people/lost-key");
        await Expect(owner.Page.GetByText("lost.stopper")).ToHaveCountAsync(0);

        async Task AskAsync()
        {
            await owner.Page.GotoAsync("/people/lost-key");
            await owner.Page.GetByLabel("Username").FillAsync("lost.stopper");
            await owner.Page.GetByLabel("What happened").FillAsync("Says so on the telephone.");
            await owner.Page.ChooseAsync("Ask another owner");
            await Expect(owner.Page.GetByText("Says so on the telephone.").First).ToBeVisibleAsync();
        }
    }

    private static async Task LookAsync(Person person, string name)
    {
        await person.ScreenshotAsync(name);
        await person.ShouldBeAccessibleAsync();
    }
}
