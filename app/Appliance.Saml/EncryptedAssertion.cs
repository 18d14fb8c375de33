using System.Security.Cryptography;
using System.Xml;

namespace Appliance.Saml;

/// <summary>
/// Opens an encrypted assertion (XML Encryption 1.1): AES-GCM for the content, RSA-OAEP for its key, to one of our own keys. AES-CBC, which
/// many providers know alone, is opened only where the response's signature was verified over the very cipher text before: whoever could change it
/// would learn the content from whether it opens (XML Encryption 1.1 section 6.1.1). PKCS #1 v1.5 (the same for the key) is not read. That it opens
/// says nothing of who made it: our public key is public.
/// </summary>
internal static class EncryptedAssertion
{
    private const int NonceLength = 12;
    private const int TagLength = 16;
    private const int BlockLength = 16;

    /// <summary>The clear bytes.</summary>
    /// <param name="encrypted">saml:EncryptedAssertion.</param>
    /// <param name="keys">Ours.</param>
    /// <param name="isSigned">Whether <paramref name="encrypted"/> was read from what a signature was verified over.</param>
    /// <exception cref="SamlRefusedException"><see cref="SamlRefusal.Algorithm"/>, <see cref="SamlRefusal.Shape"/> or <see cref="SamlRefusal.Decryption"/>, which does not tell why.</exception>
    public static byte[] Open(XmlElement encrypted, IReadOnlyList<SpKey> keys, bool isSigned)
    {
        var outer = StrictXml.Sequence(encrypted, SamlRefusal.Shape, (Names.Encryption, "EncryptedData"), (Names.Encryption, "EncryptedKey"));
        var data = outer.One("EncryptedData", SamlRefusal.Shape);
        var parts = StrictXml.Sequence(data, SamlRefusal.Shape, (Names.Encryption, "EncryptionMethod"), (Names.Signature, "KeyInfo"), (Names.Encryption, "CipherData"));
        var (keyLength, isCbc) = StrictXml.Attribute(parts.One("EncryptionMethod", SamlRefusal.Shape), "Algorithm") switch
        {
            Names.Encryption11 + "aes128-gcm" => (16, false),
            Names.Encryption11 + "aes192-gcm" => (24, false),
            Names.Encryption11 + "aes256-gcm" => (32, false),
            Names.Encryption + "aes128-cbc" when isSigned => (16, true),
            Names.Encryption + "aes192-cbc" when isSigned => (24, true),
            Names.Encryption + "aes256-cbc" when isSigned => (32, true),
            var other => throw Algorithm("content", other, isSigned ? "AES-GCM" : "AES-GCM, let it sign the response"),
        };
        // The key stands beside the data or in its KeyInfo; either way there is one.
        var within = parts.OneOrNone("KeyInfo", SamlRefusal.Shape)?.ChildNodes.OfType<XmlElement>().Where(e => e.Is(Names.Encryption, "EncryptedKey")) ?? [];
        var wrapped = outer["EncryptedKey"].Concat(within).Take(2).ToList() is [var one] ? one : throw new SamlRefusedException(SamlRefusal.Shape, "The encrypted assertion does not come with exactly one key.");
        var key = Unwrap(wrapped, keyLength, keys);
        try
        {
            var cipher = Cipher(parts.One("CipherData", SamlRefusal.Shape));
            return isCbc ? OpenCbc(key, cipher) : OpenGcm(key, cipher);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static byte[] OpenGcm(byte[] key, byte[] sealedContent)
    {
        if (sealedContent.Length < NonceLength + TagLength)
        {
            throw Closed();
        }
        var clear = new byte[sealedContent.Length - NonceLength - TagLength];
        try
        {
            using var aes = new AesGcm(key, TagLength);
            aes.Decrypt(sealedContent.AsSpan(0, NonceLength), sealedContent.AsSpan(NonceLength, clear.Length), sealedContent.AsSpan(NonceLength + clear.Length), clear);
            return clear;
        }
        catch (CryptographicException)
        {
            throw Closed();
        }
    }

    /// <summary>Section 5.2.2: the initialisation vector stands before the text, whose last byte says how many were added.</summary>
    private static byte[] OpenCbc(byte[] key, byte[] sealedContent)
    {
        if (sealedContent.Length < 2 * BlockLength || sealedContent.Length % BlockLength != 0)
        {
            throw Closed();
        }
        try
        {
            using var aes = Aes.Create();
            aes.Key = key;
            return aes.DecryptCbc(sealedContent.AsSpan(BlockLength), sealedContent.AsSpan(0, BlockLength), PaddingMode.ISO10126);
        }
        catch (CryptographicException)
        {
            throw Closed();
        }
    }

    private static byte[] Unwrap(XmlElement wrapped, int keyLength, IReadOnlyList<SpKey> keys)
    {
        var parts = StrictXml.Sequence(
            wrapped, SamlRefusal.Shape, (Names.Encryption, "EncryptionMethod"), (Names.Signature, "KeyInfo"), (Names.Encryption, "CipherData"),
            (Names.Encryption, "ReferenceList"), (Names.Encryption, "CarriedKeyName"));
        var padding = Padding(parts.One("EncryptionMethod", SamlRefusal.Shape));
        var cipher = Cipher(parts.One("CipherData", SamlRefusal.Shape));
        foreach (var own in keys)
        {
            try
            {
                var key = own.Rsa.Decrypt(cipher, padding);
                if (key.Length == keyLength)
                {
                    return key;
                }
                CryptographicOperations.ZeroMemory(key);
            }
            catch (CryptographicException)
            {
                // Sealed to another of our keys, or to none.
            }
        }
        throw Closed();
    }

    /// <summary>
    /// OAEP with one hash for label and mask. SHA-1 is the default that identity providers use; OAEP does not rest on its resistance to
    /// collisions (RFC 8017 section 7.1 and B.1).
    /// </summary>
    private static RSAEncryptionPadding Padding(XmlElement method)
    {
        var children = method.ChildNodes.OfType<XmlElement>().ToList();
        var digest = children.SingleOrDefault(e => e.Is(Names.Signature, "DigestMethod")) is { } d ? StrictXml.Attribute(d, "Algorithm") : null;
        var mask = children.SingleOrDefault(e => e.Is(Names.Encryption11, "MGF")) is { } m ? StrictXml.Attribute(m, "Algorithm") : null;
        if (children.Exists(e => e.LocalName == "OAEPparams"))
        {
            throw new SamlRefusedException(SamlRefusal.Algorithm, "OAEP with a label is not accepted.");
        }
        const string Mgf1 = Names.Encryption11 + "mgf1";
        return (StrictXml.Attribute(method, "Algorithm"), digest ?? Names.Signature + "sha1", mask ?? Mgf1 + "sha1") switch
        {
            (Names.Encryption + "rsa-oaep-mgf1p" or Names.Encryption11 + "rsa-oaep", Names.Signature + "sha1", Mgf1 + "sha1") => RSAEncryptionPadding.OaepSHA1,
            (Names.Encryption11 + "rsa-oaep", Names.Sha256, Mgf1 + "sha256") => RSAEncryptionPadding.OaepSHA256,
            (Names.Encryption11 + "rsa-oaep", Names.Encryption + "sha512", Mgf1 + "sha512") => RSAEncryptionPadding.OaepSHA512,
            var (algorithm, hash, _) => throw Algorithm("key transport", $"{algorithm} with {hash}", "RSA-OAEP"),
        };
    }

    private static byte[] Cipher(XmlElement data)
    {
        var value = StrictXml.Sequence(data, SamlRefusal.Shape, (Names.Encryption, "CipherValue")).One("CipherValue", SamlRefusal.Shape);
        return StrictXml.Base64(StrictXml.Text(value)) ?? throw new SamlRefusedException(SamlRefusal.Shape, "CipherValue is not base64.");
    }

    private static SamlRefusedException Algorithm(string what, string? said, string instead) =>
        new(SamlRefusal.Algorithm, $"The {what} encryption {StrictXml.Shown(said ?? "(none)")} is not accepted. Set the identity provider to {instead}, or switch encryption off.");

    private static SamlRefusedException Closed() => new(SamlRefusal.Decryption, "The encrypted assertion was not made for one of our keys. Give the identity provider our current metadata.");
}
