using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.SecurityKeys;

/// <summary>Which model an attestation proves, and which it only claims: WebAuthn Level 3 §7.1 steps 22 to 24, §8.2.1.</summary>
[Trait("Requirement", "A3")]
public sealed class KeyModelTests
{
    private static readonly Guid Blue = Guid.NewGuid();
    private static readonly Guid Red = Guid.NewGuid();
    private static readonly Guid Alone = Guid.NewGuid();
    private static readonly MakerAuthority Root = MakerAuthority.Root("Keys Root");
    private static readonly MakerAuthority Between = Root.Under("Keys Intermediate");
    private static readonly MakerAuthority AlonesRoot = MakerAuthority.Root("Alone Root");
    private static readonly MakerAuthority Operators = MakerAuthority.Root("Operator's Root");
    private static readonly MakerAuthority Named = MakerAuthority.Root("Named Root");
    private static readonly AttestationMaker U2f = AttestationMaker.Make("CN=U2F batch 1", authority: null, issuer: Root);
    private static readonly AttestationMaker Pinned = AttestationMaker.Make(aaguid: Red, issuer: MakerAuthority.Root("Nobody's Root"));
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;
    private static readonly MetadataMaker Service = new();

    private static readonly OperatorRoot[] OperatorRoots = [new(Operators.Certificate, "CN=Operator's Root", null), new(Named.Certificate, "CN=Named Root", Alone)];

    private static KeyModels Models(Func<JsonObject, JsonObject>? blue = null)
    {
        var metadata = MetadataBlob.Read(
            Service.Blob(
            [
                (blue ?? (e => e))(MetadataMaker.Entry(Blue, "Blue key", Root.Certificate)),
                MetadataMaker.Entry(Red, "Red key", Root.Certificate, Pinned.Chain[0]),
                MetadataMaker.Entry(Alone, "Key alone", AlonesRoot.Certificate, Between.Certificate),
                MetadataMaker.U2fEntry(U2f.Chain[0], "Old key", Root.Certificate),
            ]),
            new MetadataSigner([Service.Root], MetadataMaker.Name),
            Now);
        return new KeyModels(OperatorRoots, metadata);
    }

    private static SoftwareAuthenticator Packed(AttestationMaker? maker, Guid? model = null) =>
        SecurityKeyHost.Authenticator() with { Format = "packed", Maker = maker, Aaguid = model ?? Blue };

    private static SoftwareAuthenticator U2fKey(AttestationMaker maker) => SecurityKeyHost.Authenticator() with { Format = "fido-u2f", Maker = maker, Aaguid = Guid.Empty };

    private static AttestationMaker Maker(MakerAuthority issuer, Guid? names = null) => AttestationMaker.Make(aaguid: names, issuer: issuer);

    public static TheoryData<string> RightOnes => [.. Right.Keys];

    private static readonly Dictionary<string, (SoftwareAuthenticator Key, string? Description)> Right = new(StringComparer.Ordinal)
    {
        ["under the model's root"] = (Packed(Maker(Root, Blue)), "Blue key"),
        ["by an intermediate that came along"] = (Packed(Maker(Between, Blue)), "Blue key"),
        ["by two intermediates"] = (Packed(Maker(Between.Under("Third"), Blue)), "Blue key"),
        ["a root of one model alone, which the certificate need not name"] = (Packed(Maker(AlonesRoot), Alone), "Key alone"),
        ["an anchor that is an intermediate"] = (Packed(Leaf(Maker(Between, Alone)), Alone), "Key alone"),
        ["an anchor that is the certificate itself"] = (Packed(Pinned, Red), "Red key"),
        ["under the operator's root, a model that no metadata knows"] = (Packed(Maker(Operators, Guid.Parse("11111111-1111-4111-8111-111111111111")), Guid.Parse("11111111-1111-4111-8111-111111111111")), null),
        ["under the operator's root, though metadata names another"] = (Packed(Maker(Operators, Blue)), "Blue key"),
        ["under a root in a file named for the model"] = (Packed(Maker(Named), Alone), "Key alone"),
        ["an RSA certificate"] = (Packed(AttestationMaker.Make(aaguid: Blue, issuer: Root, key: RSA.Create(2048))) with { Algorithm = -257 }, "Blue key"),
        ["a U2F key, by its attestation key"] = (U2fKey(U2f), "Old key"),
    };

    [Theory]
    [MemberData(nameof(RightOnes))]
    public void A_certificate_under_a_trusted_root_proves_the_model(string which)
    {
        var (key, description) = Right[which];
        var id = key.Aaguid == Guid.Empty ? ModelMetadata.U2fKey(MetadataMaker.KeyIdentifier(U2f.Chain[0])) : key.Aaguid;
        Prove(key).ShouldBe(new ProvenModel(id, description));
    }

    public static TheoryData<string> WrongOnes => [.. Wrong.Keys];

