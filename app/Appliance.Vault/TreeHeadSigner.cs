using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>
/// Signs tree heads: ECDSA with P-256 and SHA-256 (FIPS 186-5), the signature as r | s, 32 bytes each (IEEE P1363).
/// The private key is a PKCS #8 PEM file (RFC 5958, RFC 7468), mode 0400, which never becomes a string. Safe for use by many threads.
/// </summary>
public sealed class TreeHeadSigner : IDisposable
{
    private const int SignatureLength = 64;
    private const int MaxDerLength = 512;
    private const int BytesOnLine = 48; // 64 characters (RFC 7468 section 2)
    private const string P256 = "1.2.840.10045.3.1.7";

    private readonly ECDsa _key;
    private readonly Lock _gate = new(); // ECDsa promises nothing about concurrent use

    private TreeHeadSigner(ECDsa key)
    {
        _key = key;
        PublicKey = key.ExportSubjectPublicKeyInfo();
    }

    /// <summary>SubjectPublicKeyInfo in DER (RFC 5480), for those who verify.</summary>
    public byte[] PublicKey { get; }

    private static ReadOnlySpan<byte> Begin => "-----BEGIN PRIVATE KEY-----\n"u8;

    private static ReadOnlySpan<byte> End => "-----END PRIVATE KEY-----\n"u8;

    /// <summary>Makes a new key file: flushed with its folder, mode 0400.</summary>
    /// <exception cref="KeyFileException">There is a file already, or it cannot be written.</exception>
    public static void Create(string path)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var der = new SecretBytes(MaxDerLength);
        if (!key.TryExportPkcs8PrivateKey(der.Span, out var derLength))
        {
            throw new InvalidOperationException($"A P-256 key in PKCS #8 form is longer than {MaxDerLength} bytes.");
        }

        using var pem = new SecretBytes(2 * MaxDerLength);
        Begin.CopyTo(pem.Span);
        var at = Begin.Length;
        for (var done = 0; done < derLength; done += BytesOnLine)
        {
            var line = der.Span[done..Math.Min(done + BytesOnLine, derLength)];
            Base64.EncodeToUtf8(line, pem.Span[at..], out _, out var written);
            at += written;
            pem.Span[at++] = (byte)'\n';
        }

        End.CopyTo(pem.Span[at..]);
        KeyFile.Create(path, pem.Span[..(at + End.Length)]);
    }

    /// <summary>Reads the key file once; the file is not needed again until the next start.</summary>
    /// <exception cref="KeyFileException">Missing, empty, too long, garbled, not a P-256 key, not readable, or open to its group or others.</exception>
    public static TreeHeadSigner Open(string path)
    {
        using var pem = KeyFile.Read(
            path,
            "Put it back from the backup of your keys: a new key signs what follows, but must be announced to everyone who verifies the ledger.",
            maxLength: 4096);
        using var der = new SecretBytes(MaxDerLength);
        var text = pem.Span;
        var end = text.IndexOf(End);
        if (!text.StartsWith(Begin)
            || end < Begin.Length
            || Base64.DecodeFromUtf8(text[Begin.Length..end], der.Span, out _, out var derLength) != OperationStatus.Done)
        {
            throw Garbled(path);
        }

        var key = ECDsa.Create();
        try
        {
            key.ImportPkcs8PrivateKey(der.Span[..derLength], out var read);
            if (read == derLength && IsP256(key))
            {
                return new TreeHeadSigner(key);
            }
        }
        catch (CryptographicException)
        {
            // Not a key, or damaged: said below, without the parser's words about its bytes.
        }

        key.Dispose();
        throw Garbled(path);
    }

    /// <summary>The signature over <see cref="TreeHead.Encode"/>, 64 bytes. Randomised: two signatures of one head differ.</summary>
    public byte[] Sign(TreeHead head)
    {
        ArgumentNullException.ThrowIfNull(head);
        lock (_gate)
        {
            return _key.SignData(head.Encode(), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        }
    }

    /// <summary>Whether the holder of this public key signed this head. False, too, for a key or signature that is malformed or of another kind.</summary>
    public static bool Verify(ReadOnlySpan<byte> spki, TreeHead head, ReadOnlySpan<byte> signature)
    {
        ArgumentNullException.ThrowIfNull(head);
        if (signature.Length != SignatureLength)
        {
            return false;
        }

        using var key = ECDsa.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(spki, out var read);
            return read == spki.Length
                && IsP256(key)
                && key.VerifyData(head.Encode(), signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    public void Dispose() => _key.Dispose();

    private static bool IsP256(ECDsa key) => key.ExportParameters(includePrivateParameters: false).Curve.Oid?.Value == P256;

    private static KeyFileException Garbled(string path) => KeyFile.Garbled(path, "a P-256 private key in PEM ('BEGIN PRIVATE KEY')");
}
