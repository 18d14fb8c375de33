using System.Formats.Cbor;
using System.Security.Cryptography;
using Appliance.SignIn;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.SecurityKeys;

/// <summary>Attestation statements, right and wrong, over HTTP: WebAuthn Level 3 §8.</summary>
[Trait("Requirement", "A3")]
public sealed class AttestationTests(SecurityKeyHost host, AnyAttestationHost any) : IClassFixture<SecurityKeyHost>, IClassFixture<AnyAttestationHost>
{
    private static readonly AttestationMaker Good = AttestationMaker.Make();
    private static readonly SoftwareAuthenticator Plain = SecurityKeyHost.Authenticator();

    private static SoftwareAuthenticator Packed(AttestationMaker? maker = null) => SecurityKeyHost.Authenticator() with { Format = "packed", Maker = maker };

    private static SoftwareAuthenticator U2f(AttestationMaker? maker = null) =>
        SecurityKeyHost.Authenticator() with { Format = "fido-u2f", Maker = maker ?? AttestationMaker.Make(subject: "CN=Any U2F key", authority: null), Aaguid = Guid.Empty };

    public static TheoryData<string> RightOnes => [.. Right.Keys];

    private static readonly Dictionary<string, Func<SoftwareAuthenticator>> Right = new(StringComparer.Ordinal)
    {
        ["none"] = SecurityKeyHost.Authenticator,
        ["packed, self"] = () => Packed(),
        ["packed, certificate"] = () => Packed(AttestationMaker.Make()),
        ["packed, certificate that names the model"] = () => Packed(AttestationMaker.Make(aaguid: Plain.Aaguid)),
        ["packed, RSA certificate"] = () => Packed(AttestationMaker.Make(key: RSA.Create(2048))) with { Algorithm = -257 },
        ["fido-u2f"] = () => U2f(),
        ["extensions in the authenticator data"] = () => SecurityKeyHost.Authenticator() with
        {
            Flags = 0x81,
            ChangeAuthenticatorData = data => [.. data, .. SoftwareAuthenticator.Map(w => { w.WriteTextString("credProtect"); w.WriteInt32(1); }, 1)],
        },
    };

    [Theory]
    [MemberData(nameof(RightOnes))]
    public async Task A_key_with_a_valid_statement_is_added_and_signs_in(string which)
    {
        var (person, browser, key) = await host.EnrolledAsync(Right[which]());
        (await browser.AssertAsync(person, key with { Flags = SoftwareAuthenticator.UserPresent, ChangeAuthenticatorData = null })).ShouldBe(new KeyResult(true));
        var stored = (await host.Keys.ListAsync(person.Id, default)).ShouldHaveSingleItem();
        stored.AttestationFormat.ShouldBe(key.Format);
        stored.Aaguid.ShouldBe(key.Aaguid);
        stored.Transports.ShouldBe(["usb", "nfc"], ignoreOrder: true);
    }

    public static TheoryData<string> WrongOnes => [.. Wrong.Keys];

