using Appliance.Data;
using Appliance.SignIn;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.Teams.AccessRequests;

/// <summary>A member asks to be an owner, or somebody whose access ended to have it back. To everybody else it is not there.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class AskPage(TeamAccess access, Database database, TeamAccessRequests requests, TimeProvider clock) : PageModel
{
    /// <summary>The team's public reference, from the address.</summary>
    [FromRoute(Name = "team")]
    public string TeamReference { get; set; } = "";

    [BindProperty]
    public string? Reason { get; set; }

    public string TeamName { get; private set; } = "";

    public bool IsToOwn { get; private set; }

    /// <summary>The last request; null: there was none lately.</summary>
    public MyRequest? Mine { get; private set; }

    public bool IsOpen => Mine?.IsOpen(clock.GetUtcNow()) == true;

    public string? Problem { get; private set; }

    /// <summary>Shown once, on the page that made it.</summary>
    public string? Code { get; private set; }

    public Task<IActionResult> OnGetAsync(CancellationToken ct) => ShowAsync(ct);

    public async Task<IActionResult> OnPostAsync(CancellationToken ct)
    {
        await using (var asker = await EnterAsync(ct))
        {
            if (asker is null)
            {
                return NothingHere;
            }
            try
            {
                Code = await requests.AskAsync(asker, Reason, HttpContext, ct);
                Response.Headers.CacheControl = "no-cache, no-store";
            }
            catch (TeamRuleException refused)
            {
                (Problem, Response.StatusCode) = (refused.Message, StatusCodes.Status422UnprocessableEntity);
            }
        }
        return await ShowAsync(ct);
    }

    public async Task<IActionResult> OnPostWithdrawAsync(CancellationToken ct)
    {
        await using var asker = await EnterAsync(ct);
        if (asker is null)
        {
            return NothingHere;
        }
        await requests.WithdrawAsync(asker, HttpContext, ct);
        return Redirect($"/teams/{TeamReference}/ask");
    }

    private static StatusCodeResult NothingHere => new(StatusCodes.Status404NotFound);

    private Task<Asker?> EnterAsync(CancellationToken ct) => Asker.EnterAsync(access, database, TeamReference, User, ct);

    private async Task<IActionResult> ShowAsync(CancellationToken ct)
    {
        await using var asker = await EnterAsync(ct);
        if (asker is null)
        {
            return NothingHere;
        }
        (TeamName, IsToOwn, Mine) = (asker.TeamName, asker.Kind == AccessRequest.ToOwn, await TeamAccessRequests.MineAsync(asker, ct));
        return Page();
    }
}

/// <summary>An owner types the code as they heard it, or refuses. An owner of the team, who has just given their second factor; to approve, their key, if they have one.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class AnswerPage(TeamAccess access, TeamAccessRequests requests, TimeProvider clock) : TeamPage(access)
{
    [FromRoute(Name = "request")]
    public string RequestReference { get; set; } = "";

    [BindProperty]
    public string? Code { get; set; }

    public ListedRequest? Asked { get; private set; }

    /// <summary>They stepped up with their app, and have a key.</summary>
    public bool NeedsKey { get; private set; }

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        if (visit is not { IsOwner: true } || await TeamAccessRequests.FindAsync(visit, RequestReference, ct) is not { } found)
        {
            return NothingHere;
        }
        Problem ??= found.Over(clock.GetUtcNow());
        Asked = found.Over(clock.GetUtcNow()) is null ? found : null;
        NeedsKey = await requests.NeedsKeyAsync(visit.Session, HttpContext, ct);
        return Page();
    }

    public Task<IActionResult> OnPostAsync(CancellationToken ct) => AnswerAsync(visit => requests.ApproveAsync(visit, RequestReference, Code, HttpContext, ct), ct);

    public Task<IActionResult> OnPostRefuseAsync(CancellationToken ct) => AnswerAsync(visit => requests.RefuseAsync(visit, RequestReference, HttpContext, ct), ct);

    private Task<IActionResult> AnswerAsync(Func<TeamVisit, Task> answer, CancellationToken ct) => ChangeAsOwnerAsync(
        async visit =>
        {
            await answer(visit);
            return $"/teams/{TeamReference}/members";
        },
        () => OnGetAsync(ct));
}
