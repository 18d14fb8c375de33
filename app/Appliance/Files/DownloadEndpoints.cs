using System.Globalization;
using Appliance.Objects;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Web;
using Microsoft.Net.Http.Headers;

namespace Appliance.Files;

/// <summary>A file's bytes: <c>GET</c> and <c>HEAD /teams/{team}/files/{entry}/content</c>, whole or a range.</summary>
public static class DownloadEndpoints
{
    private const int CopyBuffer = 64 << 10;

    public static void MapDownloads(this IEndpointRouteBuilder app) =>
        app.MapMethods("/teams/{team}/files/{entry}/content", [HttpMethods.Get, HttpMethods.Head], ServeAsync).RequireAuthorization(Access.SignedIn);

    private static async Task ServeAsync(
        HttpContext context, string team, string entry, TeamAccess access, SealedObjects objects)
    {
        var (request, response, cancelled) = (context.Request, context.Response, context.RequestAborted);
        StoredContent? content = null;
        IReadOnlyList<StoredSegment> segments = [];
        ByteRange range = default;
        await using (var visit = await access.EnterAsync(team, context.User.Id(), cancelled))
        {
            if (visit is not null)
            {
                content = await StoredContent.FindAsync(visit.Session, entry, cancelled);
            }
            if (content is null)
            {
                response.StatusCode = StatusCodes.Status404NotFound;
                return;
            }
            if (Answer(request, response, content, out range) && HttpMethods.IsGet(request.Method) && range.Count > 0)
            {
                segments = await content.SegmentsAsync(visit!.Session, range, cancelled);
            }
        }
        if (segments.Count == 0)
        {
            return;
        }
        // No transaction is open any more: a download may last for hours. What is spoiled or out of reach throws: before the first byte that
        // is an error page, afterwards the connection is cut, never a clean end of something that is not whole.
        await using var reader = await ContentReader.OpenAsync(objects, content.Team, range, segments, cancelled);
        await CopyAsync(reader, response, cancelled);
    }

    /// <summary>Status and headers; false where there is no content to send.</summary>
    private static bool Answer(HttpRequest request, HttpResponse response, StoredContent content, out ByteRange range)
    {
        var tag = new EntityTagHeaderValue($"\"{content.VersionId:N}\"");
        var modified = DateTimeOffset.FromUnixTimeSeconds(content.Modified.ToUnixTimeSeconds());
        range = new ByteRange(0, content.Size);

        var headers = response.GetTypedHeaders();
        headers.ETag = tag;
        headers.LastModified = modified;
        // Kept by the browser alone, and asked for again each time: membership may have ended.
        headers.CacheControl = new CacheControlHeaderValue { Private = true, NoCache = true };
        response.Headers.AcceptRanges = "bytes";
        if (Preconditions.Check(request.GetTypedHeaders(), tag, modified) is { } status)
        {
            response.StatusCode = status;
            return false;
        }
        // Saved, never shown: whatever is in it, no content of a file runs on this origin.
        var disposition = new ContentDispositionHeaderValue("attachment");
        disposition.SetHttpFileName(content.Name);
        headers.ContentDisposition = disposition;
        headers.ContentType = new MediaTypeHeaderValue(content.MediaType);
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        response.ContentLength = content.Size;
        // RFC 9110 section 14.2: other methods than GET ignore Range.
        if (!HttpMethods.IsGet(request.Method) || !Preconditions.RangeCounts(request, tag))
        {
            return true;
        }
        switch (ByteRange.Read(request.Headers.Range, content.Size, out var part))
        {
            case ByteRange.Outcome.Part:
                range = part;
                response.StatusCode = StatusCodes.Status206PartialContent;
                headers.ContentRange = new ContentRangeHeaderValue(part.Start, part.Start + part.Count - 1, content.Size);
                response.ContentLength = part.Count;
                return true;
            case ByteRange.Outcome.Unsatisfiable:
                response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
                response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{content.Size}");
                response.Headers.ContentDisposition = default;
                response.ContentType = null;
                response.ContentLength = null;
                return false;
            default:
                return true;
        }
    }

    private static async Task CopyAsync(ContentReader reader, HttpResponse response, CancellationToken cancelled)
    {
        var output = response.BodyWriter;
        while (await reader.ReadAsync(output.GetMemory(CopyBuffer), cancelled) is > 0 and var read)
        {
            output.Advance(read);
            var flushed = await output.FlushAsync(cancelled);
            if (flushed.IsCompleted || flushed.IsCanceled)
            {
                return; // the client has gone
            }
        }
    }
}
