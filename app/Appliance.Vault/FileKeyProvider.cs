using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Appliance.Vault;

/// <summary>
/// The appliance key in a file of one line, <c>appliance-key-v1:</c> and 44 base64 characters, mode 0400, so that a person who
/// finds it knows what it is. The bytes are decoded without ever being a string.
/// </summary>
public sealed class FileKeyProvider : IKeyProvider, IDisposable
{
    private const int EncodedLength = 44; // base64 of 32 bytes
    private static readonly int s_fileLength = Prefix.Length + EncodedLength + 1;

    private readonly SecretBytes _key;

    private FileKeyProvider(SecretBytes key)
    {
        _key = key;
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key.Span, "appliance key id"u8, mac);
        KeyId = Convert.ToHexStringLower(mac[..8]);
    }

    public string KeyId { get; }

    private static ReadOnlySpan<byte> Prefix => "appliance-key-v1:"u8;

    /// <summary>Makes a new random key file: flushed with its folder, mode 0400.</summary>
    /// <exception cref="KeyFileException">There is a file already, or it cannot be written.</exception>
    public static void Create(string path)
    {
        Span<byte> key = stackalloc byte[KeyWrap.KeyLength];
        using var line = new SecretBytes(s_fileLength);
        try
        {
            RandomNumberGenerator.Fill(key);
            Prefix.CopyTo(line.Span);
            Base64.EncodeToUtf8(key, line.Span[Prefix.Length..], out _, out _);
            line.Span[^1] = (byte)'\n';
            KeyFile.Create(path, line.Span);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>Reads the key file once; the file is not needed again until the next start.</summary>
    /// <exception cref="KeyFileException">Missing, empty, of the wrong length, garbled, not readable, or open to its group or others.</exception>
    public static FileKeyProvider Open(string path)
    {
        using var line = KeyFile.Read(
            path,
            "Put it back from the backup of your keys: without it nothing that was sealed can be opened. A new key suits only a new, empty appliance.",
            maxLength: 4096);
        var text = line.Span;
        if (text[^1] == (byte)'\n')
        {
            text = text[..^1];
        }

        if (text.Length != Prefix.Length + EncodedLength)
        {
            throw KeyFile.WrongLength(path, line.Length);
        }

        var key = new SecretBytes(KeyWrap.KeyLength);
        if (!text.StartsWith(Prefix)
            || Base64.DecodeFromUtf8(text[Prefix.Length..], key.Span, out _, out var written) != OperationStatus.Done
            || written != KeyWrap.KeyLength)
        {
            key.Dispose();
            throw KeyFile.Garbled(path, "one line of 'appliance-key-v1:' and 44 base64 characters");
        }

        return new FileKeyProvider(key);
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
