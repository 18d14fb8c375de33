using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Files;

/// <summary>Moving without script: one walks through the folders by links, and posts where one stands. <c>?entry=…&amp;entry=…&amp;to=folder</c>.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class MoveModel(TeamAccess access, Folders folders, EntryChanges changes) : TeamPage(access)
{
    /// <summary>What is moved, by its references.</summary>
    [FromQuery(Name = "entry")]
    public string[] Entry { get; set; } = [];

    /// <summary>The folder that one stands in; null for the root.</summary>
    [FromQuery(Name = "to")]
    public string? To { get; set; }

    public IReadOnlyList<FolderStep> Path { get; private set; } = [];

    public IReadOnlyList<ListedEntry> Folders { get; private set; } = [];

    public async Task<IActionResult> OnGetAsync()
    {
        await using var visit = await EnterAsync();
        return visit is null ? NothingHere : await ShowAsync(visit);
    }

    public async Task<IActionResult> OnPostAsync()
    {
        await using (var visit = await EnterAsync())
        {
            if (visit is null)
            {
                return NothingHere;
            }
            try
            {
                await changes.MoveAsync(visit, Entry, To, keepBoth: false, HttpContext.Origin(), HttpContext.RequestAborted);
                return Redirect(FilesLook.FolderAddress(TeamReference, To));
            }
            catch (FileRuleException refused)
            {
                Problem = refused.Message;
            }
        }
        // The change ended its session: what is shown is read anew.
        await using var after = await EnterAsync();
        Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
        return after is null ? NothingHere : await ShowAsync(after);
    }

    private async Task<IActionResult> ShowAsync(TeamVisit visit)
    {
        if (Entry.Length is 0 or > Entries.MostAtOnce || await folders.PathAsync(visit.Session, To, HttpContext.RequestAborted) is not { } path)
        {
            return NothingHere;
        }
        Path = path;
        var page = await Listing.PageAsync(visit.Session, path is [.., var here] ? here : null, ListOrder.ByName, null, Listing.MostAtOnce, HttpContext.RequestAborted);
        Folders = [.. page.Entries.Where(e => e.IsFolder && !Entry.Contains(e.Reference, StringComparer.Ordinal))];
        return Page();
    }
}
