using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.Ledger;

namespace Appliance.Admin;

/// <summary>A key that is allowed in, and what it may do.</summary>
/// <param name="Name">What the list calls it; the ledger, too.</param>
/// <param name="Fingerprint">SHA-256 of the SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7, DER), hexadecimal.</param>
/// <param name="Actions">Names of <see cref="AdminActions"/>.</param>
internal sealed record OperatorKey(string Name, string Fingerprint, FrozenSet<string> Actions)
{
    public bool May(string action) => Actions.Contains(action) || Actions.Contains(AdminActions.Every);

    public OperatorName ForLedger => new(Name, Fingerprint);

    /// <summary>Of the public key alone: what else a certificate says does not matter.</summary>
    public static string FingerprintOf(X509Certificate2 certificate) => FingerprintOf(certificate.PublicKey.ExportSubjectPublicKeyInfo());

    public static string FingerprintOf(byte[] publicKey) => Convert.ToHexStringLower(SHA256.HashData(publicKey));
}
