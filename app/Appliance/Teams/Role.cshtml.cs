using Appliance.SignIn;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Teams;

/// <summary>Makes a member an owner, or an owner a member. An owner of the team, who has just given their second factor.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class RoleModel(TeamAccess access, Members members) : TeamPage(access)
{
    [BindProperty(SupportsGet = true)]
    public string? Username { get; set; }

    /// <summary>What they are to be.</summary>
    [BindProperty]
    public bool Owner { get; set; }

    public Member? Member { get; private set; }

    public string? Problem { get; private set; }

    public async Task<IActionResult> OnGetAsync()
    {
        await using var visit = await EnterAsync();
        if (visit is not { IsOwner: true })
        {
            return NothingHere;
        }
        Member = await Members.FindAsync(visit.Session, Username, HttpContext.RequestAborted);
        return Member is null && Problem is null ? NothingHere : Page();
    }

    public async Task<IActionResult> OnPostAsync()
    {
        await using (var visit = await EnterAsync())
        {
            if (visit is not { IsOwner: true })
            {
                return NothingHere;
            }
            try
            {
                await members.ChangeRoleAsync(visit, Username, Owner, HttpContext.Origin(), HttpContext.RequestAborted);
                return Redirect($"/teams/{TeamReference}/members");
            }
            catch (TeamRuleException refused)
            {
                Problem = refused.Message;
            }
        }
        Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
        return await OnGetAsync();
    }
}
