using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn.Alerts;
using Appliance.SignIn.Policy;
using Appliance.SignIn.SecurityKeys;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.RateLimiting;

namespace Appliance.SignIn.Totp;

/// <summary>What the security page's section of the app shows.</summary>
/// <param name="App">The person's; null: they have none.</param>
/// <param name="Removable">It may go: a key stays.</param>
public sealed record AppSection(AuthenticatorApp? App, bool Removable);

/// <summary>The second step with a code from the app.</summary>
[Authorize(Policy = Access.HalfSignedIn)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class SignInAppPage(SignInFlow flow) : SignInPageModel
{
    public string Username { get; private set; } = "";

    public bool HasKey { get; private set; }

    public AppPrompt Prompt { get; private set; } = null!;

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        var (user, _, factors) = await flow.HalfSignedInAsync(HttpContext, ct);
        if (!factors.App)
        {
            return To("/sign-in/key");
        }
        (Username, HasKey) = (user.Username, factors.Key);
        Prompt = new AppPrompt { Button = "Sign in", Problem = Problem, Fields = ReturnField, Remember = await flow.RememberPeriodAsync(HttpContext, ct) };
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(string? code, bool remember, CancellationToken ct)
    {
        var result = await flow.AppAsync(code, HttpContext, ct, remember);
        if (result.Succeeded)
        {
            return Redirect(Return);
        }
        Again(result);
        return await OnGetAsync(ct);
    }
}

/// <summary>The first factor of somebody who has neither key nor codes and chooses an app.</summary>
[Authorize(Policy = Access.HalfSignedIn)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class EnrolAppPage(SignInFlow flow, AppOffers offers, Policies policies) : SignInPageModel
{
    public AppOffer Offer { get; private set; } = null!;

    public NewCodes? Codes { get; private set; }

    public Task<IActionResult> OnGetAsync(CancellationToken ct) => ShowAsync(null, ct);

    public async Task<IActionResult> OnPostAsync(string? offer, string? code, CancellationToken ct)
    {
        var (result, codes) = await flow.EnrolAppAsync(offer, code, HttpContext, ct);
        if (!result.Succeeded)
        {
            Again(result);
            return await ShowAsync(offer, ct);
        }
        Codes = new NewCodes(codes, User.Identity!.Name!, Return);
        return Page();
    }

    private async Task<IActionResult> ShowAsync(string? offer, CancellationToken ct)
    {
        var (user, next, _) = await flow.HalfSignedInAsync(HttpContext, ct);
        if (next != NextFactor.Enrol || (await policies.ApplianceAsync(ct)).Factors.SecondFactor == FactorRule.Key)
        {
            return To("/sign-in/key");
        }
        Offer = offers.Make(user, offer, Problem, HttpContext) with { Fields = ReturnField };
        return Page();
    }
}

/// <summary>An app, or another in its place. Who adds one has just given another factor.</summary>
[Authorize(Policy = Access.EnrolSteppedUp)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class AddAppPage(AuthenticatorApps apps, AppOffers offers, SignInPeople people, AccountAlerts alerts, Database database) : FactorPage(database)
{
    public AppOffer Offer { get; private set; } = null!;

    public bool Replaces { get; private set; }

    public Task OnGetAsync(CancellationToken ct) => ShowAsync(null, null, ct);

    public async Task<IActionResult> OnPostAsync(string? offer, string? code, CancellationToken ct)
    {
        var (user, _) = await people.SignedInAsync(HttpContext, ct);
        await using (var session = await Database.ForApplianceAsync(ct))
        {
            var added = await apps.AddAsync(session, user, offer, code, HttpContext, ct);
            if (added.Succeeded)
            {
                alerts.Tell(session, user.Id, Happening.AppAdded, HttpContext);
                await Sessions.AddedAsync(session, HttpContext, new SessionFactor(SessionFactor.App), ct);
                await session.CommitAsync(ct);
                return LocalRedirect(Return);
            }
            await session.DisposeAsync();
            await ShowAsync(offer, added.Reason, ct);
        }
        return Page();
    }

    private async Task ShowAsync(string? offer, string? problem, CancellationToken ct)
    {
        Response.Headers.CacheControl = "no-cache, no-store";
        var (user, factors) = await people.SignedInAsync(HttpContext, ct);
        (Offer, Replaces) = (offers.Make(user, offer, problem, HttpContext) with { Fields = ReturnField }, factors.App);
    }
}

/// <summary>Who removes the app has just given a factor, and keeps a key.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class RemoveAppPage(AuthenticatorApps apps, Sessions sessions, AccountAlerts alerts, Database database) : PageModel
{
    /// <summary>Why it stays; null: it may go.</summary>
    public string? Problem { get; private set; }

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        if (await apps.FindAsync(User.Id(), ct) is null)
        {
            return NotFound();
        }
        await using var session = await database.ForApplianceAsync(ct);
        Problem = await session.NeededProblemAsync(User.Id(), has => has with { App = false }, ct);
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        switch (await AuthenticatorApps.RemoveAsync(session, User.Id(), HttpContext, ct))
        {
            case KeyChange.Unknown:
                return NotFound();
            case KeyChange.LastFactor:
                return await OnGetAsync(ct);
            default:
                alerts.Tell(session, User.Id(), Happening.AppRemoved, HttpContext);
                await sessions.RenewIdentifierAsync(session, HttpContext, ct);
                await session.CommitAsync(ct);
                return LocalRedirect("/account/security");
        }
    }
}
