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

    public string TeamName { get; private set; } = "";

    /// <summary>Opens the team for this request; null where the person has no business in it: answer <see cref="PageModel.NotFound()"/>.</summary>
    protected async Task<TeamVisit?> EnterAsync()
    {
        var visit = await access.EnterAsync(TeamReference, User.Id(), HttpContext.RequestAborted);
        if (visit is not null)
        {
            TeamName = visit.Name;
            ViewData["Team"] = visit.Name;
            ViewData["TeamReference"] = visit.Reference;
        }
        return visit;
    }

    /// <summary>The same 404 as any unknown address.</summary>
    protected static IActionResult NothingHere => new StatusCodeResult(StatusCodes.Status404NotFound);
}
