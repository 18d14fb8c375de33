using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Appliance.Saml;

/// <summary>A key of ours: it signs requests and opens assertions. RSA of 3072 bits (NIST SP 800-57 part 1 table 2: 128 bits of strength).</summary>
public sealed class SpKey : IDisposable
{
    private const int Bits = 3072;

    private SpKey(RSA rsa, byte[] certificate) => (Rsa, Certificate) = (rsa, certificate);

    internal RSA Rsa { get; }

    /// <summary>Self-signed, DER: the form in which metadata carries a key.</summary>
    public byte[] Certificate { get; }

    /// <summary>SHA-256 of the certificate, hexadecimal.</summary>
    public string Fingerprint => Convert.ToHexStringLower(SHA256.HashData(Certificate));

    /// <summary>A new key. Its certificate lasts ten years: identity providers that look at the end must not fail by surprise.</summary>
    public static SpKey Create(string name, DateTimeOffset now)
    {
        var rsa = RSA.Create(Bits);
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCommonName(name.Length > 64 ? name[..64] : name);
        var request = new CertificateRequest(subject.Build(), rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddYears(10));
        return new SpKey(rsa, certificate.RawData);
    }

    /// <summary>From <see cref="Export"/> and <see cref="Certificate"/>.</summary>
    public static SpKey Load(ReadOnlySpan<byte> pkcs8, byte[] certificate)
    {
        var rsa = RSA.Create();
        rsa.ImportPkcs8PrivateKey(pkcs8, out _);
        return new SpKey(rsa, certificate);
    }

    /// <summary>PKCS #8, in clear: the caller seals and then zeroes it.</summary>
    public byte[] Export() => Rsa.ExportPkcs8PrivateKey();

    public void Dispose() => Rsa.Dispose();
}