    private static readonly Dictionary<string, SoftwareAuthenticator> Wrong = new(StringComparer.Ordinal)
    {
        ["none"] = SecurityKeyHost.Authenticator() with { Aaguid = Blue },
        ["self attestation"] = Packed(null),
        ["a format that cannot be verified"] = Packed(null) with { Format = "tpm" },
        ["another root of the same name"] = Packed(Maker(MakerAuthority.Root("Keys Root"), Blue)),
        ["another root that comes along"] = Packed(With(Maker(MakerAuthority.Root("Keys Root"), Blue), MakerAuthority.Root("Keys Root").Certificate)),
        ["a root of another model"] = Packed(Maker(AlonesRoot, Blue)),
        ["a root in a file named for another model"] = Packed(Maker(Named, Blue)),
        ["a shared root, and the certificate does not name the model"] = Packed(Maker(Root)),
        ["the operator's root, and the certificate does not name the model"] = Packed(Maker(Operators)),
        ["the certificate names another model"] = Packed(Maker(Root, Red)),
        ["no model at all"] = Packed(Maker(Operators, Guid.Empty), Guid.Empty),
        ["the certificate has run out"] = Packed(AttestationMaker.Make(aaguid: Blue, issuer: Root, to: Now.AddDays(-1))),
        ["the certificate is not yet valid"] = Packed(AttestationMaker.Make(aaguid: Blue, issuer: Root, from: Now.AddHours(1))),
        ["the intermediate has run out"] = Packed(Maker(Root.Under("Old", to: Now.AddDays(-1)), Blue)),
        ["the intermediate is missing"] = Packed(Leaf(Maker(Between, Blue))),
        ["the intermediate is no authority"] = Packed(Maker(Root.Under("A key", authority: false), Blue)),
        ["the intermediate may have none under it"] = Packed(Maker(Root.Under("First", pathLength: 0).Under("Second"), Blue)),
        ["an authority's certificate"] = Packed(AttestationMaker.Make(authority: true, aaguid: Blue, issuer: Root)),
        ["an authority's certificate, U2F"] = U2fKey(AttestationMaker.Make("CN=U2F batch 1", authority: true, issuer: Root)),
        ["a U2F key of an unknown batch"] = U2fKey(AttestationMaker.Make("CN=U2F batch 1", authority: null, issuer: Root)),
        ["a U2F key under the operator's root"] = U2fKey(AttestationMaker.Make("CN=U2F batch 1", authority: null, issuer: Operators)),
        ["garbage for an intermediate"] = Packed(With(Leaf(Maker(Between, Blue)), [0x30, 1, 2])),
        ["a signature that is wrong"] = Packed(Maker(Root, Blue)) with { ChangeSignature = AttestationTests.Flip },
        ["another maker's certificate"] = Packed(Maker(Root, Blue).With([.. Maker(Root, Blue).Chain])),
    };

    [Theory]
    [MemberData(nameof(WrongOnes))]
    public void Anything_else_proves_nothing(string which) => Prove(Wrong[which]).ShouldBeNull();

    [Theory]
    [InlineData("REVOKED")]
    [InlineData("ATTESTATION_KEY_COMPROMISE")]
    [InlineData("USER_KEY_REMOTE_COMPROMISE")]
    [InlineData("USER_KEY_PHYSICAL_COMPROMISE")]
    [InlineData("USER_VERIFICATION_BYPASS")]
    public void A_model_with_a_bad_report_proves_nothing_under_any_root_whatever_came_later(string status)
    {
        var models = Models(blue => MetadataMaker.Reported(blue, "FIDO_CERTIFIED_L1", status, "UPDATE_AVAILABLE", "FIDO_CERTIFIED_L2"));
        Prove(Packed(Maker(Root, Blue)), models).ShouldBeNull();
        Prove(Packed(Maker(Operators, Blue)), models).ShouldBeNull();
        Prove(Packed(Maker(Root, Red), Red), models).ShouldNotBeNull();
    }

    [Fact]
    public void Certificates_had_to_be_valid_when_the_key_was_added_and_not_for_ever()
    {
        var key = Packed(AttestationMaker.Make(aaguid: Blue, issuer: Root, to: Now.AddDays(-1)));
        Prove(key, at: Now.AddDays(-2)).ShouldNotBeNull();
        Prove(key, at: Now.AddDays(-31)).ShouldBeNull();
    }

    [Fact]
    public void A_proof_of_one_registration_is_none_of_another()
    {
        var (attestation, clientData) = Register(Packed(Maker(Root, Blue)));
        Models().Prove(attestation, clientData, Now).ShouldNotBeNull();
        clientData[^3] ^= 1;
        Models().Prove(attestation, clientData, Now).ShouldBeNull();
        Models().Prove(new byte[40_000], clientData, Now).ShouldBeNull();
        Models().Prove(Array.Empty<byte>(), [], Now).ShouldBeNull();
    }

    [Fact]
    public void Without_roots_and_metadata_nothing_is_proven()
    {
        Prove(Packed(Maker(Root, Blue)), new KeyModels([], null)).ShouldBeNull();
        Prove(U2fKey(U2f), new KeyModels([], null)).ShouldBeNull();
    }

    private static AttestationMaker Leaf(AttestationMaker maker) => maker.With(maker.Chain[0]);

    private static AttestationMaker With(AttestationMaker maker, params byte[][] more) => maker.With([.. maker.Chain, .. more]);

    private static ProvenModel? Prove(SoftwareAuthenticator key, KeyModels? models = null, DateTimeOffset? at = null)
    {
        var (attestation, clientData) = Register(key);
        return (models ?? Models()).Prove(attestation, clientData, at ?? Now);
    }

    private static (byte[] Attestation, byte[] ClientData) Register(SoftwareAuthenticator key)
    {
        var response = JsonNode.Parse(key.Register("""{"challenge":"AAAA","rp":{"id":"appliance.example"}}"""))!["response"]!;
        return (Bytes("attestationObject"), Bytes("clientDataJSON"));

        byte[] Bytes(string name) => System.Buffers.Text.Base64Url.DecodeFromChars(response[name]!.GetValue<string>());
    }
}
