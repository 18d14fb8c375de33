using System.Collections.Frozen;
using System.Security.Cryptography;
using Appliance.Vault;

namespace Appliance.Ledger;

/// <summary>
/// The key that signs tree heads, and every public key whose heads are believed: its own, and those of keys that were replaced, kept
/// beside it as <c>ledger-*.pub</c> (SubjectPublicKeyInfo in PEM, RFC 7468 section 13). None comes from the database: who can change the
/// ledger must not be able to say whose signature counts.
/// </summary>
public sealed class LedgerKeys : IDisposable
{
    private readonly FrozenDictionary<string, byte[]> _trusted;

    private LedgerKeys(TreeHeadSigner signer, IEnumerable<byte[]> retired)
    {
        Signer = signer;
        KeyId = IdOf(signer.PublicKey);
        _trusted = retired.Append(signer.PublicKey).DistinctBy(IdOf).ToFrozenDictionary(IdOf, StringComparer.Ordinal);
    }

    public TreeHeadSigner Signer { get; }

    /// <summary>SHA-256 of the signer's SubjectPublicKeyInfo, 64 lower-case hexadecimal digits.</summary>
    public string KeyId { get; }

    /// <exception cref="KeyFileException">The key, or a retired public key beside it, cannot be used; the message says which and why.</exception>
    public static LedgerKeys Open(string keyFile)
    {
        var signer = TreeHeadSigner.Open(keyFile);
        try
        {
            return new LedgerKeys(signer, [.. Directory.EnumerateFiles(Path.GetDirectoryName(Path.GetFullPath(keyFile))!, "ledger-*.pub").Select(ReadPublic)]);
        }
        catch
        {
            signer.Dispose();
            throw;
        }
    }

    public static string IdOf(byte[] publicKey) => Convert.ToHexStringLower(SHA256.HashData(publicKey));

    /// <summary>Whether a key of this id is believed at all.</summary>
    public bool Knows(string keyId) => _trusted.ContainsKey(keyId);

    /// <summary>SubjectPublicKeyInfo in DER, of a key that <see cref="Knows"/>.</summary>
    public byte[] PublicKeyOf(string keyId) => [.. _trusted[keyId]];

    /// <summary>Whether the head was signed by a key that is believed.</summary>
    public bool Verify(SignedHead head)
    {
        ArgumentNullException.ThrowIfNull(head);
        return _trusted.TryGetValue(head.KeyId, out var publicKey) && TreeHeadSigner.Verify(publicKey, head.Head, head.Signature.Span);
    }

    public SignedHead Sign(TreeHead head) => new(head, KeyId, Signer.Sign(head));

    public void Dispose() => Signer.Dispose();

    private static byte[] ReadPublic(string path)
    {
        using var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(path));
            return key.ExportSubjectPublicKeyInfo();
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException(path, "is no readable public key in PEM ('BEGIN PUBLIC KEY')", "Put it back, or take it away if its heads are to be believed no longer.", e);
        }
    }
}
