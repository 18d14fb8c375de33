using Amazon.S3;
using Amazon.S3.Model;

namespace Appliance.Objects.S3;

/// <summary>
/// One object on its way up: a single request when it fits into one part, a multipart upload otherwise. It holds at most two parts in memory,
/// filled or on their way. A multipart upload is nothing that could be seen until it is completed.
/// </summary>
internal sealed class S3Write(S3Store store, ObjectKey key, bool replaces) : IObjectWrite
{
    const int PartsInMemory = 2;
    const int MostParts = 10_000; // S3's own limit

    // What is asked after a failure is asked for a part of the time of one request: whoever wrote has waited for that long already.
    readonly TimeSpan _after = store.Patience / 3;
    readonly CancellationTokenSource _ended = new();
    readonly Queue<Task<PartETag>> _sending = new();
    readonly List<PartETag> _sent = [];
    readonly string _writeId = Guid.NewGuid().ToString("N");

    PartBuffer _filling = new();
    int _parts;
    string? _uploadId;
    bool _completing;
    bool _completed;
    bool _disposed;

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        while (!bytes.IsEmpty)
        {
            if (_filling.Length == CurrentPartSize)
            {
                await SendPartAsync(cancellation); // more follows, so this is not the last one
            }
            var taken = (int)Math.Min(bytes.Length, CurrentPartSize - _filling.Length);
            _filling.Append(bytes.Span[..taken]);
            bytes = bytes[taken..];
        }
    }

    public async Task CompleteAsync(ReadOnlyMemory<byte> rest, CancellationToken cancellation)
    {
        await WriteAsync(rest, cancellation);
        _completing = true;
        try
        {
            if (_uploadId is null)
            {
                await store.PutAsync(key, _filling, _writeId, replaces, cancellation);
            }
            else
            {
                await SendPartAsync(cancellation);
                await WaitForRoomAsync(0, cancellation);
                await store.CompleteUploadAsync(key, _uploadId, _sent, replaces, cancellation);
            }
            _completed = true;
        }
        catch (Exception error) when (error is ObjectExistsException or StoreUnavailableException)
        {
            // The answer may have been lost, and a request that was tried again meets what its first try has made.
            if (!await IsOursAsync(cancellation))
            {
                throw;
            }
            _completed = true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }
        _disposed = true;
        await _ended.CancelAsync();
        await Task.WhenAll(_sending).ContinueWith(static _ => { }, TaskScheduler.Default); // their errors are known or no longer matter
        _filling.Dispose();
        if (!_completed)
        {
            await AbortAsync();
        }
        _ended.Dispose();
    }

    async Task AbortAsync()
    {
        using var patience = new CancellationTokenSource(_after);
        try
        {
            if (_uploadId is not null)
            {
                await store.AbortUploadAsync(key, _uploadId, patience.Token);
            }
            if (_completing && !replaces && await store.IsFromAsync(key, _writeId, patience.Token))
            {
                await store.DeleteAsync(key, patience.Token);
            }
        }
        catch (Exception error) when (error is StoreUnavailableException or OperationCanceledException)
        {
            // The store is away, which the caller knows; the sweeper removes later what is left.
        }
    }

    async Task<bool> IsOursAsync(CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(_after);
        try
        {
            return await store.IsFromAsync(key, _writeId, patience.Token);
        }
        catch (Exception error) when (error is StoreUnavailableException || error is OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Parts grow a step with every thousand, so that 10,000 of 8 MiB and more reach 430 GiB, not 80.</summary>
    long CurrentPartSize => store.PartSize * (1 + _parts / 1000);

    async Task SendPartAsync(CancellationToken cancellation)
    {
        if (_parts == MostParts)
        {
            throw new InvalidOperationException("The object is too large for the object store; a larger PartSize allows larger objects.");
        }
        _uploadId ??= await store.BeginUploadAsync(key, _writeId, cancellation);
        var part = _filling;
        _filling = new PartBuffer();
        _sending.Enqueue(SendAsync(_uploadId, ++_parts, part));
        await WaitForRoomAsync(PartsInMemory - 1, cancellation);
    }

    async Task<PartETag> SendAsync(string uploadId, int number, PartBuffer part)
    {
        using (part)
        {
            return await store.UploadPartAsync(key, uploadId, number, part, _ended.Token);
        }
    }

    async Task WaitForRoomAsync(int mayBeSending, CancellationToken cancellation)
    {
        while (_sending.Count > mayBeSending)
        {
            _sent.Add(await _sending.Peek().WaitAsync(cancellation));
            _ = _sending.Dequeue();
        }
    }
}
