using System.Formats.Cbor;
using System.Security.Cryptography;

namespace Appliance.SignIn.SecurityKeys.Attestation;

/// <summary>Algorithm numbers of the IANA COSE registry.</summary>
internal static class CoseAlgorithm
{
    public const int Es256 = -7;
    public const int Es384 = -35;
    public const int Es512 = -36;
    public const int Rs256 = -257;

    /// <summary>What a security key may sign with here: what WebAuthn's own list recommends and Identity's handler can verify.</summary>
    public static bool IsAllowedForKeys(int algorithm) => algorithm is Es256 or Rs256;

    /// <summary>Verifies a signature over <paramref name="data"/>; false too where the key is of another kind than the algorithm.</summary>
    public static bool Verify(int algorithm, AsymmetricAlgorithm? key, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature) => (algorithm, key) switch
    {
        // RFC 9053 §2.1; WebAuthn §6.5.5: ECDSA signatures are ASN.1 DER Ecdsa-Sig-Value.
        (Es256, ECDsa ec) => ec.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence),
        (Es384, ECDsa ec) => ec.VerifyData(data, signature, HashAlgorithmName.SHA384, DSASignatureFormat.Rfc3279DerSequence),
        (Es512, ECDsa ec) => ec.VerifyData(data, signature, HashAlgorithmName.SHA512, DSASignatureFormat.Rfc3279DerSequence),
        (Rs256, RSA rsa) => rsa.VerifyData(data, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
        _ => false,
    };
}

/// <summary>
/// A credential's public key in COSE_Key form (RFC 9052 §7, RFC 9053 §7), as WebAuthn §5.8.5 and §6.5.1.1 narrow it: the algorithm is
/// named, ES256 is on P-256 with uncompressed coordinates, RS256 has at least 2048 bits, and no optional parameter is there.
/// </summary>
internal sealed class CoseKey
{
    private const int KeyType = 1;
    private const int Algorithm = 3;
    private const int MinRsaBytes = 256;
    private const int MaxRsaBytes = 512;

    private readonly ECParameters _ec;
    private readonly RSAParameters _rsa;

    private CoseKey(int alg, ECParameters ec, RSAParameters rsa)
    {
        Alg = alg;
        _ec = ec;
        _rsa = rsa;
    }

    public int Alg { get; }

    /// <exception cref="AttestationException">Not such a key.</exception>
    public static CoseKey Parse(ReadOnlyMemory<byte> bytes) => StrictCbor.ReadAll(bytes, "Public key", Read);

    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        using AsymmetricAlgorithm key = Alg == CoseAlgorithm.Es256 ? ECDsa.Create(_ec) : RSA.Create(_rsa);
        return CoseAlgorithm.Verify(Alg, key, data, signature);
    }

    /// <summary>0x04 | x | y, 65 bytes (WebAuthn §8.6, verification step 4).</summary>
    /// <exception cref="AttestationException">Not an ES256 key: U2F knows no other.</exception>
    public byte[] ToU2f() => Alg == CoseAlgorithm.Es256
        ? [0x04, .. _ec.Q.X!, .. _ec.Q.Y!]
        : throw new AttestationException("fido-u2f: the credential's key is not on P-256.");

    private static CoseKey Read(CborReader reader)
    {
        var parameters = reader.ReadStartMap();
        var type = Labelled(reader, KeyType).ReadInt32();
        var algorithm = Labelled(reader, Algorithm).ReadInt32();
        return (type, algorithm, parameters) switch
        {
            (2, CoseAlgorithm.Es256, 5) => ReadP256(reader),
            (3, CoseAlgorithm.Rs256, 4) => ReadRsa(reader),
            _ => throw new AttestationException("Public key: algorithm, key type and parameters do not belong together, or are not offered."),
        };
    }

    private static CoseKey ReadP256(CborReader reader)
    {
        if (Labelled(reader, -1).ReadInt32() != 1)
        {
            throw new AttestationException("Public key: ES256 is on P-256 (WebAuthn §5.8.5).");
        }
        var x = Labelled(reader, -2).ReadByteString();
        var y = Labelled(reader, -3).ReadByteString();
        reader.ReadEndMap();
        var parameters = new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = { X = x, Y = y } };
        try
        {
            // Refuses what is not a point of the curve, and coordinates that are not 32 bytes.
            parameters.Validate();
            using var key = ECDsa.Create(parameters);
        }
        catch (CryptographicException e)
        {
            throw new AttestationException("Public key: not a point on P-256.", e);
        }
        return x.Length == 32 && y.Length == 32
            ? new CoseKey(CoseAlgorithm.Es256, parameters, default)
            : throw new AttestationException("Public key: a coordinate on P-256 has 32 bytes.");
    }

    private static CoseKey ReadRsa(CborReader reader)
    {
        // Canonical order puts -1 (n) before -2 (e).
        var modulus = Labelled(reader, -1).ReadByteString();
        var exponent = Labelled(reader, -2).ReadByteString();
        reader.ReadEndMap();
        if (modulus.Length is < MinRsaBytes or > MaxRsaBytes || (modulus[0] & 0x80) == 0)
        {
            throw new AttestationException("Public key: RSA of 2048 to 4096 bits.");
        }
        // RFC 8230 §4: as few bytes as there can be. 1 in more of them would still be 1, and every signature right.
        if (exponent.Length is < 1 or > 4 || exponent[0] == 0 || (exponent[^1] & 1) == 0 || exponent is [1])
        {
            throw new AttestationException("Public key: not an RSA exponent.");
        }
        return new CoseKey(CoseAlgorithm.Rs256, default, new RSAParameters { Modulus = modulus, Exponent = exponent });
    }

    private static CborReader Labelled(CborReader reader, int label) => reader.ReadInt32() == label
        ? reader
        : throw new AttestationException("Public key: a parameter is missing or out of order.");
}
