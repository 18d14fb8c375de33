using System.Security.Cryptography;

namespace Appliance.Saml;

/// <summary>
/// The algorithms that are believed (RFC 9231): RSA PKCS #1 v1.5 and ECDSA with SHA-2. Which kind of key an algorithm takes is part of it, so
/// that a public key can never serve as the secret of a MAC. SHA-1, DSA and every HMAC are missing on purpose.
/// </summary>
internal sealed record SignatureAlgorithm(bool IsEcdsa, HashAlgorithmName Hash)
{
    private const string More = "http://www.w3.org/2001/04/xmldsig-more#";

    public static SignatureAlgorithm Of(string? uri) => uri switch
    {
        More + "rsa-sha256" => new(false, HashAlgorithmName.SHA256),
        More + "rsa-sha384" => new(false, HashAlgorithmName.SHA384),
        More + "rsa-sha512" => new(false, HashAlgorithmName.SHA512),
        More + "ecdsa-sha256" => new(true, HashAlgorithmName.SHA256),
        More + "ecdsa-sha384" => new(true, HashAlgorithmName.SHA384),
        More + "ecdsa-sha512" => new(true, HashAlgorithmName.SHA512),
        _ => throw Refused("signature", uri),
    };

    public static HashAlgorithmName Digest(string? uri) => uri switch
    {
        Names.Sha256 => HashAlgorithmName.SHA256,
        More + "sha384" => HashAlgorithmName.SHA384,
        Names.Encryption + "sha512" => HashAlgorithmName.SHA512,
        _ => throw Refused("digest", uri),
    };

    public bool Verifies(IdpKey key, byte[] data, byte[] signature)
    {
        try
        {
            return IsEcdsa
                ? key.Ecdsa?.VerifyData(data, signature, Hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation) == true
                : key.Rsa?.VerifyData(data, signature, Hash, RSASignaturePadding.Pkcs1) == true;
        }
        catch (CryptographicException)
        {
            return false; // a signature that is none for this key
        }
    }

    private static SamlRefusedException Refused(string what, string? uri) =>
        new(SamlRefusal.Algorithm, $"The {what} algorithm {StrictXml.Shown(uri ?? "(none)")} is not accepted. Set the identity provider to RSA or ECDSA with SHA-256.");
}
