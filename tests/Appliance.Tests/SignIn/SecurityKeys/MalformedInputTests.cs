using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Appliance.SignIn;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.SecurityKeys.Attestation;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.SecurityKeys;

/// <summary>What no browser sends: every refusal is a calm answer (the host's client asserts 200), never an exception.</summary>
[Trait("Requirement", "A3")]
public sealed class MalformedInputTests(SecurityKeyHost host) : IClassFixture<SecurityKeyHost>
{
    private static readonly Dictionary<string, Func<byte[], byte[]>> BadCbor = new(StringComparer.Ordinal)
    {
        ["empty"] = _ => [],
        ["one byte"] = o => o[..1],
        ["cut by one byte"] = o => o[..^1],
        ["cut in half"] = o => o[..(o.Length / 2)],
        ["a byte more"] = o => [.. o, 0],
        ["a second value"] = o => [.. o, 0xA0],
        ["a list"] = o => [0x83, .. o[1..]],
        ["a text"] = _ => [0x61, 0x78],
        ["null"] = _ => [0xF6],
        ["indefinite length"] = o => [0xBF, .. o[1..], 0xFF],
        ["a longer length than needed"] = o => [0xB8, 3, .. o[1..]],
        ["a map of 2⁶⁴−1 entries"] = o => [0xBB, 255, 255, 255, 255, 255, 255, 255, 255, .. o[1..]],
        ["a map of 2³¹ entries"] = o => [0xBA, 0x80, 0, 0, 0, .. o[1..]],
        ["bytes of 2⁶³ length"] = o => [.. o[..1], 0x5B, 0x7F, 255, 255, 255, 255, 255, 255, 255],
        ["bytes of 4 GiB length"] = o => [.. o[..1], 0x5A, 255, 255, 255, 255],
        ["a key twice"] = o => [0xA4, 0x63, .. "fmt"u8, 0x64, .. "none"u8, .. o[1..]],
        ["an unknown key"] = o => [0xA4, .. o[1..], 0x69, .. "more here"u8, 0x01],
        ["keys out of order"] = o => [0xA3, 0x67, .. "attStmt"u8, 0xA0, 0x63, .. "fmt"u8, 0x64, .. "none"u8, .. o[23..]],
        ["integer keys, as the authenticator itself writes them"] = o => [0xA3, 0x01, .. o[5..10], 0x02, 0xA0, 0x03, .. o[28..]],
        ["one map in the other, deep"] = o => Deep(o, 0xA1, 200),
        ["lists in lists, deep"] = o => Deep(o, 0x81, 10_000),
        ["a tag"] = o => [0xD9, 0xD9, 0xF7, .. o],
        ["a half-precision NaN"] = _ => [0xF9, 0x7E, 0x00],
        ["reserved additional information"] = _ => [0xBC],
        ["break alone"] = _ => [0xFF],
        ["invalid UTF-8 as its format"] = o => AttestationTests.Replace(o, "none"u8, [0xFF, 0xFE, 0xFF, 0xFE]),
        ["more than 32 KiB"] = o => [.. o, .. new byte[33 * 1024]],
    };

    public static TheoryData<string> BadCborNames => [.. BadCbor.Keys];

    [Theory]
    [MemberData(nameof(BadCborNames))]
    public async Task Malformed_CBOR_is_refused_and_the_same_in_order_is_not(string how)
    {
        var (person, browser, key) = (await host.PersonAsync(), host.Browser(), SecurityKeyHost.Authenticator());
        (await browser.RegisterAsync(person, key with { ChangeAttestationObject = BadCbor[how] })).Succeeded.ShouldBeFalse();
        (await browser.RegisterAsync(person, key)).ShouldBe(new KeyResult(true));
    }

