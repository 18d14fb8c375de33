using Microsoft.Win32.SafeHandles;

namespace Appliance.Objects.Disk;

/// <summary>
/// A range of an open file. Deleting the object meanwhile does not disturb it. What the system has in memory is read at once; for what it
/// must fetch, a disk thread waits.
/// </summary>
internal sealed class DiskReadStream(DiskThreads threads, SafeFileHandle file, long offset, long count) : ReadOnlyForwardStream
{
    long _offset = offset;
    long _left = count;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var wanted = buffer[..(int)Math.Min(buffer.Length, _left)];
        if (wanted.IsEmpty)
        {
            return 0;
        }
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            var read = Posix.ReadCached(file, wanted.Span, _offset);
            if (read <= 0)
            {
                read = await threads.Run(() => RandomAccess.Read(file, wanted.Span, _offset), cancellationToken);
            }
            _offset += read;
            _left -= read;
            return read;
        }
        catch (Exception error) when (DiskErrors.Known(error))
        {
            throw DiskErrors.Translate(error);
        }
    }

    protected override void Dispose(bool disposing)
    {
        file.Dispose();
        base.Dispose(disposing);
    }
}
