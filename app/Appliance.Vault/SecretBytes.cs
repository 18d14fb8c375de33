using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>
/// Key bytes in memory. The buffer is pinned, so that the garbage collector leaves no copies behind when it compacts, and
/// zeroed by <see cref="Dispose"/>. <see cref="CopyTo"/> and <see cref="Dispose"/> exclude each other: a key that is being
/// zeroed is never half copied, which would otherwise seal something under a key of zeros.
/// </summary>
internal sealed class SecretBytes(int length) : IDisposable
{
    private readonly byte[] _bytes = GC.AllocateArray<byte>(length, pinned: true);
    private readonly Lock _gate = new();
    private bool _disposed;

    /// <summary>The bytes themselves, for the one owner that fills or parses them before they are shared.</summary>
    /// <exception cref="ObjectDisposedException">The bytes are gone.</exception>
    public Span<byte> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _bytes;
        }
    }

    public int Length => _bytes.Length;

    /// <summary>Copies all bytes into a buffer that the caller zeroes (a stackalloc, usually: the collector never moves those).</summary>
    /// <exception cref="ObjectDisposedException">The bytes are gone.</exception>
    public void CopyTo(Span<byte> destination)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _bytes.CopyTo(destination);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            CryptographicOperations.ZeroMemory(_bytes);
            _disposed = true;
        }
    }

    /// <summary>A constant: a secret has no text form.</summary>
    public override string ToString() => "secret";
}
