using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>
/// One sealed object being read, its chunks in any order. What <see cref="OpenChunk"/> returns is authentic at its place; that the
/// object is whole is known when the chunk at its end has been opened as the last. Not safe for use by several threads.
/// </summary>
public sealed class OpeningSession : IDisposable
{
    private readonly AesGcm _aes;
    private readonly byte[] _immutable;
    private readonly ObjectId _object;

    internal OpeningSession(AesGcm aes, byte[] immutable, ObjectId obj)
    {
        _aes = aes;
        _immutable = immutable; // begins as the header does, so the nonce prefix is where WriteNonce looks for it
        _object = obj;
    }

    /// <summary>Opens one chunk into <paramref name="destination"/>, which does not overlap it.</summary>
    /// <param name="index">From 0; the chunk is at <see cref="SealedFormat.ChunkOffset"/>.</param>
    /// <param name="sealedChunk">All its bytes.</param>
    /// <param name="last">Whether the object must end here, by its length (<see cref="SealedFormat.PlainLength"/>).</param>
    /// <param name="destination">At least the chunk's length less <see cref="SealedFormat.Overhead"/>. Holds no plain bytes after an error.</param>
    /// <returns>Plain bytes written.</returns>
    /// <exception cref="TamperedException">Altered, cut, of another place or object, or not the end (or the middle) that it is taken for.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No object has a chunk of that index.</exception>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    public int OpenChunk(long index, ReadOnlySpan<byte> sealedChunk, bool last, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, SealedFormat.MaxChunks);
        var shortest = last ? SealedFormat.Overhead + (index == 0 ? 0 : 1) : SealedFormat.SealedChunkSize;
        if (sealedChunk.Length < shortest || sealedChunk.Length > SealedFormat.SealedChunkSize)
        {
            throw new TamperedException($"Sealed object {_object}: chunk {index} cannot be {sealedChunk.Length} bytes long.");
        }

        var length = sealedChunk.Length - SealedFormat.Overhead;
        if (destination.Length < length)
        {
            throw new ArgumentException($"{length} bytes do not fit into {destination.Length}.", nameof(destination));
        }

        Span<byte> nonce = stackalloc byte[KeyWrap.NonceLength];
        SealedFormat.WriteNonce(nonce, _immutable, index, last);
        try
        {
            _aes.Decrypt(nonce, sealedChunk[..length], sealedChunk[length..], destination[..length], _immutable);
            return length;
        }
        catch (AuthenticationTagMismatchException)
        {
            CryptographicOperations.ZeroMemory(destination[..length]);
            throw new TamperedException(
                $"Sealed object {_object}: chunk {index}{(last ? ", taken for the last," : "")} was altered, moved, or cut off from what follows.");
        }
    }

    public void Dispose() => _aes.Dispose();
}
