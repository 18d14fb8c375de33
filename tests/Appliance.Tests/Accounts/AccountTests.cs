using System.Net;
using System.Text.Json;
using Appliance.SignIn;
using Appliance.Tests.SignIn;
using Appliance.Tests.TestServers;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Accounts;

/// <summary>What a signed-in person does to their account.</summary>
public sealed class AccountTests(SignInHost host) : IClassFixture<SignInHost>
{
    private const string Other = "velvet quarry lantern mosaic";

    [Fact, Trait("Requirement", "A2"), Trait("Requirement", "A8")]
    public async Task Changing_the_password_takes_the_old_one_and_ends_every_other_session()
    {
        using var person = await host.PersonAsync("changer");
        using var elsewhere = host.Visitor();
        elsewhere.Key = person.Key with { Counter = 50 };
        await elsewhere.PasswordAsync("changer");
        var page = await elsewhere.HtmlAsync("/sign-in/key");
        await elsewhere.PostAsync(page, "/sign-in/key", ("Credential", (person.Key with { Counter = 60 }).Assert(Visitor.Options(page))));
        (await elsewhere.IsSignedInAsync()).ShouldBeTrue();

        var wrong = await person.SendAsync("/account/password", null, ("Current", "not my password"), ("Password", Other));
        (await wrong.Content.ReadAsStringAsync()).ShouldContain("This is not your current password.");
        var weak = await person.SendAsync("/account/password", null, ("Current", Visitor.Password), ("Password", "changer changer changer"));
        (await weak.Content.ReadAsStringAsync()).ShouldContain("Not your name");
        (await elsewhere.IsSignedInAsync()).ShouldBeTrue();

        var before = person.Cookie("__Host-appliance-session");
        (await person.SendAsync("/account/password", null, ("Current", Visitor.Password), ("Password", Other))).Headers.Location!.ToString().ShouldBe("/account/security");
        (await person.IsSignedInAsync()).ShouldBeTrue();
        person.Cookie("__Host-appliance-session").ShouldNotBe(before);
        (await elsewhere.IsSignedInAsync()).ShouldBeFalse();
        (await host.LedgerAsync("password.changed")).Count.ShouldBeGreaterThanOrEqualTo(1);

        await person.SignOutAsync();
        (await person.PasswordAsync()).Headers.Location.ShouldBeNull();
        (await person.PasswordAsync(password: Other)).Headers.Location!.ToString().ShouldBe("/sign-in/key");
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task Sessions_are_listed_with_device_and_place_and_ended_from_the_page()
    {
        var anna = await SignedIn.PersonAsync(host.Services);
        using var here = await SignedIn.ClientAsync(host, await SignedIn.SessionAsync(host.Services, anna));
        using var there = await SignedIn.ClientAsync(host, await SignedIn.SessionAsync(host.Services, anna));
        var ben = await SignedIn.AsAsync(host);
        (await here.GetStringAsync("/account/sessions")).ShouldContain("127.0.0.1");

        await using var session = await host.Database.ForApplianceAsync(default);
        var bens = await session.Query<Session>().Where(s => s.UserId == ben.Id).Select(s => s.Reference).SingleAsync();
        using var foreign = new FormUrlEncodedContent(new Dictionary<string, string> { ["Reference"] = bens });
        (await here.PostAsync("/account/sessions?handler=End", foreign)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await ben.Client.GetAsync("/account/sessions")).StatusCode.ShouldBe(HttpStatusCode.OK);

        (await here.PostAsync("/account/sessions?handler=EndOthers", null)).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await there.GetAsync("/account/sessions")).StatusCode.ShouldNotBe(HttpStatusCode.OK);
        (await here.GetAsync("/account/sessions")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact, Trait("Requirement", "A2")]
    public async Task The_password_helper_answers_only_who_chooses_a_password()
    {
        using var nobody = host.Visitor();
        (await nobody.SendAsync("/sign-in", "/password/check", ("password", Visitor.Password))).StatusCode.ShouldNotBe(HttpStatusCode.OK);
        (await nobody.Client.GetAsync("/password/suggest")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);

        await nobody.SendAsync("/set-up/" + await host.LinkAsync());
        using var answer = await nobody.SendAsync("/set-up", "/password/check", ("password", "ravine gopher helpless plinth"), ("username", "helpless"));
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        json.RootElement.GetProperty("ok").GetBoolean().ShouldBeFalse();
        json.RootElement.GetProperty("bits").GetDouble().ShouldBeGreaterThan(50);
        json.RootElement.GetProperty("reasons").EnumerateArray().Select(r => r.GetProperty("id").GetString()).ShouldBe(["length", "personal", "common", "strength"]);
        (await nobody.Client.GetStringAsync("/password/suggest")).ShouldContain("passphrase");
    }

    [Fact, Trait("Requirement", "A6")]
    public async Task A_notice_is_dismissed_by_its_own_person_only()
    {
        using var person = await host.PersonAsync("noticed");
        await using var session = await host.Database.ForApplianceAsync(default);
        var notice = await session.Query<Notice>().OrderByDescending(n => n.At).FirstAsync();
        var ben = await SignedIn.AsAsync(host);
        (await ben.Client.PostAsync($"/notices/{notice.Reference}/dismiss", new FormUrlEncodedContent([]))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await person.HtmlAsync("/account/sessions")).ShouldContain("may not be stored");
        await person.SendAsync("/account/sessions", $"/notices/{notice.Reference}/dismiss");
        (await person.HtmlAsync("/account/sessions")).ShouldNotContain("may not be stored");
    }

    [Fact, Trait("Requirement", "O2")]
    public async Task Only_the_owner_lets_people_in_and_only_with_the_key_at_hand()
    {
        var owner = await SignedIn.AsAsync(host, owner: true);
        (await (await owner.Client.PostAsync("/people", new FormUrlEncodedContent([]))).Content.ReadAsStringAsync()).ShouldContain("/set-up/");
        (await owner.Client.GetStringAsync("/people")).ShouldContain($"Made by <bdi>{owner.Username}</bdi>");
        var member = await SignedIn.AsAsync(host);
        (await member.Client.GetAsync("/people")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await member.Client.PostAsync("/people", new FormUrlEncodedContent([]))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }
}
