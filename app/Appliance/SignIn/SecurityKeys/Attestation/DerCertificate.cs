using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Appliance.SignIn.SecurityKeys.Attestation;

/// <summary>A certificate as others send it: one, in DER, and nothing after it.</summary>
internal static class DerCertificate
{
    /// <summary>The caller disposes it.</summary>
    /// <exception cref="CryptographicException">Not such a certificate.</exception>
    public static X509Certificate2 Load(byte[] der)
    {
        // DER alone: the loader would also take PEM.
        if (der is not [0x30, ..])
        {
            throw new CryptographicException("Not a certificate in DER.");
        }
        var certificate = X509CertificateLoader.LoadCertificate(der);
        if (certificate.RawData.Length == der.Length)
        {
            return certificate;
        }
        certificate.Dispose();
        throw new CryptographicException("Something follows the certificate.");
    }
}
