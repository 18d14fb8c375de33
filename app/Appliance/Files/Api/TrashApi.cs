using Appliance.SignIn;

namespace Appliance.Files.Api;

/// <summary>The trash: looking, bringing back, deleting for good.</summary>
internal static class TrashApi
{
    public static void Map(RouteGroupBuilder read, RouteGroupBuilder write)
    {
        read.MapGet("trash", ListAsync).Produces<TrashAnswer>().WithSummary("What was deleted, newest first.");
        write.MapPost("trash/restore", RestoreAsync).Produces<EntriesAnswer>().WithSummary("Brings back, all or none; a name that is taken gets a number.");
        write.MapPost("trash/delete", DeleteAsync).Produces(StatusCodes.Status204NoContent).WithSummary("Deletes for good, all or none.");
        write.MapDelete("trash", EmptyAsync).Produces(StatusCodes.Status204NoContent).WithSummary("Deletes everything in the trash for good.");
    }

    private static Task<IResult> ListAsync(HttpContext context, string team, Trash trash, string? after, int? limit) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (!FilesApi.TryLimit(limit, Folders.PageSize, Listing.MostAtOnce, out var most))
            {
                return FilesApi.BadLimit(context, Listing.MostAtOnce);
            }
            var start = TrashStart.Parse(after);
            if (after is not null && start is null)
            {
                return FilesApi.BadCursor(context);
            }
            var page = await trash.ListAsync(visit, start, most, context.RequestAborted);
            return TypedResults.Ok(new TrashAnswer([.. page.Entries.Select(TrashedAnswer.Of)], page.More?.ToString()));
        });

    private static Task<IResult> RestoreAsync(HttpContext context, string team, RestoreRequest asked, Trash trash) =>
        FilesApi.InTeamAsync(context, team, async visit => TypedResults.Ok(EntriesAnswer.Of(
            await trash.RestoreAsync(visit, EntriesApi.Known(asked.Entries), asked.SaysFolder, asked.Folder, context.Origin(), context.RequestAborted))));

    private static Task<IResult> DeleteAsync(HttpContext context, string team, EntriesRequest asked, Trash trash) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            await trash.DeleteAsync(visit, EntriesApi.Known(asked.Entries), context.Origin(), context.RequestAborted);
            return TypedResults.NoContent();
        });

    private static Task<IResult> EmptyAsync(HttpContext context, string team, Trash trash) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            await trash.EmptyAsync(visit, context.Origin(), context.RequestAborted);
            return TypedResults.NoContent();
        });
}
