using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Appliance.SignIn.SecurityKeys.Attestation;

namespace Appliance.SignIn.SecurityKeys.Models;

/// <summary>A BLOB cannot be used; the message is a sentence that says why and names nothing from it.</summary>
public sealed class MetadataException(string sentence, Exception? inner = null) : Exception(sentence, inner);

/// <summary>Who may sign a BLOB.</summary>
/// <param name="Roots">Anchors of the signing certificate's path, DER.</param>
/// <param name="Name">The host name in that certificate. A public root vouches for everybody who has a web site, so the root alone says nothing.</param>
internal sealed record MetadataSigner(IReadOnlyList<byte[]> Roots, string Name);

/// <summary>
/// The BLOB of a FIDO Metadata Service (FIDO Metadata Service v3.0 §3.1.6, §3.1.7): a JWS (RFC 7515) in compact serialisation over the list of models.
/// Nothing of the list is read before the signature is right.
/// </summary>
internal sealed class MetadataBlob
{
    /// <summary>The public one has about 8 MiB.</summary>
    public const int MaxBytes = 16 * 1024 * 1024;

    private const int MaxHeaderCharacters = 64 * 1024;
    private const int MaxCertificates = 8;

    internal static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    /// <summary>Its serial number: each BLOB has a higher one than the one before.</summary>
    public required long Number { get; init; }

    /// <summary>The day by which its maker promises another one.</summary>
    public required DateOnly NextUpdate { get; init; }

    /// <summary>The certificate that signed it has run out since: good enough for what is here already, not for what is new.</summary>
    public required bool SignerExpired { get; init; }

    public required IReadOnlyList<ModelMetadata> Models { get; init; }

    public bool IsOutOfDate(DateTimeOffset now) => SignerExpired || DateOnly.FromDateTime(now.UtcDateTime) > NextUpdate;

    /// <summary>Verifies and reads a BLOB.</summary>
    /// <exception cref="MetadataException">Too large, not a BLOB, or not signed by the signer.</exception>
    public static MetadataBlob Read(ReadOnlyMemory<byte> jws, MetadataSigner signer, DateTimeOffset now)
    {
        if (jws.Length > MaxBytes)
        {
            throw new MetadataException($"It has more than {MaxBytes >> 20} MiB.");
        }
        try
        {
            return Verified(jws, signer, now);
        }
        // InvalidOperationException: a member is of another kind; KeyNotFoundException: it is missing.
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or KeyNotFoundException or CryptographicException or NotSupportedException or ArgumentException)
        {
            throw new MetadataException("It is not a FIDO Metadata Service v3 BLOB.", e);
        }
    }

    private static MetadataBlob Verified(ReadOnlyMemory<byte> jws, MetadataSigner signer, DateTimeOffset now)
    {
        var text = jws.Span.TrimEnd("\r\n"u8);
        var (first, last) = (text.IndexOf((byte)'.'), text.LastIndexOf((byte)'.'));
        if (first <= 0 || first == last || first > MaxHeaderCharacters || text[(first + 1)..last].Contains((byte)'.'))
        {
            throw new MetadataException("It is not a signed BLOB: three parts with dots between them.");
        }
        using var header = JsonDocument.Parse(Base64Url.DecodeFromUtf8(text[..first]), Strict);
        var expired = VerifySignature(header.RootElement, text[..last], Base64Url.DecodeFromUtf8(text[(last + 1)..]), signer, now);
        using var payload = JsonDocument.Parse(Base64Url.DecodeFromUtf8(text[(first + 1)..last]), Strict);
        var root = payload.RootElement;
        return new MetadataBlob
        {
            Number = root.GetProperty("no").GetInt64(),
            NextUpdate = DateOnly.ParseExact(root.GetProperty("nextUpdate").GetString() ?? "", "yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture),
            SignerExpired = expired,
            Models = [.. root.GetProperty("entries").EnumerateArray().Select(ModelMetadata.Read).OfType<ModelMetadata>()],
        };
    }

    /// <summary>RFC 7515 §5.2 and §4.1.6, MDS §3.2. Answers whether the certificate has run out since.</summary>
    private static bool VerifySignature(JsonElement header, ReadOnlySpan<byte> signed, byte[] signature, MetadataSigner signer, DateTimeOffset now)
    {
        // §4.1.11: what has to be understood and is not. RFC 7797 is one such thing.
        if (header.TryGetProperty("crit", out _))
        {
            throw new MetadataException("It asks for extensions of JWS that are not known here.");
        }
        byte[][] chain = [.. header.GetProperty("x5c").EnumerateArray().Take(MaxCertificates + 1).Select(c => c.GetBytesFromBase64())];
        if (chain.Length is 0 or > MaxCertificates)
        {
            throw new MetadataException($"It comes with 1 to {MaxCertificates} certificates.");
        }
        using var certificate = DerCertificate.Load(chain[0]);
        if (!IsSignedBy(certificate, header.GetProperty("alg").GetString(), signed, signature))
        {
            throw new MetadataException("Its signature is wrong, or not ES256 or RS256.");
        }
        var expired = now.LocalDateTime > certificate.NotAfter;
        var at = expired ? new DateTimeOffset(certificate.NotAfter.AddSeconds(-1)) : now;
        if (!certificate.MatchesHostname(signer.Name, allowWildcards: false, allowCommonName: true)
            || !signer.Roots.Any(root => CertificatePath.LeadsTo(certificate, chain.Skip(1), root, at)))
        {
            throw new MetadataException($"It is not signed by {signer.Name} under the root that the operator trusts.");
        }
        return expired;
    }

    // RFC 7518 §3.3, §3.4. Whoever chooses the algorithm is the sender, so only two can be chosen.
    private static bool IsSignedBy(X509Certificate2 certificate, string? algorithm, ReadOnlySpan<byte> signed, byte[] signature)
    {
        switch (algorithm)
        {
            case "ES256":
                using (var key = certificate.GetECDsaPublicKey())
                {
                    return key is { KeySize: 256 } && key.VerifyData(signed, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
                }
            case "RS256":
                using (var key = certificate.GetRSAPublicKey())
                {
                    return key is { KeySize: >= 2048 } && key.VerifyData(signed, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
                }
            default:
                return false;
        }
    }
}
