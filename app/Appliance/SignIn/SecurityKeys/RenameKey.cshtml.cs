using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.SignIn.SecurityKeys;

[Authorize(Policy = Access.SignedIn)]
public sealed class RenameKeyModel(KeyRing keys) : PageModel
{
    public string? Name { get; private set; }

    public string? Error { get; private set; }

    public async Task<IActionResult> OnGetAsync(string reference, CancellationToken cancellationToken)
    {
        Name = (await keys.FindAsync(User.Id(), reference, cancellationToken))?.Name;
        return Name is null ? NotFound() : Page();
    }

    public async Task<IActionResult> OnPostAsync(string reference, string? name, CancellationToken cancellationToken)
    {
        switch (await keys.RenameAsync(User.Id(), reference, name, HttpContext, cancellationToken))
        {
            case KeyChange.Unknown:
                return NotFound();
            case KeyChange.BadName:
                (Name, Error) = (name, KeyName.Rule);
                return Page();
            default:
                return LocalRedirect("/account/security");
        }
    }
}
