using Appliance.SignIn;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.Teams;

/// <summary>A page inside a team. To whoever is no member, it is not there.</summary>
public abstract class TeamPage(TeamAccess access) : PageModel
{
    /// <summary>The team's public reference, from the address.</summary>
    [FromRoute(Name = "team")]
    public string TeamReference { get; set; } = "";

    /// <summary>Opens the team for this request; null where the person has no business in it: answer <see cref="PageModel.NotFound()"/>.</summary>
    protected Task<TeamVisit?> EnterAsync() => access.EnterAsync(TeamReference, User, HttpContext.RequestAborted);

    /// <summary>Why a change was refused, for people; null: it was not.</summary>
    public string? Problem { get; protected set; }

    /// <summary>Makes a change that is for owners of the team alone. A refusal is <see cref="Problem"/> on the page, shown anew.</summary>
    /// <param name="change">Commits; answers the address of what comes next.</param>
    /// <param name="show">The page, in a visit of its own: the change ended its.</param>
    protected async Task<IActionResult> ChangeAsOwnerAsync(Func<TeamVisit, Task<string>> change, Func<Task<IActionResult>> show)
    {
        ArgumentNullException.ThrowIfNull(change);
        ArgumentNullException.ThrowIfNull(show);
        await using (var visit = await EnterAsync())
        {
            if (visit is not { IsOwner: true })
            {
                return NothingHere;
            }
            try
            {
                return Redirect(await change(visit));
            }
            catch (TeamRuleException refused)
            {
                Problem = refused.Message;
            }
        }
        Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
        return await show();
    }

    /// <summary>The same 404 as any unknown address.</summary>
    protected static IActionResult NothingHere => new StatusCodeResult(StatusCodes.Status404NotFound);
}
