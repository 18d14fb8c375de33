using Appliance.Data;
using Appliance.SignIn.Alerts;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.SignIn.SecurityKeys;

/// <summary>Who removes a key has just touched one.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class RemoveKeyModel(KeyRing keys, AllowedKeyModels models, Sessions sessions, AccountAlerts alerts, Database database) : PageModel
{
    public string? Name { get; private set; }

    public string? Error { get; private set; }

    public async Task<IActionResult> OnGetAsync(string reference, CancellationToken cancellationToken)
    {
        Name = (await keys.FindAsync(User.Id(), reference, cancellationToken))?.Name;
        return Name is null ? NotFound() : Page();
    }

    public async Task<IActionResult> OnPostAsync(string reference, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        switch (await KeyRing.RemoveAsync(session, models, User.Id(), reference, HttpContext, cancellationToken))
        {
            case KeyChange.Unknown:
                return NotFound();
            case KeyChange.LastFactor:
                Error = "This is your only key that may be used here. Without it you could not sign in. Add another one, or an app, first.";
                return await OnGetAsync(reference, cancellationToken);
            default:
                alerts.Tell(session, User.Id(), Happening.KeyRemoved, HttpContext);
                await sessions.RenewIdentifierAsync(session, HttpContext, cancellationToken);
                await session.CommitAsync(cancellationToken);
                return LocalRedirect("/account/security");
        }
    }
}
