using System.Buffers;
using System.Globalization;
using Appliance.Data;
using Appliance.Objects;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Vault;
using Microsoft.Net.Http.Headers;

namespace Appliance.Files;

/// <summary>Answers with a file's bytes, whole or a range, with validators (RFC 9110 sections 8.8, 13 and 14). Every address that hands out content shares it.</summary>
internal static class ContentResponse
{
    private const int CopyBuffer = 64 << 10;

    /// <summary>What is opened while the piece before it is being sent: two of these for each long download.</summary>
    private const int AheadBuffer = 256 << 10;

    /// <summary>On the endpoints: their content is looked up in the flight that tells who asks.</summary>
    public static readonly ReadsAlong Along = new(context =>
        context.RequestServices.GetRequiredService<TeamAccess>().Known(context.GetRouteValue("team") as string) is { } team
        && context.GetRouteValue("entry") is string entry && Reference.IsWellFormed(entry) && TryVersion(context.Request, out var version)
            ? new ContentAlong(team, entry, version)
            : null);

    private sealed class ContentAlong(TeamId team, string entry, int? version) : AlongRead(team)
    {
        public ContentRows Rows { get; } = new(team);

        protected override FormattableString Sql => ContentRows.Sql(entry, version);

        protected override void Take(Row row) => Rows.Take(row);
    }

    /// <summary>Finds the content and sends it; 404 for what is not there or not this person's.</summary>
    /// <param name="context">The request.</param>
    /// <param name="team">The team's reference.</param>
    /// <param name="entry">The file's reference.</param>
    /// <param name="dress">Says how the content is shown (type, disposition, policy); false: it has answered otherwise.</param>
    public static async Task SendAsync(HttpContext context, string team, string entry, Func<HttpResponse, StoredContent, bool> dress)
    {
        var (request, response, cancelled) = (context.Request, context.Response, context.RequestAborted);
        var access = context.RequestServices.GetRequiredService<TeamAccess>();
        if (!TryVersion(request, out var version)
            || await access.LocateAsync(team, context.User, cancelled) is not { } who
            || (AlongRead.Of<ContentAlong>(context, who.Team, who.Person) is { } along
                ? along.Rows.Found
                : await StoredContent.ReadAsync(context.RequestServices.GetRequiredService<Database>(), who.Team, who.Person, entry, version, cancelled)) is not { } found)
        {
            response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        await SendAsync(context, found.Content, found.Segments, dress, AccessWatch.Over(context, team, entry));
    }

    /// <summary>Sends content that was found, to whoever is allowed to have it as long as the watch says so.</summary>
    public static async Task SendAsync(
        HttpContext context, StoredContent content, IReadOnlyList<StoredSegment> all, Func<HttpResponse, StoredContent, bool> dress, AccessWatch watch)
    {
        var (request, response, cancelled) = (context.Request, context.Response, context.RequestAborted);
        if (!Answer(request, response, content, dress, out var range) || !HttpMethods.IsGet(request.Method) || range.Count == 0)
        {
            return;
        }
        var segments = content.Within(range, all);
        // No transaction is open any more: a download may last for hours. What is spoiled or out of reach throws: before the first byte that
        // is an error page, afterwards the connection is cut, never a clean end of something that is not whole.
        var objects = context.RequestServices.GetRequiredService<SealedObjects>();
        await using var reader = await ContentReader.OpenAsync(objects, content.Team, range, segments, cancelled);
        await (range.Count > 2 * AheadBuffer ? CopyAheadAsync(context, reader, watch) : CopyAsync(context, reader, watch));
    }

    /// <summary>The query's <c>version</c>: null where there is none. False: it is no number that a version could have.</summary>
    private static bool TryVersion(HttpRequest request, out int? version)
    {
        version = null;
        if (!request.Query.TryGetValue("version", out var said))
        {
            return true;
        }
        var valid = said is [{ } text] && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0;
        version = valid ? int.Parse(said.ToString(), NumberStyles.None, CultureInfo.InvariantCulture) : null;
        return valid;
    }

    /// <summary>Status and headers; false where there is no content to send.</summary>
    private static bool Answer(HttpRequest request, HttpResponse response, StoredContent content, Func<HttpResponse, StoredContent, bool> dress, out ByteRange range)
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
        response.Headers.XContentTypeOptions = "nosniff";
        if (!dress(response, content))
        {
            return false;
        }
        if (Preconditions.Check(request.GetTypedHeaders(), tag, modified) is { } status)
        {
            response.StatusCode = status;
            Undress(response, keepPolicy: status == StatusCodes.Status304NotModified);
            return false;
        }
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
                response.ContentLength = null;
                Undress(response, keepPolicy: false);
                return false;
            default:
                return true;
        }
    }

    /// <summary>
    /// There will be no content. A 304 keeps the policy: a browser puts its headers over those that it stored (RFC 9111 section 3.2), and the pages' own
    /// policy, which every answer without one gets, knows no sandbox.
    /// </summary>
    private static void Undress(HttpResponse response, bool keepPolicy)
    {
        response.Headers.ContentDisposition = default;
        response.ContentType = null;
        if (!keepPolicy)
        {
            response.Headers.ContentSecurityPolicy = default;
        }
    }

    /// <summary>For long content: one thread opens the next piece while another encrypts this one for the connection.</summary>
    private static async Task CopyAheadAsync(HttpContext context, ContentReader reader, AccessWatch watch)
    {
        var (output, cancelled) = (context.Response.BodyWriter, context.RequestAborted);
        var (sent, opened) = (ArrayPool<byte>.Shared.Rent(AheadBuffer), ArrayPool<byte>.Shared.Rent(AheadBuffer));
        var opening = OpenAsync(opened);
        try
        {
            while (await opening is > 0 and var read)
            {
                (sent, opened) = (opened, sent);
                opening = OpenAsync(opened);
                if (!await watch.MayGoOnAsync())
                {
                    context.Abort(); // never a clean end of something that is not whole
                    return;
                }
                sent.AsSpan(0, read).CopyTo(output.GetSpan(read)); // in one piece, which TLS then takes as it is
                output.Advance(read);
                var flushed = await output.FlushAsync(cancelled);
                if (flushed.IsCompleted || flushed.IsCanceled)
                {
                    return; // the client has gone
                }
            }
        }
        finally
        {
            await ((Task)opening).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ArrayPool<byte>.Shared.Return(sent, clearArray: true); // they held content in clear
            ArrayPool<byte>.Shared.Return(opened, clearArray: true);
        }

        Task<int> OpenAsync(byte[] buffer) => Task.Run(() => reader.ReadAsync(buffer.AsMemory(0, AheadBuffer), cancelled).AsTask(), CancellationToken.None);
    }

    private static async Task CopyAsync(HttpContext context, ContentReader reader, AccessWatch watch)
    {
        var (output, cancelled) = (context.Response.BodyWriter, context.RequestAborted);
        while (await reader.ReadAsync(output.GetMemory(CopyBuffer), cancelled) is > 0 and var read)
        {
            if (!await watch.MayGoOnAsync())
            {
                context.Abort(); // never a clean end of something that is not whole
                return;
            }
            output.Advance(read);
            var flushed = await output.FlushAsync(cancelled);
            if (flushed.IsCompleted || flushed.IsCanceled)
            {
                return; // the client has gone
            }
        }
    }
}
