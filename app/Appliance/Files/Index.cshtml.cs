using Appliance.Teams;
using Appliance.Teams.Groups;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Files;

/// <summary>What is in a folder, and beside it one of its files where the address names one (<c>?panel=</c>).</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class IndexModel(TeamAccess access, Folders folders, Quota quota) : TeamPage(access)
{
    /// <summary>The folder's reference; null for the team's root.</summary>
    [FromRoute(Name = "folder")]
    public string? Folder { get; set; }

    public IReadOnlyList<FolderStep> Path { get; private set; } = [];

    public ListedPage Listing { get; private set; } = new([], null);

    public ListView Sort { get; private set; } = ListView.Default;

    public PanelView? Panel { get; private set; }

    private Reach _reach = null!;

    private string? Top => Path is [var first, ..] ? first.Reference : null;

    /// <summary>May put something here.</summary>
    public bool MayWrite => _reach.In(Top) >= Level.Write;

    /// <summary>May rename, move or delete it. A top-level folder takes more than what is in it.</summary>
    public bool MayChange(ListedEntry entry) => Top is null && entry is { IsFolder: true } ? _reach.In(entry.Reference) == Level.Manage : MayWrite;

    public UsageView? Usage { get; private set; }

    public string Title => Path is [.., var last] ? last.Name : "Files";

    public string Here => FilesLook.FolderAddress(TeamReference, Folder);

    /// <summary>This list in this order: where closing the panel leads.</summary>
    public string HereSorted => Here + Sort.Query;

    /// <summary>Where a selection is posted without script.</summary>
    public string Selected => FilesLook.SelectionAddress(TeamReference, Folder);

    /// <summary>The way here from the team's root.</summary>
    public IEnumerable<Crumb> Crumbs => FilesLook.Crumbs(TeamReference, Path);

    /// <summary>Whether this is a later page of a long listing.</summary>
    public bool Continues { get; private set; }

    /// <summary>The cursor of the next page; null at the end.</summary>
    public string? Next => Listing.More?.ToString();

    public string? NextAddress => Next is { } next ? HereSorted + (Sort.Query.Length > 0 ? "&" : "?") + "after=" + Uri.EscapeDataString(next) : null;

    public IEnumerable<ListColumn> Columns => Sort.Columns(Here);

    public string CountText
    {
        get
        {
            var (folderCount, all) = (Listing.Entries.Count(e => e.IsFolder), Listing.Entries.Count);
            if (all == 0)
            {
                return "";
            }
            var text = FilesLook.Count(folderCount, all - folderCount) + (all > folderCount ? ", " + ByteSize.Text(Listing.Entries.Sum(e => e.Size ?? 0)) : "");
            return text + (Continues || Next is not null ? " on this page." : ".");
        }
    }

    public async Task<IActionResult> OnGetAsync(
        [FromQuery] string? after, [FromQuery] string? sort, [FromQuery] string? order, [FromQuery] string? panel, [FromQuery] int? version)
    {
        await using var visit = await EnterAsync();
        if (visit is null || await folders.PathAsync(visit.Session, Folder, HttpContext.RequestAborted) is not { } path)
        {
            return NothingHere;
        }
        Path = path;
        _reach = await Reach.ReadAsync(visit.Session, HttpContext.RequestAborted);
        Sort = ListView.Read(sort, order);
        var start = PageStart.Parse(after);
        start = start?.Order == Sort.ListOrder ? start : null;
        Continues = start is not null;
        Listing = await Files.Listing.PageAsync(
            visit.Session, path is [.., var folder] ? folder : null, Sort.ListOrder, start, Folders.PageSize, HttpContext.RequestAborted);
        Usage = new UsageView(await quota.UsageAsync(visit, HttpContext.RequestAborted));
        if (panel is not null)
        {
            Panel = await PanelView.ReadAsync(visit, panel, version, HereSorted, HttpContext.RequestAborted);
        }
        return Page();
    }
}
