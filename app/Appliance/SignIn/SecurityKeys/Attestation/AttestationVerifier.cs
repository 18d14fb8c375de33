using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Appliance.SignIn.SecurityKeys.Attestation;

/// <summary>What the operator accepts from a new security key. <c>APPLIANCE_ATTESTATION</c>: <c>known</c> (default) or <c>any</c>.</summary>
/// <remarks>
/// A statement of a known format is verified under either. What is verified is that the key signed it, not yet who made the key:
/// that takes the makers' root certificates (<see cref="Models.KeyModels"/>), and only with them does a list of models (AAGUIDs) mean anything.
/// </remarks>
public enum AttestationPolicy
{
    /// <summary>none, packed or fido-u2f, with a valid statement.</summary>
    Known,

    /// <summary>Other formats too; their statements cannot be verified here and count as none.</summary>
    Any,
}

/// <summary>
/// Verifies attestation statements (WebAuthn Level 3 §8). Pure: no clock, no network, no store.
/// </summary>
internal static class AttestationVerifier
{
    private const string AaguidExtension = "1.3.6.1.4.1.45724.1.1.4";

    /// <summary>Verifies the statement of an attestation object.</summary>
    /// <exception cref="AttestationException">It is malformed, does not verify, or is of a format that the policy does not accept.</exception>
    public static AttestationObject Verify(ReadOnlyMemory<byte> attestationObject, ReadOnlySpan<byte> clientDataHash, AttestationPolicy policy)
    {
        var attestation = AttestationObject.Parse(attestationObject);
        try
        {
            VerifyStatement(attestation, clientDataHash, policy);
        }
        // What the platform says of a certificate or a key that it cannot read.
        catch (Exception e) when (e is CryptographicException or AsnContentException or InvalidOperationException or NotSupportedException)
        {
            throw new AttestationException("Attestation statement: its certificate or key cannot be read.", e);
        }
        return attestation;
    }

    /// <summary>Whether a certificate names the model that it is for (§8.2.1, id-fido-gen-ce-aaguid).</summary>
    public static bool NamesModel(X509Certificate2 certificate) => certificate.Extensions.Any(e => e.Oid?.Value == AaguidExtension);

    private static void VerifyStatement(AttestationObject attestation, ReadOnlySpan<byte> clientDataHash, AttestationPolicy policy)
    {
        // §7.1 step 21: formats are compared as US-ASCII, case-sensitively.
        switch (attestation.Format)
        {
            case "none":
                VerifyNone(attestation);
                break;
            case "packed":
                VerifyPacked(attestation, clientDataHash);
                break;
            case "fido-u2f":
                VerifyFidoU2f(attestation, clientDataHash);
                break;
            case var _ when policy == AttestationPolicy.Any:
                break;
            default:
                throw new AttestationException("Attestation: a format that is not accepted here.");
        }
    }

    // §8.7: the statement is an empty map.
    private static void VerifyNone(AttestationObject attestation)
    {
        if (!attestation.Statement.Span.SequenceEqual((ReadOnlySpan<byte>)[0xA0]))
        {
            throw new AttestationException("none: its statement is empty.");
        }
    }

    // §8.2, verification procedure.
    private static void VerifyPacked(AttestationObject attestation, ReadOnlySpan<byte> clientDataHash)
    {
        var statement = AttestationStatement.Parse(attestation.Statement);
        var algorithm = statement.Algorithm ?? throw new AttestationException("packed: no algorithm.");
        byte[] signed = [.. attestation.Data.Bytes.Span, .. clientDataHash];
        var credential = attestation.Data.Credential!;
        if (statement.Certificates is null)
        {
            // Self attestation: the algorithm is the credential's own, and so is the key.
            if (algorithm != credential.PublicKey.Alg || !credential.PublicKey.Verify(signed, statement.Signature.Span))
            {
                throw new AttestationException("packed: not signed by the credential itself.");
            }
            return;
        }
        using var certificate = Load(statement.Certificates);
        if (!VerifyWith(certificate, algorithm, signed, statement.Signature.Span))
        {
            throw new AttestationException("packed: not signed by its certificate's key.");
        }
        RequirePackedCertificate(certificate, credential.Aaguid);
    }

