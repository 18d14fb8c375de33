using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>Fills a buffer with random bytes. Only tests pass another source than the system's generator.</summary>
internal delegate void RandomFill(Span<byte> destination);

/// <summary>
/// A 256-bit key under another: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce, laid out as
/// nonce 12 | ciphertext 32 | tag 16. Random nonces allow 2^32 wraps under one key (section 8.3).
/// </summary>
internal static class KeyWrap
{
    public const int KeyLength = 32;
    public const int NonceLength = 12;
    public const int TagLength = 16;
    public const int WrappedLength = NonceLength + KeyLength + TagLength;

    public static void Wrap(
        ReadOnlySpan<byte> wrappingKey, ReadOnlySpan<byte> key, ReadOnlySpan<byte> associatedData, Span<byte> wrapped, RandomFill random)
    {
        RequireLength(wrappingKey.Length, KeyLength, nameof(wrappingKey));
        RequireLength(key.Length, KeyLength, nameof(key));
        RequireLength(wrapped.Length, WrappedLength, nameof(wrapped));
        var nonce = wrapped[..NonceLength];
        random(nonce);
        using var aes = new AesGcm(wrappingKey, TagLength);
        aes.Encrypt(nonce, key, wrapped.Slice(NonceLength, KeyLength), wrapped[(NonceLength + KeyLength)..], associatedData);
    }

    /// <summary>False, and <paramref name="key"/> all zero, when the wrap, its associated data or the wrapping key is not the one it was made with.</summary>
    public static bool TryUnwrap(
        ReadOnlySpan<byte> wrappingKey, ReadOnlySpan<byte> wrapped, ReadOnlySpan<byte> associatedData, Span<byte> key)
    {
        RequireLength(wrappingKey.Length, KeyLength, nameof(wrappingKey));
        RequireLength(key.Length, KeyLength, nameof(key));
        RequireLength(wrapped.Length, WrappedLength, nameof(wrapped));
        using var aes = new AesGcm(wrappingKey, TagLength);
        try
        {
            aes.Decrypt(wrapped[..NonceLength], wrapped.Slice(NonceLength, KeyLength), wrapped[(NonceLength + KeyLength)..], key, associatedData);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            CryptographicOperations.ZeroMemory(key);
            return false;
        }
    }

    private static void RequireLength(int actual, int expected, string name)
    {
        if (actual != expected)
        {
            throw new ArgumentException($"Must be {expected} bytes long, not {actual}.", name);
        }
    }
}
