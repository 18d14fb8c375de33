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

    /// <summary>The same 404 as any unknown address.</summary>
    protected static IActionResult NothingHere => new StatusCodeResult(StatusCodes.Status404NotFound);
}