    private static readonly Dictionary<string, (SoftwareAuthenticator Lie, SoftwareAuthenticator Twin)> Wrong = new(StringComparer.Ordinal)
    {
        ["none: a statement that is not empty"] = (Plain with { ChangeAttestationObject = o => Replace(o, Cbor("attStmt", 0xA0), Cbor("attStmt", 0xA1, 0x61, 0x78, 0x01)) }, Plain),
        ["none: an empty list as its statement"] = (Plain with { ChangeAttestationObject = o => Replace(o, Cbor("attStmt", 0xA0), Cbor("attStmt", 0x80)) }, Plain),
        ["packed self: another algorithm"] = (Packed() with { Algorithm = -257 }, Packed()),
        ["packed self: an unknown algorithm"] = (Packed() with { Algorithm = -65535 }, Packed()),
        ["packed self: a bad signature"] = (Packed() with { ChangeSignature = Flip }, Packed()),
        ["packed self: an empty signature"] = (Packed() with { ChangeSignature = _ => [] }, Packed()),
        ["packed self: data altered after signing"] = (Packed() with { ChangeSigned = d => [.. d[..36], 9, .. d[37..]] }, Packed()),
        ["packed: an empty list of certificates"] = (Packed(Good.With()), Packed(Good)),
        ["packed: nine certificates"] = (Packed(Good.With([.. Enumerable.Repeat(Good.Chain[0], 9)])), Packed(Good)),
        ["packed: another algorithm"] = (Packed(Good) with { Algorithm = -257 }, Packed(Good)),
        ["packed: a bad signature"] = (Packed(Good) with { ChangeSignature = Flip }, Packed(Good)),
        ["packed: another maker's certificate"] = (Packed(Good.With([.. AttestationMaker.Make().Chain])), Packed(Good)),
        ["packed: another model's certificate"] = (Packed(AttestationMaker.Make(aaguid: Guid.NewGuid())), Packed(AttestationMaker.Make(aaguid: Plain.Aaguid))),
        ["packed: the model's extension is critical"] = (Packed(AttestationMaker.Make(aaguid: Plain.Aaguid, aaguidIsCritical: true)), Packed(Good)),
        ["packed: an authority's certificate"] = (Packed(AttestationMaker.Make(authority: true)), Packed(Good)),
        ["packed: no basic constraints"] = (Packed(AttestationMaker.Make(authority: null)), Packed(Good)),
        ["packed: another unit"] = (Packed(AttestationMaker.Make("C=SE, O=Test Keys, OU=Attestation, CN=A")), Packed(Good)),
        ["packed: a second unit"] = (Packed(AttestationMaker.Make("C=SE, O=Test Keys, OU=Authenticator Attestation, OU=More, CN=A")), Packed(Good)),
        ["packed: no unit"] = (Packed(AttestationMaker.Make("C=SE, O=Test Keys, CN=A")), Packed(Good)),
        ["packed: no country"] = (Packed(AttestationMaker.Make("O=Test Keys, OU=Authenticator Attestation, CN=A")), Packed(Good)),
        ["packed: no organisation"] = (Packed(AttestationMaker.Make("C=SE, OU=Authenticator Attestation, CN=A")), Packed(Good)),
        ["packed: no common name"] = (Packed(AttestationMaker.Make("C=SE, O=Test Keys, OU=Authenticator Attestation")), Packed(Good)),
        ["packed: garbage for a certificate"] = (Packed(Good.With([0x30, 0x03, 1, 2, 3])), Packed(Good)),
        ["packed: a certificate and a byte more"] = (Packed(Good.With([.. Good.Chain[0], 0])), Packed(Good)),
        ["packed: a certificate as text (PEM)"] = (Packed(Good.With(Pem(Good.Chain[0]))), Packed(Good)),
        ["packed: cut certificate"] = (Packed(Good.With(Good.Chain[0][..200])), Packed(Good)),
        ["fido-u2f: with a model"] = (U2f() with { Aaguid = Plain.Aaguid }, U2f()),
        ["fido-u2f: two certificates"] = (U2f(Good.With(Good.Chain[0], Good.Chain[0])), U2f(Good)),
        ["fido-u2f: no certificate"] = (U2f(Good.With()), U2f(Good)),
        ["fido-u2f: another curve"] = (U2f(AttestationMaker.Make(key: ECDsa.Create(ECCurve.NamedCurves.nistP384))), U2f(Good)),
        ["fido-u2f: an RSA certificate"] = (U2f(AttestationMaker.Make(key: RSA.Create(2048))), U2f(Good)),
        ["fido-u2f: a bad signature"] = (U2f(Good) with { ChangeSignature = Flip }, U2f(Good)),
        ["fido-u2f: another credential id signed"] = (U2f(Good) with { ChangeSignature = _ => Good.Sign(new byte[163]) }, U2f(Good)),
        ["format: another case"] = (Packed() with { ChangeAttestationObject = o => Replace(o, "packed"u8, "Packed"u8) }, Packed()),
        ["key: on another curve than its algorithm"] = (Plain with { PublicKey = P384Key() }, Plain),
        ["key: not a point on its curve"] = (Plain with { PublicKey = Ec(w => { w.WriteByteString(new byte[32]); w.WriteInt32(-3); w.WriteByteString(new byte[32]); }) }, Plain),
        ["key: short coordinates"] = (Plain with { PublicKey = Ec(w => { w.WriteByteString(new byte[31]); w.WriteInt32(-3); w.WriteByteString(new byte[31]); }) }, Plain),
        ["key: compressed"] = (Plain with { PublicKey = Ec(w => { w.WriteByteString(new byte[32]); w.WriteInt32(-3); w.WriteBoolean(true); }) }, Plain),
        ["key: EdDSA, which is not offered"] = (Plain with { PublicKey = Ed25519Key() }, Plain),
        ["key: RSA under ES256's number"] = (Plain with { PublicKey = RsaKey(-7, 2048) }, Plain),
        ["key: RSA of 1024 bits"] = (Plain with { PublicKey = RsaKey(-257, 1024) }, Plain),
        ["key: RSA with exponent 1"] = (Plain with { PublicKey = RsaKey(-257, 2048, [1]) }, Plain),
        ["key: RSA with exponent 1 in two bytes"] = (Plain with { PublicKey = RsaKey(-257, 2048, [0, 1]) }, Plain),
        ["key: RSA with SHA-1"] = (Plain with { PublicKey = RsaKey(-65535, 2048) }, Plain),
        ["key: with its private half"] = (Plain with { PublicKey = PrivateKey() }, Plain),
        ["credential id: empty"] = (Plain with { CredentialId = [] }, Plain),
        ["credential id: 1024 bytes"] = (Plain with { CredentialId = new byte[1024] }, Plain with { CredentialId = RandomNumberGenerator.GetBytes(1023) }),
        ["no credential in it"] = (Plain with { ChangeAuthenticatorData = d => [.. d[..32], 1, .. d[33..37]] }, Plain),
    };

