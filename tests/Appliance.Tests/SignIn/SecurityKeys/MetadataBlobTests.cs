using System.Text;
using System.Text.Json.Nodes;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.SecurityKeys;

/// <summary>BLOBs of the FIDO Metadata Service, right and forged: MDS v3.0 §3.1.7 and §3.2, RFC 7515.</summary>
[Trait("Requirement", "A3")]
public sealed class MetadataBlobTests
{
    private static readonly Guid Model = Guid.NewGuid();
    private static readonly byte[] Root = MakerAuthority.Root("Keys Root").Certificate;
    private static readonly MetadataMaker Service = new();
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;

    private static JsonObject Entry => MetadataMaker.Entry(Model, "A key", Root);

    private static MetadataBlob Read(byte[] blob, MetadataMaker? service = null) =>
        MetadataBlob.Read(blob, new MetadataSigner([(service ?? Service).Root], MetadataMaker.Name), Now);

    [Fact]
    public void A_signed_list_says_number_date_and_models()
    {
        var blob = Read([.. Service.Blob([Entry], 7, "2024-02-29"), (byte)'\n']);
        (blob.Number, blob.NextUpdate, blob.SignerExpired).ShouldBe((7, new DateOnly(2024, 2, 29), false));
        blob.IsOutOfDate(Now).ShouldBeTrue();
        var model = blob.Models.ShouldHaveSingleItem();
        (model.Ids.Single(), model.Description, model.Distrusted).ShouldBe((Model, "A key", null));
        model.Roots.ShouldHaveSingleItem().ShouldBe(Root);
    }

    [Fact]
    public void What_an_entry_has_too_much_or_too_little_of_costs_that_entry_alone()
    {
        var odd = MetadataMaker.Entry(Guid.NewGuid(), new string('x', 5000) + "\u0007", Root);
        odd["metadataStatement"]!["attestationRootCertificates"]!.AsArray().Add("not base64!");
        odd["metadataStatement"]!["attestationRootCertificates"]!.AsArray().Add($" {Convert.ToBase64String(Root)[..40]}\n{Convert.ToBase64String(Root)[40..]} ");
        var bare = new JsonObject { ["aaguid"] = Guid.NewGuid().ToString("D") };
        var models = Read(Service.Blob([Entry, odd, bare, new JsonObject { ["aaid"] = "1234#5678" }, JsonValue.Create("text"), new JsonObject { ["aaguid"] = "nonsense" }])).Models;
        models.Count.ShouldBe(3);
        models[1].Description.Length.ShouldBe(200);
        models[1].Roots.ShouldBe([Root, Root]);
        models[2].Roots.ShouldBeEmpty();
    }

    [Fact]
    public void A_signer_that_has_run_out_since_is_told_apart()
    {
        var old = new MetadataMaker(to: Now.AddDays(-1));
        var blob = Read(old.Blob([Entry]), old);
        blob.SignerExpired.ShouldBeTrue();
        blob.IsOutOfDate(Now).ShouldBeTrue();
    }

    public static TheoryData<string> ForgedOnes => [.. Forged.Keys];

