using Microsoft.Net.Http.Headers;

namespace Appliance.Web;

public static class AssetEndpoints
{
    public static void MapAssets(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapGet("/assets/{fingerprint}/{**path}", Serve).AllowAnonymous().DisableRateLimiting();

    /// <summary>A page of the version before may still ask for its fingerprint: it gets the present file, and must ask again next time.</summary>
    private static IResult Serve(string fingerprint, string path, Assets assets, HttpContext context)
    {
        if (assets.Find(path) is not { } asset)
        {
            return TypedResults.NotFound();
        }
        context.Response.Headers.CacheControl = fingerprint == assets.Fingerprint ? "public, max-age=31536000, immutable" : "no-cache";
        return TypedResults.Bytes(asset.Content, asset.ContentType, entityTag: new EntityTagHeaderValue(asset.ETag));
    }
}
