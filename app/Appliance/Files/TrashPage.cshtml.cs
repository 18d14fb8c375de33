using System.Globalization;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Teams.Groups;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Files;

/// <summary>What was deleted: to be restored, or to go for good.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class TrashPageModel(TeamAccess access, Trash trash, Quota quota, FileLimits limits, TimeProvider time) : ChangePage(access)
{
    private const int PageSize = 200;

    public TrashPage Listing { get; private set; } = new([], null);

    public UsageView? Usage { get; private set; }

    public string? Done { get; private set; }

    public Reach Reach { get; private set; } = null!;

    public bool MayRestore(TrashedEntry trashed) =>
        Reach.In(trashed.Top) >= (trashed is { From.Count: 0, Entry.IsFolder: true } ? Level.Manage : Level.Write);

    /// <summary>For the question before the trash is emptied.</summary>
    public string HowMany => Listing.More is not null
        ? $"More than {Listing.Entries.Count} things"
        : FilesLook.Count(Listing.Entries.Count(e => e.Entry.IsFolder), Listing.Entries.Count(e => !e.Entry.IsFolder)).Replace(", ", " and ", StringComparison.Ordinal);

    public async Task<IActionResult> OnGetAsync([FromQuery] string? after, [FromQuery] int? restored)
    {
        await using var visit = await EnterAsync();
        Done = restored is null ? null : "It is back where it was.";
        return visit is null ? NothingHere : await ShowAsync(visit, after);
    }

    public Task<IActionResult> OnPostRestoreAsync([FromForm] string[] entry) => ChangeAsync(
        async visit =>
        {
            try
            {
                await trash.RestoreAsync(visit, entry, elsewhere: false, null, HttpContext.Origin(), HttpContext.RequestAborted);
            }
            catch (FileRuleException refused) when (refused.Rule == FileRule.FolderGone)
            {
                // To the root: better there than nowhere.
                await using var again = await EnterAsync();
                if (again is null)
                {
                    throw;
                }
                await trash.RestoreAsync(again, entry, elsewhere: true, null, HttpContext.Origin(), HttpContext.RequestAborted);
            }
        }, "?restored=1");

    public Task<IActionResult> OnPostDeleteAsync([FromForm] string[] entry) =>
        ChangeAsync(visit => trash.DeleteAsync(visit, entry, HttpContext.Origin(), HttpContext.RequestAborted));

    public Task<IActionResult> OnPostEmptyAsync() => ChangeAsync(visit => trash.EmptyAsync(visit, HttpContext.Origin(), HttpContext.RequestAborted));

    /// <summary>The folders it was in.</summary>
    public static string Where(TrashedEntry trashed) => "from " + string.Join(" / ", trashed.From.Prepend("Files"));

    /// <summary>How long it still lies here.</summary>
    public string Left(TrashedEntry trashed)
    {
        var days = (int)Math.Ceiling((trashed.DeletedAt + limits.TrashLifetime - time.GetUtcNow()).TotalDays);
        return days <= 1 ? "1 day" : string.Create(CultureInfo.InvariantCulture, $"{days} days");
    }

    private Task<IActionResult> ChangeAsync(Func<TeamVisit, Task> change, string after = "") =>
        ChangeAsync(change, $"/teams/{TeamReference}/trash{after}", visit => ShowAsync(visit, null));

    private async Task<IActionResult> ShowAsync(TeamVisit visit, string? after)
    {
        Reach = await Reach.ReadAsync(visit.Session, HttpContext.RequestAborted);
        Listing = await trash.ListAsync(visit, TrashStart.Parse(after), PageSize, HttpContext.RequestAborted);
        Usage = new UsageView(await quota.UsageAsync(visit, HttpContext.RequestAborted));
        return Page();
    }
}
