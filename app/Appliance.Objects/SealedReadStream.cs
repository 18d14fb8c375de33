using System.Buffers;
using System.Runtime.InteropServices;
using Appliance.Vault;

namespace Appliance.Objects;

/// <summary>Which part of an object's content is wanted, and the chunks that hold it. All in bytes; the range lies within the content.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct SealedRange(long Length, long Offset, long Count)
{
    public long SealedLength => SealedFormat.SealedLength(Length);

    /// <summary>Empty content has one chunk too, so that its emptiness is authenticated.</summary>
    private long LastChunkOfObject => SealedFormat.ChunkCount(Length) - 1;

    public long FirstChunk => Math.Min(Offset / SealedFormat.ChunkSize, LastChunkOfObject);

    public long LastChunk => Count == 0 ? FirstChunk : (Offset + Count - 1) / SealedFormat.ChunkSize;

    public bool IsLastOfObject(long chunk) => chunk == LastChunkOfObject;

    /// <summary>Where the sealed chunk ends in the stored object.</summary>
    public long EndOf(long chunk) => Math.Min(SealedFormat.ChunkOffset(chunk) + SealedFormat.SealedChunkSize, SealedLength);
}

/// <summary>Content in clear, one verified chunk after another. Sealed bytes are read ahead, up to 15 chunks.</summary>
internal sealed class SealedReadStream : ReadOnlyForwardStream
{
    const int ChunksAhead = 15;

    readonly SealedRange _range;
    readonly OpeningSession _session;
    readonly Stream _source;
    readonly byte[] _sealed;
    readonly byte[] _plain;

    long _sealedLeft; // in the source, unread
    int _sealedStart, _sealedEnd; // in _sealed, undecrypted
    long _chunk;
    int _plainStart, _plainEnd; // in _plain, not handed out
    long _left;
    bool _disposed;

    SealedReadStream(SealedRange range, OpeningSession session, Stream source)
    {
        _range = range;
        _session = session;
        _source = source;
        _chunk = range.FirstChunk;
        _left = range.Count;
        _sealedLeft = range.EndOf(range.LastChunk) - SealedFormat.ChunkOffset(range.FirstChunk);
        _sealed = ArrayPool<byte>.Shared.Rent((int)Math.Min(_sealedLeft, ChunksAhead * SealedFormat.SealedChunkSize));
        _plain = ArrayPool<byte>.Shared.Rent(SealedFormat.ChunkSize);
    }

    /// <summary>One request when the range is at the beginning, where the header is; otherwise a small one for the header, and one.</summary>
    public static async Task<SealedReadStream> OpenAsync(
        IObjectStore store, ObjectSealer sealer, ObjectKey key, SealedRange range, CancellationToken cancellation)
    {
        var fromStart = range.FirstChunk == 0;
        var end = range.EndOf(range.LastChunk);
        var source = await ReadAsync(store, key, range, 0, fromStart ? end : SealedFormat.HeaderLength, cancellation);
        OpeningSession? session = null;
        try
        {
            session = await OpenHeaderAsync(sealer, key, source, cancellation);
            if (!fromStart)
            {
                await source.DisposeAsync();
                var start = SealedFormat.ChunkOffset(range.FirstChunk);
                source = await ReadAsync(store, key, range, start, end - start, cancellation);
            }
            return new SealedReadStream(range, session, source);
        }
        catch
        {
            session?.Dispose();
            await source.DisposeAsync();
            throw;
        }
    }

    static async Task<Stream> ReadAsync(
        IObjectStore store, ObjectKey key, SealedRange range, long offset, long count, CancellationToken cancellation)
    {
        var found = await store.ReadAsync(key, offset, count, cancellation);
        if (found.ObjectLength != range.SealedLength)
        {
            await found.Content.DisposeAsync();
            throw new TamperedException(
                $"Object {key.Object} of team {key.Team} has {found.ObjectLength} bytes in the store; it was written with {range.SealedLength}.");
        }
        return found.Content;
    }

