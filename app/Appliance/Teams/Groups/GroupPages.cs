using System.Globalization;
using Appliance.Ledger;
using Appliance.SignIn;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Teams.Groups;

/// <summary>A team's groups. For its owners, who have just given their second factor: to everybody else there is no such page.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class GroupsPage(TeamAccess access, TeamGroups groups) : TeamPage(access)
{
    public IReadOnlyList<ListedGroup> Groups { get; private set; } = [];

    [BindProperty]
    public string? Name { get; set; }

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        if (visit is not { IsOwner: true })
        {
            return NothingHere;
        }
        Groups = await TeamGroups.ListAsync(visit.Session, ct);
        return Page();
    }

    public Task<IActionResult> OnPostAsync(CancellationToken ct) => ChangeAsOwnerAsync(
        async visit => $"/teams/{TeamReference}/groups/{await groups.CreateAsync(visit, Name, HttpContext.Origin(), ct)}", () => OnGetAsync(ct));
}

/// <summary>One group: who is in it, and what it may.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class GroupPage(TeamAccess access, TeamGroups groups) : TeamPage(access)
{
    [FromRoute(Name = "group")]
    public string GroupReference { get; set; } = "";

    public GroupDetails Details { get; private set; } = null!;

    public ListedGroup Group => Details.Group;

    /// <summary>Who could be added: members who are not in it.</summary>
    public IReadOnlyList<string> Addable { get; private set; } = [];

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        if (visit is not { IsOwner: true } || await TeamGroups.FindAsync(visit, GroupReference, ct) is not { } found)
        {
            return NothingHere;
        }
        Details = found;
        var inIt = found.Members.Select(m => m.Username).ToHashSet(StringComparer.Ordinal);
        Addable = [.. (await visit.Session.SqlAsync<string>(
            $"""select u.username as "Value" from memberships m join users u on u.id = m.user_id where m.team_id = app_team() order by u.username_key limit 1000""", ct)).Where(u => !inIt.Contains(u))];
        return Page();
    }

    /// <summary>Says anew what it may.</summary>
    public Task<IActionResult> OnPostAsync(long revision, CancellationToken ct) => ChangeAsync(visit => groups.GrantAsync(visit, GroupReference, ReadGrants(), revision, HttpContext.Origin(), ct), ct);

    public Task<IActionResult> OnPostAddAsync(string? username, CancellationToken ct) => ChangeAsync(visit => groups.AddAsync(visit, GroupReference, username, HttpContext.Origin(), ct), ct);

    public Task<IActionResult> OnPostRemoveAsync(string? username, CancellationToken ct) =>
        ChangeAsync(visit => groups.RemoveAsync(visit, GroupReference, username, HttpContext.Origin(), ct), ct);

    public Task<IActionResult> OnPostRenameAsync(string? name, CancellationToken ct) => ChangeAsync(visit => groups.RenameAsync(visit, GroupReference, name, HttpContext.Origin(), ct), ct);

    public Task<IActionResult> OnPostDeleteAsync(CancellationToken ct) =>
        ChangeAsync(visit => groups.DeleteAsync(visit, GroupReference, HttpContext.Origin(), ct), ct, $"/teams/{TeamReference}/groups");

    private Task<IActionResult> ChangeAsync(Func<TeamVisit, Task> change, CancellationToken ct, string? next = null) => ChangeAsOwnerAsync(
        async visit =>
        {
            await change(visit);
            return next ?? $"/teams/{TeamReference}/groups/{GroupReference}";
        },
        () => OnGetAsync(ct));

    /// <summary>What is missing or no level is refused, never taken for one.</summary>
    private GroupGrants ReadGrants()
    {
        const string Folder = "folder.";
        var folders = Request.Form.Where(f => f.Key.StartsWith(Folder, StringComparison.Ordinal))
            .ToDictionary(f => f.Key[Folder.Length..], f => f.Value.ToString() is "" ? (Level?)null : ReadLevel(f.Value.ToString()), StringComparer.Ordinal);
        return new GroupGrants(
            ReadLevel(Request.Form["atTop"].ToString()), ReadLevel(Request.Form["others"].ToString()), [.. Request.Form["permission"].OfType<string>()], folders);
    }

    private static Level ReadLevel(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? (Level)number : (Level)(-1);
}

/// <summary>What one member may, and by which group: "view access as". It shows no content.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class MemberReachPage(TeamAccess access, TeamGroups groups) : TeamPage(access)
{
    [BindProperty(SupportsGet = true)]
    public string? Username { get; set; }

    public MemberReach Reach { get; private set; } = null!;

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        if (visit is not { IsOwner: true } || await groups.ReachOfAsync(visit, Username, ct) is not { } reach)
        {
            return NothingHere;
        }
        Reach = reach;
        return Page();
    }
}