    [Theory]
    [MemberData(nameof(WrongOnes))]
    public async Task A_key_with_a_wrong_statement_is_refused_under_either_policy_and_its_right_twin_is_not(string which)
    {
        var (lie, twin) = Wrong[which];
        foreach (var server in new[] { host, any })
        {
            var (person, browser) = (await server.PersonAsync(), server.Browser());
            if (server == host || which != "format: another case")
            {
                (await browser.RegisterAsync(person, lie)).Succeeded.ShouldBeFalse();
                (await server.Keys.ListAsync(person.Id, default)).ShouldBeEmpty();
            }
            (await browser.RegisterAsync(person, twin with { CredentialId = RandomNumberGenerator.GetBytes(twin.CredentialId.Length) })).ShouldBe(new KeyResult(true));
        }
    }

    [Theory]
    [InlineData("tpm")]
    [InlineData("android-key")]
    [InlineData("android-safetynet")]
    [InlineData("apple")]
    [InlineData("compound")]
    [InlineData("")]
    public async Task A_format_that_cannot_be_verified_here_is_accepted_only_where_the_operator_accepts_any(string format)
    {
        var key = SecurityKeyHost.Authenticator() with { Format = format };
        (await host.Browser().RegisterAsync(await host.PersonAsync(), key)).Succeeded.ShouldBeFalse();
        (await any.Browser().RegisterAsync(await any.PersonAsync(), key)).ShouldBe(new KeyResult(true));
    }

