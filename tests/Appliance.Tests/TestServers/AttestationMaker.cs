using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Appliance.Tests.TestServers;

/// <summary>A maker of security keys: the attestation certificate and its key (WebAuthn §8.2.1), right unless told otherwise.</summary>
public sealed class AttestationMaker
{
    public const string Subject = "C=SE, O=Test Keys, OU=Authenticator Attestation, CN=Test Keys Batch 1";

    private readonly AsymmetricAlgorithm _key;

    private AttestationMaker(AsymmetricAlgorithm key, IReadOnlyList<byte[]> chain) => (_key, Chain) = (key, chain);

    /// <summary>DER, the attestation certificate first.</summary>
    public IReadOnlyList<byte[]> Chain { get; init; }

    /// <param name="subject">An X.500 name.</param>
    /// <param name="authority">What basicConstraints says; null: the extension is missing.</param>
    /// <param name="aaguid">In the extension id-fido-gen-ce-aaguid; null: the extension is missing.</param>
    /// <param name="aaguidIsCritical">Whether that extension is.</param>
    /// <param name="key">ECDSA or RSA; P-256 unless given.</param>
    /// <param name="issuer">Who signs the certificate; its intermediates go into the chain. Null: a root that nobody knows.</param>
    /// <param name="from">When the certificate begins; a day ago unless given.</param>
    /// <param name="to">When it ends; tomorrow unless given.</param>
    public static AttestationMaker Make(
        string subject = Subject, bool? authority = false, Guid? aaguid = null, bool aaguidIsCritical = false, AsymmetricAlgorithm? key = null,
        MakerAuthority? issuer = null, DateTimeOffset? from = null, DateTimeOffset? to = null)
    {
        key ??= ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = key is RSA rsa
            ? new CertificateRequest(new X500DistinguishedName(subject), rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : new CertificateRequest(new X500DistinguishedName(subject), (ECDsa)key, HashAlgorithmName.SHA256);
        if (authority is { } isAuthority)
        {
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(isAuthority, false, 0, critical: true));
        }
        if (aaguid is { } model)
        {
            var writer = new AsnWriter(AsnEncodingRules.DER);
            writer.WriteOctetString(model.ToByteArray(bigEndian: true));
            request.CertificateExtensions.Add(new X509Extension("1.3.6.1.4.1.45724.1.1.4", writer.Encode(), aaguidIsCritical));
        }
        issuer ??= MakerAuthority.Root("Test Keys Root");
        return new AttestationMaker(key, [issuer.Sign(request, from, to), .. issuer.Intermediates]);
    }

    public AttestationMaker With(params byte[][] chain) => new(_key, chain);

    public byte[] Sign(byte[] data) => _key is ECDsa ec
        ? ec.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)
        : ((RSA)_key).SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
}

/// <summary>A maker's authority: a root, or an intermediate under one.</summary>
public sealed class MakerAuthority
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X500DistinguishedName _name;

    private MakerAuthority(string name) => _name = new X500DistinguishedName($"CN={name}");

    /// <summary>DER.</summary>
    public byte[] Certificate { get; private init; } = [];

    /// <summary>What goes along with a certificate of its own: intermediates, itself first; no root.</summary>
    public IReadOnlyList<byte[]> Intermediates { get; private init; } = [];

    public string Pem => PemEncoding.WriteString("CERTIFICATE", Certificate) + "\n";

    public static MakerAuthority Root(string name)
    {
        var made = new MakerAuthority(name);
        return made.With(made.Sign(made.Request(true, null)), []);
    }

    /// <summary>An authority under this one; not really one where <paramref name="authority"/> is false.</summary>
    public MakerAuthority Under(string name, bool authority = true, int? pathLength = null, DateTimeOffset? to = null)
    {
        var made = new MakerAuthority(name);
        var certificate = Sign(made.Request(authority, pathLength), null, to);
        return made.With(certificate, [certificate, .. Intermediates]);
    }

    public byte[] Sign(CertificateRequest request, DateTimeOffset? from = null, DateTimeOffset? to = null)
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = 1;
        using var certificate = request.Create(
            _name, X509SignatureGenerator.CreateForECDsa(_key), from ?? DateTimeOffset.UtcNow.AddDays(-30), to ?? DateTimeOffset.UtcNow.AddDays(1), serial);
        return certificate.RawData;
    }

    private CertificateRequest Request(bool authority, int? pathLength)
    {
        var request = new CertificateRequest(_name, _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(authority, pathLength is not null, pathLength ?? 0, critical: true));
        return request;
    }

    private MakerAuthority With(byte[] certificate, IReadOnlyList<byte[]> intermediates) => new(_name.Name["CN=".Length..], _key) { Certificate = certificate, Intermediates = intermediates };

    private MakerAuthority(string name, ECDsa key) : this(name) => _key = key;
}
