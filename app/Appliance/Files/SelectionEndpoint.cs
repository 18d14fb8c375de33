using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Web;
using Appliance.Web.Errors;

namespace Appliance.Files;

/// <summary>What happens with the ticked rows of a list without script: <c>POST /teams/{team}/selection/{folder?}</c>, fields <c>entry</c> and <c>to</c> (trash or move).</summary>
public static class SelectionEndpoint
{
    public static void MapSelection(this IEndpointRouteBuilder app) =>
        app.MapPost("/teams/{team}/selection/{folder?}", ActAsync).RequireAuthorization(Access.SignedIn);

    private static async Task<IResult> ActAsync(
        HttpContext context, string team, string? folder, TeamAccess access, Folders folders, EntryChanges changes)
    {
        await using var visit = await access.EnterAsync(team, context.User, context.RequestAborted);
        if (visit is null || await folders.PathAsync(visit.Session, folder, context.RequestAborted) is null)
        {
            return TypedResults.StatusCode(StatusCodes.Status404NotFound);
        }
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var (entry, to) = (form["entry"].OfType<string>().ToArray(), form["to"].ToString());
        var back = FilesLook.FolderAddress(team, folder);
        if (entry.Length == 0)
        {
            return TypedResults.Redirect(back);
        }
        if (to == "move")
        {
            return TypedResults.Redirect($"/teams/{team}/move?" + string.Join('&', entry.Select(e => "entry=" + Uri.EscapeDataString(e))));
        }
        if (to != "trash")
        {
            return TypedResults.StatusCode(StatusCodes.Status404NotFound);
        }
        try
        {
            await changes.TrashAsync(visit, entry, null, context.Origin(), context.RequestAborted);
            return TypedResults.Redirect(back);
        }
        catch (FileRuleException refused)
        {
            context.Features.Set(new ErrorDetail(refused.Message));
            return TypedResults.StatusCode(StatusCodes.Status409Conflict);
        }
    }
}
