using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;
using Appliance.Vault;

namespace Appliance.Objects.S3;

/// <summary>Objects in one bucket of an S3 server (Amazon S3 API reference, 2006-03-01), named as <see cref="ObjectKey"/> says.</summary>
internal sealed class S3Store(ObjectStoreOptions options) : IObjectStore, IDisposable
{
    const string WriteIdName = "x-amz-meta-write";

    readonly AmazonS3Client _client = S3Connection.Open(options);
    readonly string _bucket = options.Bucket!;

    internal long PartSize => options.PartSize;
    internal TimeSpan Patience => options.Timeout;

    public async Task PrepareAsync(CancellationToken cancellation)
    {
        try
        {
            await ProbeAsync(cancellation);
        }
        catch (StoreMisconfiguredException error) when (S3Errors.Is(error.InnerException!, "NoSuchBucket"))
        {
            await CreateBucketAsync(cancellation);
        }
    }

    public Task CheckReachableAsync(CancellationToken cancellation) => PrepareAsync(cancellation);

    public Task<IObjectWrite> BeginWriteAsync(ObjectKey key, CancellationToken cancellation) => Task.FromResult<IObjectWrite>(new S3Write(this, key, replaces: false));

    public Task<IObjectWrite> BeginReplaceAsync(ObjectKey key, CancellationToken cancellation) => Task.FromResult<IObjectWrite>(new S3Write(this, key, replaces: true));

    public async Task<StoredRange> ReadAsync(ObjectKey key, long offset, long count, CancellationToken cancellation)
    {
        try
        {
            var response = await GetAsync(key, offset, count, cancellation);
            var length = TotalLength(response);
            var clipped = Math.Min(count, length - offset);
            return new StoredRange(new S3ReadStream(this, key, response, offset, clipped, options.Timeout), length);
        }
        catch (StoreUnavailableException error) when (S3Errors.Is(error.InnerException!, "InvalidRange"))
        {
            // The range begins behind the end (RFC 9110 section 15.5.17).
            var found = await StatAsync(key, cancellation) ?? throw new ObjectMissingException(key.Object, error);
            return new StoredRange(Stream.Null, found.Length);
        }
    }

    public async Task<StoredObject?> StatAsync(ObjectKey key, CancellationToken cancellation) =>
        await HeadAsync(key, cancellation) is { } head
            ? new StoredObject(key, head.ContentLength, Utc(head.LastModified)) : null;

