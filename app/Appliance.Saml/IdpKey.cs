using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Appliance.Saml;

/// <summary>A key that the identity provider signs with, from the certificate in its metadata. The certificate is pinned, not traced to an authority.</summary>
public sealed class IdpKey
{
    private const int WeakestRsa = 2048;
    private const int LargestRsa = 8192;

    /// <summary>P-256 and P-384 (RFC 5480 section 2.1.1.1).</summary>
    private static readonly string[] s_curves = ["1.2.840.10045.3.1.7", "1.3.132.0.34"];

    private IdpKey(X509Certificate2 certificate, RSA? rsa, ECDsa? ecdsa)
    {
        (Rsa, Ecdsa) = (rsa, ecdsa);
        Certificate = certificate.RawData;
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(certificate.RawData));
        (NotBefore, NotAfter) = (new DateTimeOffset(certificate.NotBefore.ToUniversalTime()), new DateTimeOffset(certificate.NotAfter.ToUniversalTime()));
        Kind = rsa is not null ? $"RSA {rsa.KeySize}" : $"P-{ecdsa!.KeySize}";
    }

    internal RSA? Rsa { get; }

    internal ECDsa? Ecdsa { get; }

    /// <summary>DER.</summary>
    public byte[] Certificate { get; }

    /// <summary>SHA-256 of the certificate, hexadecimal.</summary>
    public string Fingerprint { get; }

    public DateTimeOffset NotBefore { get; }

    public DateTimeOffset NotAfter { get; }

    /// <summary><c>RSA 2048</c>, <c>P-256</c>.</summary>
    public string Kind { get; }

    /// <exception cref="SamlMetadataException">Not a certificate, or a key of a kind or size that is not believed.</exception>
    public static IdpKey Load(byte[] certificate)
    {
        X509Certificate2 loaded;
        try
        {
            loaded = X509CertificateLoader.LoadCertificate(certificate);
        }
        catch (CryptographicException)
        {
            throw new SamlMetadataException("A certificate in the metadata cannot be read.");
        }
        using (loaded)
        {
            try
            {
                if (loaded.GetRSAPublicKey() is { } rsa)
                {
                    return rsa.KeySize is >= WeakestRsa and <= LargestRsa
                        ? new IdpKey(loaded, rsa, null)
                        : throw new SamlMetadataException($"The metadata holds an RSA key of {rsa.KeySize} bits; {WeakestRsa} to {LargestRsa} are accepted.");
                }
                if (loaded.GetECDsaPublicKey() is { } ecdsa && s_curves.Contains(ecdsa.ExportParameters(false).Curve.Oid.Value))
                {
                    return new IdpKey(loaded, null, ecdsa);
                }
            }
            catch (CryptographicException)
            {
                // Told below.
            }
        }
        throw new SamlMetadataException("The metadata holds a key that is neither RSA nor ECDSA on P-256 or P-384.");
    }
}
