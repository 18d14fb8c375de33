using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.SignIn;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.SecurityKeys;

/// <summary>What an attacker sends, over HTTP, next to its valid twin: WebAuthn Level 3 §7.1 and §7.2, step by step.</summary>
[Trait("Requirement", "A3")]
public sealed class CeremonyAttackTests(SecurityKeyHost host) : IClassFixture<SecurityKeyHost>
{
    /// <summary>How an authenticator or the browser around it lies, in both ceremonies alike.</summary>
    private static readonly Dictionary<string, Func<SoftwareAuthenticator, SoftwareAuthenticator>> Lies = new(StringComparer.Ordinal)
    {
        ["origin: another host"] = key => key with { Origin = "https://evil.example:8443" },
        ["origin: http"] = key => key with { Origin = "http://appliance.example:8443" },
        ["origin: another port"] = key => key with { Origin = "https://appliance.example" },
        ["origin: a sub-domain"] = key => key with { Origin = "https://a.appliance.example:8443" },
        ["origin: a prefix"] = key => key with { Origin = "https://appliance.example:8443.evil.example" },
        ["origin: a path after it"] = key => key with { Origin = "https://appliance.example:8443/" },
        ["origin: upper case"] = key => key with { Origin = "https://APPLIANCE.example:8443" },
        ["origin: the word null"] = key => key with { Origin = "null" },
        ["origin: null"] = Client(data => data["origin"] = null),
        ["origin: empty"] = key => key with { Origin = "" },
        ["origin: missing"] = Client(data => data.Remove("origin")),
        ["origin: a list"] = Client(data => data["origin"] = new JsonArray(SecurityKeyHost.Origin)),
        ["inside another site's page"] = Client(data => data["crossOrigin"] = true),
        ["inside another site's page, which it names"] = Client(data => data["topOrigin"] = "https://evil.example"),
        ["crossOrigin is a text"] = Client(data => data["crossOrigin"] = "false"),
        ["challenge: another one"] = Client(data => data["challenge"] = SoftwareAuthenticator.Text(new byte[32])),
        ["challenge: empty"] = Client(data => data["challenge"] = ""),
        ["challenge: cut"] = Client(data => data["challenge"] = data["challenge"]!.GetValue<string>()[..20]),
        ["challenge: missing"] = Client(data => data.Remove("challenge")),
        ["type: of the other ceremony"] = Client(data => data["type"] = (string?)data["type"] == "webauthn.get" ? "webauthn.create" : "webauthn.get"),
        ["type: payment.get"] = Client(data => data["type"] = "payment.get"),
        ["type: missing"] = Client(data => data.Remove("type")),
        ["token binding: nonsense"] = Client(data => data["tokenBinding"] = new JsonObject { ["status"] = "perhaps" }),
        ["RP id: another host's"] = key => key with { RpId = "evil.example" },
        ["RP id: a parent domain's"] = key => key with { RpId = "example" },
        ["nobody touched it"] = key => key with { Flags = 0 },
        ["verified but not present"] = key => key with { Flags = 0x04 },
        ["backed up but not eligible"] = key => key with { Flags = SoftwareAuthenticator.UserPresent | SoftwareAuthenticator.BackedUp },
        ["authenticator data: cut"] = Data(data => data[..^1]),
        ["authenticator data: 36 bytes"] = Data(data => data[..36]),
        ["authenticator data: empty"] = Data(_ => []),
        ["authenticator data: a byte more"] = Data(data => [.. data, 0]),
        ["extensions announced, none there"] = key => key with { Flags = 0x81 },
        ["extensions: not a map"] = key => key with { Flags = 0x81, ChangeAuthenticatorData = data => [.. data, 0x01] },
        ["extensions: indefinite length"] = key => key with { Flags = 0x81, ChangeAuthenticatorData = data => [.. data, 0xBF, 0xFF] },
        ["extensions: twice"] = key => key with { Flags = 0x81, ChangeAuthenticatorData = data => [.. data, 0xA0, 0xA0] },
        ["credential: another type"] = Post(post => post["type"] = "password"),
        ["credential: rawId is another"] = Post(post => post["rawId"] = SoftwareAuthenticator.Text(new byte[32])),
        ["credential: id is another"] = Post(post => (post["id"], post["rawId"]) = (SoftwareAuthenticator.Text(new byte[32]), SoftwareAuthenticator.Text(new byte[32]))),
        ["credential: id is empty"] = Post(post => (post["id"], post["rawId"]) = ("", "")),
        ["credential: no response"] = Post(post => post.Remove("response")),
        ["credential: response is a text"] = Post(post => post["response"] = "x"),
    };