    public Task DeleteAsync(ObjectKey key, CancellationToken cancellation) => RunAsync(
        within => _client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = _bucket, Key = key.ToString() }, within), null, cancellation);

    public async IAsyncEnumerable<StoredObject> ListAsync(TeamId team, ObjectId? after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var request = new ListObjectsV2Request
        {
            BucketName = _bucket,
            Prefix = Prefix(team),
            StartAfter = after is { } last ? new ObjectKey(team, last).ToString() : null, // by name, which is the order that they come in
        };
        ListObjectsV2Response page;
        do
        {
            page = await RunAsync(within => _client.ListObjectsV2Async(request, within), null, cancellation);
            foreach (var found in page.S3Objects ?? [])
            {
                if (ObjectKey.TryParse(found.Key, out var key))
                {
                    yield return new StoredObject(key, found.Size ?? 0, Utc(found.LastModified));
                }
            }
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated == true);
    }

    /// <remarks>MinIO lists unfinished uploads by exact name only, so nothing is found there; it removes them itself after a day.</remarks>
    public async Task<int> AbortStaleWritesAsync(TeamId team, DateTimeOffset before, CancellationToken cancellation)
    {
        var aborted = 0;
        var request = new ListMultipartUploadsRequest { BucketName = _bucket, Prefix = Prefix(team) };
        ListMultipartUploadsResponse page;
        do
        {
            page = await RunAsync(within => _client.ListMultipartUploadsAsync(request, within), null, cancellation);
            foreach (var upload in page.MultipartUploads ?? [])
            {
                if (ObjectKey.TryParse(upload.Key, out var key) && await LastTouchedAsync(upload, cancellation) < before)
                {
                    await AbortUploadAsync(key, upload.UploadId, cancellation);
                    aborted++;
                }
            }
            (request.KeyMarker, request.UploadIdMarker) = (page.NextKeyMarker, page.NextUploadIdMarker);
        }
        while (page.IsTruncated == true);
        return aborted;
    }

    public void Dispose() => _client.Dispose();

    internal async Task<GetObjectResponse> GetAsync(ObjectKey key, long offset, long count, CancellationToken cancellation) =>
        await RunAsync(within => _client.GetObjectAsync(new GetObjectRequest
        {
            BucketName = _bucket,
            Key = key.ToString(),
            ByteRange = new ByteRange(offset, checked(offset + count - 1)),
        }, within), key.Object, cancellation);

    internal async Task PutAsync(ObjectKey key, PartBuffer content, string writeId, bool replaces, CancellationToken cancellation)
    {
        if (replaces)
        {
            await RequirePresentAsync(key, cancellation);
        }
        using var body = content.OpenRead();
        var request = new PutObjectRequest
        {
            BucketName = _bucket,
            Key = key.ToString(),
            InputStream = body,
            AutoCloseStream = false,
            IfNoneMatch = replaces ? null : "*",
            ContentType = "application/octet-stream",
        };
        request.Metadata[WriteIdName] = writeId;
        await RunAsync(within => _client.PutObjectAsync(request, within), key.Object, cancellation);
    }

    internal async Task<string> BeginUploadAsync(ObjectKey key, string writeId, CancellationToken cancellation)
    {
        var request = new InitiateMultipartUploadRequest { BucketName = _bucket, Key = key.ToString(), ContentType = "application/octet-stream" };
        request.Metadata[WriteIdName] = writeId;
        return (await RunAsync(within => _client.InitiateMultipartUploadAsync(request, within), null, cancellation)).UploadId;
    }

    internal async Task<PartETag> UploadPartAsync(ObjectKey key, string uploadId, int number, PartBuffer content, CancellationToken cancellation)
    {
        using var body = content.OpenRead();
        var request = new UploadPartRequest
        {
            BucketName = _bucket,
            Key = key.ToString(),
            UploadId = uploadId,
            PartNumber = number,
            PartSize = content.Length,
            InputStream = body,
        };
        return new PartETag(number, (await RunAsync(within => _client.UploadPartAsync(request, within), null, cancellation)).ETag);
    }

    internal async Task CompleteUploadAsync(
        ObjectKey key, string uploadId, List<PartETag> parts, bool replaces, CancellationToken cancellation)
    {
        await (replaces ? RequirePresentAsync(key, cancellation) : RequireAbsentAsync(key, cancellation));
        var request = new CompleteMultipartUploadRequest
        {
            BucketName = _bucket,
            Key = key.ToString(),
            UploadId = uploadId,
            PartETags = parts,
            IfNoneMatch = replaces ? null : "*",
        };
        await RunAsync(within => _client.CompleteMultipartUploadAsync(request, within), key.Object, cancellation);
    }

    internal async Task<bool> IsFromAsync(ObjectKey key, string writeId, CancellationToken cancellation) =>
        await HeadAsync(key, cancellation) is { } head && head.Metadata[WriteIdName] == writeId;

    internal async Task AbortUploadAsync(ObjectKey key, string uploadId, CancellationToken cancellation)
    {
        var request = new AbortMultipartUploadRequest { BucketName = _bucket, Key = key.ToString(), UploadId = uploadId };
        try
        {
            await RunAsync(within => _client.AbortMultipartUploadAsync(request, within), null, cancellation);
        }
        catch (StoreUnavailableException error) when (S3Errors.Is(error.InnerException!, "NoSuchUpload"))
        {
            // It is gone already, which is what was wanted.
        }
    }

    /// <summary>Ceph heeds If-None-Match when an object is put, but not when an upload is completed, so ask first.</summary>
    async Task RequireAbsentAsync(ObjectKey key, CancellationToken cancellation)
    {
        if (await HeadAsync(key, cancellation) is not null)
        {
            throw new ObjectExistsException(key.Object);
        }
    }

    /// <summary>One that is deleted just after this comes back as an orphan, which the sweeper removes.</summary>
    async Task RequirePresentAsync(ObjectKey key, CancellationToken cancellation)
    {
        if (await HeadAsync(key, cancellation) is null)
        {
            throw new ObjectMissingException(key.Object);
        }
    }

    async Task<GetObjectMetadataResponse?> HeadAsync(ObjectKey key, CancellationToken cancellation)
    {
        try
        {
            return await RunAsync(within => _client.GetObjectMetadataAsync(_bucket, key.ToString(), within), key.Object, cancellation);
        }
        catch (ObjectMissingException)
        {
            return null;
        }
    }

    async Task ProbeAsync(CancellationToken cancellation) => await RunAsync(
        within => _client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = _bucket, MaxKeys = 1 }, within), null, cancellation);

    async Task CreateBucketAsync(CancellationToken cancellation)
    {
        // The default region is the one that must not be named (CreateBucket's LocationConstraint).
        var request = new PutBucketRequest { BucketName = _bucket, UseClientRegion = false };
        if (options.Region != "us-east-1")
        {
            request.BucketRegionName = options.Region;
        }
        try
        {
            await RunAsync(within => _client.PutBucketAsync(request, within), null, cancellation);
        }
        catch (StoreUnavailableException error) when (error.InnerException is AmazonS3Exception { StatusCode: < HttpStatusCode.InternalServerError } s3)
        {
            if (s3.ErrorCode is not ("BucketAlreadyOwnedByYou" or "OperationAborted")) // another of us was quicker
            {
                throw new StoreMisconfiguredException(
                    $"The object store at {options.Endpoint!.Authority} has no bucket '{_bucket}', and our credentials may not create it " +
                    $"({s3.ErrorCode}). Create the bucket, or allow its creation.", s3);
            }
        }
    }

    /// <summary>When the last part came, or when the upload began: a slow upload is not a stale one.</summary>
    async Task<DateTimeOffset> LastTouchedAsync(MultipartUpload upload, CancellationToken cancellation)
    {
        var last = Utc(upload.Initiated);
        var request = new ListPartsRequest { BucketName = _bucket, Key = upload.Key, UploadId = upload.UploadId };
        ListPartsResponse page;
        do
        {
            page = await RunAsync(within => _client.ListPartsAsync(request, within), null, cancellation);
            last = (page.Parts ?? []).Select(part => Utc(part.LastModified)).Append(last).Max();
            request.PartNumberMarker = page.NextPartNumberMarker?.ToString(CultureInfo.InvariantCulture);
        }
        while (page.IsTruncated == true);
        return last;
    }

    Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> request, ObjectId? id, CancellationToken cancellation) =>
        S3Errors.RunAsync(request, options, id, cancellation);

    /// <summary>Content-Range is <c>bytes first-last/length</c> (RFC 9110 section 14.4).</summary>
    static long TotalLength(GetObjectResponse response) =>
        response.ContentRange is { } range && long.TryParse(range.AsSpan(range.LastIndexOf('/') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            ? length
            : throw new StoreUnavailableException("The object store does not answer requests for ranges.");

    static string Prefix(TeamId team) => $"{team.Value:N}/";

    static DateTimeOffset Utc(DateTime? time) => time?.ToUniversalTime() ?? DateTimeOffset.MaxValue;
}
