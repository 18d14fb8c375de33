using System.Net;
using System.Net.Sockets;
using System.Text;
using Appliance.Accounts;
using Appliance.Saml.Tests;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Tests.SignIn.Sso;

/// <summary>An owner connects the team with its identity provider.</summary>
[Trait("Requirement", "A12")]
public sealed class SsoSetUpTests(SignInHost host) : SsoTeams(host)
{
    [Fact]
    public async Task An_owner_sets_it_up_tests_it_and_only_then_turns_it_on()
    {
        var (owner, idp) = await TeamAsync();
        using (owner)
        {
            (await owner.HtmlAsync($"/teams/{idp.Team}/sso")).ShouldContain(idp.Acs);
            (await owner.GetAsync($"/sso/{idp.Team}")).StatusCode.ShouldBe(HttpStatusCode.NotFound); // nothing there yet
            var metadata = await owner.HtmlAsync($"/sso/{idp.Team}/metadata");
            metadata.ShouldContain($"entityID=\"{idp.SpEntityId}\"");
            metadata.ShouldContain("WantAssertionsSigned=\"true\"");
            await TakeAsync(owner, idp, idp.Metadata());

            // Neither a member's sign-in nor turning it on before a test came back.
            (await owner.GetAsync($"/sso/{idp.Team}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            var early = await ChooseAsync(owner, idp, Usual);
            early.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
            (await early.Content.ReadAsStringAsync()).ShouldContain("Test the connection first");

            // A test that fails names the rule; it cannot be confirmed.
            var failed = await TestAsync(owner, idp, id => idp.Signed(idp.Spec(id, "owner@idp.example") with { Audience = "https://other.example" }));
            (await owner.HtmlAsync(failed)).ShouldContain("Rule: Audience");
            (await owner.PostAsync(await owner.HtmlAsync($"/teams/{idp.Team}/members"), $"/teams/{idp.Team}/sso/result?handler=Confirm", ("request", failed.Split('=')[1])))
                .StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);

            var result = await TestAsync(owner, idp, id => idp.Signed(idp.Spec(id, "owner@idp.example", "leads")));
            var html = await owner.HtmlAsync(result);
            html.ShouldContain("owner@idp.example");
            html.ShouldContain("leads");
            // It bound nothing.
            (await CountAsync("saml_identities where name_id = 'owner@idp.example' and team_id = (select id from teams where reference = '" + idp.Team + "')")).ShouldBe(0);
            (await owner.SendAsync(result, $"/teams/{idp.Team}/sso/result?handler=Confirm")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
            (await ChooseAsync(owner, idp, Usual)).StatusCode.ShouldBe(HttpStatusCode.Redirect);
            using var page = await owner.GetAsync($"/sso/{idp.Team}");
            page.Headers.GetValues("Content-Security-Policy").Single().ShouldContain("form-action 'self' https://idp.example;");
            (await page.Content.ReadAsStringAsync()).ShouldContain("idp.example</strong>");
            (await owner.SendAsync($"/sso/{idp.Team}")).Headers.Location!.ToString().ShouldStartWith("https://idp.example/sso?SAMLRequest=");

            // Another provider's metadata: off again, and untested.
            var other = new Provider(Host, idp.Team, "https://idp2.example/metadata");
            await TakeAsync(owner, other, other.Metadata());
            (await owner.GetAsync($"/sso/{idp.Team}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await ChooseAsync(owner, idp, Usual)).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        }
    }

    [Fact]
    public async Task The_providers_keys_change_without_a_moment_in_which_nobody_gets_in_and_so_do_ours()
    {
        var (owner, idp) = await BoundAsync();
        using var _ = owner;
        var newer = new Provider(Host, idp.Team);
        async Task<bool> WorksAsync(Provider p)
        {
            using var visitor = Host.Visitor();
            return await p.SignInAsync(visitor, "nora@idp.example") == $"/teams/{idp.Team}/files";
        }
        ((await WorksAsync(idp)), (await WorksAsync(newer))).ShouldBe((true, false));
        await TakeAsync(owner, idp, idp.Metadata(idp.Certificate, newer.Certificate));
        ((await WorksAsync(idp)), (await WorksAsync(newer))).ShouldBe((true, true));
        await TakeAsync(owner, idp, idp.Metadata(newer.Certificate));
        ((await WorksAsync(idp)), (await WorksAsync(newer))).ShouldBe((false, true));

        async Task<string[]> CertificatesAsync() => [.. System.Text.RegularExpressions.Regex.Matches(await owner.HtmlAsync($"/sso/{idp.Team}/metadata"), "<KeyDescriptor use=\"signing\">.*?<X509Certificate[^>]*>(?<found>[^<]+)<", default, TimeSpan.FromSeconds(5)).Select(m => m.Groups["found"].Value)];
        async Task<bool> OpensAsync(string certificate)
        {
            using var visitor = Host.Visitor();
            var id = await idp.StartAsync(visitor);
            return await Provider.LedToAsync(await newer.ReturnAsync(visitor, newer.SignedAndEncrypted(newer.Spec(id, "nora@idp.example"), Convert.FromBase64String(certificate)))) == $"/teams/{idp.Team}/files";
        }
        Task<HttpResponseMessage> StepAsync(string step) => owner.SendAsync($"/teams/{idp.Team}/sso", $"/teams/{idp.Team}/sso?handler=Key", ("Step", step));
        var first = (await CertificatesAsync()).ShouldHaveSingleItem();
        (await StepAsync("activate")).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await StepAsync("prepare")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        var both = await CertificatesAsync();
        (both.Length, both[0]).ShouldBe((2, first));
        ((await OpensAsync(both[0])), (await OpensAsync(both[1]))).ShouldBe((true, true));
        (await StepAsync("activate")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await CertificatesAsync())[0].ShouldBe(both[1]);
        ((await OpensAsync(both[0])), (await OpensAsync(both[1]))).ShouldBe((true, true));
        (await StepAsync("retire")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        ((await OpensAsync(both[0])), (await OpensAsync(both[1]))).ShouldBe((false, true));
    }

    [Fact]
    public async Task Bad_metadata_is_refused_with_the_reason_and_nothing_in_it_is_fetched()
    {
        var (owner, idp) = await TeamAsync();
        using var _ = owner;
        async Task<string> ProblemAsync(string metadata)
        {
            var answer = await owner.SendAsync($"/teams/{idp.Team}/sso", $"/teams/{idp.Team}/sso/metadata", ("Metadata", metadata));
            answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
            return await answer.Content.ReadAsStringAsync();
        }
        using (var key = System.Security.Cryptography.RSA.Create(2048))
        {
            (await ProblemAsync(idp.Metadata(TestIdp.Certificate(key, DateTimeOffset.UtcNow.AddYears(-2), DateTimeOffset.UtcNow.AddDays(-1))))).ShouldContain("ended on");
        }
        (await ProblemAsync(idp.MetadataAt("https://idp.example/sso"))).ShouldContain("no certificate");
        (await ProblemAsync(idp.MetadataAt("http://127.0.0.1/sso", idp.Certificate))).ShouldContain("not an https address");
        (await ProblemAsync("")).ShouldContain("well-formed");

        // Fifty megabytes: told to go before they are read.
        var page = await owner.HtmlAsync($"/teams/{idp.Team}/sso");
        using (var huge = new HttpRequestMessage(HttpMethod.Post, $"/teams/{idp.Team}/sso/metadata") { Content = new Endless(50 << 20) })
        {
            huge.Headers.ExpectContinue = true;
            huge.Headers.Add("RequestVerificationToken", System.Text.RegularExpressions.Regex.Match(page, "<meta name=\"csrf\" content=\"(?<found>[^\"]+)\"", default, TimeSpan.FromSeconds(5)).Groups["found"].Value);
            using var answer = await owner.Client.SendAsync(huge);
            answer.StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        }

        // An internal address is where browsers are sent, by the owner's word. The appliance itself goes nowhere.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        await TakeAsync(owner, idp, idp.MetadataAt($"https://127.0.0.1:{port}/sso", idp.Certificate));
        await ConfirmedTestAsync(owner, idp);
        listener.Pending().ShouldBeFalse();
        await TakeAsync(owner, idp, $"<!-- {new string('x', 700_000)} -->" + idp.Metadata());
    }

    [Fact]
    public async Task Only_owners_see_it()
    {
        var (owner, idp) = await BoundAsync(changes: ("Choice.SecondFactor", "appliance"));
        using var _ = owner;
        var name = Name("olga");
        using var olga = await Host.PersonAsync(name);
        await owner.SendAsync($"/teams/{idp.Team}/members", null, ("Username", name));
        var offer = System.Text.RegularExpressions.Regex.Match(await olga.HtmlAsync("/teams"), "name=\"offer\" value=\"(?<found>[a-z2-7]{26})", default, TimeSpan.FromSeconds(5)).Groups["found"].Value;
        await olga.SendAsync("/teams", "/teams?handler=Accept", ("offer", offer));
        (await olga.GetAsync($"/teams/{idp.Team}/sso")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await olga.GetAsync($"/teams/{idp.Team}/sso/test")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        var page = await olga.HtmlAsync($"/teams/{idp.Team}/members");
        foreach (var action in new[] { "sso", "sso/metadata", "sso?handler=Key", "sso?handler=Unlink" })
        {
            (await olga.PostAsync(page, $"/teams/{idp.Team}/{action}", ("Metadata", idp.Metadata()), ("Step", "prepare"))).StatusCode.ShouldBe(HttpStatusCode.NotFound, action);
        }
        // Nor does a locked-away second factor: after five minutes an owner touches the key again.
        Host.Clock.Move(TimeSpan.FromMinutes(6));
        (await owner.GetAsync($"/teams/{idp.Team}/sso")).Headers.Location!.ToString().ShouldStartWith("/step-up");
    }

    /// <summary>A body that says how long it is, and fails the test where somebody takes a megabyte of it.</summary>
    private sealed class Endless(long length) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var buffer = new byte[64 << 10];
            for (var sent = 0L; sent < length; sent += buffer.Length)
            {
                await stream.WriteAsync(buffer);
            }
        }

        protected override bool TryComputeLength(out long computed)
        {
            Headers.ContentType = new("application/x-www-form-urlencoded");
            computed = length;
            return true;
        }
    }
}
