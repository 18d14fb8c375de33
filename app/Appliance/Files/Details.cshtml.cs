using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Files;

/// <summary>Everything about one entry on a page of its own: what the panel shows beside the list, for phones and without script.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class DetailsModel(TeamAccess access, Versions versions) : ChangePage(access)
{
    [FromRoute(Name = "entry")]
    public string Entry { get; set; } = "";

    public PanelView Panel { get; private set; } = null!;

    public async Task<IActionResult> OnGetAsync([FromQuery] int? version)
    {
        await using var visit = await EnterAsync();
        return visit is null ? NothingHere : await ShowAsync(visit, version);
    }

    public Task<IActionResult> OnPostRestoreVersionAsync([FromForm] int version) =>
        ChangeAsync(visit => versions.RestoreAsync(visit, Entry, version, HttpContext.Origin(), HttpContext.RequestAborted));

    public Task<IActionResult> OnPostDeleteVersionAsync([FromForm] int version) =>
        ChangeAsync(visit => versions.DeleteAsync(visit, Entry, version, HttpContext.Origin(), HttpContext.RequestAborted));

    private Task<IActionResult> ChangeAsync(Func<TeamVisit, Task> change) =>
        ChangeAsync(change, $"/teams/{TeamReference}/files/{Entry}/details", visit => ShowAsync(visit, null));

    private async Task<IActionResult> ShowAsync(TeamVisit visit, int? version)
    {
        if (await PanelView.ReadAsync(visit, Entry, version, null, HttpContext.RequestAborted) is not { } panel)
        {
            return NothingHere;
        }
        Panel = panel;
        return Page();
    }
}
