using System.Text.Json;
using Appliance.Data;
using Appliance.Web.Api;

namespace Appliance.Files.Api;

/// <summary>Something that happened to an entry. <c>Who</c>: a username, null where it was the appliance; <c>Details</c>: names and values.</summary>
public sealed record EventAnswer(DateTimeOffset At, string? Who, string Action, IReadOnlyDictionary<string, string?> Details);

/// <summary>A page of them, newest first.</summary>
public sealed record EventsAnswer(IReadOnlyList<EventAnswer> Events, string? Next);

/// <summary>What happened to one file or folder, from the team's ledger. Where somebody was (their address) is for the team's owners, on the ledger's own page.</summary>
internal static class EventsApi
{
    private const int Usual = 50;
    private const int Most = 200;

    public static void Map(RouteGroupBuilder read) =>
        read.MapGet("entries/{entry}/events", ListAsync).Produces<EventsAnswer>().WithSummary("What happened to a file or folder, newest first.");

    private static Task<IResult> ListAsync(HttpContext context, string team, string entry, string? after, int? limit) =>
        FilesApi.InTeamAsync(context, team, async visit =>
        {
            if (!FilesApi.TryLimit(limit, Usual, Most, out var most))
            {
                return FilesApi.BadLimit(context, Most);
            }
            var before = Guid.AllBitsSet;
            if (after is not null && !Guid.TryParseExact(after, "N", out before))
            {
                return FilesApi.BadCursor(context);
            }
            return await FindAsync(visit.Session, entry, context.RequestAborted) is { } id
                ? TypedResults.Ok(await ReadAsync(visit.Session, id, before, most, context.RequestAborted))
                : ApiProblem.NothingHere;
        });

    /// <summary>Also what is in the trash; nothing that was deleted for good.</summary>
    private static async Task<Guid?> FindAsync(TeamSession session, string entry, CancellationToken cancellationToken) =>
        Reference.IsWellFormed(entry)
        && await session.SqlAsync<Guid>($"""select id as "Value" from entries where team_id = app_team() and reference = {entry} and purged_at is null""", cancellationToken) is [var id]
            ? id
            : null;

    private static async Task<EventsAnswer> ReadAsync(TeamSession session, Guid entry, Guid before, int most, CancellationToken cancellationToken)
    {
        var rows = await session.SqlAsync<Row>(
            $"""
            select e.id as "Id", e.at as "At", u.username as "Who", e.action as "Action", e.details as "Details"
            from ledger_entries e left join users u on u.id = e.actor
            where e.tree = app_team() and e.subject = {entry.ToString("D")} and e.id < {before} order by e.id desc limit {most + 1}
            """, cancellationToken);
        var events = rows.Take(most).Select(r => new EventAnswer(r.At, r.Who, r.Action, JsonSerializer.Deserialize<Dictionary<string, string?>>(r.Details) ?? [])).ToList();
        return new EventsAnswer(events, rows.Count > most ? rows[most - 1].Id.ToString("N") : null);
    }

    private sealed record Row(Guid Id, DateTimeOffset At, string? Who, string Action, string Details);
}
