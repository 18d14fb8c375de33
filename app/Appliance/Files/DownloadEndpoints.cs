using Appliance.Web;
using Appliance.Web.Api;
using Microsoft.Net.Http.Headers;

namespace Appliance.Files;

/// <summary>
/// A file's bytes, to be saved: <c>GET</c> and <c>HEAD</c>, whole or a range, the current version or <c>?version=n</c>. Once for pages, by
/// navigation, and once for programs.
/// </summary>
public static class DownloadEndpoints
{
    private static readonly string[] s_methods = [HttpMethods.Get, HttpMethods.Head];

    public static void MapDownloads(this IEndpointRouteBuilder app)
    {
        app.MapMethods("/teams/{team}/files/{entry}/content", s_methods, ServeAsync).RequireAuthorization(Access.SignedIn).WithMetadata(ContentResponse.Along).ExcludeFromDescription();
        app.MapApiGroup("/teams/{team}/entries/{entry}/content").RequireAuthorization(Access.ApiRead).WithTags("Content")
            .MapMethods("", s_methods, ServeAsync).WithMetadata(ContentResponse.Along).WithSummary("A file's bytes; ?version=n for an earlier version.");
    }

    private static Task ServeAsync(HttpContext context, string team, string entry) => ContentResponse.SendAsync(context, team, entry, AsAttachment);

    /// <summary>Saved, never shown: whatever is in it, no content of a file runs on this origin.</summary>
    internal static bool AsAttachment(HttpResponse response, StoredContent content)
    {
        var disposition = new ContentDispositionHeaderValue("attachment");
        disposition.SetHttpFileName(content.Name);
        response.GetTypedHeaders().ContentDisposition = disposition;
        response.ContentType = content.MediaType;
        response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        return true;
    }
}
