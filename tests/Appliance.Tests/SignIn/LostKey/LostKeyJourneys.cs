using System.Net;
using System.Text.RegularExpressions;
using Appliance.Tests.Mail;
using Appliance.Tests.TestServers;
using Shouldly;

namespace Appliance.Tests.SignIn.LostKey;

/// <summary>What two owners and a person who lost their keys do.</summary>
internal static partial class LostKeyJourneys
{
    public const string Page = "/people/lost-key", Approve = Page + "?handler=Approve", Refuse = Page + "?handler=Refuse", CodePage = "/sign-in/lost-key";

    /// <summary>Two owners, and somebody with a key.</summary>
    public static async Task<(Visitor One, Visitor Two, Visitor Person)> ThreeAsync(this MailHost host, string stem)
    {
        var people = new[] { "one", "two", "person" }.Select(async role => await host.PersonAsync(MailHost.Name($"{stem}.{role}")));
        var three = await Task.WhenAll(people);
        await host.MakeOwnerAsync(three[0]);
        await host.MakeOwnerAsync(three[1]);
        return (three[0], three[1], three[2]);
    }

    public static Task MakeOwnerAsync(this MailHost host, Visitor person, bool owner = true) =>
        host.ScalarAsync<object?>($"update users set owner = {owner} where username = '{person.Username}' returning null");

    public static Task<Guid> IdAsync(this MailHost host, Visitor person) => host.ScalarAsync<Guid>($"select id from users where username = '{person.Username}'");

    public static async Task<long> CountAsync(this MailHost host, string table, Visitor person) =>
        await host.ScalarAsync<long>($"select count(*) from {table} where user_id = '{await host.IdAsync(person)}'");

    public static async Task<string> ReferenceAsync(this MailHost host, Visitor person) =>
        await host.ScalarAsync<string>($"select reference from lost_key_requests where user_id = '{await host.IdAsync(person)}'");

    public static Task<HttpResponseMessage> AskForAsync(this Visitor owner, Visitor person, string reason = "Left the bag on the train; I know her voice.") =>
        owner.SendAsync(Page, null, ("Username", person.Username), ("Reason", reason));

    public static Task<HttpResponseMessage> ApproveAsync(this Visitor owner, string reference) => owner.SendAsync(Page, Approve, ("Reference", reference));

    public static async Task ShouldRefuseAsync(this Task<HttpResponseMessage> step, string sentence)
    {
        using var answer = await step;
        answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        var html = WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync());
        html.ShouldContain(sentence);
        html.ShouldNotContain("lost-key-code");
    }

    public static string CodeOn(string html) => Code().Match(html).Groups["code"].Value;

    /// <summary>Asked for by the one, approved by the other; answers the code.</summary>
    public static async Task<string> CodeAsync(this MailHost host, Visitor one, Visitor two, Visitor person)
    {
        (await one.AskForAsync(person)).Headers.Location!.ToString().ShouldBe(Page);
        var answer = await two.ApproveAsync(await host.ReferenceAsync(person));
        var code = CodeOn(await answer.Content.ReadAsStringAsync());
        code.Length.ShouldBe(19);
        return code;
    }

    /// <summary>Another browser in which the person gave their password.</summary>
    public static async Task<Visitor> HalfAsync(this MailHost host, Visitor person)
    {
        var browser = host.Visitor();
        (await browser.PasswordAsync(person.Username)).Headers.Location!.ToString().ShouldBe("/sign-in/key");
        return browser;
    }

    public static Task<HttpResponseMessage> GiveAsync(this Visitor browser, string code) => browser.SendAsync(CodePage, null, ("Code", code));

    /// <summary>Whether the code opened enrolling.</summary>
    public static async Task<bool> OpensAsync(this Visitor browser, string code) => (await browser.GiveAsync(code)).Headers.Location?.ToString() == "/sign-in/enrol";

    /// <summary>Adds a new key on the page of a first one.</summary>
    public static async Task<(string Html, SoftwareAuthenticator Key)> EnrolAsync(this Visitor browser, string? page = null)
    {
        page ??= await browser.HtmlAsync("/sign-in/enrol");
        var key = new SoftwareAuthenticator { Origin = browser.Key.Origin };
        var done = await browser.PostAsync(page, "/sign-in/enrol", ("Credential", key.Register(Visitor.Options(page))), ("Name", "New"));
        return (await done.Content.ReadAsStringAsync(), key);
    }

    [GeneratedRegex("<code id=\"lost-key-code\">(?<code>[^<]+)</code>", RegexOptions.None, 5000)]
    private static partial Regex Code();
}
