using Appliance.Vault;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Objects.Disk;

/// <summary>A temporary file that becomes the object: written, flushed, renamed, and the folder flushed.</summary>
internal sealed class DiskWrite(DiskStore store, DiskThreads threads, ObjectKey key, SafeFileHandle file, string name) : IObjectWrite
{
    long _length;
    bool _published;
    bool _disposed;

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        try
        {
            await threads.Run(() => RandomAccess.Write(file, bytes.Span, _length), cancellation);
            _length += bytes.Length;
        }
        catch (Exception error) when (DiskErrors.Known(error))
        {
            throw DiskErrors.Translate(error);
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
