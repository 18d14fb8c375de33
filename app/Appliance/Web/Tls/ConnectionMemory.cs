using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Appliance.Web.Tls;

/// <summary>
/// What a connection reads into. Kestrel's own blocks have 4 KiB, so that one record of TLS (16 KiB, RFC 8446 section 5.1) takes five calls to the system; a quarter of
/// an upload's time went there. The socket gets larger ones, which are empty again as soon as the record is opened; what waits for a slow client,
/// on this side of TLS, stays in small ones.
/// </summary>
internal sealed class ConnectionMemory : IMemoryPoolFactory<byte>, IMemoryPoolFeature, IDisposable
{
    /// <summary>Two records of TLS with what is around them.</summary>
    private const int SocketBlock = 40 << 10;

    private const int SocketBlocksKept = 256;

    private const int OpenedBlock = 4 << 10;

    private const int OpenedBlocksKept = 1024;

    private readonly BlockPool _opened = new(OpenedBlock, OpenedBlocksKept);

    private readonly BlockPool _sockets = new(SocketBlock, SocketBlocksKept);

    /// <summary>For what is read and written on this side of TLS.</summary>
    public MemoryPool<byte> MemoryPool => _opened;

    /// <summary>For the sockets: one for all of them.</summary>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => _sockets;

    /// <summary>Forgets what nobody uses just now.</summary>
    public void Release()
    {
        _opened.Release();
        _sockets.Release();
    }

    /// <summary>Before TLS in the pipeline of a connection.</summary>
    public Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        connection.Features.Set<IMemoryPoolFeature>(this);
        return next(connection);
    }

    public void Dispose()
    {
        _opened.Dispose();
        _sockets.Dispose();
    }
}

/// <summary>Blocks of one size, of which so many are kept for the next who asks. Pinned for their life, because the system writes into them.</summary>
internal sealed class BlockPool(int size, int kept) : MemoryPool<byte>
{
    private readonly ConcurrentQueue<byte[]> _free = [];
    private int _count;

    public override int MaxBufferSize => size;

    /// <summary>How many are kept just now.</summary>
    internal int Kept => Volatile.Read(ref _count);

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, size);
        if (_free.TryDequeue(out var block))
        {
            Interlocked.Decrement(ref _count);
            return new Rented(this, block);
        }
        return new Rented(this, GC.AllocateUninitializedArray<byte>(size, pinned: true));
    }

    /// <summary>Forgets the blocks that are kept.</summary>
    public void Release()
    {
        while (_free.TryDequeue(out _))
        {
            Interlocked.Decrement(ref _count);
        }
    }

    /// <summary>A listener disposes what it was given, and others may still use it: what comes back later is kept, and goes with this object.</summary>
    protected override void Dispose(bool disposing) => Release();

    private void Return(byte[] block)
    {
        if (Interlocked.Increment(ref _count) > kept)
        {
            Interlocked.Decrement(ref _count);
            return;
        }
        _free.Enqueue(block);
    }

    /// <summary>Each loan is an object of its own, and gives its block back once: nobody can hold a block that somebody else was given.</summary>
    private sealed class Rented(BlockPool pool, byte[] block) : IMemoryOwner<byte>
    {
        private byte[]? _block = block;

        public Memory<byte> Memory => System.Runtime.InteropServices.MemoryMarshal.CreateFromPinnedArray(_block ?? throw new ObjectDisposedException(nameof(BlockPool)), 0, _block.Length);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _block, null) is { } back)
            {
                pool.Return(back);
            }
        }
    }
}
