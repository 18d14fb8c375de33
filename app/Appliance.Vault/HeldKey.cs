using System.Security.Cryptography;
using System.Text;

namespace Appliance.Vault;

/// <summary>One generation of the appliance key in memory. Zeroed by <see cref="Dispose"/>.</summary>
internal sealed class HeldKey : IKeyProvider, IDisposable
{
    private readonly SecretBytes _key;

    /// <param name="key">Copied; stays the caller's.</param>
    /// <param name="supersededAt">Microseconds since 1970; 0 for the current one.</param>
    public HeldKey(SecretBytes key, long supersededAt)
    {
        _key = new SecretBytes(KeyWrap.KeyLength);
        key.CopyTo(_key.Span);
        SupersededAt = supersededAt;
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key.Span, "appliance key id"u8, mac);
        KeyId = Convert.ToHexStringLower(mac[..8]);
    }

    public string KeyId { get; }

    public long SupersededAt { get; }

    public HeldKey Copy() => new(_key, SupersededAt);

    /// <summary>Wraps this key by another.</summary>
    public void WrapBy(IKeyProvider other, ReadOnlySpan<byte> associatedData, Span<byte> wrapped60)
    {
        Span<byte> key = stackalloc byte[KeyWrap.KeyLength];
        try
        {
            _key.CopyTo(key);
            other.Wrap(key, associatedData, wrapped60);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    public void Wrap(ReadOnlySpan<byte> key32, ReadOnlySpan<byte> associatedData, Span<byte> wrapped60)
    {
        Span<byte> key = stackalloc byte[KeyWrap.KeyLength];
        try
        {
            _key.CopyTo(key);
            KeyWrap.Wrap(key, key32, associatedData, wrapped60, RandomNumberGenerator.Fill);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    public void Unwrap(ReadOnlySpan<byte> wrapped60, ReadOnlySpan<byte> associatedData, Span<byte> key32)
    {
        Span<byte> key = stackalloc byte[KeyWrap.KeyLength];
        try
        {
            _key.CopyTo(key);
            if (!KeyWrap.TryUnwrap(key, wrapped60, associatedData, key32))
            {
                throw new TamperedException($"A wrapped key is not what appliance key {KeyId} wrapped: it was altered, moved, or wrapped by another key.");
            }
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    public void Derive(string purpose, Span<byte> key32)
    {
        ArgumentException.ThrowIfNullOrEmpty(purpose);
        if (key32.Length != KeyWrap.KeyLength)
        {
            throw new ArgumentException($"Must be {KeyWrap.KeyLength} bytes long, not {key32.Length}.", nameof(key32));
        }

        Span<byte> key = stackalloc byte[KeyWrap.KeyLength];
        try
        {
            _key.CopyTo(key);
            HKDF.DeriveKey(HashAlgorithmName.SHA256, key, key32, salt: default, info: Encoding.UTF8.GetBytes(purpose));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    public void Dispose() => _key.Dispose();
}
