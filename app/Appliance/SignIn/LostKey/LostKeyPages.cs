using Appliance.Accounts;
using Appliance.Accounts.People;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.RateLimiting;

namespace Appliance.SignIn.LostKey;

/// <summary>Owners of the appliance ask that a person may replace lost keys, and agree to what another one asked.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class LostKeysPage(LostKeys lost, AccountSession accounts) : ApplianceOwnerPage
{
    [BindProperty(SupportsGet = true)]
    public string? Username { get; set; }

    [BindProperty]
    public string? Reason { get; set; }

    public string? Problem { get; private set; }

    /// <summary>Shown once, on the page that made it.</summary>
    public string? Code { get; private set; }

    /// <summary>Whose it is.</summary>
    public string? CodeFor { get; private set; }

    public IReadOnlyList<ListedLostKey> Open { get; private set; } = [];

    public Guid Me => User.Id().Value;

    public async Task OnGetAsync(CancellationToken ct) => await ShowAsync(ct);

    public async Task<IActionResult> OnPostAsync(CancellationToken ct) =>
        await DoneAsync(await lost.RequestAsync(await accounts.OpenAsync(ct), Username?.Trim(), Reason, HttpContext, ct), null, ct);

    public async Task<IActionResult> OnPostApproveAsync(string? reference, CancellationToken ct) =>
        await DoneAsync(await lost.ApproveAsync(await accounts.OpenAsync(ct), reference, HttpContext, ct), reference, ct);

    public async Task<IActionResult> OnPostRefuseAsync(string? reference, CancellationToken ct) =>
        await DoneAsync(await lost.RefuseAsync(await accounts.OpenAsync(ct), reference, HttpContext, ct), null, ct);

    private async Task<IActionResult> DoneAsync(LostKeyAnswer answer, string? reference, CancellationToken ct)
    {
        Response.Headers.CacheControl = "no-cache, no-store";
        if (!answer.IsOwner)
        {
            return NotFound();
        }
        if (answer.Problem is null)
        {
            await accounts.CommitAsync(ct);
            if (answer.Code is null)
            {
                return Redirect("/people/lost-key");
            }
        }
        else
        {
            await accounts.DisposeAsync();
            (Problem, Response.StatusCode) = (answer.Problem, StatusCodes.Status422UnprocessableEntity);
        }
        await ShowAsync(ct);
        (Code, CodeFor) = (answer.Code, Open.FirstOrDefault(r => r.Reference == reference)?.Username);
        return Page();
    }

    private async Task ShowAsync(CancellationToken ct)
    {
        Open = await lost.ListAsync(await accounts.OpenAsync(ct), ct);
        await accounts.DisposeAsync();
    }
}

/// <summary>The second step with a code that two owners of the appliance gave. It looks the same whether there is a request or not.</summary>
[Authorize(Policy = Access.HalfSignedIn)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class LostKeyCodePage(SignInFlow flow) : SignInPageModel
{
    public void OnGet()
    {
    }

    public async Task<IActionResult> OnPostAsync(string? code, CancellationToken ct)
    {
        var result = await flow.LostKeyCodeAsync(code, HttpContext, ct);
        return result.Succeeded ? To("/sign-in/enrol") : Again(result);
    }
}

/// <summary>"Stop this", from the mail. Whoever reads the person's mail may stop it; looking changes nothing.</summary>
[AllowAnonymous]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class StopLostKeyPage(AccountSession accounts, MailLinks links, LostKeys lost) : SignInPageModel
{
    public bool Works { get; private set; }

    public bool Stopped { get; private set; }

    public async Task OnGetAsync(string token, CancellationToken ct)
    {
        Works = await links.FindAsync(await accounts.OpenAsync(ct), Token.HashOf(token), MailLinks.StopLostKey, ct) is not null;
        Response.StatusCode = Works ? StatusCodes.Status200OK : StatusCodes.Status404NotFound;
        Response.Headers["Referrer-Policy"] = "no-referrer";
    }

    public async Task OnPostAsync(string token, CancellationToken ct)
    {
        var session = await accounts.OpenAsync(ct);
        Stopped = await links.FindAsync(session, Token.HashOf(token), MailLinks.StopLostKey, ct) is { } link && await links.UseAsync(session, link, ct)
            && await lost.StopAsync(session, link.UserId, HttpContext, ct);
        if (Stopped)
        {
            await accounts.CommitAsync(ct);
            return;
        }
        await accounts.DisposeAsync();
        Response.StatusCode = StatusCodes.Status404NotFound;
    }
}
