using Appliance.Data;
using Appliance.SignIn;
using Appliance.Teams;
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
        write.MapPost("files", StoreAsync).RequireRateLimiting(RateLimits.Uploads).WithMetadata(noLimit, new ReadsAlong(PlanLook))
            .Produces<EntryAnswer>(StatusCodes.Status201Created).WithSummary("A file in one request; the body is its bytes.");
        write.MapPut("entries/{entry}/content", ReplaceAsync).RequireRateLimiting(RateLimits.Uploads).WithMetadata(noLimit)
            .Produces<EntryAnswer>().WithSummary("A new version of a file; If-Match with the content's ETag against lost updates.");
    }

    private static async Task<IResult> StoreAsync(
        HttpContext context, string team, DirectUploads uploads, TeamAccess access, string? name, string? folder, string? conflict)
    {
        if (context.Request.ContentLength is { } length && IsConflict(conflict)
            && await access.LocateAsync(team, context.User, context.RequestAborted) is { } who
            && AlongRead.Of<NewFileLook>(context, who.Team, who.Person) is { } look
            && await uploads.TryStoreAsync(look, who.Person, Announced(length), context.Request.BodyReader, context.Origin(), context.RequestAborted) is { } quick)
        {
            return Created(quick);
        }
        return await FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (context.Request.ContentLength is not { } length)
            {
                return LengthRequired(context);
            }
            return IsConflict(conflict)
                ? Created(await uploads.StoreAsync(visit, Announced(length), context.Request.BodyReader, context.Origin(), context.RequestAborted))
                : FilesApi.BadRequest(context, "bad-conflict", "“conflict” is version, keep-both or refuse.");
        });

        NewUpload Announced(long length) => new(folder, name, length, conflict ?? Upload.NewVersion);

        IResult Created(DirectFile stored)
        {
            TagContent(context, stored);
            return TypedResults.Created($"{ApiRoutes.Base}/teams/{team}/entries/{stored.Entry.Reference}", EntryAnswer.Of(stored.Entry));
        }
    }

    private static bool IsConflict(string? conflict) => conflict is null or Upload.NewVersion or Upload.KeepBoth or Upload.Refuse;

    /// <summary>The look before the bytes; null where the name cannot be one, which is refused later.</summary>
    private static NewFileLook? PlanLook(HttpContext context)
    {
        var query = context.Request.Query;
        return context.RequestServices.GetRequiredService<TeamAccess>().Known(context.GetRouteValue("team") as string) is { } team
            && EntryName.TryParse(query["name"], out var name)
            && (!query.ContainsKey("folder") || Reference.IsWellFormed(query["folder"]))
                ? new NewFileLook(team, query["folder"], name.Key)
                : null;
    }

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
