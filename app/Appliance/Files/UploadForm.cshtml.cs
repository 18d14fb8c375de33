using Appliance.Teams;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Files;

/// <summary>Uploading without script: the form that <see cref="FormUploadEndpoints"/> answers.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class UploadFormModel(TeamAccess access, Folders folders) : TeamPage(access)
{
    /// <summary>The folder to upload to; null for the team's root.</summary>
    [FromRoute(Name = "folder")]
    public string? Folder { get; set; }

    public string Here => Folder is null ? $"/teams/{TeamReference}/files" : $"/teams/{TeamReference}/files/{Folder}";

    public string Target => Folder is null ? $"/teams/{TeamReference}/upload" : $"/teams/{TeamReference}/upload/{Folder}";

    public async Task<IActionResult> OnGetAsync()
    {
        await using var visit = await EnterAsync();
        return visit is null || await folders.PathAsync(visit.Session, Folder, HttpContext.RequestAborted) is null ? NothingHere : Page();
    }
}
