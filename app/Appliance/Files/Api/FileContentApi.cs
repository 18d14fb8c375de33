using Appliance.SignIn;
using Appliance.Web;
using Appliance.Web.Api;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Files.Api;

/// <summary>A file's bytes on their way in, in one request.</summary>
internal static class FileContentApi
{
    public static void Map(RouteGroupBuilder write)
    {
        // A body is as long as a file: what a file may have is checked against the length that the request says.
        var noLimit = new DisableRequestSizeLimitAttribute();
        write.MapPost("files", StoreAsync).RequireRateLimiting(RateLimits.Uploads).WithMetadata(noLimit)
            .Produces<EntryAnswer>(StatusCodes.Status201Created).WithSummary("A file in one request; the body is its bytes.");
        write.MapPut("entries/{entry}/content", ReplaceAsync).RequireRateLimiting(RateLimits.Uploads).WithMetadata(noLimit)
            .Produces<EntryAnswer>().WithSummary("A new version of a file; If-Match with the content's ETag against lost updates.");
    }

    private static Task<IResult> StoreAsync(HttpContext context, string team, DirectUploads uploads, string? name, string? folder, string? conflict) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (context.Request.ContentLength is not { } length)
            {
                return LengthRequired(context);
            }
            if (conflict is not (null or Upload.NewVersion or Upload.KeepBoth or Upload.Refuse))
            {
                return FilesApi.BadRequest(context, "bad-conflict", "“conflict” is version, keep-both or refuse.");
            }
            var stored = await uploads.StoreAsync(
                visit, new NewUpload(folder, name, length, conflict ?? Upload.NewVersion), context.Request.BodyReader, context.Origin(), context.RequestAborted);
            TagContent(context, stored);
            return TypedResults.Created($"{ApiRoutes.Base}/teams/{team}/entries/{stored.Entry.Reference}", EntryAnswer.Of(stored.Entry));
        });

    private static Task<IResult> ReplaceAsync(HttpContext context, string team, string entry, DirectUploads uploads) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (context.Request.ContentLength is not { } length)
            {
                return LengthRequired(context);
            }
            if (!FilesApi.TryVersions(context, out var seen))
            {
                return FilesApi.BadCondition(context);
            }
            var stored = await uploads.ReplaceAsync(visit, entry, seen, length, context.Request.BodyReader, context.Origin(), context.RequestAborted);
            TagContent(context, stored);
            return TypedResults.Ok(EntryAnswer.Of(stored.Entry));
        });

    /// <summary>The tag that a download of it has.</summary>
    private static void TagContent(HttpContext context, DirectFile stored) => context.Response.Headers.ETag = $"\"{stored.Version:N}\"";

    private static IResult LengthRequired(HttpContext context) => ApiProblem.Refused(
        context, StatusCodes.Status411LengthRequired, "length-required", "Say with Content-Length how many bytes will come, or use a resumable upload.");
}
