using System.Net;
using System.Text.RegularExpressions;
using Appliance.Tests.Teams;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.Tokens;

[Trait("Requirement", "A16")]
public sealed partial class TokenPageTests(TokenHost host) : IClassFixture<TokenHost>
{
    [Fact]
    public async Task A_person_makes_one_sees_it_once_uses_it_and_revokes_it()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync("Band");
        (await anna.Http.GetStringAsync("/account/tokens")).ShouldContain("There are none yet");
        (await anna.Http.GetStringAsync("/account/tokens/new")).ShouldContain("Band");

        using var made = await anna.PostAsync("/account/tokens/new", ("Name", "Backup <b>"), ("Kind", "app-password"), ("Team", team), ("May", "write"), ("Days", "never"));
        made.StatusCode.ShouldBe(HttpStatusCode.OK);
        made.Headers.CacheControl!.NoStore.ShouldBeTrue();
        var secret = Secret().Match(await made.Content.ReadAsStringAsync()).Groups["secret"].Value;
        secret.ShouldStartWith("app_");
        using var program = ApiClient.With(host, anna.Username, secret);
        (await program.GetAsync($"/api/v1/teams/{team}")).StatusCode.ShouldBe(HttpStatusCode.OK);

        var list = await anna.Http.GetStringAsync("/account/tokens");
        list.ShouldNotContain(secret);
        list.ShouldNotContain("<b>");
        list.ShouldContain("Backup &lt;b&gt;");
        list.ShouldContain("last used");
        var reference = Listed().Match(list).Groups["reference"].Value;
        using var mallory = await Person.NewAsync(host, "mallory");
        (await mallory.PostAsync("/account/tokens?handler=Revoke", ("Reference", reference))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await anna.PostAsync("/account/tokens?handler=Revoke", ("Reference", reference))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await program.GetAsync($"/api/v1/teams/{team}")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await host.LedgerAsync("token.created")).ShouldContain(e => e.Actor == anna.Id);
        (await host.LedgerAsync("token.revoked")).ShouldContain(e => e.Actor == anna.Id);
    }

    [Fact]
    public async Task Making_one_asks_for_the_key_again_and_what_cannot_be_is_told()
    {
        using var anna = await Person.NewAsync(host);
        using (var refused = await anna.PostAsync("/account/tokens/new", ("Name", "x"), ("Kind", "token"), ("May", "read"), ("Days", "never")))
        {
            refused.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
            (await refused.Content.ReadAsStringAsync()).ShouldContain("Only an app password can be without end");
        }
        host.Clock.Move(TimeSpan.FromMinutes(6));
        using var stale = await anna.PostAsync("/account/tokens/new", ("Name", "x"), ("Kind", "token"), ("May", "read"), ("Days", "7"));
        stale.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await anna.Http.GetAsync("/account/tokens")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [GeneratedRegex("<code id=\"secret\">(?<secret>[^<]+)</code>", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Secret();

    [GeneratedRegex("name=\"Reference\" value=\"(?<reference>[a-z2-7]{26})\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Listed();
}