    public static TheoryData<string> LieNames => [.. Lies.Keys];

    [Theory]
    [MemberData(nameof(LieNames))]
    public async Task A_registration_that_lies_is_refused_and_the_honest_one_after_it_is_not(string lie)
    {
        var (person, browser, honest) = (await host.PersonAsync(), host.Browser(), SecurityKeyHost.Authenticator());

        (await browser.RegisterAsync(person, Lies[lie](honest))).Succeeded.ShouldBeFalse();
        (await host.Keys.ListAsync(person.Id, default)).ShouldBeEmpty();

        (await browser.RegisterAsync(person, honest)).ShouldBe(new KeyResult(true));
    }

    [Theory]
    [MemberData(nameof(LieNames))]
    public async Task An_assertion_that_lies_is_refused_and_the_honest_one_after_it_is_not(string lie)
    {
        var (person, browser, honest) = await host.EnrolledAsync();

        (await browser.AssertAsync(person, Lies[lie](honest))).Succeeded.ShouldBeFalse();
        (await LastUseAsync(honest)).ShouldBe(DBNull.Value);

        (await browser.AssertAsync(person, honest)).ShouldBe(new KeyResult(true));
        (await LastUseAsync(honest)).ShouldNotBe(DBNull.Value);
    }

    [Theory]
    [InlineData("signature: a bit flipped")]
    [InlineData("signature: empty")]
    [InlineData("signature: another key's")]
    [InlineData("signature: over other data")]
    [InlineData("signed data: a bit flipped")]
    [InlineData("signed data: counter raised")]
    [InlineData("an attested credential in it")]
    [InlineData("another person's user handle")]
    public async Task An_assertion_whose_signature_or_contents_were_altered_is_refused(string what)
    {
        var (person, browser, honest) = await host.EnrolledAsync();
        using var stranger = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var altered = what switch
        {
            "signature: a bit flipped" => honest with { ChangeSignature = s => [.. s[..^1], (byte)(s[^1] ^ 1)] },
            "signature: empty" => honest with { ChangeSignature = _ => [] },
            "signature: another key's" => honest with { Key = stranger },
            "signature: over other data" => honest with { ChangeSignature = _ => honest.Key.SignData(new byte[69], System.Security.Cryptography.HashAlgorithmName.SHA256) },
            "signed data: a bit flipped" => honest with { ChangeSigned = d => [.. d[..32], (byte)(d[32] ^ 4), .. d[33..]] },
            "signed data: counter raised" => honest with { ChangeSigned = d => [.. d[..36], 99] },
            "an attested credential in it" => honest with
            {
                Flags = 0x41,
                ChangeAuthenticatorData = d => [.. d, .. new byte[16], 0, 1, 7, .. SoftwareAuthenticator.CoseKey(stranger)],
            },
            _ => honest with { UserHandle = SoftwareAuthenticator.Text(System.Text.Encoding.UTF8.GetBytes(Guid.NewGuid().ToString("D"))) },
        };

        (await browser.AssertAsync(person, altered)).Succeeded.ShouldBeFalse();

        var handle = SoftwareAuthenticator.Text(System.Text.Encoding.UTF8.GetBytes(person.Id.ToString()));
        (await browser.AssertAsync(person, honest with { UserHandle = handle })).ShouldBe(new KeyResult(true));
    }

    [Fact]
    public async Task An_answer_works_once()
    {
        var (person, browser) = (await host.PersonAsync(), host.Browser());
        var key = SecurityKeyHost.Authenticator();
        var registration = await browser.BeginAsync(person, "registration");
        var created = key.Register(registration.OptionsJson);
        (await browser.FinishAsync(person, "registration", registration.Reference, created)).Succeeded.ShouldBeTrue();
        (await browser.FinishAsync(person, "registration", registration.Reference, created)).Succeeded.ShouldBeFalse();

        var assertion = await browser.BeginAsync(person, "assertion");
        // Without a counter, so that nothing but the challenge is in the way of a replay.
        await host.SqlAsync($"update security_keys set sign_count = 0 where user_id = '{person.Id}'");
        var got = (key with { Counter = 0 }).Assert(assertion.OptionsJson);
        (await browser.FinishAsync(person, "assertion", assertion.Reference, got)).Succeeded.ShouldBeTrue();
        (await browser.FinishAsync(person, "assertion", assertion.Reference, got)).Succeeded.ShouldBeFalse();
        var later = await browser.BeginAsync(person, "assertion");
        (await browser.FinishAsync(person, "assertion", later.Reference, got)).Succeeded.ShouldBeFalse("an old answer to a new question");
    }

