using System.Net;
using System.Security.Authentication;
using Amazon.Runtime;
using Amazon.S3;
using Appliance.Vault;

namespace Appliance.Objects.S3;

internal static class S3Errors
{
    /// <summary>
    /// Runs a request and says in the product's words what went wrong. The SDK tries again by itself; with all of that it takes at most a quarter more
    /// than the time of one request, so that a store that takes requests and never answers is not waited for four times over.
    /// </summary>
    public static async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> request, ObjectStoreOptions options, ObjectId? id, CancellationToken cancellation)
    {
        using var within = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        within.CancelAfter(options.Timeout * 1.25);
        try
        {
            return await request(within.Token);
        }
        catch (Exception error) when (Known(error) && !cancellation.IsCancellationRequested)
        {
            throw Translate(error, options, id);
        }
        catch (Exception error) when (Known(error) && error is not OperationCanceledException)
        {
            throw new OperationCanceledException("The caller gave up.", error, cancellation);
        }
    }

    public static bool Known(Exception error) => error is AmazonServiceException or AmazonClientException or HttpRequestException or IOException
        or OperationCanceledException or TimeoutException;

    public static bool Is(Exception error, params ReadOnlySpan<string> codes) =>
        error is AmazonS3Exception s3 && codes.Contains(s3.ErrorCode, StringComparer.Ordinal);

    public static bool IsMissing(AmazonS3Exception error) =>
        error.StatusCode == HttpStatusCode.NotFound && !Is(error, "NoSuchBucket", "NoSuchUpload");

    public static Exception Translate(Exception error, ObjectStoreOptions options, ObjectId? id)
    {
        if (Innermost<StoreUnavailableException>(error) is { } ours)
        {
            return ours;
        }
        if (error is AmazonS3Exception s3)
        {
            return Translate(s3, options, id);
        }
        if (Innermost<AuthenticationException>(error) is { } tls)
        {
            return new StoreMisconfiguredException(
                $"The object store at {options.Endpoint!.Authority} does not show a certificate that we trust. Check CertificateAuthorityFile, " +
                $"the name in Endpoint and the server's certificate. ({(tls.InnerException ?? tls).Message})", error);
        }
        return new StoreUnavailableException(
            $"The object store at {options.Endpoint!.Authority} cannot be reached, or did not answer in time. ({Deepest(error).Message})", error);
    }

    static Exception Translate(AmazonS3Exception error, ObjectStoreOptions options, ObjectId? id)
    {
        var at = options.Endpoint!.Authority;
        if (IsMissing(error) && id is { } missing)
        {
            return new ObjectMissingException(missing, error);
        }
        if (Is(error, "PreconditionFailed", "ConditionalRequestConflict") && id is { } existing)
        {
            return new ObjectExistsException(existing, error);
        }
        if (error.StatusCode == HttpStatusCode.InsufficientStorage || Is(error, "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"))
        {
            return new StoreFullException($"The object store at {at} is full. Nothing was kept of this write; give it more room.", error);
        }
        if (Is(error, "NoSuchBucket"))
        {
            return new StoreMisconfiguredException($"The object store at {at} has no bucket '{options.Bucket}'. Create it, or set Bucket.", error);
        }
        if (error.StatusCode is HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized)
        {
            return new StoreMisconfiguredException(
                $"The object store at {at} refuses our credentials for bucket '{options.Bucket}' ({error.ErrorCode}). " +
                "Check AccessKeyFile, SecretKeyFile, what they may do, and this machine's clock.", error);
        }
        return new StoreUnavailableException($"The object store at {at} answered with an error ({(int)error.StatusCode} {error.ErrorCode}).", error);
    }

    static T? Innermost<T>(Exception? error) where T : Exception
    {
        for (; error is not null; error = error.InnerException)
        {
            if (error is T found)
            {
                return found;
            }
        }
        return null;
    }

    static Exception Deepest(Exception error) => error.GetBaseException();
}
