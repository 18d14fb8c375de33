using Appliance.Data;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.Admin;

/// <summary>Errors that people were given a reference for: found by it, grouped, closed. On the operators' port alone.</summary>
[Authorize(Policy = Access.Operator), AdminAction(AdminActions.Errors)]
internal sealed class ErrorsPageModel(OperatorErrors errors) : PageModel
{
    public IReadOnlyList<ErrorGroup> Groups { get; private set; } = [];

    /// <summary>What was looked for.</summary>
    public string? Sought { get; private set; }

    public async Task OnGetAsync(string? reference)
    {
        Sought = string.IsNullOrWhiteSpace(reference) ? null : reference.Trim();
        Groups = Sought is null || OperatorErrors.IsReference(Sought) ? await errors.ListAsync(HttpContext, closedToo: Sought is not null, Sought) : [];
    }

    public async Task<IActionResult> OnPostCloseAsync(string reference) =>
        Reference.IsWellFormed(reference) && await errors.CloseAsync(HttpContext, reference) ? Redirect("/admin/errors") : NotFound();
}
