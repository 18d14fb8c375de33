using Appliance.SignIn;
using Appliance.Web.Api;
using Microsoft.Net.Http.Headers;

namespace Appliance.Files.Api;

/// <summary>Listing, looking up, searching, renaming, moving, and into the trash.</summary>
internal static class EntriesApi
{
    public static void Map(RouteGroupBuilder read, RouteGroupBuilder write)
    {
        read.MapGet("entries", ListAsync).Produces<ListingAnswer>().Produces(StatusCodes.Status304NotModified).WithSummary("What is in a folder, page by page.");
        read.MapGet("entries/{entry}", FindAsync).Produces<EntryDetailsAnswer>().WithSummary("One file or folder.");
        read.MapPost("entries/lookup", LookUpAsync).Produces<EntriesAnswer>().WithSummary("Those entries of a folder that have one of these names.");
        read.MapGet("search", SearchAsync).Produces<SearchAnswer>().WithSummary("Search by name in the whole team.");
        write.MapPost("folders", CreateFolderAsync).Produces<EntryAnswer>().Produces<EntryAnswer>(StatusCodes.Status201Created).WithSummary("Makes a folder.");
        write.MapPatch("entries/{entry}", ChangeAsync).Produces<EntryAnswer>().WithSummary("Renames or moves; If-Match against lost updates.");
        write.MapDelete("entries/{entry}", DeleteAsync).Produces(StatusCodes.Status204NoContent).WithSummary("Moves to the trash; If-Match against lost updates.");
        write.MapPost("entries/move", MoveAsync).Produces<EntriesAnswer>().WithSummary("Moves many, all or none.");
        write.MapPost("entries/trash", TrashAsync).Produces<EntriesAnswer>().WithSummary("Moves many to the trash, all or none.");
    }

