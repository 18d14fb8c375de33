using Appliance.SignIn;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Teams.BreakGlass;

/// <summary>Which operators asked to read the team's files, why, what came of it, and what they looked at. For everybody in the team; its owners end what is used.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class BreakGlassPage(TeamAccess access, TeamBreakGlass glass) : TeamPage(access)
{
    [BindProperty]
    public string? Grant { get; set; }

    public bool IsOwner { get; private set; }

    public IReadOnlyList<TeamGrant> Grants { get; private set; } = [];

    public ILookup<string, TeamLook> Looks { get; private set; } = null!;

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        if (visit is null)
        {
            return NothingHere;
        }
        (IsOwner, Grants, Looks) = (visit.IsOwner, await glass.ListAsync(visit, ct), await TeamBreakGlass.LooksAsync(visit, ct));
        return Page();
    }

    public Task<IActionResult> OnPostEndAsync(CancellationToken ct) => ChangeAsOwnerAsync(
        async visit =>
        {
            await glass.EndAsync(visit, Grant, HttpContext.Origin(), ct);
            return $"/teams/{TeamReference}/break-glass";
        },
        () => OnGetAsync(ct));
}

/// <summary>An owner of the team, who has just given their second factor, consents or refuses.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class BreakGlassAnswerPage(TeamAccess access, TeamBreakGlass glass) : TeamPage(access)
{
    [FromRoute(Name = "grant")]
    public string GrantReference { get; set; } = "";

    /// <summary>What is asked; null: it is over.</summary>
    public TeamGrant? Asked { get; private set; }

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        if (visit is not { IsOwner: true } || await glass.FindAsync(visit, GrantReference, ct) is not { } found)
        {
            return NothingHere;
        }
        Asked = found.IsAsked ? found : null;
        Problem ??= found.IsAsked ? null : "This is over: it was answered, withdrawn, or ran out.";
        return Page();
    }

    public Task<IActionResult> OnPostAsync(CancellationToken ct) => AnswerAsync(consent: true, ct);

    public Task<IActionResult> OnPostRefuseAsync(CancellationToken ct) => AnswerAsync(consent: false, ct);

    private Task<IActionResult> AnswerAsync(bool consent, CancellationToken ct) => ChangeAsOwnerAsync(
        async visit =>
        {
            await glass.AnswerAsync(visit, GrantReference, consent, HttpContext.Origin(), ct);
            return $"/teams/{TeamReference}/break-glass";
        },
        () => OnGetAsync(ct));
}

/// <summary>What <c>_Open.cshtml</c> shows on pages of the team: nothing where nothing is open.</summary>
public sealed record BreakGlassNotice(string Team, bool IsOwner, IReadOnlyList<TeamGrant> Open);
