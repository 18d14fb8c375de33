using Appliance.SignIn.Policy;
using Appliance.Data;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.Sms;
using Appliance.SignIn.Totp;
using Appliance.Teams.Invitations;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.RateLimiting;

namespace Appliance.SignIn.SetUp;

/// <summary>
/// Where a set-up link leads. Looking at it changes nothing, so a mail scanner's visit does not use it up; going on puts the token into a
/// cookie and takes it out of the address.
/// </summary>
[AllowAnonymous]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class LinkPage(Database database, SetUpLinks links) : SignInPageModel
{
    public bool Works { get; private set; }

    public bool Owner { get; private set; }

    public async Task OnGetAsync(string token, CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        var link = await links.FindAsync(session, Token.HashOf(token), ct);
        (Works, Owner) = (link is not null, link?.Owner ?? false);
        Response.StatusCode = Works ? StatusCodes.Status200OK : StatusCodes.Status404NotFound;
        Response.Headers["Referrer-Policy"] = "no-referrer";
    }

    public async Task<IActionResult> OnPostAsync(string token, CancellationToken ct)
    {
        await OnGetAsync(token, ct);
        if (!Works)
        {
            return Page();
        }
        SessionCookie.Write(HttpContext, token, SetUpHandler.Cookie);
        return Redirect("/set-up");
    }
}

/// <summary>The link does not work: used, expired, or never made. One page for all three.</summary>
[AllowAnonymous]
public sealed class OverPage : SignInPageModel
{
    public void OnGet() => Response.StatusCode = StatusCodes.Status404NotFound;
}

[Authorize(Policy = Access.SettingUp)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class SetUpAccountPage(SetUpFlow flow, SignInSettings settings) : SignInPageModel
{
    public string? Username { get; private set; }

    public string? Email { get; private set; }

    public bool Owner { get; private set; }

    /// <summary>The address that the link was mailed to.</summary>
    public string? BoundEmail { get; private set; }

    public int PasswordLength => settings.PasswordLength;

    public IReadOnlyDictionary<string, string> Problems { get; private set; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public async Task OnGetAsync(CancellationToken ct)
    {
        var link = await flow.LinkAsync(HttpContext, ct);
        (Username, Email, Owner, BoundEmail) = (link?.Username, link?.Email, link?.Owner ?? false, link?.BoundEmail);
    }

    public async Task<IActionResult> OnPostAsync(string? username, string? email, string? password, CancellationToken ct)
    {
        Problems = await flow.AccountAsync(username, email, password, HttpContext, ct);
        if (Problems.Count == 0)
        {
            return Redirect("/set-up/key");
        }
        await OnGetAsync(ct);
        (Username, Email) = (username, email);
        return Page();
    }
}

[Authorize(Policy = Access.SettingUp)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class SetUpKeyPage(SetUpFlow flow, ISecurityKeyCeremonies keys, Phones phones) : SignInPageModel
{
    public bool PhonesOffered => phones.AreOffered;

    public FactorPolicy Policy { get; private set; } = null!;

    public KeyPrompt Prompt { get; private set; } = null!;

    public NewCodes? Codes { get; private set; }

    /// <summary>Nothing beside the password.</summary>
    public async Task<IActionResult> OnPostWithoutAsync(CancellationToken ct)
    {
        var (result, _) = await flow.FinishWithoutAsync(HttpContext, ct);
        if (result.Succeeded)
        {
            return Redirect("/");
        }
        Again(result);
        return await OnGetAsync(ct);
    }

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        if (await flow.DraftAsync(HttpContext, ct) is not { } user)
        {
            return Redirect("/set-up");
        }
        Policy = await flow.PolicyAsync(ct);
        Prompt = new KeyPrompt
        {
            Ceremony = await keys.BeginRegistrationAsync(user, HttpContext, ct),
            Adds = true,
            Button = "Add security key",
            Name = "Security key",
            Error = Problem,
        };
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(string? reference, string? credential, string? name, CancellationToken ct)
    {
        var (result, codes) = await flow.FinishAsync(reference, credential, name, HttpContext, ct);
        if (!result.Succeeded)
        {
            Again(result);
            return await OnGetAsync(ct);
        }
        Codes = new NewCodes(codes, User.Identity!.Name!, InvitationCookie.Next(HttpContext));
        return Page();
    }
}

/// <summary>The first factor of somebody who chooses an app.</summary>
[Authorize(Policy = Access.SettingUp)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class SetUpAppPage(SetUpFlow flow, AppOffers offers) : SignInPageModel
{
    public AppOffer Offer { get; private set; } = null!;

    public NewCodes? Codes { get; private set; }

    public Task<IActionResult> OnGetAsync(CancellationToken ct) => ShowAsync(null, ct);

    public async Task<IActionResult> OnPostAsync(string? offer, string? code, CancellationToken ct)
    {
        var (result, codes) = await flow.FinishWithAppAsync(offer, code, HttpContext, ct);
        if (!result.Succeeded)
        {
            Again(result);
            return await ShowAsync(offer, ct);
        }
        Codes = new NewCodes(codes, User.Identity!.Name!, InvitationCookie.Next(HttpContext));
        return Page();
    }

    private async Task<IActionResult> ShowAsync(string? offer, CancellationToken ct)
    {
        if (await flow.DraftAsync(HttpContext, ct) is not { } user)
        {
            return Redirect("/set-up");
        }
        if ((await flow.PolicyAsync(ct)).SecondFactor == FactorRule.Key)
        {
            return Redirect("/set-up/key");
        }
        Offer = offers.Make(user, offer, Problem, HttpContext);
        return Page();
    }
}
