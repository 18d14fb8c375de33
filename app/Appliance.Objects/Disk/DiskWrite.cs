using Appliance.Vault;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Objects.Disk;

/// <summary>
/// A temporary file that becomes the object. It is made with its first byte, and small objects are made, written, named and flushed in one
/// turn on a disk thread.
/// </summary>
internal sealed class DiskWrite(DiskStore store, DiskThreads threads, ObjectKey key, string name, bool replaces) : IObjectWrite
{
    /// <summary>The disk works while the rest is being sealed, and the flush at the end waits for little.</summary>
    const int FlushStep = 8 << 20;

    SafeFileHandle? _file;
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
        _file ??= store.CreateUnfinished(name);
        RandomAccess.Write(_file, bytes, _length);
        _length += bytes.Length;
        if (_length - _flushing >= FlushStep)
        {
            Posix.BeginFlush(_file, _flushing, _length - _flushing);
            _flushing = _length;
        }
    }

    public Task CompleteAsync(ReadOnlyMemory<byte> rest, CancellationToken cancellation) => store.RunAsync(
        () =>
        {
            Write(rest.Span);
            if (replaces)
            {
                store.Replace(key, name, _file!);
            }
            else
            {
                store.Publish(key, name, _file!);
            }
            _published = true;
            _file!.Dispose();
            return true;
        }, key.Object, cancellation);

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }
        _disposed = true;
        if (!_published && _file is not null)
        {
            await threads.Run(() =>
            {
                _file.Dispose();
                Discard();
            });
        }
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
