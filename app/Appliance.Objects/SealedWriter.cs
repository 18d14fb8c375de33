using System.Buffers;
using Appliance.Vault;

namespace Appliance.Objects;

/// <summary>
/// Seals one object's content on its way to the store, front to back, for one caller at a time. Memory: about 1.1 MiB plus what the store holds.
/// Disposing it before <see cref="CompleteAsync"/> has returned leaves nothing visible. After an error it takes no more.
/// </summary>
public sealed class SealedWriter : IAsyncDisposable
{
    /// <summary>Sealed chunks handed to the store at once: as many as stay below 1 MiB, a size that the array pool has.</summary>
    const int ChunksAtOnce = 15;

    readonly SealingSession _session;
    readonly IObjectWrite _write;
    readonly byte[] _plain = ArrayPool<byte>.Shared.Rent(SealedFormat.ChunkSize);

    int _plainLength;
    byte[] _sealed = [];
    int _sealedLength;
    State _state;

    internal SealedWriter(SealingSession session, IObjectWrite write)
    {
        _session = session;
        _write = write;
    }

    enum State
    {
        Open,
        Busy,
        Completed,
        Disposed,
    }

    /// <summary>Bytes of content taken so far.</summary>
    public long Length { get; private set; }

    /// <summary>Appends content. The memory may be reused once the task has completed.</summary>
    /// <exception cref="StoreFullException">The store has no room left.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> content, CancellationToken cancellation)
    {
        Enter();
        Length += content.Length;
        while (!content.IsEmpty)
        {
            // A full chunk is sealed once more content is known to follow it: the last chunk is sealed differently.
            if (_plainLength == SealedFormat.ChunkSize)
            {
                await SealAsync(_plain.AsMemory(0, SealedFormat.ChunkSize), last: false, cancellation);
                _plainLength = 0;
            }
            while (_plainLength == 0 && content.Length > SealedFormat.ChunkSize)
            {
                await SealAsync(content[..SealedFormat.ChunkSize], last: false, cancellation);
                content = content[SealedFormat.ChunkSize..];
            }
            var taken = Math.Min(SealedFormat.ChunkSize - _plainLength, content.Length);
            content.Span[..taken].CopyTo(_plain.AsSpan(_plainLength));
            _plainLength += taken;
            content = content[taken..];
        }
        _state = State.Open;
    }

    /// <summary>Returns when the object is visible and would survive a power cut.</summary>
    /// <exception cref="ObjectExistsException">There is such an object already; it is untouched.</exception>
    /// <exception cref="StoreFullException">The store has no room left.</exception>
    public async Task CompleteAsync(CancellationToken cancellation)
    {
        Enter();
        await SealAsync(_plain.AsMemory(0, _plainLength), last: true, cancellation);
        await _write.CompleteAsync(_sealed.AsMemory(0, _sealedLength), cancellation);
        _state = State.Completed;
    }

    public async ValueTask DisposeAsync()
    {
        if (_state == State.Disposed)
        {
            return;
        }
        _state = State.Disposed;
        _session.Dispose();
        ArrayPool<byte>.Shared.Return(_plain, clearArray: true); // it held content in clear
        ArrayPool<byte>.Shared.Return(_sealed);
        await _write.DisposeAsync();
    }

    /// <summary>Whoever throws leaves the state busy, and thus the writer closed for all but disposal.</summary>
    void Enter()
    {
        ObjectDisposedException.ThrowIf(_state == State.Disposed, this);
        _state = _state == State.Open
            ? State.Busy
            : throw new InvalidOperationException("The object is complete, has failed, or is being written by another caller.");
    }

    async ValueTask SealAsync(ReadOnlyMemory<byte> plain, bool last, CancellationToken cancellation)
    {
        if (_sealed.Length == 0)
        {
            // A single chunk needs little; anything longer is written in large pieces.
            _sealed = ArrayPool<byte>.Shared.Rent(SealedFormat.HeaderLength + (last ? plain.Length + SealedFormat.Overhead : ChunksAtOnce * SealedFormat.SealedChunkSize));
            _session.Header.CopyTo(_sealed);
            _sealedLength = _session.Header.Length;
        }
        if (_sealed.Length - _sealedLength < plain.Length + SealedFormat.Overhead)
        {
            await FlushAsync(cancellation);
        }
        _sealedLength += _session.SealChunk(plain.Span, last, _sealed.AsSpan(_sealedLength));
    }

    async ValueTask FlushAsync(CancellationToken cancellation)
    {
        await _write.WriteAsync(_sealed.AsMemory(0, _sealedLength), cancellation);
        _sealedLength = 0;
    }
}
