using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Files;

/// <summary>Makes a folder; also what the dialog of the listing posts to.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class NewFolderModel(TeamAccess access, Folders folders) : TeamPage(access)
{
    /// <summary>The folder to make it in; null for the team's root.</summary>
    [FromRoute(Name = "folder")]
    public string? Folder { get; set; }

    [BindProperty]
    public string? Name { get; set; }

    public string Here => Folder is null ? $"/teams/{TeamReference}/files" : $"/teams/{TeamReference}/files/{Folder}";

    public async Task<IActionResult> OnGetAsync()
    {
        await using var visit = await EnterAsync();
        return visit is null || await folders.PathAsync(visit.Session, Folder, HttpContext.RequestAborted) is null ? NothingHere : Page();
    }

    public async Task<IActionResult> OnPostAsync()
    {
        await using var visit = await EnterAsync();
        if (visit is null || await folders.PathAsync(visit.Session, Folder, HttpContext.RequestAborted) is null)
        {
            return NothingHere;
        }
        try
        {
            await folders.CreateAsync(visit, Folder, Name, HttpContext.Origin(), HttpContext.RequestAborted);
            return Redirect(Here);
        }
        catch (Exception refused) when (refused is EntryNameException or FileRuleException)
        {
            Problem = refused.Message;
            Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
            return Page();
        }
    }
}
