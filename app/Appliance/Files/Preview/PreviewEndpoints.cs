using System.Text.Encodings.Web;
using Appliance.Web;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;

namespace Appliance.Files;

/// <summary>
/// A file shown in the browser: <c>GET /teams/{team}/files/{entry}/preview[?version=n]</c>, for types that cannot run, each told from the content
/// (<see cref="MediaTypes"/>). Everything else is 415, and can be downloaded.
/// </summary>
public static class PreviewEndpoints
{
    /// <summary>Longer texts are downloaded: no browser shows them well.</summary>
    public const long MostText = 1 << 20;

    /// <summary>Larger images get no small picture in the list: what is fetched for it is the file itself.</summary>
    public const long MostThumbnail = 2 << 20;

    /// <summary>The page that draws PDFs (<c>js/preview-pdf.js</c>).</summary>
    public const string PdfViewer = "/pdf-viewer";

    /// <summary>
    /// For who opens the address itself: the answer is a document of an opaque origin (CSP3 <c>sandbox</c>), in which nothing runs and which may load
    /// nothing but, for the browser's own player, itself.
    /// </summary>
    internal const string ContentPolicy = "default-src 'none'; img-src 'self'; media-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox";

    /// <summary>
    /// The viewer's own: an opaque origin that runs our modules and nothing else. No connection, no evaluation, no form, no frame, no picture but what
    /// it draws itself.
    /// </summary>
    internal const string ViewerPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'none'; connect-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; "
        + "require-trusted-types-for 'script'; trusted-types 'none'; sandbox allow-scripts";

    private static readonly HashSet<string> s_shown = new(StringComparer.Ordinal)
    {
        "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp",
        "audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav", "audio/flac",
        "video/mp4", "video/webm", MediaTypes.Pdf, MediaTypes.Text,
    };

    /// <summary>The images among them, for a page that puts pictures into a list.</summary>
    public static string ImageTypes { get; } = string.Join(' ', s_shown.Where(type => type.StartsWith("image/", StringComparison.Ordinal)));

    public static void MapPreviews(this IEndpointRouteBuilder app)
    {
        app.MapMethods("/teams/{team}/files/{entry}/preview", [HttpMethods.Get, HttpMethods.Head], ShowAsync).RequireAuthorization(Access.SignedIn).WithMetadata(ContentResponse.Along).ExcludeFromDescription();
        app.MapMethods(PdfViewer, [HttpMethods.Get, HttpMethods.Head], Viewer).RequireAuthorization(Access.SignedIn).ExcludeFromDescription();
    }

    /// <summary>Whether a file of this type and size, in bytes, is shown: for pages that decide what to offer.</summary>
    public static bool Shows(string? mediaType, long size) =>
        mediaType is not null && s_shown.Contains(mediaType) && (mediaType != MediaTypes.Text || size <= MostText);

    private static Task ShowAsync(HttpContext context, string team, string entry) => ContentResponse.SendAsync(context, team, entry, Inline);

    private static bool Inline(HttpResponse response, StoredContent content)
    {
        if (!Shows(content.MediaType, content.Size))
        {
            response.Clear();
            response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return false;
        }
        // A PDF is for our own viewer, which fetches it. Who opens the address saves it: a browser's viewer runs a PDF's scripts, and in Chromium it is
        // a document of our origin in spite of the sandbox.
        var disposition = new ContentDispositionHeaderValue(content.MediaType == MediaTypes.Pdf ? "attachment" : "inline");
        disposition.SetHttpFileName(content.Name);
        response.GetTypedHeaders().ContentDisposition = disposition;
        // A byte order mark goes before what is said here (WHATWG Encoding, section 6).
        response.ContentType = content.MediaType == MediaTypes.Text ? "text/plain; charset=utf-8" : content.MediaType;
        response.Headers.ContentSecurityPolicy = ContentPolicy;
        response.Headers["Cross-Origin-Resource-Policy"] = "same-origin";
        response.Headers["Referrer-Policy"] = "no-referrer";
        return true;
    }

    /// <summary>Its modules and styles are asked for with CORS (<c>crossorigin</c>): an opaque origin is never the same as ours.</summary>
    private static ContentHttpResult Viewer(HttpContext context, Assets assets)
    {
        context.Response.Headers.ContentSecurityPolicy = ViewerPolicy;
        context.Response.Headers.XFrameOptions = "SAMEORIGIN";
        string Url(string path) => HtmlEncoder.Default.Encode(assets.Url(path));
        return TypedResults.Content(
            $"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
              <meta charset="utf-8">
              <meta name="viewport" content="width=device-width, initial-scale=1">
              <meta name="color-scheme" content="light dark">
              <title>PDF</title>
              <link rel="stylesheet" crossorigin href="{Url("css/pdf-viewer.css")}">
              <script type="module" crossorigin src="{Url("js/pdf-viewer.js")}"></script>
            </head>
            <body>
              <main class="pdf-page" tabindex="0" aria-label="Page">
                <canvas role="img" aria-label="Page" width="1" height="1"></canvas>
                <p class="visually-hidden" data-words></p>
              </main>
              <div class="pdf-bar" role="toolbar" aria-label="Pages">
                <button type="button" disabled>Previous</button>
                <span role="status" data-place></span>
                <button type="button" disabled>Next</button>
              </div>
            </body>
            </html>
            """, "text/html; charset=utf-8");
    }
}