    [Fact]
    public async Task An_rsa_key_signs_in_as_well()
    {
        using var rsa = RSA.Create(2048);
        using var stranger = RSA.Create(2048);
        var (person, browser, key) = await host.EnrolledAsync(SecurityKeyHost.Authenticator() with { Rsa = rsa, PublicKey = RsaKey(-257, rsa) });
        (await browser.AssertAsync(person, key with { Rsa = stranger })).Succeeded.ShouldBeFalse();
        (await browser.AssertAsync(person, key with { Rsa = null })).Succeeded.ShouldBeFalse();
        (await browser.AssertAsync(person, key)).ShouldBe(new KeyResult(true));
    }

    internal static byte[] Flip(byte[] bytes) => [.. bytes[..^1], (byte)(bytes[^1] ^ 1)];

    internal static byte[] Replace(byte[] bytes, ReadOnlySpan<byte> what, ReadOnlySpan<byte> by)
    {
        var at = bytes.AsSpan().IndexOf(what);
        at.ShouldBeGreaterThanOrEqualTo(0);
        return [.. bytes[..at], .. by, .. bytes[(at + what.Length)..]];
    }

    private static byte[] Cbor(string key, params byte[] value) => [(byte)(0x60 + key.Length), .. System.Text.Encoding.ASCII.GetBytes(key), .. value];

    private static byte[] Pem(byte[] der) => System.Text.Encoding.ASCII.GetBytes(PemEncoding.WriteString("CERTIFICATE", der));

    private static byte[] Ec(Action<CborWriter> coordinates) => SoftwareAuthenticator.Map(w =>
    {
        SoftwareAuthenticator.Pair(w, 1, 2);
        SoftwareAuthenticator.Pair(w, 3, -7);
        SoftwareAuthenticator.Pair(w, -1, 1);
        w.WriteInt32(-2);
        coordinates(w);
    }, 5);

    private static byte[] P384Key()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var q = key.ExportParameters(false).Q;
        return SoftwareAuthenticator.Map(w =>
        {
            SoftwareAuthenticator.Pair(w, 1, 2);
            SoftwareAuthenticator.Pair(w, 3, -7);
            SoftwareAuthenticator.Pair(w, -1, 2);
            w.WriteInt32(-2);
            w.WriteByteString(q.X!);
            w.WriteInt32(-3);
            w.WriteByteString(q.Y!);
        }, 5);
    }

    private static byte[] PrivateKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var parameters = key.ExportParameters(includePrivateParameters: true);
        return SoftwareAuthenticator.Map(w =>
        {
            SoftwareAuthenticator.Pair(w, 1, 2);
            SoftwareAuthenticator.Pair(w, 3, -7);
            SoftwareAuthenticator.Pair(w, -1, 1);
            w.WriteInt32(-2);
            w.WriteByteString(parameters.Q.X!);
            w.WriteInt32(-3);
            w.WriteByteString(parameters.Q.Y!);
            w.WriteInt32(-4);
            w.WriteByteString(parameters.D!);
        }, 6);
    }

    private static byte[] Ed25519Key() => SoftwareAuthenticator.Map(w =>
    {
        SoftwareAuthenticator.Pair(w, 1, 1);
        SoftwareAuthenticator.Pair(w, 3, -8);
        SoftwareAuthenticator.Pair(w, -1, 6);
        w.WriteInt32(-2);
        w.WriteByteString(new byte[32]);
    }, 4);

    private static byte[] RsaKey(int algorithm, int bits, byte[]? exponent = null)
    {
        using var rsa = RSA.Create(bits);
        return RsaKey(algorithm, rsa, exponent);
    }

    private static byte[] RsaKey(int algorithm, RSA rsa, byte[]? exponent = null)
    {
        var parameters = rsa.ExportParameters(false);
        return SoftwareAuthenticator.Map(w =>
        {
            SoftwareAuthenticator.Pair(w, 1, 3);
            SoftwareAuthenticator.Pair(w, 3, algorithm);
            w.WriteInt32(-1);
            w.WriteByteString(parameters.Modulus!);
            w.WriteInt32(-2);
            w.WriteByteString(exponent ?? parameters.Exponent!);
        }, 4);
    }
}
