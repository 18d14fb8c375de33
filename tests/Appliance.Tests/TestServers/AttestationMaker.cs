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
    public static AttestationMaker Make(
        string subject = Subject, bool? authority = false, Guid? aaguid = null, bool aaguidIsCritical = false, AsymmetricAlgorithm? key = null)
    {
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var rootRequest = new CertificateRequest("CN=Test Keys Root", rootKey, HashAlgorithmName.SHA256);
        rootRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        var (from, to) = (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var root = rootRequest.CreateSelfSigned(from, to);

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
        using var certificate = request.Create(root.SubjectName, X509SignatureGenerator.CreateForECDsa(rootKey), from, to, [1, 2, 3, 4]);
        return new AttestationMaker(key, [certificate.RawData]);
    }

    public AttestationMaker With(params byte[][] chain) => new(_key, chain);

    public byte[] Sign(byte[] data) => _key is ECDsa ec
        ? ec.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)
        : ((RSA)_key).SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
}
