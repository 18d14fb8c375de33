using Appliance.Teams;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Files;

/// <summary>What is in a folder.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class IndexModel(TeamAccess access, Folders folders) : TeamPage(access)
{
    /// <summary>The folder's reference; null for the team's root.</summary>
    [FromRoute(Name = "folder")]
    public string? Folder { get; set; }

    public IReadOnlyList<FolderStep> Path { get; private set; } = [];

    public ListedPage Listing { get; private set; } = new([], null);

    public string Title => Path is [.., var last] ? last.Name : "Files";

    public string Here => Folder is null ? $"/teams/{TeamReference}/files" : $"/teams/{TeamReference}/files/{Folder}";

    /// <summary>The way here from the team's root.</summary>
    public IEnumerable<Crumb> Crumbs => Path.Count == 0
        ? [new Crumb("Files")]
        : [new Crumb("Files", $"/teams/{TeamReference}/files"), .. Path.SkipLast(1).Select(s => new Crumb(s.Name, $"/teams/{TeamReference}/files/{s.Reference}")), new Crumb(Title)];

    /// <summary>Whether this is a later page of a long listing.</summary>
    public bool Continues { get; private set; }

    public async Task<IActionResult> OnGetAsync([FromQuery] string? after)
    {
        await using var visit = await EnterAsync();
        if (visit is null || await folders.PathAsync(visit.Session, Folder, HttpContext.RequestAborted) is not { } path)
        {
            return NothingHere;
        }
        Path = path;
        var start = PageStart.Parse(after);
        Continues = start is not null;
        Listing = await folders.ListAsync(visit.Session, path is [.., var folder] ? folder : null, start, HttpContext.RequestAborted);
        return Page();
    }
}
