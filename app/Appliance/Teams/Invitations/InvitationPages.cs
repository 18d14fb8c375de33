using Appliance.SignIn;
using Appliance.SignIn.SetUp;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.RateLimiting;

namespace Appliance.Teams.Invitations;

/// <summary>The invitation that a browser holds while its person signs in or makes an account: out of the address, and gone with the browser.</summary>
internal static class InvitationCookie
{
    public const string Name = "__Host-appliance-invitation";

    /// <summary>Where to go once there is an account.</summary>
    public static string Next(HttpContext http) => SessionCookie.Read(http, Name) is null ? "/" : "/invitation";
}

/// <summary>Where the mailed link leads. Looking changes nothing; going on takes the token out of the address.</summary>
[AllowAnonymous]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class InvitationLinkPage(TeamInvitations invitations) : SignInPageModel
{
    public Invitation? Invitation { get; private set; }

    public async Task OnGetAsync(string token, CancellationToken ct)
    {
        Invitation = await invitations.FindAsync(Token.HashOf(token), ct);
        Response.StatusCode = Invitation is null ? StatusCodes.Status404NotFound : StatusCodes.Status200OK;
        Response.Headers["Referrer-Policy"] = "no-referrer";
    }

    /// <summary>On with an account that there is already.</summary>
    public Task<IActionResult> OnPostAsync(string token, CancellationToken ct) => GoOnAsync(token, "/invitation", ct);

    /// <summary>On with a new account, which gets the invitation's address.</summary>
    public async Task<IActionResult> OnPostNewAsync(string token, CancellationToken ct)
    {
        var setUp = await invitations.SetUpAsync(Token.HashOf(token), ct);
        if (setUp is not null)
        {
            SessionCookie.Write(HttpContext, setUp, SetUpHandler.Cookie);
        }
        return await GoOnAsync(token, setUp is null ? "/invitation" : "/set-up", ct);
    }

    private async Task<IActionResult> GoOnAsync(string token, string page, CancellationToken ct)
    {
        await OnGetAsync(token, ct);
        if (Invitation is null)
        {
            return Page();
        }
        SessionCookie.Write(HttpContext, token, InvitationCookie.Name);
        return Redirect(page);
    }
}

/// <summary>Takes the place, as whoever is signed in.</summary>
[Authorize(Policy = Access.SignedIn)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class InvitationPage(TeamInvitations invitations, Offers offers) : SignInPageModel
{
    public Invitation? Invitation { get; private set; }

    public string Username => User.Identity!.Name!;

    public async Task OnGetAsync(CancellationToken ct)
    {
        Invitation = await invitations.FindAsync(SessionCookie.Read(HttpContext, InvitationCookie.Name), ct);
        Response.StatusCode = Invitation is null ? StatusCodes.Status404NotFound : StatusCodes.Status200OK;
    }

    public async Task<IActionResult> OnPostAsync(CancellationToken ct)
    {
        var offer = await invitations.TakeAsync(SessionCookie.Read(HttpContext, InvitationCookie.Name), User.Id(), ct);
        if (offer is null)
        {
            await OnGetAsync(ct);
            if (Invitation is not null)
            {
                Problem = "This invitation is for another address than the one that you have confirmed. Sign in with the account that has it, or confirm that address first.";
            }
            return Page();
        }
        SessionCookie.Delete(HttpContext, InvitationCookie.Name);
        await offers.AcceptAsync(offer, HttpContext.Origin(), ct);
        return Redirect("/teams");
    }
}
