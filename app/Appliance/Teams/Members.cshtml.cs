using Appliance.SignIn;
using Appliance.Teams.Invitations;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Teams;

/// <summary>Who is in the team, who is offered a place in it, and changing both.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class MembersModel(TeamAccess access, Members members, TeamInvitations invitations, AccessRequests.TeamAccessRequests requests, BreakGlass.TeamBreakGlass glass, TimeProvider time) : TeamPage(access)
{
    public IReadOnlyList<Member> Everyone { get; private set; } = [];

    public IReadOnlyList<OfferedPlace> Offered { get; private set; } = [];

    public IReadOnlyList<OpenInvitation> Invited { get; private set; } = [];

    /// <summary>What an owner can answer now.</summary>
    public IReadOnlyList<AccessRequests.ListedRequest> Requests { get; private set; } = [];

    /// <summary>Operators who ask for the team's files, or can read them now.</summary>
    public BreakGlass.BreakGlassNotice? Operators { get; private set; }

    public bool CanMail => invitations.AreOffered;

    public bool IsOwner { get; private set; }

    /// <summary>May let people in.</summary>
    public bool MayInvite { get; private set; }

    /// <summary>Since when an access review is due; null: none is, or it is not the person's to do.</summary>
    public DateTimeOffset? ReviewDue { get; private set; }

    public Guid Me { get; private set; }

    /// <summary>In a session of their own, which no identity provider gave them.</summary>
    public bool MayManageSignOn => User.OnlyTeamReference() is null;

    /// <summary>The team has single sign-on, and the person has not linked it to their account.</summary>
    public bool MayLink { get; private set; }

    [BindProperty]
    public string? Username { get; set; }

    [BindProperty]
    public string? Email { get; set; }

    [BindProperty]
    public string? Reference { get; set; }

    public async Task<IActionResult> OnGetAsync()
    {
        await using var visit = await EnterAsync();
        return visit is null ? NothingHere : await ShowAsync(visit);
    }

    public Task<IActionResult> OnPostAsync() =>
        ChangeAsync(visit => members.OfferAsync(visit, Username, HttpContext.Origin(), HttpContext.RequestAborted));

    public Task<IActionResult> OnPostWithdrawAsync() =>
        ChangeAsync(visit => members.WithdrawAsync(visit, Username, HttpContext.Origin(), HttpContext.RequestAborted));

    public Task<IActionResult> OnPostInviteAsync() =>
        ChangeAsync(visit => invitations.InviteAsync(visit, Email, HttpContext, HttpContext.RequestAborted));

    public Task<IActionResult> OnPostUninviteAsync() =>
        ChangeAsync(visit => invitations.WithdrawAsync(visit, Reference, HttpContext.Origin(), HttpContext.RequestAborted));

    public Task<IActionResult> OnPostRemoveAsync() =>
        ChangeAsync(visit => members.RemoveAsync(visit, Username, HttpContext.Origin(), HttpContext.RequestAborted));

    private async Task<IActionResult> ChangeAsync(Func<TeamVisit, Task> change)
    {
        await using (var visit = await EnterAsync())
        {
            if (visit is null)
            {
                return NothingHere;
            }
            try
            {
                await change(visit);
            }
            catch (TeamRuleException refused)
            {
                Problem = refused.Message;
            }
        }
        // The change ended its session, one way or the other: what is shown is read anew.
        await using var after = await EnterAsync();
        if (Problem is not null && after is not null)
        {
            Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
            return await ShowAsync(after);
        }
        return Redirect(after is null ? "/teams" : $"/teams/{TeamReference}/members");
    }

    private async Task<IActionResult> ShowAsync(TeamVisit visit)
    {
        Everyone = await members.ListAsync(visit, HttpContext.RequestAborted);
        IsOwner = visit.IsOwner;
        MayInvite = await visit.MayAsync(Groups.Permission.Invite, HttpContext.RequestAborted);
        Me = visit.Person.Value;
        if (IsOwner && await AccessReview.AccessReviews.StateAsync(visit.Session, HttpContext.RequestAborted) is var review && review.IsOverdue(time.GetUtcNow()))
        {
            ReviewDue = review.DueAt;
        }
        MayLink = MayManageSignOn && await members.MayLinkAsync(visit, HttpContext.RequestAborted);
        Operators = new(TeamReference, IsOwner, await glass.OpenAsync(visit, HttpContext.RequestAborted));
        Requests = IsOwner ? await requests.ListAsync(visit, HttpContext.RequestAborted) : [];
        Invited = MayInvite ? await invitations.ListAsync(visit, HttpContext.RequestAborted) : [];
        Offered = MayInvite ? await members.ListOffersAsync(visit, HttpContext.RequestAborted) : [];
        return Page();
    }
}
