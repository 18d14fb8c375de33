using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>
/// Small things sealed under the appliance key (docs/sealed-format.md, "Blobs"): AES-256-GCM under a key derived for the purpose,
/// at most 2^32 blobs for each. Blobs of every generation of the key that is held can be opened; new ones are the current one's. Safe for use by many threads
/// if the provider is.
/// </summary>
public sealed class BlobProtector(IKeyProvider provider)
{
    private const byte Version = 1;
    private const int HeadLength = 1 + KeyWrap.NonceLength;
    private const int Overhead = HeadLength + KeyWrap.TagLength;

    /// <summary>Seals data for a purpose: version 1 | nonce 12 | ciphertext | tag 16.</summary>
    public byte[] Protect(string purpose, ReadOnlySpan<byte> data)
    {
        var blob = new byte[data.Length + Overhead];
        blob[0] = Version;
        var nonce = blob.AsSpan(1, KeyWrap.NonceLength);
        RandomNumberGenerator.Fill(nonce);
        using var aes = CipherFor(provider.Generations[0], purpose);
        aes.Encrypt(nonce, data, blob.AsSpan(HeadLength, data.Length), blob.AsSpan(HeadLength + data.Length), blob.AsSpan(0, 1));
        return blob;
    }

    /// <summary>Opens what <see cref="Protect"/> made for the same purpose. The caller zeroes the result if it is a key.</summary>
    /// <exception cref="TamperedException">Altered, cut, or made for another purpose or by another appliance key.</exception>
    public byte[] Unprotect(string purpose, ReadOnlySpan<byte> blob)
    {
        if (blob.Length < Overhead || blob[0] != Version)
        {
            throw Tampered(purpose);
        }

        return TryOpen(provider.Generations, purpose, blob, out _) ?? throw Tampered(purpose);
    }

    /// <summary>The same under the current generation of the key; null: it is that already.</summary>
    /// <exception cref="TamperedException">As <see cref="Unprotect"/>.</exception>
    public byte[]? Reseal(string purpose, ReadOnlySpan<byte> blob)
    {
        if (blob.Length < Overhead || blob[0] != Version)
        {
            throw Tampered(purpose);
        }

        var data = TryOpen(provider.Generations, purpose, blob, out var generation) ?? throw Tampered(purpose);
        try
        {
            return generation == 0 ? null : Protect(purpose, data);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(data);
        }
    }

    /// <summary>
    /// HMAC-SHA256 (32 bytes) under a key derived for the purpose, another than the one that <see cref="Protect"/> uses. Always of the oldest generation: what it
    /// was made of is nowhere, so it could not be made anew.
    /// </summary>
    public byte[] Mac(string purpose, ReadOnlySpan<byte> data)
    {
        Span<byte> key = stackalloc byte[KeyWrap.KeyLength];
        try
        {
            Derive(provider.Generations[^1], "mac", purpose, key);
            return HMACSHA256.HashData(key, data);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static byte[]? TryOpen(IReadOnlyList<IKeyProvider> generations, string purpose, ReadOnlySpan<byte> blob, out int generation)
    {
        var data = new byte[blob.Length - Overhead];
        for (generation = 0; generation < generations.Count; generation++)
        {
            using var aes = CipherFor(generations[generation], purpose);
            try
            {
                aes.Decrypt(blob.Slice(1, KeyWrap.NonceLength), blob[HeadLength..^KeyWrap.TagLength], blob[^KeyWrap.TagLength..], data, blob[..1]);
                return data;
            }
            catch (AuthenticationTagMismatchException)
            {
                // An older generation's, perhaps.
            }
        }

        return null;
    }

    private static AesGcm CipherFor(IKeyProvider generation, string purpose)
    {
        Span<byte> key = stackalloc byte[KeyWrap.KeyLength];
        try
        {
            Derive(generation, "blob", purpose, key);
            return new AesGcm(key, KeyWrap.TagLength);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static void Derive(IKeyProvider generation, string use, string purpose, Span<byte> key)
    {
        ArgumentException.ThrowIfNullOrEmpty(purpose);
        generation.Derive($"appliance {use} v1: {purpose}", key);
    }

    private static TamperedException Tampered(string purpose) =>
        new($"A protected blob for '{purpose}' was altered, cut, or made for another purpose or by another appliance key.");
}