    // §8.6, verification procedure.
    private static void VerifyFidoU2f(AttestationObject attestation, ReadOnlySpan<byte> clientDataHash)
    {
        var statement = AttestationStatement.Parse(attestation.Statement);
        var credential = attestation.Data.Credential!;
        if (statement is not { Algorithm: null, Certificates: { Count: 1 } certificates })
        {
            throw new AttestationException("fido-u2f: a signature and exactly one certificate.");
        }
        // CTAP's mapping of U2F registrations has the client write sixteen zero bytes for a U2F key.
        if (credential.Aaguid != Guid.Empty)
        {
            throw new AttestationException("fido-u2f: has no AAGUID.");
        }
        using var certificate = Load(certificates);
        using var key = certificate.GetECDsaPublicKey();
        if (key?.ExportParameters(includePrivateParameters: false).Curve.Oid.Value != ECCurve.NamedCurves.nistP256.Oid.Value)
        {
            throw new AttestationException("fido-u2f: its certificate's key is on P-256.");
        }
        byte[] signed = [0x00, .. attestation.Data.RpIdHash, .. clientDataHash, .. credential.Id.Span, .. credential.PublicKey.ToU2f()];
        if (!CoseAlgorithm.Verify(CoseAlgorithm.Es256, key, signed, statement.Signature.Span))
        {
            throw new AttestationException("fido-u2f: not signed by its certificate's key.");
        }
    }

    // §8.2.1: certificate requirements for packed attestation statements.
    private static void RequirePackedCertificate(X509Certificate2 certificate, Guid aaguid)
    {
        if (certificate.Version != 3)
        {
            throw new AttestationException("packed: its certificate has version 3.");
        }
        var subject = certificate.SubjectName.EnumerateRelativeDistinguishedNames()
            .Where(name => !name.HasMultipleElements)
            .ToLookup(name => name.GetSingleElementType().Value, name => name.GetSingleElementValue(), StringComparer.Ordinal);
        const string Country = "2.5.4.6", Organisation = "2.5.4.10", Unit = "2.5.4.11", CommonName = "2.5.4.3";
        if (!subject[Unit].SequenceEqual(["Authenticator Attestation"], StringComparer.Ordinal)
            || new[] { Country, Organisation, CommonName }.Any(part => !subject[part].Any(value => !string.IsNullOrEmpty(value)))
            || !subject[Country].All(value => value is { Length: 2 } && value.All(char.IsAsciiLetter)))
        {
            throw new AttestationException("packed: its certificate's subject is not as required.");
        }
        if (certificate.Extensions.OfType<X509BasicConstraintsExtension>().SingleOrDefault() is not { CertificateAuthority: false })
        {
            throw new AttestationException("packed: its certificate must say that it is no authority.");
        }
        if (certificate.Extensions.SingleOrDefault(e => e.Oid?.Value == AaguidExtension) is { } extension
            && (extension.Critical || AaguidIn(extension) != aaguid))
        {
            throw new AttestationException("packed: its certificate is for another model.");
        }
    }

    // The extension's value is an OCTET STRING of 16 bytes inside the extension's own OCTET STRING.
    private static Guid? AaguidIn(X509Extension extension)
    {
        var reader = new AsnReader(extension.RawData, AsnEncodingRules.DER);
        var value = reader.ReadOctetString();
        reader.ThrowIfNotEmpty();
        return value.Length == 16 ? new Guid(value, bigEndian: true) : null;
    }

    private static bool VerifyWith(X509Certificate2 certificate, int algorithm, ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature)
    {
        using AsymmetricAlgorithm? key = (AsymmetricAlgorithm?)certificate.GetECDsaPublicKey() ?? certificate.GetRSAPublicKey();
        return CoseAlgorithm.Verify(algorithm, key, signed, signature);
    }

    private static X509Certificate2 Load(IReadOnlyList<byte[]> certificates) => certificates is [var first, ..]
        ? DerCertificate.Load(first)
        : throw new AttestationException("Attestation statement: no certificate.");
}