    private static Task<IResult> ListAsync(
        HttpContext context, string team, Folders folders, string? folder, string? after, int? limit, string? sort, string? order) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (!TryOrder(sort, order, out var by))
            {
                return FilesApi.BadRequest(context, "bad-order", "“sort” is name, size or modified, “order” is asc or desc.");
            }
            if (!FilesApi.TryLimit(limit, Folders.PageSize, Listing.MostAtOnce, out var most))
            {
                return FilesApi.BadLimit(context, Listing.MostAtOnce);
            }
            var start = after is null ? null : PageStart.Parse(after);
            if (after is not null && (start is null || start.Order != by))
            {
                return FilesApi.BadCursor(context);
            }
            var cancelled = context.RequestAborted;
            if (await folders.PathAsync(visit.Session, folder, cancelled) is not { } path)
            {
                return ApiProblem.NothingHere;
            }
            var page = await Listing.PageAsync(visit.Session, path is [.., var last] ? last : null, by, start, most, cancelled);
            return IsKnown(context, ListingTag.Of(path, page))
                ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
                : TypedResults.Ok(new ListingAnswer(StepAnswer.Of(path), [.. page.Entries.Select(EntryAnswer.Of)], page.More?.ToString()));
        });

    /// <summary>If-None-Match (RFC 9110 section 13.1.2), for who looks again and again whether something changed. Sets the tag.</summary>
    private static bool IsKnown(HttpContext context, EntityTagHeaderValue tag)
    {
        context.Response.GetTypedHeaders().ETag = tag;
        return context.Request.GetTypedHeaders().IfNoneMatch.Any(known => known.Equals(EntityTagHeaderValue.Any) || known.Compare(tag, useStrongComparison: false));
    }

    private static Task<IResult> FindAsync(HttpContext context, string team, string entry) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (await Entries.FindAsync(visit.Session, entry, context.RequestAborted) is not { } found)
            {
                return ApiProblem.NothingHere;
            }
            FilesApi.Tag(context, found.Entry.Revision);
            return TypedResults.Ok(EntryDetailsAnswer.Of(found));
        });

    private static Task<IResult> LookUpAsync(HttpContext context, string team, LookupRequest asked, Folders folders) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (await folders.PathAsync(visit.Session, asked.Folder, context.RequestAborted) is not { } path)
            {
                return ApiProblem.NothingHere;
            }
            return TypedResults.Ok(EntriesAnswer.Of(await Entries.LookUpAsync(visit.Session, path is [.., var last] ? last : null, Known(asked.Names), context.RequestAborted)));
        });

    private static Task<IResult> SearchAsync(HttpContext context, string team, string? q, int? limit) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            const int Usual = 50;
            if (!FilesApi.TryLimit(limit, Usual, Search.MostAtOnce, out var most))
            {
                return FilesApi.BadLimit(context, Search.MostAtOnce);
            }
            var found = await Search.FindAsync(visit, q, most, context.RequestAborted);
            return TypedResults.Ok(new SearchAnswer([.. found.Entries.Select(FoundAnswer.Of)], found.More));
        });

    private static Task<IResult> CreateFolderAsync(HttpContext context, string team, FolderRequest asked, Folders folders) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (asked.Existing is not ("refuse" or "use"))
            {
                return FilesApi.BadRequest(context, "bad-conflict", "“existing” is refuse or use.");
            }
            var (made, isNew) = await folders.CreateAsync(visit, asked.Folder, asked.Name, asked.Existing == "use", context.Origin(), context.RequestAborted);
            FilesApi.Tag(context, made.Revision);
            return isNew
                ? TypedResults.Created($"{ApiRoutes.Base}/teams/{team}/entries/{made.Reference}", EntryAnswer.Of(made))
                : TypedResults.Ok(EntryAnswer.Of(made));
        });

    private static Task<IResult> ChangeAsync(HttpContext context, string team, string entry, EntryPatch asked, EntryChanges changes) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (!FilesApi.TryRevision(context, out var revision))
            {
                return FilesApi.BadCondition(context);
            }
            var changed = await changes.ChangeAsync(visit, entry, new EntryChange(asked.Name, asked.SaysFolder, asked.Folder), revision, context.Origin(), context.RequestAborted);
            FilesApi.Tag(context, changed.Revision);
            return TypedResults.Ok(EntryAnswer.Of(changed));
        });

    private static Task<IResult> DeleteAsync(HttpContext context, string team, string entry, EntryChanges changes) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (!FilesApi.TryRevision(context, out var revision))
            {
                return FilesApi.BadCondition(context);
            }
            await changes.TrashAsync(visit, [entry], revision, context.Origin(), context.RequestAborted);
            return TypedResults.NoContent();
        });

    private static Task<IResult> MoveAsync(HttpContext context, string team, MoveRequest asked, EntryChanges changes) =>
        FilesApi.InTeamAsync(context, team, async visit => asked.Conflict is not (Upload.Refuse or Upload.KeepBoth)
            ? FilesApi.BadRequest(context, "bad-conflict", "“conflict” is refuse or keep-both.")
            : TypedResults.Ok(EntriesAnswer.Of(await changes.MoveAsync(
                visit, Known(asked.Entries), asked.Folder, asked.Conflict == Upload.KeepBoth, context.Origin(), context.RequestAborted))));

    private static Task<IResult> TrashAsync(HttpContext context, string team, EntriesRequest asked, EntryChanges changes) =>
        FilesApi.InTeamAsync(context, team, async visit =>
            TypedResults.Ok(EntriesAnswer.Of(await changes.TrashAsync(visit, Known(asked.Entries), null, context.Origin(), context.RequestAborted))));

    /// <summary>JSON's null among strings is what the serializer does not refuse; nothing is called so.</summary>
    internal static List<string> Known(IReadOnlyList<string?> said) => [.. said.Select(s => s ?? "")];

    private static bool TryOrder(string? sort, string? order, out ListOrder by)
    {
        ListSort? known = sort switch { null or "name" => ListSort.Name, "size" => ListSort.Size, "modified" => ListSort.Modified, _ => null };
        by = new ListOrder(known ?? ListSort.Name, order == "desc");
        return known is not null && order is null or "asc" or "desc";
    }
}
