using Appliance.Data;
using Appliance.SignIn;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.Teams;

/// <summary>The person's teams, the places they are offered, and making a team.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class IndexModel(TeamDirectory teams, Offers offers, Database database) : PageModel
{
    public IReadOnlyList<MyTeam> Mine { get; private set; } = [];

    public IReadOnlyList<MyOffer> Offered { get; private set; } = [];

    public IReadOnlyList<AccessRequests.MyEndedAccess> Ended { get; private set; } = [];

    [BindProperty]
    public string? Name { get; set; }

    public string? Problem { get; private set; }

    public Task OnGetAsync() => LoadAsync();

    public async Task<IActionResult> OnPostAsync()
    {
        try
        {
            var reference = await teams.CreateAsync(Name, HttpContext.Origin(), HttpContext.RequestAborted);
            return Redirect($"/teams/{reference}/files");
        }
        catch (TeamRuleException refused)
        {
            Problem = refused.Message;
            await LoadAsync();
            Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
            return Page();
        }
    }

    public async Task<IActionResult> OnPostAcceptAsync(string? offer) =>
        await offers.AcceptAsync(offer, HttpContext.Origin(), HttpContext.RequestAborted) ? Redirect("/teams") : new StatusCodeResult(StatusCodes.Status404NotFound);

    public async Task<IActionResult> OnPostDeclineAsync(string? offer) =>
        await offers.DeclineAsync(offer, HttpContext.Origin(), HttpContext.RequestAborted) ? Redirect("/teams") : new StatusCodeResult(StatusCodes.Status404NotFound);

    private async Task LoadAsync()
    {
        Mine = await teams.ListAsync(User.Id(), HttpContext.RequestAborted);
        Offered = await offers.ListAsync(User.Id(), HttpContext.RequestAborted);
        Ended = await AccessRequests.Asker.EndedAsync(database, User.Id(), HttpContext.RequestAborted);
    }
}