    public static TheoryData<string, string> FieldsAndGarbage()
    {
        var data = new TheoryData<string, string>();
        foreach (var field in new[] { "id", "rawId", "type", "response.clientDataJSON", "response.attestationObject", "response.authenticatorData", "response.signature", "response.userHandle" })
        {
            foreach (var garbage in new[] { "padded", "plus and slash", "space", "newline", "not base64", "empty", "not ASCII", "unused bits", "number", "null", "list", "missing", "huge" })
            {
                data.Add(field, garbage);
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(FieldsAndGarbage))]
    public async Task Garbage_in_any_field_is_refused(string field, string garbage)
    {
        var isRegistration = field == "response.attestationObject";
        if (field == "response.userHandle" && garbage is "null" or "missing")
        {
            return; // that is what most keys send
        }
        var (person, browser, key) = await host.EnrolledAsync();
        void Spoil(JsonObject credential)
        {
            var parent = field.StartsWith("response.", StringComparison.Ordinal) ? credential["response"]!.AsObject() : credential;
            var name = field.Split('.')[^1];
            if (garbage == "missing")
            {
                parent.Remove(name);
                return;
            }
            var right = parent[name]?.GetValue<string>() ?? "";
            parent[name] = garbage switch
            {
                "padded" => right + "==",
                "plus and slash" => "+/" + right,
                "space" => right.Insert(right.Length / 2, " "),
                "newline" => right + "\n",
                "not base64" => "#!$%",
                "empty" => "",
                "not ASCII" => right + "é",
                "unused bits" => "AB",
                "number" => 17,
                "null" => null,
                "list" => new JsonArray(right),
                _ => new string('A', 60_000),
            };
        }
        if (isRegistration)
        {
            (await browser.RegisterAsync(person, SecurityKeyHost.Authenticator() with { ChangeCredential = Spoil })).Succeeded.ShouldBeFalse();
        }
        else
        {
            (await browser.AssertAsync(person, key with { ChangeCredential = Spoil })).Succeeded.ShouldBeFalse();
        }
        (await browser.AssertAsync(person, key)).ShouldBe(new KeyResult(true));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("\"text\"")]
    [InlineData("{\"id\":")]
    [InlineData("{\"id\":{},\"rawId\":{},\"response\":{}}")]
    [InlineData("\u0000")]
    [InlineData("// comment\n{}")]
    public async Task What_is_no_credential_at_all_is_refused(string json)
    {
        var (person, browser, key) = await host.EnrolledAsync();
        foreach (var purpose in new[] { "registration", "assertion" })
        {
            var ceremony = await browser.BeginAsync(person, purpose);
            (await browser.FinishAsync(person, purpose, ceremony.Reference, json)).Succeeded.ShouldBeFalse();
        }
        (await browser.AssertAsync(person, key)).Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task A_member_that_is_there_twice_is_refused_wherever_it_is()
    {
        var (person, browser, key) = await host.EnrolledAsync();
        var ceremony = await browser.BeginAsync(person, "assertion");
        var answer = key.Assert(ceremony.OptionsJson);
        (await browser.FinishAsync(person, "assertion", ceremony.Reference, answer.Replace("\"type\":", "\"type\":\"public-key\",\"type\":", StringComparison.Ordinal))).Succeeded.ShouldBeFalse();

        // Signed, so that nothing but the double member is wrong.
        ceremony = await browser.BeginAsync(person, "assertion");
        var twice = Encoding.UTF8.GetBytes($$"""{"type":"webauthn.get","challenge":"{{Challenge(ceremony)}}","origin":"https://evil.example","origin":"{{SecurityKeyHost.Origin}}"}""");
        (await browser.FinishAsync(person, "assertion", ceremony.Reference, SignedOver(key, twice))).Succeeded.ShouldBeFalse();

        ceremony = await browser.BeginAsync(person, "assertion");
        var once = Encoding.UTF8.GetBytes($$$"""{"type":"webauthn.get","challenge":"{{{Challenge(ceremony)}}}","origin":"{{{SecurityKeyHost.Origin}}}","unknown":{"members":["are fine"]}}""");
        (await browser.FinishAsync(person, "assertion", ceremony.Reference, SignedOver(key, once))).ShouldBe(new KeyResult(true));
    }

    [Fact]
    public async Task Oversized_answers_are_refused_before_they_are_parsed()
    {
        var (person, browser, key) = await host.EnrolledAsync();
        (await browser.AssertAsync(person, key with { ChangeCredential = c => c["more"] = new string('x', CredentialJson.MaxLength) })).Succeeded.ShouldBeFalse();
        (await browser.AssertAsync(person, key with { ChangeClientData = c => c["more"] = new string('x', 5000) })).Succeeded.ShouldBeFalse();
        (await browser.AssertAsync(person, key with { ChangeCredential = c => c["deep"] = JsonNode.Parse(new string('[', 60) + new string(']', 60)) })).Succeeded.ShouldBeFalse();
        (await browser.AssertAsync(person, key with { ChangeCredential = c => c["more"] = new string('x', 1000) })).ShouldBe(new KeyResult(true));
    }

    /// <summary>Seeded, so that a failure comes again. Every byte of a valid object is signed or structural: no mutation may pass.</summary>
    [Theory]
    [InlineData("packed", 1)]
    [InlineData("packed", 2)]
    [InlineData("fido-u2f", 3)]
    [SuppressMessage("Security", "CA5394", Justification = "The generator must be the same in every run.")]
    public void No_mutation_of_a_signed_attestation_object_is_accepted_and_each_fails_calmly(string format, int seed)
    {
        var random = new Random(seed);
        var key = SecurityKeyHost.Authenticator() with { Format = format, Maker = AttestationMaker.Make(), Aaguid = format == "packed" ? Guid.NewGuid() : Guid.Empty };
        const string Options = """{"challenge":"AAAA","rp":{"id":"appliance.example"}}""";
        var response = JsonNode.Parse(key.Register(Options))!["response"]!;
        var valid = Bytes(response["attestationObject"]!);
        var hash = SHA256.HashData(Bytes(response["clientDataJSON"]!));
        AttestationVerifier.Verify(valid, hash, AttestationPolicy.Known).Format.ShouldBe(format);
        var certificate = key.Maker.Chain[0];
        var certificateAt = valid.AsSpan().IndexOf(certificate);
        for (var i = 0; i < 6000; i++)
        {
            var mutant = Mutate(valid, random);
            // The maker's signature on the certificate is checked against the makers' roots, which is not done here: bytes that only
            // that signature covers, or that the platform's parser ignores, may differ. So may flags and counters of U2F, which it does not sign.
            if (mutant.AsSpan().SequenceEqual(valid) || DiffersOnlyInside(mutant, valid, certificateAt, certificate.Length) || (format == "fido-u2f" && DiffersInU2fsUnsigned(mutant, valid)))
            {
                continue;
            }
            Should.Throw<AttestationException>(() => AttestationVerifier.Verify(mutant, hash, AttestationPolicy.Known), $"seed {seed}, mutant {i}: {Convert.ToHexString(mutant)}");
        }
    }

    [Theory]
    [InlineData("authenticatorData", 11)]
    [InlineData("signature", 12)]
    [InlineData("clientDataJSON", 13)]
    [InlineData("whole", 14)]
    [SuppressMessage("Security", "CA5394", Justification = "The generator must be the same in every run.")]
    public async Task No_mutation_of_an_assertion_is_accepted_over_HTTP(string part, int seed)
    {
        var random = new Random(seed);
        var (person, browser, key) = await host.EnrolledAsync();
        for (var i = 0; i < 60; i++)
        {
            var ceremony = await browser.BeginAsync(person, "assertion");
            var answer = key.Assert(ceremony.OptionsJson);
            string mutant;
            if (part == "whole")
            {
                var node = JsonNode.Parse(answer)!;
                // Members that no check depends on are left out.
                node.AsObject().Remove("clientExtensionResults");
                node.AsObject().Remove("authenticatorAttachment");
                node["response"]!.AsObject().Remove("userHandle");
                answer = node.ToJsonString();
                mutant = Encoding.UTF8.GetString(Mutate(Encoding.UTF8.GetBytes(answer), random));
            }
            else
            {
                var node = JsonNode.Parse(answer)!;
                node["response"]![part] = SoftwareAuthenticator.Text(Mutate(Bytes(node["response"]![part]!), random));
                mutant = node.ToJsonString();
            }
            if (Same(mutant, answer))
            {
                continue;
            }
            (await browser.FinishAsync(person, "assertion", ceremony.Reference, mutant)).Succeeded.ShouldBeFalse($"seed {seed}, mutant {i}: {mutant}");
        }
        (await browser.AssertAsync(person, key)).ShouldBe(new KeyResult(true));
    }

    private static bool Same(string mutant, string answer)
    {
        try
        {
            return JsonNode.DeepEquals(JsonNode.Parse(mutant), JsonNode.Parse(answer));
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or ArgumentException)
        {
            return false;
        }
    }

    [SuppressMessage("Security", "CA5394", Justification = "The generator must be the same in every run.")]
    private static byte[] Mutate(byte[] valid, Random random)
    {
        var bytes = valid.ToList();
        for (var times = random.Next(1, 4); times > 0 && bytes.Count > 0; times--)
        {
            var at = random.Next(bytes.Count);
            var length = random.Next(1, Math.Min(16, bytes.Count - at) + 1);
            switch (random.Next(6))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes.RemoveRange(at, length); break;
                case 3: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
                case 4: bytes.Insert(at, (byte)random.Next(256)); break;
                default: bytes.RemoveRange(at, bytes.Count - at); break;
            }
        }
        return [.. bytes];
    }

    private static bool DiffersOnlyInside(byte[] mutant, byte[] valid, int at, int length) =>
        mutant.Length == valid.Length && mutant.AsSpan(0, at).SequenceEqual(valid.AsSpan(0, at)) && mutant.AsSpan(at + length).SequenceEqual(valid.AsSpan(at + length));

    // §8.6: the signature covers RP id hash, client data hash, credential id and key; not flags and counter.
    private static bool DiffersInU2fsUnsigned(byte[] mutant, byte[] valid)
    {
        if (mutant.Length != valid.Length)
        {
            return false;
        }
        var rpIdHash = SHA256.HashData("appliance.example"u8);
        var flagsAt = valid.AsSpan().IndexOf(rpIdHash) + 32;
        return !mutant.AsSpan(flagsAt, 5).SequenceEqual(valid.AsSpan(flagsAt, 5));
    }

    private static byte[] Deep(byte[] valid, byte opener, int levels)
    {
        byte[] inner = opener == 0xA1 ? [.. Enumerable.Repeat(new byte[] { 0xA1, 0x61, 0x61 }, levels).SelectMany(b => b), 0x01] : [.. Enumerable.Repeat(opener, levels), 0x01];
        return AttestationTests.Replace(valid, [.. "attStmt"u8, 0xA0], [.. "attStmt"u8, .. inner]);
    }

    private static string Challenge(Ceremony ceremony) => JsonNode.Parse(ceremony.OptionsJson)!["challenge"]!.GetValue<string>();

    private static byte[] Bytes(JsonNode text) => System.Buffers.Text.Base64Url.DecodeFromChars(text.GetValue<string>());

    private static string SignedOver(SoftwareAuthenticator key, byte[] clientData)
    {
        byte[] data = [.. SHA256.HashData("appliance.example"u8), SoftwareAuthenticator.UserPresent, 0, 0, 0, (byte)key.Counter];
        return new JsonObject
        {
            ["id"] = SoftwareAuthenticator.Text(key.CredentialId),
            ["rawId"] = SoftwareAuthenticator.Text(key.CredentialId),
            ["type"] = "public-key",
            ["clientExtensionResults"] = new JsonObject(),
            ["response"] = new JsonObject
            {
                ["clientDataJSON"] = SoftwareAuthenticator.Text(clientData),
                ["authenticatorData"] = SoftwareAuthenticator.Text(data),
                ["signature"] = SoftwareAuthenticator.Text(key.Key.SignData([.. data, .. SHA256.HashData(clientData)], HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)),
            },
        }.ToJsonString();
    }
}
