using Appliance.Admin;
using Microsoft.Net.Http.Headers;

namespace Appliance.Web;

public static class AssetEndpoints
{
    public static void MapAssets(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapMethods("/assets/{fingerprint}/{**path}", [HttpMethods.Get, HttpMethods.Head], Serve).AllowAnonymous().DisableRateLimiting().WithMetadata(new OnBothPorts());
        // By their plain names too, for a module that names one itself: asked for again each time, and answered with 304.
        foreach (var folder in new[] { "css", "js" })
        {
            endpoints.MapMethods($"/{folder}/{{**path}}", [HttpMethods.Get, HttpMethods.Head],
                (string path, Assets assets, HttpContext context) => Serve("", $"{folder}/{path}", assets, context)).AllowAnonymous().DisableRateLimiting().WithMetadata(new OnBothPorts());
        }
        foreach (var file in new[] { "icons.svg", "favicon.svg" })
        {
            endpoints.MapMethods("/" + file, [HttpMethods.Get, HttpMethods.Head],
                (Assets assets, HttpContext context) => Serve("", file, assets, context)).AllowAnonymous().DisableRateLimiting().WithMetadata(new OnBothPorts());
        }
    }

    /// <summary>What the PDF viewer is made of: it runs in an opaque origin, to which everything here is another's (Fetch standard, CORS). Public files.</summary>
    private static bool IsForPdfViewer(string path) =>
        path is "js/pdf-viewer.js" or "css/pdf-viewer.css" || path.StartsWith("vendor/pdfjs-dist/", StringComparison.Ordinal);

    /// <summary>A page of the version before may still ask for its fingerprint: it gets the present file, and must ask again next time.</summary>
    private static IResult Serve(string fingerprint, string path, Assets assets, HttpContext context)
    {
        if (assets.Find(path) is not { } asset)
        {
            return TypedResults.NotFound();
        }
        if (IsForPdfViewer(path))
        {
            context.Response.Headers.AccessControlAllowOrigin = "*";
        }
        context.Response.Headers.CacheControl = fingerprint == assets.Fingerprint ? "public, max-age=31536000, immutable" : "no-cache";
        return TypedResults.Bytes(asset.Content, asset.ContentType, entityTag: new EntityTagHeaderValue(asset.ETag));
    }
}
