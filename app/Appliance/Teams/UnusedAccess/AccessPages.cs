using Appliance.SignIn;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Teams.UnusedAccess;

/// <summary>Who reaches the team, since when, when they last used it, and whose access ended. For its owners; for everybody else there is no such page.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class AccessPage(TeamAccess access, BreakGlass.TeamBreakGlass glass, TimeProvider clock) : TeamPage(access)
{
    public IReadOnlyList<MemberAccess> Everyone { get; private set; } = [];

    /// <summary>What each of them reaches, in words.</summary>
    public IReadOnlyDictionary<Guid, string> Reaches { get; private set; } = new Dictionary<Guid, string>();

    public IReadOnlyList<EndedAccess> Ended { get; private set; } = [];

    public AccessRules Rules { get; private set; } = new(null);

    public AccessReview.ReviewState Reviews { get; private set; } = null!;

    /// <summary>Operators who ask for the team's files, or can read them now.</summary>
    public BreakGlass.BreakGlassNotice? Operators { get; private set; }

    /// <summary>Nobody but them could let anyone in.</summary>
    public bool HasOneOwner => Everyone.Count(m => m.Role == Membership.Owner) == 1;

    public DateTimeOffset Now { get; } = clock.GetUtcNow();

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        if (visit is not { IsOwner: true })
        {
            return NothingHere;
        }
        Everyone = await TeamAccessList.ListAsync(visit.Session, ct);
        Reaches = await Groups.GroupSummary.ReadAsync(visit.Session, ct);
        Ended = await TeamAccessList.ListEndedAsync(visit, ct);
        Rules = await TeamAccessList.RulesAsync(visit.Session, ct);
        Operators = new(TeamReference, visit.IsOwner, await glass.OpenAsync(visit, ct));
        Reviews = await AccessReview.AccessReviews.StateAsync(visit.Session, ct);
        return Page();
    }
}

/// <summary>Gives access back that ended, or lets it be. An owner of the team, who has just given their second factor.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class ReinstatePage(TeamAccess access, TeamAccessList list) : TeamPage(access)
{
    [BindProperty(SupportsGet = true)]
    public string? Username { get; set; }

    /// <summary>What would be given back; null: there is nothing.</summary>
    public EndedAccess? Ended { get; private set; }

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        if (visit is not { IsOwner: true })
        {
            return NothingHere;
        }
        Ended = (await TeamAccessList.ListEndedAsync(visit, ct)).FirstOrDefault(e => e.Username == Username);
        return Ended is null && Problem is null ? NothingHere : Page();
    }

    public Task<IActionResult> OnPostAsync(CancellationToken ct) => ChangeAsync(visit => list.ReinstateAsync(visit, Username, HttpContext.Origin(), ct), ct);

    public Task<IActionResult> OnPostForgetAsync(CancellationToken ct) => ChangeAsync(visit => list.ForgetAsync(visit, Username, HttpContext.Origin(), ct), ct);

    private Task<IActionResult> ChangeAsync(Func<TeamVisit, Task> change, CancellationToken ct) => ChangeAsOwnerAsync(
        async visit =>
        {
            await change(visit);
            return $"/teams/{TeamReference}/access";
        },
        () => OnGetAsync(ct));
}
