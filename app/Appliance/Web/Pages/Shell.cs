using System.Security.Claims;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Vault;
using Microsoft.AspNetCore.Mvc.Rendering;
using Microsoft.AspNetCore.Mvc.ViewFeatures;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Web;

/// <summary>One step of the way to a page; the last has no address.</summary>
public sealed record Crumb(string Name, string? Address = null);

/// <summary>A team as the navigation shows it.</summary>
public sealed record ShellTeam(string Reference, string Name)
{
    public string Monogram => Shell.Monogram(Name);
}

/// <summary>
/// What stands around a signed-in page. A page says what it is by view data: <c>Title</c>, <c>Crumbs</c> (<see cref="Crumb"/>s),
/// <c>Nav</c> ("files", "trash", "links", "members", "ledger", "security", "sessions", "teams"), <c>Wide</c> (true), <c>Main</c> (further classes),
/// <c>Usage</c> (what the team stores) and <c>Styles</c> / <c>Scripts</c> (names of further style sheets and modules). The team comes from the route value <c>team</c>, its reference.
/// </summary>
public sealed class Shell
{
    private Shell(string username, IReadOnlyList<ShellTeam> teams, ShellTeam? team, bool readsLedger) => (Username, Teams, Team, ReadsLedger) = (username, teams, team, readsLedger);

    public string Username { get; }

    public IReadOnlyList<ShellTeam> Teams { get; }

    public ShellTeam? Team { get; }

    /// <summary>May read the ledger of <see cref="Team"/>.</summary>
    public bool ReadsLedger { get; }

    /// <summary>The person's own teams, asked for in a session of their own.</summary>
    public static async Task<Shell> LoadAsync(HttpContext context, Database database)
    {
        var person = context.User.FindFirstValue(ClaimTypes.NameIdentifier) is { } id
            ? new UserId(Guid.ParseExact(id, "D"))
            : throw new InvalidOperationException("The app shell is for a person who is signed in; other pages set Layout to /Web/_AuthLayout.cshtml.");
        var rows = await RowsAsync(database, person, context.RequestAborted);
        if (context.User.OnlyTeamReference() is { } only)
        {
            rows.RemoveAll(row => row.Reference != only);
        }
        var teams = rows.ConvertAll(row => new ShellTeam(row.Reference, row.Name));
        var reference = context.GetRouteValue("team") as string;
        // Owners do, so nothing is asked of them.
        var readsLedger = rows.Find(row => row.Reference == reference) is { } here && (here.IsOwner || await ReadsLedgerAsync(database, here.Id, person, context.RequestAborted));
        return new Shell(context.User.Identity?.Name ?? "", teams, teams.Find(team => team.Reference == reference), readsLedger);
    }

    private static async Task<List<Row>> RowsAsync(Database database, UserId person, CancellationToken cancellationToken)
    {
        await using var session = await database.ForUserAsync(person, cancellationToken);
        return await session.Query<Team>().AsNoTracking()
            .Join(session.Query<Membership>().Where(m => m.UserId == person), team => team.Id, m => m.TeamId, (team, m) => new { team.Id, team.Reference, team.Name, m.Role })
            .OrderBy(t => t.Name).ThenBy(t => t.Id).Select(t => new Row(t.Id, t.Reference, t.Name, t.Role == Membership.Owner)).ToListAsync(cancellationToken);
    }

    private static async Task<bool> ReadsLedgerAsync(Database database, TeamId team, UserId person, CancellationToken cancellationToken)
    {
        await using var session = await database.ForTeamAsync(team, person, cancellationToken);
        return (await session.SqlAsync<bool>($"""select app_reads_ledger() as "Value" """, cancellationToken)).Single();
    }

    /// <summary>The first letter, whatever the script.</summary>
    public static string Monogram(string name) =>
        name.Length == 0 ? "" : System.Globalization.StringInfo.GetNextTextElement(name).ToUpperInvariant();

    /// <summary>Up to two letters of a person's name: <c>mara.sommer</c> → MS.</summary>
    public static string Initials(string username) =>
        string.Concat(username.Split(['.', '-', '_', ' '], StringSplitOptions.RemoveEmptyEntries).Take(2).Select(Monogram));

    /// <summary>For <c>aria-current</c>: "page" where this is the navigation's present place, else nothing.</summary>
    public static string? Current(ViewDataDictionary view, string place) => view["Nav"] as string == place ? "page" : null;

    private sealed record Row(TeamId Id, string Reference, string Name, bool IsOwner);
}
