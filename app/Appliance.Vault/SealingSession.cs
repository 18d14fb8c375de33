using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>
/// One object being sealed, chunk after chunk. Its key exists only inside the cipher, until <see cref="Dispose"/>. A session that
/// is disposed before its last chunk leaves an object that nobody can open to the end. Not safe for use by several threads.
/// </summary>
public sealed class SealingSession : IDisposable
{
    private readonly AesGcm _aes;
    private readonly byte[] _header;
    private long _next;
    private bool _ended;

    internal SealingSession(AesGcm aes, byte[] header, long firstChunk)
    {
        _aes = aes;
        _header = header;
        _next = firstChunk;
    }

    /// <summary>The sealed object's first <see cref="SealedFormat.HeaderLength"/> bytes. Nothing in it is secret.</summary>
    public ReadOnlyMemory<byte> Header => _header;

    /// <summary>Seals the next chunk into <paramref name="destination"/>, which does not overlap <paramref name="plain"/>.</summary>
    /// <param name="plain">Exactly <see cref="SealedFormat.ChunkSize"/> bytes; the last chunk has 1 to that many, or 0 if it is also the first.</param>
    /// <param name="last">Whether the object ends with this chunk.</param>
    /// <param name="destination">At least <see cref="SealedFormat.Overhead"/> bytes longer than the chunk.</param>
    /// <returns>Bytes written: the chunk's length and <see cref="SealedFormat.Overhead"/>.</returns>
    /// <exception cref="InvalidOperationException">A short chunk that is not the last, an empty last chunk after others, a chunk after the last or after a failure, or more than 2^32 chunks.</exception>
    /// <exception cref="ArgumentException">A chunk too long, or a destination too short.</exception>
    public int SealChunk(ReadOnlySpan<byte> plain, bool last, Span<byte> destination)
    {
        RequireNext(plain.Length, last);
        var length = plain.Length + SealedFormat.Overhead;
        if (plain.Length > SealedFormat.ChunkSize)
        {
            throw new ArgumentException($"A chunk has at most {SealedFormat.ChunkSize} bytes, not {plain.Length}.", nameof(plain));
        }

        if (destination.Length < length)
        {
            throw new ArgumentException($"{length} bytes do not fit into {destination.Length}.", nameof(destination));
        }

        Span<byte> nonce = stackalloc byte[KeyWrap.NonceLength];
        SealedFormat.WriteNonce(nonce, _header, _next, last);
        _ended = true; // should the cipher fail, this nonce is never used a second time
        _aes.Encrypt(
            nonce,
            plain,
            destination[..plain.Length],
            destination[plain.Length..length],
            _header.AsSpan(0, SealedFormat.ImmutableLength));
        _next++;
        _ended = last;
        return length;
    }

    public void Dispose()
    {
        _ended = true;
        _aes.Dispose();
    }

    private void RequireNext(int length, bool last)
    {
        if (_ended)
        {
            throw new InvalidOperationException("The object has had its last chunk, or its session failed or was disposed.");
        }

        if (_next >= SealedFormat.MaxChunks)
        {
            throw new InvalidOperationException("An object has at most 2^32 chunks.");
        }

        if (!last && length < SealedFormat.ChunkSize)
        {
            throw new InvalidOperationException($"Only the last chunk may be shorter than {SealedFormat.ChunkSize} bytes.");
        }

        if (last && length == 0 && _next > 0)
        {
            throw new InvalidOperationException("Only an empty object ends in an empty chunk: mark the chunk before as the last.");
        }
    }
}
