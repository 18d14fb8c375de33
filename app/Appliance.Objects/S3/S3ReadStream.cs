using Amazon.S3.Model;

namespace Appliance.Objects.S3;

/// <summary>
/// A range as it comes over the wire. When the connection breaks, it asks for the rest, a few times; what was read stays read. That it is the same object still is
/// not asked: a new wrap of its key makes it another to the store, and each chunk is verified by itself.
/// </summary>
internal sealed class S3ReadStream(S3Store store, ObjectKey key, GetObjectResponse first, long offset, long count, TimeSpan patience)
    : ReadOnlyForwardStream
{
    const int MostResumptions = 3;

    GetObjectResponse? _response = first;
    long _offset = offset;
    long _left = count;
    int _resumptions;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var wanted = buffer[..(int)Math.Min(buffer.Length, _left)];
        if (wanted.IsEmpty)
        {
            return 0;
        }
        while (true)
        {
            try
            {
                _response ??= await store.GetAsync(key, _offset, _left, cancellationToken);
                var read = await ReadOnceAsync(_response.ResponseStream, wanted, cancellationToken);
                _offset += read;
                _left -= read;
                return read;
            }
            catch (Exception error) when (S3Errors.Known(error) && !cancellationToken.IsCancellationRequested)
            {
                _response?.Dispose();
                _response = null;
                if (++_resumptions > MostResumptions)
                {
                    throw new StoreUnavailableException($"The object store broke off while an object was read, {_resumptions} times. ({error.Message})", error);
                }
            }
        }
    }

    async Task<int> ReadOnceAsync(Stream stream, Memory<byte> wanted, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(patience);
        var read = await stream.ReadAsync(wanted, limit.Token);
        return read > 0 ? read : throw new EndOfStreamException("The answer ended early.");
    }

    protected override void Dispose(bool disposing)
    {
        _response?.Dispose();
        base.Dispose(disposing);
    }
}