    static async Task<OpeningSession> OpenHeaderAsync(ObjectSealer sealer, ObjectKey key, Stream source, CancellationToken cancellation)
    {
        var header = new byte[SealedFormat.HeaderLength];
        await source.ReadExactlyAsync(header, cancellation);
        return sealer.Open(key.Team, key.Object, header);
    }

    public ValueTask VerifyFirstChunkAsync(CancellationToken cancellation) => DecryptNextAsync(cancellation);

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_left == 0 || buffer.IsEmpty)
        {
            return 0;
        }
        if (_plainStart == _plainEnd)
        {
            if (WholeChunkFor(buffer.Length) > 0)
            {
                return await DecryptIntoAsync(buffer, cancellationToken);
            }
            await DecryptNextAsync(cancellationToken);
        }
        var read = (int)Math.Min(Math.Min(buffer.Length, _plainEnd - _plainStart), _left);
        _plain.AsSpan(_plainStart, read).CopyTo(buffer.Span);
        _plainStart += read;
        _left -= read;
        return read;
    }

    /// <summary>Plain bytes of the next chunk where all of them are wanted and fit; otherwise 0.</summary>
    int WholeChunkFor(int room)
    {
        if (_left == 0 || (_chunk == _range.FirstChunk && _range.Offset != _chunk * SealedFormat.ChunkSize))
        {
            return 0;
        }
        var length = (int)(_range.EndOf(_chunk) - SealedFormat.ChunkOffset(_chunk)) - SealedFormat.Overhead;
        return length <= room && length <= _left ? length : 0;
    }

    /// <summary>As many whole chunks as fit, without a copy. A chunk that was altered leaves no plain bytes of its own, and the caller has none of them.</summary>
    async ValueTask<int> DecryptIntoAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        var read = 0;
        while (WholeChunkFor(buffer.Length - read) is > 0 and var length)
        {
            await ReadAheadAsync(length + SealedFormat.Overhead, cancellation);
            _session.OpenChunk(_chunk, _sealed.AsSpan(_sealedStart, length + SealedFormat.Overhead), _range.IsLastOfObject(_chunk), buffer.Span[read..]);
            _sealedStart += length + SealedFormat.Overhead;
            _chunk++;
            _left -= length;
            read += length;
        }
        return read;
    }

    async ValueTask DecryptNextAsync(CancellationToken cancellation)
    {
        var length = (int)(_range.EndOf(_chunk) - SealedFormat.ChunkOffset(_chunk));
        await ReadAheadAsync(length, cancellation);
        _plainStart = 0;
        _plainEnd = _session.OpenChunk(_chunk, _sealed.AsSpan(_sealedStart, length), _range.IsLastOfObject(_chunk), _plain);
        _sealedStart += length;
        if (_chunk == _range.FirstChunk)
        {
            _plainStart = (int)(_range.Offset - _chunk * SealedFormat.ChunkSize);
        }
        _chunk++;
    }

    /// <summary>Makes sure that the next sealed chunk is there whole, taking along what the source has ready.</summary>
    async ValueTask ReadAheadAsync(int length, CancellationToken cancellation)
    {
        if (_sealedEnd - _sealedStart >= length)
        {
            return;
        }
        _sealed.AsSpan(_sealedStart, _sealedEnd - _sealedStart).CopyTo(_sealed);
        _sealedEnd -= _sealedStart;
        _sealedStart = 0;
        var room = (int)Math.Min(_sealed.Length - _sealedEnd, _sealedLeft);
        var read = await _source.ReadAtLeastAsync(_sealed.AsMemory(_sealedEnd, room), length - _sealedEnd, true, cancellation);
        _sealedEnd += read;
        _sealedLeft -= read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            _disposed = true;
            _source.Dispose();
            _session.Dispose();
            ArrayPool<byte>.Shared.Return(_sealed);
            ArrayPool<byte>.Shared.Return(_plain, clearArray: true); // it held content in clear
        }
        base.Dispose(disposing);
    }
}
