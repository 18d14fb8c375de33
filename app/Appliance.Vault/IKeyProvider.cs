namespace Appliance.Vault;

/// <summary>
/// Holds the appliance key and works with it without giving it away: a file now, a key management service or hardware module
/// later. Safe for use by many threads at once.
/// </summary>
public interface IKeyProvider
{
    /// <summary>
    /// 16 lower-case hex digits that tell appliance keys apart and reveal nothing of them:
    /// the first 8 bytes of HMAC-SHA256(key, "appliance key id").
    /// </summary>
    string KeyId { get; }

    /// <summary>
    /// Every generation of the key that is held, the current one first and the oldest last. Each is that one key for good, whatever is current later: who
    /// needs id and wrap to match takes one from here.
    /// </summary>
    IReadOnlyList<IKeyProvider> Generations => [this];

    /// <summary>Seals a 256-bit key: AES-256-GCM, random nonce; written as nonce 12 | ciphertext 32 | tag 16.</summary>
    /// <exception cref="ArgumentException">A buffer has another length than its name says.</exception>
    void Wrap(ReadOnlySpan<byte> key32, ReadOnlySpan<byte> associatedData, Span<byte> wrapped60);

    /// <summary>Opens what <see cref="Wrap"/> made.</summary>
    /// <exception cref="TamperedException">Not made by this key, or not with this associated data, or altered. <paramref name="key32"/> is zeroed.</exception>
    /// <exception cref="ArgumentException">A buffer has another length than its name says.</exception>
    void Unwrap(ReadOnlySpan<byte> wrapped60, ReadOnlySpan<byte> associatedData, Span<byte> key32);

    /// <summary>A 256-bit key for one purpose: HKDF-SHA256 (RFC 5869), no salt, the purpose in UTF-8 as info. The same purpose always gives the same key.</summary>
    /// <exception cref="ArgumentException">The purpose is empty, or the buffer is not 32 bytes long.</exception>
    void Derive(string purpose, Span<byte> key32);
}
