using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.SignIn.SecurityKeys.Attestation;

namespace Appliance.SignIn.SecurityKeys.Models;

/// <summary>A model that a key has proven to be of.</summary>
/// <param name="Id">Its AAGUID; of a U2F key, <see cref="ModelMetadata.U2fKey"/>.</param>
/// <param name="Description">What metadata calls it; null: there is none.</param>
public sealed record ProvenModel(Guid Id, string? Description);

/// <summary>
/// What proves a key's model: roots that the operator trusts, and metadata. An AAGUID by itself is a claim that anything can make; only a certificate
/// under one of these roots, whose key signed the new credential, proves it (WebAuthn Level 3 §7.1 steps 22 to 24). Immutable.
/// </summary>
internal sealed class KeyModels
{
    private readonly IReadOnlyList<OperatorRoot> _roots;
    private readonly Dictionary<Guid, ModelMetadata> _models = [];
    private readonly Dictionary<string, int> _users = new(StringComparer.Ordinal);

    public KeyModels(IReadOnlyList<OperatorRoot> roots, MetadataBlob? metadata)
    {
        (_roots, Metadata) = (roots, metadata);
        foreach (var model in metadata?.Models ?? [])
        {
            foreach (var id in model.Ids)
            {
                // Of two entries for one model, distrust stays.
                if (!_models.TryGetValue(id, out var other) || other.Distrusted is null)
                {
                    _models[id] = model;
                }
            }
            foreach (var root in model.Roots.Select(Hash).Distinct(StringComparer.Ordinal))
            {
                _users[root] = _users.GetValueOrDefault(root) + 1;
            }
        }
    }

    /// <summary>Null: there is none.</summary>
    public MetadataBlob? Metadata { get; }

    public IReadOnlyList<OperatorRoot> Roots => _roots;

    /// <summary>What metadata says of a model; null: nothing.</summary>
    public ModelMetadata? Find(Guid id) => _models.GetValueOrDefault(id);

    /// <summary>The model that an attestation proves; null: none. A self-signed one (§6.5.3, self attestation) and format none prove nothing.</summary>
    /// <param name="attestationObject">As the key sent it when it was added.</param>
    /// <param name="clientDataJson">As the browser sent it with that.</param>
    /// <param name="at">When the key was added: that is when its certificates had to be within their time. Reports count from the day they are known.</param>
    public ProvenModel? Prove(ReadOnlyMemory<byte> attestationObject, ReadOnlySpan<byte> clientDataJson, DateTimeOffset at)
    {
        try
        {
            // Formats that cannot be verified here are accepted by some policies, but prove nothing.
            return Prove(AttestationVerifier.Verify(attestationObject, SHA256.HashData(clientDataJson), AttestationPolicy.Known), at);
        }
        catch (Exception e) when (e is AttestationException or CryptographicException or NotSupportedException)
        {
            return null;
        }
    }

    /// <summary>Whether the key has proven to be of one of the models.</summary>
    public bool IsAllowed(SecurityKey key, IReadOnlyCollection<Guid> models) => ProvenBy(key) is { } id && models.Contains(id);

    /// <summary>The id of the model that a key has proven to be of; null: none.</summary>
    public Guid? ProvenBy(SecurityKey key) => IsOf(key) ? Prove(key.AttestationObject, key.ClientDataJson, key.CreatedAt)?.Id : null;

    // The proof is of the credential in it, so it has to be this one.
    private static bool IsOf(SecurityKey key)
    {
        try
        {
            var credential = AttestationObject.Parse(key.AttestationObject).Data.Credential!;
            return credential.Id.Span.SequenceEqual(key.CredentialId) && credential.EncodedKey.Span.SequenceEqual(key.PublicKey);
        }
        catch (AttestationException)
        {
            return false;
        }
    }

    private ProvenModel? Prove(AttestationObject attestation, DateTimeOffset at)
    {
        if (attestation.Format == "none" || AttestationStatement.Parse(attestation.Statement).Certificates is not { Count: > 0 } certificates)
        {
            return null;
        }
        using var certificate = DerCertificate.Load(certificates[0]);
        var isU2f = attestation.Format == "fido-u2f";
        var id = isU2f ? ModelMetadata.U2fKey(KeyIdentifier(certificate)) : attestation.Data.Credential!.Aaguid;
        var model = Find(id);
        if (id == Guid.Empty || IsAuthority(certificate) || (model is not null && (model.IsU2f != isU2f || model.Distrusted is not null)))
        {
            return null;
        }
        // §8.2.1: under a root of several models, the certificate has to name the model. That it names no other one, the verifier saw.
        var names = AttestationVerifier.NamesModel(certificate);
        var anchors = (model?.Roots ?? []).Where(r => isU2f || names || _users[Hash(r)] == 1)
            .Concat(_roots.Where(r => !isU2f && (r.Model is { } only ? only == id : names)).Select(r => r.Der));
        return anchors.Any(anchor => CertificatePath.LeadsTo(certificate, certificates.Skip(1), anchor, at)) ? new ProvenModel(id, model?.Description) : null;
    }

    private static byte[] KeyIdentifier(X509Certificate2 certificate)
    {
#pragma warning disable CA5350 // RFC 5280 §4.2.1.2 method 1, which metadata uses, is SHA-1. It finds the entry; what proves is the path.
        return SHA1.HashData(certificate.GetPublicKey());
#pragma warning restore CA5350
    }

    private static bool IsAuthority(X509Certificate2 certificate) =>
        certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(e => e.CertificateAuthority);

    private static string Hash(byte[] der) => Convert.ToHexString(SHA256.HashData(der));
}
