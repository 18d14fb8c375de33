using System.Buffers.Binary;
using System.Net;

namespace Appliance.Tests.Tus;

/// <summary>A body whose length is not said beforehand.</summary>
internal sealed class Unannounced(byte[] bytes) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(bytes).AsTask();

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}

/// <summary>A body that announces all of its bytes and breaks off after some.</summary>
internal sealed class BreaksOff(byte[] bytes, int after) : HttpContent
{
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        await stream.WriteAsync(bytes.AsMemory(0, after));
        await stream.FlushAsync();
        await Task.Delay(300); // so that something has arrived
        throw new IOException("The connection broke.");
    }

    protected override bool TryComputeLength(out long length)
    {
        length = bytes.Length;
        return true;
    }
}

/// <summary>A body that stops in the middle until it is told to go on.</summary>
internal sealed class Stalls(byte[] bytes, int after) : HttpContent
{
    private readonly TaskCompletionSource _stalled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool Empty { get; init; }

    public Task Stalled => _stalled.Task;

    public void GoOn() => _goOn.TrySetResult();

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        if (Empty)
        {
            return;
        }
        await stream.WriteAsync(bytes.AsMemory(0, after));
        await stream.FlushAsync();
        _stalled.TrySetResult();
        await _goOn.Task;
        await stream.WriteAsync(bytes.AsMemory(after));
    }

    protected override bool TryComputeLength(out long length)
    {
        length = bytes.Length;
        return true;
    }
}

/// <summary>A sparse file without a disk: zeros, but each mebibyte begins with its number.</summary>
internal sealed class Generated(long length) : Stream
{
    private const long Block = 1 << 20;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position { get; set; }

    public override int Read(Span<byte> buffer)
    {
        var count = (int)Math.Min(buffer.Length, length - Position);
        count = (int)Math.Min(count, Block - Position % Block);
        buffer[..count].Clear();
        if (Position % Block == 0 && count >= sizeof(long))
        {
            BinaryPrimitives.WriteInt64LittleEndian(buffer, Position / Block);
        }
        Position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.FromResult(Read(buffer.AsSpan(offset, count)));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(Read(buffer.Span));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
