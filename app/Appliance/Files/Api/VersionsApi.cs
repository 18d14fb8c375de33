using System.Globalization;
using Appliance.SignIn;
using Appliance.Web.Api;

namespace Appliance.Files.Api;

/// <summary>A file's versions.</summary>
internal static class VersionsApi
{
    public static void Map(RouteGroupBuilder read, RouteGroupBuilder write)
    {
        read.MapGet("entries/{entry}/versions", ListAsync).Produces<VersionsAnswer>().WithSummary("A file's versions, newest first.");
        write.MapPost("entries/{entry}/versions/{number}/restore", RestoreAsync).Produces<EntryAnswer>().WithSummary("Makes an earlier version's content the file's again, as a new version.");
        write.MapDelete("entries/{entry}/versions/{number}", DeleteAsync).Produces(StatusCodes.Status204NoContent).WithSummary("Deletes an earlier version for good.");
    }

    private static Task<IResult> ListAsync(HttpContext context, string team, string entry, string? after, int? limit) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (!FilesApi.TryLimit(limit, Folders.PageSize, Listing.MostAtOnce, out var most))
            {
                return FilesApi.BadLimit(context, Listing.MostAtOnce);
            }
            if (!TryNumber(after, out var before) && after is not null)
            {
                return FilesApi.BadCursor(context);
            }
            return await Versions.ListAsync(visit, entry, after is null ? null : before, most, context.RequestAborted) is { } page
                ? TypedResults.Ok(new VersionsAnswer([.. page.Versions.Select(VersionAnswer.Of)], page.More?.ToString(CultureInfo.InvariantCulture)))
                : ApiProblem.NothingHere;
        });

    private static Task<IResult> RestoreAsync(HttpContext context, string team, string entry, string number, Versions versions) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (!TryNumber(number, out var known))
            {
                return ApiProblem.NothingHere;
            }
            var restored = await versions.RestoreAsync(visit, entry, known, context.Origin(), context.RequestAborted);
            FilesApi.Tag(context, restored.Revision);
            return TypedResults.Ok(EntryAnswer.Of(restored));
        });

    private static Task<IResult> DeleteAsync(HttpContext context, string team, string entry, string number, Versions versions) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (!TryNumber(number, out var known))
            {
                return ApiProblem.NothingHere;
            }
            await versions.DeleteAsync(visit, entry, known, context.Origin(), context.RequestAborted);
            return TypedResults.NoContent();
        });

    private static bool TryNumber(string? text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0;
}