    [Fact]
    public async Task A_wrong_answer_uses_the_question_up()
    {
        var (person, browser, key) = await host.EnrolledAsync();
        var ceremony = await browser.BeginAsync(person, "assertion");
        (await browser.FinishAsync(person, "assertion", ceremony.Reference, (key with { Origin = "https://evil.example" }).Assert(ceremony.OptionsJson))).Succeeded.ShouldBeFalse();
        (await browser.FinishAsync(person, "assertion", ceremony.Reference, key.Assert(ceremony.OptionsJson))).Succeeded.ShouldBeFalse();
        (await browser.AssertAsync(person, key)).Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task Of_many_answers_at_once_one_is_taken()
    {
        var (person, browser, key) = await host.EnrolledAsync(SecurityKeyHost.Authenticator() with { Counter = 0 });
        var ceremony = await browser.BeginAsync(person, "assertion");
        var answer = key.Assert(ceremony.OptionsJson);
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => browser.FinishAsync(person, "assertion", ceremony.Reference, answer)));
        results.Count(r => r.Succeeded).ShouldBe(1);
    }

    [Fact]
    public async Task A_question_is_good_for_its_person_its_purpose_its_browser_and_its_session_alone()
    {
        var (person, browser, key) = await host.EnrolledAsync();
        var (other, otherBrowser, otherKey) = await host.EnrolledAsync();

        var theirs = await otherBrowser.BeginAsync(other, "assertion");
        (await browser.FinishAsync(person, "assertion", theirs.Reference, key.Assert(theirs.OptionsJson))).Succeeded.ShouldBeFalse("another person's question");
        theirs = await otherBrowser.BeginAsync(other, "assertion");
        (await otherBrowser.FinishAsync(person, "assertion", theirs.Reference, key.Assert(theirs.OptionsJson))).Succeeded.ShouldBeFalse("… in that person's browser");

        var assertion = await browser.BeginAsync(person, "assertion");
        (await browser.FinishAsync(person, "registration", assertion.Reference, SecurityKeyHost.Authenticator().Register(RegistrationLike(assertion)))).Succeeded.ShouldBeFalse("a sign-in's question");
        var registration = await browser.BeginAsync(person, "registration");
        (await browser.FinishAsync(person, "assertion", registration.Reference, (key with { RpId = "appliance.example" }).Assert(registration.OptionsJson))).Succeeded.ShouldBeFalse("a registration's question");

        var elsewhere = host.Browser();
        await elsewhere.BeginAsync(person, "assertion");
        var here = await browser.BeginAsync(person, "assertion");
        (await elsewhere.FinishAsync(person, "assertion", here.Reference, key.Assert(here.OptionsJson))).Succeeded.ShouldBeFalse("another browser's question");
        here = await browser.BeginAsync(person, "assertion");
        (await host.Browser().FinishAsync(person, "assertion", here.Reference, key.Assert(here.OptionsJson))).Succeeded.ShouldBeFalse("no cookie");

        (await browser.AssertAsync(person, key)).Succeeded.ShouldBeTrue();
        (await otherBrowser.AssertAsync(other, otherKey)).Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task A_question_ends_with_its_session()
    {
        var (person, _, key) = await host.EnrolledAsync();
        var browser = host.Browser(session: "first");
        var ceremony = await browser.BeginAsync(person, "assertion");
        browser.Session = "second";
        (await browser.FinishAsync(person, "assertion", ceremony.Reference, key.Assert(ceremony.OptionsJson))).Succeeded.ShouldBeFalse();
        (await browser.AssertAsync(person, key)).Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task A_question_expires_after_five_minutes_and_is_swept()
    {
        var (person, browser, key) = await host.EnrolledAsync();
        var late = await browser.BeginAsync(person, "assertion");
        await host.SqlAsync("update security_key_ceremonies set expires_at = expires_at - interval '5 minutes 1 second'");
        (await browser.FinishAsync(person, "assertion", late.Reference, key.Assert(late.OptionsJson))).Succeeded.ShouldBeFalse();

        await browser.BeginAsync(person, "assertion");
        await host.SqlAsync("update security_key_ceremonies set expires_at = expires_at - interval '5 minutes 1 second'");
        await browser.BeginAsync(person, "assertion");
        Convert.ToInt32(await host.SqlAsync("select count(*) from security_key_ceremonies where expires_at < now()"), CultureInfo.InvariantCulture).ShouldBe(0);

        var inTime = await browser.BeginAsync(person, "assertion");
        await host.SqlAsync("update security_key_ceremonies set expires_at = expires_at - interval '4 minutes'");
        (await browser.FinishAsync(person, "assertion", inTime.Reference, key.Assert(inTime.OptionsJson))).Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task A_person_has_a_bounded_number_of_open_questions_and_the_newest_works()
    {
        var (person, browser, key) = await host.EnrolledAsync();
        Ceremony? last = null;
        for (var i = 0; i < 20; i++)
        {
            last = await browser.BeginAsync(person, "assertion");
        }
        Convert.ToInt32(await host.SqlAsync($"select count(*) from security_key_ceremonies where user_id = '{person.Id}'"), CultureInfo.InvariantCulture).ShouldBe(16);
        (await browser.FinishAsync(person, "assertion", last!.Reference, key.Assert(last.OptionsJson))).Succeeded.ShouldBeTrue();
    }

    [Theory]
    [InlineData("")]
    [InlineData("'; drop table users; --")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public async Task A_reference_that_was_never_given_out_is_refused(string reference)
    {
        var (person, browser, key) = await host.EnrolledAsync();
        var ceremony = await browser.BeginAsync(person, "assertion");
        (await browser.FinishAsync(person, "assertion", reference, key.Assert(ceremony.OptionsJson))).Succeeded.ShouldBeFalse();
        (await browser.FinishAsync(person, "assertion", ceremony.Reference, key.Assert(ceremony.OptionsJson))).Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task One_persons_key_does_not_sign_another_one_in()
    {
        var (_, _, mallorysKey) = await host.EnrolledAsync();
        var (alice, browser, alicesKey) = await host.EnrolledAsync();
        (await browser.AssertAsync(alice, mallorysKey)).Succeeded.ShouldBeFalse();
        (await browser.AssertAsync(alice, mallorysKey with { CredentialId = alicesKey.CredentialId })).Succeeded.ShouldBeFalse();
        (await browser.AssertAsync(alice, alicesKey)).Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task A_credential_belongs_to_one_account()
    {
        var (alice, alicesBrowser, key) = await host.EnrolledAsync();
        var (mallory, browser) = (await host.PersonAsync(), host.Browser());

        var refused = await browser.RegisterAsync(mallory, key);
        refused.Succeeded.ShouldBeFalse();
        refused.Reason.ShouldNotBeNull().ShouldContain("in use already");
        (await alicesBrowser.RegisterAsync(alice, key)).Succeeded.ShouldBeFalse("twice in one account");
        using var own = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        (await browser.RegisterAsync(mallory, key with { Key = own })).Succeeded.ShouldBeFalse("her id, my key");

        (await host.Keys.ListAsync(mallory.Id, default)).ShouldBeEmpty();
        (await alicesBrowser.AssertAsync(alice, key)).Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task Of_two_accounts_that_add_one_credential_at_once_one_gets_it()
    {
        var key = SecurityKeyHost.Authenticator();
        var people = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => host.PersonAsync()));
        var results = await Task.WhenAll(people.Select(person => host.Browser().RegisterAsync(person, key)));
        results.Count(r => r.Succeeded).ShouldBe(1);
    }

    /// <summary>A request's options, as a key that registers reads them.</summary>
    private static string RegistrationLike(Ceremony assertion)
    {
        var options = JsonNode.Parse(assertion.OptionsJson)!;
        options["rp"] = new JsonObject { ["id"] = options["rpId"]!.GetValue<string>() };
        return options.ToJsonString();
    }

    private Task<object?> LastUseAsync(SoftwareAuthenticator key) =>
        host.SqlAsync($"select last_used_at from security_keys where credential_id = '\\x{Convert.ToHexString(key.CredentialId)}'");

    private static Func<SoftwareAuthenticator, SoftwareAuthenticator> Client(Action<JsonObject> change) => key => key with { ChangeClientData = change };

    private static Func<SoftwareAuthenticator, SoftwareAuthenticator> Data(Func<byte[], byte[]> change) => key => key with { ChangeAuthenticatorData = change };

    private static Func<SoftwareAuthenticator, SoftwareAuthenticator> Post(Action<JsonObject> change) => key => key with { ChangeCredential = change };
}
