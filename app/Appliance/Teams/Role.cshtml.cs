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

    public Task<IActionResult> OnPostAsync() => ChangeAsOwnerAsync(
        async visit =>
        {
            await members.ChangeRoleAsync(visit, Username, Owner, HttpContext.Origin(), HttpContext.RequestAborted);
            return $"/teams/{TeamReference}/members";
        },
        OnGetAsync);
}
