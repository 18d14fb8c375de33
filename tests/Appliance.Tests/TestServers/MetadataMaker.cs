using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;

namespace Appliance.Tests.TestServers;

/// <summary>A FIDO Metadata Service: a root, and a certificate under it that signs BLOBs. Right unless told otherwise.</summary>
public sealed class MetadataMaker
{
    public const string Name = "mds.fidoalliance.org";

    private readonly MakerAuthority _root = MakerAuthority.Root("Metadata Root");
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly byte[] _certificate;

    public MetadataMaker(string name = Name, DateTimeOffset? to = null)
    {
        _certificate = _root.Sign(new CertificateRequest($"CN={name}", _key, HashAlgorithmName.SHA256), null, to);
    }

    public string RootPem => _root.Pem;

    public byte[] Root => _root.Certificate;

    /// <summary>A BLOB over these entries.</summary>
    public byte[] Blob(IEnumerable<JsonNode> entries, int number = 100, string nextUpdate = "2099-01-01", Action<JsonObject>? header = null, Action<JsonObject>? payload = null)
    {
        var head = new JsonObject { ["alg"] = "ES256", ["typ"] = "JWT", ["x5c"] = new JsonArray(Convert.ToBase64String(_certificate)) };
        header?.Invoke(head);
        var body = new JsonObject { ["legalHeader"] = "For tests.", ["no"] = number, ["nextUpdate"] = nextUpdate, ["entries"] = new JsonArray([.. entries]) };
        payload?.Invoke(body);
        return Sign(head.ToJsonString(), body.ToJsonString());
    }

    public byte[] Sign(string header, string payload)
    {
        var signed = Encoding.ASCII.GetBytes(Text(header) + "." + Text(payload));
        return [.. signed, (byte)'.', .. Encoding.ASCII.GetBytes(SoftwareAuthenticator.Text(_key.SignData(signed, HashAlgorithmName.SHA256)))];

        static string Text(string json) => SoftwareAuthenticator.Text(Encoding.UTF8.GetBytes(json));
    }

    public static JsonObject Entry(Guid aaguid, string description, params byte[][] roots)
    {
        var entry = Entry(description, roots);
        entry["aaguid"] = aaguid.ToString("D");
        return entry;
    }

    /// <summary>A model that knows only U2F.</summary>
    public static JsonObject U2fEntry(byte[] attestationCertificate, string description, params byte[][] roots)
    {
        var entry = Entry(description, roots);
        entry["attestationCertificateKeyIdentifiers"] = new JsonArray(Convert.ToHexStringLower(KeyIdentifier(attestationCertificate)));
        return entry;
    }

    public static JsonObject Reported(JsonObject entry, params string[] statuses)
    {
        entry["statusReports"] = new JsonArray([.. statuses.Select(s => new JsonObject { ["status"] = s, ["effectiveDate"] = "2024-01-01" })]);
        return entry;
    }

    /// <summary>RFC 5280 §4.2.1.2, method 1.</summary>
    public static byte[] KeyIdentifier(byte[] certificate)
    {
        using var loaded = X509CertificateLoader.LoadCertificate(certificate);
        return Convert.FromHexString(new X509SubjectKeyIdentifierExtension(loaded.PublicKey, X509SubjectKeyIdentifierHashAlgorithm.Sha1, false).SubjectKeyIdentifier!);
    }

    private static JsonObject Entry(string description, byte[][] roots) => new()
    {
        ["metadataStatement"] = new JsonObject
        {
            ["description"] = description,
            ["attestationRootCertificates"] = new JsonArray([.. roots.Select(r => JsonValue.Create(Convert.ToBase64String(r)))]),
        },
        ["statusReports"] = new JsonArray(new JsonObject { ["status"] = "FIDO_CERTIFIED_L1", ["effectiveDate"] = "2023-01-01" }),
        ["timeOfLastStatusChange"] = "2023-01-01",
    };
}
