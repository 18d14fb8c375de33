using System.Net;
using System.Text.RegularExpressions;
using Appliance.Accounts;
using Appliance.SignIn.SecurityKeys;
using Appliance.Tests.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.SecurityKeys;

/// <summary>The pages of a person's own keys, in the whole service.</summary>
[Trait("Requirement", "A3")]
public sealed partial class KeyPageTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    private SoftwareAuthenticator NewKey => new() { Origin = host.Settings.Origin.GetLeftPart(UriPartial.Authority) };

    private KeyRing Keys => host.Services.GetRequiredService<KeyRing>();

    [Fact]
    public async Task A_person_adds_renames_and_removes_keys_on_pages()
    {
        var person = await SignedIn.AsAsync(host);
        (await AddAsync(person, NewKey, "Blue key")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await AddAsync(person, NewKey, "Backup <in> the safe")).StatusCode.ShouldBe(HttpStatusCode.Redirect);

        var page = await person.Client.GetStringAsync("/account/security");
        page.ShouldContain("Blue key");
        page.ShouldContain("Backup &lt;in&gt; the safe");
        page.ShouldContain("d8522d9f-575b-4866-88a9-ba99fa02f35b");

        var first = (await Keys.ListAsync(person.Id, default))[0].Reference;
        (await person.Client.GetStringAsync($"/account/security/keys/{first}/rename")).ShouldContain("value=\"Blue key\"");
        (await PostAsync(person, $"/account/security/keys/{first}/rename", ("Name", "Green key"))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await (await PostAsync(person, $"/account/security/keys/{first}/rename", ("Name", " "))).Content.ReadAsStringAsync()).ShouldContain(KeyName.Rule);
        (await Keys.FindAsync(person.Id, first, default)).ShouldNotBeNull().Name.ShouldBe("Green key");

        (await person.Client.GetStringAsync($"/account/security/keys/{first}/remove")).ShouldContain("Green key");
        (await PostAsync(person, $"/account/security/keys/{first}/remove")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        var last = (await Keys.ListAsync(person.Id, default)).ShouldHaveSingleItem().Reference;
        (await (await PostAsync(person, $"/account/security/keys/{last}/remove")).Content.ReadAsStringAsync()).ShouldContain("only key");
        (await Keys.ListAsync(person.Id, default)).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_refused_key_leaves_a_page_that_says_so_and_asks_anew()
    {
        var person = await SignedIn.AsAsync(host);
        var refused = await AddAsync(person, NewKey with { Format = "tpm" }, "Mine");
        refused.StatusCode.ShouldBe(HttpStatusCode.OK);
        var html = await refused.Content.ReadAsStringAsync();
        html.ShouldContain("was not accepted");
        html.ShouldContain("data-state=\"failed\"");
        html.ShouldContain("value=\"Mine\"");
        (await AnswerAsync(person, html, NewKey, "Mine")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
    }

    [Fact]
    public async Task Adding_and_removing_ask_for_the_factor_again_and_renaming_does_not()
    {
        var person = await SignedIn.AsAsync(host);
        await AddAsync(person, NewKey, "Blue key");
        await AddAsync(person, NewKey, "Red key");
        var key = (await Keys.ListAsync(person.Id, default))[0].Reference;
        var add = await person.Client.GetStringAsync("/account/security/keys/add");

        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update sessions set stepped_up_at = now() - interval '6 minutes' where user_id = '{person.Id}'");

        (await person.Client.GetAsync("/account/security/keys/add")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await AnswerAsync(person, add, NewKey, "Third key")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await person.Client.GetAsync($"/account/security/keys/{key}/remove")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await PostAsync(person, $"/account/security/keys/{key}/remove")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await Keys.ListAsync(person.Id, default)).Count.ShouldBe(2);
        (await PostAsync(person, $"/account/security/keys/{key}/rename", ("Name", "Green key"))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
    }

    [Fact]
    public async Task Nobody_reaches_anothers_key_and_nobody_who_is_not_signed_in_reaches_any()
    {
        var alice = await SignedIn.AsAsync(host);
        await AddAsync(alice, NewKey, "Blue key");
        await AddAsync(alice, NewKey, "Red key");
        var key = (await Keys.ListAsync(alice.Id, default))[0].Reference;
        var mallory = await SignedIn.AsAsync(host);
        using var stranger = host.Client();
        foreach (var verb in new[] { "rename", "remove" })
        {
            (await mallory.Client.GetAsync($"/account/security/keys/{key}/{verb}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await PostAsync(mallory, $"/account/security/keys/{key}/{verb}", ("Name", "Mine"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await stranger.GetAsync($"/account/security/keys/{key}/{verb}")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        }
        (await stranger.GetAsync("/account/security/keys/add")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await Keys.ListAsync(alice.Id, default)).Select(k => k.Name).ShouldBe(["Blue key", "Red key"]);
    }

    [Fact]
    public async Task A_question_of_one_session_is_not_answered_in_another_one_of_the_same_person()
    {
        var person = await SignedIn.AsAsync(host);
        var html = await person.Client.GetStringAsync("/account/security/keys/add");
        await using var session = await host.Database.ForApplianceAsync(default);
        var user = await session.Query<User>().SingleAsync(u => u.Id == person.Id);
        var elsewhere = person with { Client = await SignedIn.ClientAsync(host, await SignedIn.SessionAsync(host.Services, user)) };
        (await (await AnswerAsync(elsewhere, html, NewKey, "Mine")).Content.ReadAsStringAsync()).ShouldContain("took too long, or was answered already");
        (await Keys.ListAsync(person.Id, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_key_cannot_be_changed_without_the_antiforgery_token()
    {
        var person = await SignedIn.AsAsync(host);
        var html = await person.Client.GetStringAsync("/account/security/keys/add");
        person.Client.DefaultRequestHeaders.Remove("RequestVerificationToken");
        (await AnswerAsync(person, html, NewKey, "Mine")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await Keys.ListAsync(person.Id, default)).ShouldBeEmpty();
    }

    private async Task<HttpResponseMessage> AddAsync(SignedIn person, SoftwareAuthenticator key, string name) =>
        await AnswerAsync(person, await person.Client.GetStringAsync("/account/security/keys/add"), key, name);

    private static Task<HttpResponseMessage> AnswerAsync(SignedIn person, string html, SoftwareAuthenticator key, string name) =>
        PostAsync(
            person,
            "/account/security/keys/add",
            ("Reference", ReferenceField().Match(html).Groups["it"].Value),
            ("Credential", key.Register(WebUtility.HtmlDecode(OptionsAttribute().Match(html).Groups["it"].Value))),
            ("Name", name));

    private static async Task<HttpResponseMessage> PostAsync(SignedIn person, string page, params (string Name, string Value)[] fields)
    {
        using var content = new FormUrlEncodedContent(fields.ToDictionary(f => f.Name, f => f.Value, StringComparer.Ordinal));
        return await person.Client.PostAsync(page, content);
    }

    [GeneratedRegex("name=\"Reference\" value=\"(?<it>[^\"]+)\"", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ReferenceField();

    [GeneratedRegex("data-options=\"(?<it>[^\"]+)\"", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex OptionsAttribute();
}
