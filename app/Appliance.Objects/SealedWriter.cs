using System.Buffers;
using Appliance.Vault;

namespace Appliance.Objects;

/// <summary>
/// Seals one object's content on its way to the store, front to back, for one caller at a time: the store writes one piece while the next is being
/// sealed, so an error of a write may be said by the call after it. Memory: about 2.1 MiB plus what the store holds; small objects need little.
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
    byte[] _spare = [];
    Task _writing = Task.CompletedTask; // of _spare
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
        await _writing;
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
        // The store still reads from the buffer. Whoever threw this error has told it, or the object is being dropped.
        await _writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ArrayPool<byte>.Shared.Return(_plain, clearArray: true); // it held content in clear
        ArrayPool<byte>.Shared.Return(_sealed);
        ArrayPool<byte>.Shared.Return(_spare);
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

    /// <summary>Hands the sealed bytes over once those before them are written.</summary>
    async ValueTask FlushAsync(CancellationToken cancellation)
    {
        await _writing;
        (_sealed, _spare) = (_spare, _sealed);
        _writing = _write.WriteAsync(_spare.AsMemory(0, _sealedLength), cancellation).AsTask();
        _sealedLength = 0;
        if (_sealed.Length == 0)
        {
            _sealed = ArrayPool<byte>.Shared.Rent(_spare.Length);
        }
    }
}
