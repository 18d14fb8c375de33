using System.Security.Cryptography;
using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>The main job, as a person does it: from the set-up link to a file that went in sealed and came out whole.</summary>
[Collection("browser")]
public sealed class MainJobTests(Chromium chromium)
{
    [Fact, Trait("Requirement", "O2"), Trait("Requirement", "A3"), Trait("Requirement", "F2"), Trait("Requirement", "F7")]
    public async Task A_person_sets_up_signs_in_with_a_key_and_a_file_goes_in_and_comes_out_whole()
    {
        await using var person = await chromium.PersonAsync();
        var key = await person.PlugInKeyAsync();
        var link = await chromium.SetUpLinkAsync();
        (await person.SetUpAsync(link, "mara.sommer")).Distinct().Count().ShouldBe(10);
        (await key.CredentialCountAsync()).ShouldBe(1);

        await person.MakeTeamAsync("Nordlicht Studio");
        await person.Page.ChooseAsync("New folder");
        await person.Page.GetByLabel("Name", new() { Exact = true }).FillAsync("Raw interviews – 東京");
        await person.Page.ChooseAsync("Create folder");
        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Raw interviews – 東京" }).First.ClickAsync();

        var content = RandomNumberGenerator.GetBytes((9 << 20) + 17);
        await person.Page.Locator("[data-upload-input]").SetInputFilesAsync([
            new FilePayload { Name = "Opening.wav", MimeType = "audio/wav", Buffer = content },
            new FilePayload { Name = "empty.txt", MimeType = "text/plain", Buffer = [] },
        ]);
        // What is stored appears in the list.
        await Expect(person.Page.Locator("a.file-name[title='Opening.wav']")).ToBeVisibleAsync(new() { Timeout = 20_000 });
        await Expect(person.Page.Locator("a.file-name[title='empty.txt']")).ToBeVisibleAsync();
        await person.ScreenshotAsync("files-uploaded");
        await person.ShouldBeAccessibleAsync();
        await person.Page.ReloadAsync();

        await person.Page.Locator("a.file-name[title='Opening.wav']").ClickAsync();
        var download = await person.Page.RunAndWaitForDownloadAsync(() => person.Page.GetByRole(AriaRole.Link, new() { Name = "Download", Exact = true }).ClickAsync());
        download.SuggestedFilename.ShouldBe("Opening.wav");
        (await File.ReadAllBytesAsync(await download.PathAsync())).AsSpan().SequenceEqual(content).ShouldBeTrue();

        await person.SignOutAsync();
        await person.SignInAsync("mara.sommer");
        await person.Page.GotoAsync("/teams");
        await Expect(person.Page.GetByRole(AriaRole.Link, new() { Name = "Nordlicht Studio" }).First).ToBeVisibleAsync();

        // The link worked once.
        person.Expected.Add("404");
        await person.Page.GotoAsync(link.ToString());
        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Name = "This link does not work" })).ToBeVisibleAsync();
    }

    [Fact, Trait("Requirement", "A3"), Trait("Requirement", "A8")]
    public async Task A_second_key_an_old_u2f_one_signs_in_too_and_the_first_can_be_removed()
    {
        await using var person = await chromium.PersonAsync();
        var first = await person.PlugInKeyAsync();
        await person.SetUpAsync(await chromium.SetUpLinkAsync(), "u2f.user");
        await first.RemoveAsync();
        var second = await person.PlugInKeyAsync("u2f");

        await person.Page.GotoAsync("/account/security");
        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Add key" }).ClickAsync();
        await person.Page.GetByLabel("Name of this key").FillAsync("Old U2F key");
        await person.Page.ChooseAsync("Add security key");
        await Expect(person.Page.GetByText("Old U2F key").First).ToBeVisibleAsync();
        (await second.CredentialCountAsync()).ShouldBe(1);
        await person.ScreenshotAsync("account-security");
        await person.ShouldBeAccessibleAsync();

        await person.SignOutAsync();
        await person.SignInAsync("u2f.user");
        await person.Page.GotoAsync("/account/security");
        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Remove Key of u2f.user" }).ClickAsync();
        // Removing asks for the factor again where the last time was not just now.
        await person.Page.ChooseAsync("Remove key");
        await Expect(person.Page.GetByText("Key of u2f.user")).ToHaveCountAsync(0);
    }

    [Fact, Trait("Requirement", "A6")]
    public async Task A_recovery_code_lets_in_once_and_the_person_is_told()
    {
        await using var person = await chromium.PersonAsync();
        var key = await person.PlugInKeyAsync();
        var codes = await person.SetUpAsync(await chromium.SetUpLinkAsync(), "lost.key");
        await person.SignOutAsync();
        await key.RemoveAsync();

        await person.GivePasswordAsync("lost.key");
        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Use a recovery code instead" }).ClickAsync();
        await person.Page.GetByLabel("Recovery code").FillAsync(codes[3]);
        await person.Page.ChooseAsync("Sign in");
        await Expect(person.Page.GetByText("recovery code was used", new() { Exact = false }).First).ToBeVisibleAsync();
        await person.ScreenshotAsync("recovery-code-used");
        await person.ShouldBeAccessibleAsync();

        await person.SignOutAsync();
        await person.GivePasswordAsync("lost.key");
        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Use a recovery code instead" }).ClickAsync();
        await person.Page.GetByLabel("Recovery code").FillAsync(codes[3]);
        await person.Page.ChooseAsync("Sign in");
        await Expect(person.Page.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_session_is_listed_and_ended_from_another_browser()
    {
        await using var here = await chromium.PersonAsync();
        await here.PlugInKeyAsync();
        var codes = await here.SetUpAsync(await chromium.SetUpLinkAsync(), "two.browsers");
        await using var there = await chromium.PersonAsync();
        await there.PlugInKeyAsync();
        await there.GivePasswordAsync("two.browsers");
        await there.Page.GetByRole(AriaRole.Link, new() { Name = "Use a recovery code instead" }).ClickAsync();
        await there.Page.GetByLabel("Recovery code").FillAsync(codes[0]);
        await there.Page.ChooseAsync("Sign in");
        await Expect(there.Page.GetByRole(AriaRole.Heading, new() { Name = "Teams" })).ToBeVisibleAsync();

        await here.Page.GotoAsync("/account/sessions");
        await here.ScreenshotAsync("account-sessions");
        await here.ShouldBeAccessibleAsync();
        await here.Page.GetByRole(AriaRole.Button, new() { Name = "End" }).First.ClickAsync();

        await there.Page.GotoAsync("/teams");
        there.Page.Url.ShouldContain("/sign-in");
    }

    [Fact, Trait("Requirement", "T1"), Trait("Requirement", "T3")]
    public async Task A_second_person_finds_nothing_of_the_first_until_added()
    {
        await using var first = await chromium.PersonAsync();
        await first.PlugInKeyAsync();
        await first.SetUpAsync(await chromium.SetUpLinkAsync(), "anna");
        await first.MakeTeamAsync("Anna's team");
        var files = first.Page.Url;

        await using var second = await chromium.PersonAsync();
        second.Expected.Add("404");
        await second.PlugInKeyAsync();
        await second.SetUpAsync(await chromium.SetUpLinkAsync(), "ben");
        await second.Page.GotoAsync(files);
        await Expect(second.Page.GetByRole(AriaRole.Heading, new() { Name = "Nothing at this address" })).ToBeVisibleAsync();
        (await second.Page.ContentAsync()).ShouldNotContain("Anna");
        await second.ScreenshotAsync("not-found");
        await second.ShouldBeAccessibleAsync();

        await first.Page.GetByRole(AriaRole.Link, new() { Name = "Members" }).First.ClickAsync();
        await first.Page.GetByLabel("Username").FillAsync("ben");
        await first.Page.ChooseAsync("Offer a place");
        await first.ScreenshotAsync("members");
        await first.ShouldBeAccessibleAsync();
        // Whether that account exists is not told: the person sees the offer and takes it.
        await second.Page.GotoAsync("/teams");
        await second.ScreenshotAsync("team-offer");
        await second.ShouldBeAccessibleAsync();
        await second.Page.ChooseAsync("Join");
        await second.Page.WaitForURLAsync(url => !url.Contains("handler=", StringComparison.Ordinal));
        await second.Page.GotoAsync(files);
        await Expect(second.Page.GetByRole(AriaRole.Heading, new() { Name = "Files" })).ToBeVisibleAsync();
    }
}
