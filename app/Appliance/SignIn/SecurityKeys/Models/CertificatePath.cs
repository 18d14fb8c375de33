using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.SignIn.SecurityKeys.Attestation;

namespace Appliance.SignIn.SecurityKeys.Models;

/// <summary>
/// Certification paths (RFC 5280 §6) to an anchor that the operator named, by the framework's own builder. The system's authorities count for nothing, and
/// nothing is fetched: no issuer (AIA), no CRL, no OCSP.
/// </summary>
internal static class CertificatePath
{
    /// <summary>
    /// Whether a valid path leads from the certificate to the anchor. The anchor may be a root, an intermediate or the certificate itself: FIDO metadata
    /// (Metadata Statement §4, attestationRootCertificates) names any of them.
    /// </summary>
    /// <param name="leaf">The certificate in question.</param>
    /// <param name="others">What came along with it, DER; trusted for nothing.</param>
    /// <param name="anchor">DER.</param>
    /// <param name="at">When all of it has to be within its time.</param>
    public static bool LeadsTo(X509Certificate2 leaf, IEnumerable<byte[]> others, byte[] anchor, DateTimeOffset at)
    {
        var loaded = new List<X509Certificate2>();
        try
        {
            var trusted = Keep(anchor);
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.Add(trusted);
            chain.ChainPolicy.ExtraStore.AddRange(others.Select(Keep).ToArray());
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.DisableCertificateDownloads = true;
            chain.ChainPolicy.VerificationTime = at.LocalDateTime;
            // The builder takes only self-signed certificates for roots. So it may end anywhere, and the anchor has to be on the path; signatures, times
            // and constraints are judged all the same.
            chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
            return chain.Build(leaf) && chain.ChainElements.Any(e => e.Certificate.RawDataMemory.Span.SequenceEqual(trusted.RawDataMemory.Span));
        }
        catch (CryptographicException)
        {
            return false;
        }
        finally
        {
            loaded.ForEach(c => c.Dispose());
        }

        X509Certificate2 Keep(byte[] der)
        {
            var certificate = DerCertificate.Load(der);
            loaded.Add(certificate);
            return certificate;
        }
    }
}
