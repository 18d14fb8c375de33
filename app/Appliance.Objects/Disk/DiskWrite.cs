using Appliance.Vault;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Objects.Disk;

/// <summary>A temporary file that becomes the object: written, flushed, renamed, and the folder flushed.</summary>
internal sealed class DiskWrite(DiskStore store, DiskThreads threads, ObjectKey key, SafeFileHandle file, string name) : IObjectWrite
{
    /// <summary>The disk works while the rest is being sealed, and the flush at the end waits for little.</summary>
    const int FlushStep = 8 << 20;

    long _length;
    long _flushing;
    bool _published;
    bool _disposed;

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        try
        {
            await threads.Run(() => Write(bytes.Span), cancellation);
        }
        catch (Exception error) when (DiskErrors.Known(error))
        {
            throw DiskErrors.Translate(error);
        }
    }

    void Write(ReadOnlySpan<byte> bytes)
    {
        RandomAccess.Write(file, bytes, _length);
        _length += bytes.Length;
        if (_length - _flushing >= FlushStep)
        {
            Posix.BeginFlush(file, _flushing, _length - _flushing);
            _flushing = _length;
        }
    }

    public Task CompleteAsync(CancellationToken cancellation) => store.RunAsync(
        () =>
        {
            Posix.Flush(file);
            store.Publish(key, name);
            return _published = true;
        }, key.Object, cancellation);

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }
        _disposed = true;
        await threads.Run(() =>
        {
            file.Dispose();
            if (!_published)
            {
                Discard();
            }
        });
    }

    void Discard()
    {
        try
        {
            store.Discard(name);
        }
        catch (Exception error) when (DiskErrors.Known(error))
        {
            // A disk that fails here has failed the write before, which the caller knows; the sweeper takes the file later.
        }
    }
}