    private static readonly Dictionary<string, Func<byte[]>> Forged = new(StringComparer.Ordinal)
    {
        ["signed under another root"] = () => new MetadataMaker().Blob([Entry]),
        ["signed by somebody else under the same root's name"] = () => Service.Blob([Entry], header: h => h["x5c"] = Certificates(new MetadataMaker())),
        ["another algorithm: none"] = () => Service.Blob([Entry], header: h => h["alg"] = "none"),
        ["none, and no signature"] = () => [.. WithoutSignature(Service.Blob([Entry], header: h => h["alg"] = "none"))],
        ["another algorithm: HS256"] = () => Service.Blob([Entry], header: h => h["alg"] = "HS256"),
        ["another algorithm: RS256 with an EC key"] = () => Service.Blob([Entry], header: h => h["alg"] = "RS256"),
        ["no algorithm"] = () => Service.Blob([Entry], header: h => h.Remove("alg")),
        ["algorithm is a number"] = () => Service.Blob([Entry], header: h => h["alg"] = 7),
        ["no certificate"] = () => Service.Blob([Entry], header: h => h.Remove("x5c")),
        ["an empty list of certificates"] = () => Service.Blob([Entry], header: h => h["x5c"] = new JsonArray()),
        ["an address instead of certificates"] = () => Service.Blob([Entry], header: h => { h.Remove("x5c"); h["x5u"] = "https://mds.fidoalliance.org/c.pem"; }),
        ["nine certificates"] = () => Service.Blob([Entry], header: h => h["x5c"] = new JsonArray([.. Enumerable.Repeat(h["x5c"]![0]!.GetValue<string>(), 9).Select(c => JsonValue.Create(c))])),
        ["garbage for a certificate"] = () => Service.Blob([Entry], header: h => h["x5c"] = new JsonArray("AAAA")),
        ["a critical extension"] = () => Service.Blob([Entry], header: h => h["crit"] = new JsonArray("b64")),
        ["a byte of the list altered"] = () => Altered(Service.Blob([Entry]), blob => Array.IndexOf(blob, (byte)'.') + 20),
        ["a byte of the signature altered"] = () => Altered(Service.Blob([Entry]), blob => blob.Length - 20),
        ["a byte of the header altered"] = () => Altered(Service.Blob([Entry]), _ => 30),
        ["no signature"] = () => WithoutSignature(Service.Blob([Entry])),
        ["four parts"] = () => [.. Service.Blob([Entry]), .. ".AAAA"u8],
        ["not base64url"] = () => Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(Service.Blob([Entry])).Replace('.', '+')),
        ["no number"] = () => Service.Blob([Entry], payload: p => p.Remove("no")),
        ["a number that is a text"] = () => Service.Blob([Entry], payload: p => p["no"] = "100"),
        ["a number beyond 64 bits"] = () => Service.Blob([Entry], payload: p => p["no"] = 1e300),
        ["no date"] = () => Service.Blob([Entry], payload: p => p.Remove("nextUpdate")),
        ["a date that is none"] = () => Service.Blob([Entry], nextUpdate: "2024-02-30"),
        ["no entries"] = () => Service.Blob([Entry], payload: p => p.Remove("entries")),
        ["a member twice"] = () => Service.Sign(Header(), """{"no":1,"no":2,"nextUpdate":"2099-01-01","entries":[]}"""),
        ["deep JSON"] = () => Service.Sign(Header(), $$"""{"no":1,"nextUpdate":"2099-01-01","entries":[],"x":{{new string('[', 5000)}}{{new string(']', 5000)}}}"""),
        ["deep JSON in the header"] = () => Service.Sign(new string('[', 5000), "{}"),
        ["too large"] = () => [.. Service.Blob([Entry]), .. new byte[MetadataBlob.MaxBytes]],
        ["empty"] = () => [],
        ["two dots"] = () => [.. ".."u8],
        ["zeros"] = () => new byte[1000],
    };

    [Theory]
    [MemberData(nameof(ForgedOnes))]
    public void What_is_forged_or_malformed_is_refused_with_a_sentence(string which) =>
        Should.Throw<MetadataException>(() => Read(Forged[which]())).Message.ShouldEndWith(".");

    [Theory]
    [InlineData("example.org")]
    [InlineData("mds.fidoalliance.org.example")]
    [InlineData("*.fidoalliance.org")]
    public void Anybody_else_under_the_same_root_signs_nothing(string name)
    {
        var other = new MetadataMaker(name);
        Should.Throw<MetadataException>(() => Read(other.Blob([Entry]), other));
    }

    [Fact]
    public void Whatever_its_signer_signs_is_read_or_refused_and_nothing_else()
    {
        // A signer that errs, or is not the one that it was: 2,000 changes of a right list, each rightly signed.
        var random = new Random(20261126);
        var right = Encoding.UTF8.GetBytes(new JsonObject { ["no"] = 1, ["nextUpdate"] = "2099-01-01", ["entries"] = new JsonArray(Entry, MetadataMaker.U2fEntry(Root, "Old key", Root)) }.ToJsonString());
        var (header, read) = (Header(), 0);
        for (var i = 0; i < 2000; i++)
        {
            var changed = (byte[])right.Clone();
            for (var n = random.Next(1, 4); n > 0; n--)
            {
                changed[random.Next(changed.Length)] = (byte)"{}[]\",:0n\u00e9x\\"[random.Next(12)];
            }
            try
            {
                var models = new KeyModels([], Read(Service.Sign(header, Encoding.Latin1.GetString(changed))));
                models.Prove(new byte[40], "{}"u8, Now).ShouldBeNull();
                read++;
            }
            catch (MetadataException)
            {
                // Refused.
            }
        }
        read.ShouldBeInRange(1, 1999);
    }

    private static string Header(MetadataMaker? service = null)
    {
        var blob = (service ?? Service).Blob([]);
        return Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromUtf8(blob.AsSpan(0, Array.IndexOf(blob, (byte)'.'))));
    }

    private static JsonNode Certificates(MetadataMaker other) => JsonNode.Parse(Header(other))!["x5c"]!.DeepClone();

    private static byte[] WithoutSignature(byte[] blob) => blob[..(Array.LastIndexOf(blob, (byte)'.') + 1)];

    private static byte[] Altered(byte[] blob, Func<byte[], int> at)
    {
        blob[at(blob)] ^= 1;
        return blob;
    }
}
