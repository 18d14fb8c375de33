using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Accounts.Address;

/// <summary>Another address takes the second factor again, and is the person's once they have confirmed it.</summary>
[Authorize(Policy = Access.SteppedUp)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class AddressPage(AccountSession accounts, Addresses addresses) : PageModel
{
    public string? Address { get; private set; }

    public bool Confirmed { get; private set; }

    public bool CanBeConfirmed => addresses.CanBeConfirmed;

    public string? Asked { get; private set; }

    public string? Problem { get; private set; }

    public async Task OnGetAsync(CancellationToken ct)
    {
        var id = User.Id();
        var user = await (await accounts.OpenAsync(ct)).Query<User>().AsNoTracking().SingleAsync(u => u.Id == id, ct);
        (Address, Confirmed) = (user.Email, user.EmailConfirmedAt is not null);
        await accounts.DisposeAsync();
    }

    public async Task<IActionResult> OnPostAsync(string? address, CancellationToken ct)
    {
        var text = address?.Trim();
        Problem = NameKey.EmailProblem(text);
        if (Problem is null)
        {
            var id = User.Id();
            var session = await accounts.OpenAsync(ct);
            // One after the other: the number of questions a day is counted.
            await Factors.LockAsync(session, id, ct);
            var user = await session.Query<User>().AsNoTracking().SingleAsync(u => u.Id == id, ct);
            if (await addresses.AskAsync(session, user, text!, welcome: false, ct))
            {
                session.RecordForAppliance(new LedgerEvent("address.asked", id.ToString()), HttpContext.Origin());
                await accounts.CommitAsync(ct);
                Asked = text;
            }
            else
            {
                await accounts.DisposeAsync();
                Problem = $"{Addresses.MostInADay} mails were sent for this today. Try again tomorrow.";
            }
        }
        await OnGetAsync(ct);
        return Page();
    }
}

/// <summary>Where the link leads that was mailed to an address. Looking changes nothing.</summary>
[AllowAnonymous]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class ConfirmAddressPage(Database database, AccountSession accounts, MailLinks links, Addresses addresses) : PageModel
{
    public bool Works { get; private set; }

    public bool Done { get; private set; }

    public async Task OnGetAsync(string token, CancellationToken ct)
    {
        Response.Headers.CacheControl = "no-cache, no-store";
        Response.Headers["Referrer-Policy"] = "no-referrer";
        await using var session = await database.ForApplianceAsync(ct);
        Works = await links.FindAsync(session, Token.HashOf(token), MailLinks.ConfirmAddress, ct) is not null;
        Response.StatusCode = Works ? StatusCodes.Status200OK : StatusCodes.Status404NotFound;
    }

    public async Task<IActionResult> OnPostAsync(string token, CancellationToken ct)
    {
        Response.Headers.CacheControl = "no-cache, no-store";
        Done = await addresses.ConfirmAsync(accounts, token, HttpContext, ct);
        Response.StatusCode = Done ? StatusCodes.Status200OK : StatusCodes.Status404NotFound;
        return Page();
    }
}
