using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Files;

/// <summary>Gives an entry another name; the list does it in a dialog.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class RenameModel(TeamAccess access, EntryChanges changes) : TeamPage(access)
{
    [FromRoute(Name = "entry")]
    public string Entry { get; set; } = "";

    [BindProperty]
    public string? Name { get; set; }

    public string Back => $"/teams/{TeamReference}/files/{Entry}/details";

    public async Task<IActionResult> OnGetAsync()
    {
        await using var visit = await EnterAsync();
        if (visit is null || await Entries.FindAsync(visit.Session, Entry, HttpContext.RequestAborted) is not { } found)
        {
            return NothingHere;
        }
        Name = found.Entry.Name;
        return Page();
    }

    public async Task<IActionResult> OnPostAsync()
    {
        await using var visit = await EnterAsync();
        if (visit is null)
        {
            return NothingHere;
        }
        try
        {
            await changes.RenameAsync(visit, Entry, Name, null, HttpContext.Origin(), HttpContext.RequestAborted);
            return Redirect(Back);
        }
        catch (FileRuleException gone) when (gone.Rule == FileRule.EntryGone)
        {
            return NothingHere;
        }
        catch (Exception refused) when (refused is EntryNameException or FileRuleException)
        {
            Problem = refused.Message;
            Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
            return Page();
        }
    }
}
