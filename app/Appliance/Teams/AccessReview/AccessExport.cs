using Appliance.Teams.Groups;
using Appliance.Teams.UnusedAccess;
using Appliance.Web;

namespace Appliance.Teams.AccessReview;

/// <summary>Who has access to a team, and what was signed of it, as CSV, for its owners.</summary>
public static class AccessExport
{
    private static readonly string[] s_now = ["username", "state", "role", "reaches", "since", "last_used", "ends"];

    private static readonly string[] s_signed = ["username", "role", "since", "last_used", "decision", "reaches"];

    public static void MapAccessExport(this IEndpointRouteBuilder app)
    {
        var team = app.MapGroup("/teams/{team}/access").RequireAuthorization(Access.SignedIn);
        team.MapGet("export", NowAsync);
        team.MapGet("reviews/{review}", SignedAsync);
    }

    private static async Task<IResult> NowAsync(HttpContext context, string team, TeamAccess access, TimeProvider clock)
    {
        await using var visit = await access.EnterAsync(team, context.User, context.RequestAborted);
        if (visit is not { IsOwner: true })
        {
            return TypedResults.StatusCode(StatusCodes.Status404NotFound);
        }
        var (rules, now) = (await TeamAccessList.RulesAsync(visit.Session, context.RequestAborted), clock.GetUtcNow());
        var reaches = await GroupSummary.ReadAsync(visit.Session, context.RequestAborted);
        var rows = new List<string[]> { s_now };
        rows.AddRange((await TeamAccessList.ListAsync(visit.Session, context.RequestAborted)).Select(m => new[]
        {
            m.Username, "member", m.Role, reaches.GetValueOrDefault(m.UserId, ""), Csv.Time(m.Since), Csv.Time(m.LastUsedAt), m.Warned is null ? "" : Csv.Time(m.EndsAt(rules, now)),
        }));
        rows.AddRange((await TeamAccessList.ListEndedAsync(visit, context.RequestAborted)).Select(e => new[]
        {
            e.Username, "ended", e.Role, "nothing", Csv.Time(e.Since), Csv.Time(e.LastUsedAt), Csv.Time(e.RevokedAt),
        }));
        return File(context, rows, $"access-{now:yyyy-MM-dd}.csv");
    }

    private static async Task<IResult> SignedAsync(HttpContext context, string team, string review, TeamAccess access)
    {
        await using var visit = await access.EnterAsync(team, context.User, context.RequestAborted);
        if (visit is not { IsOwner: true } || await AccessReviews.LinesAsync(visit, review, context.RequestAborted) is not { } lines)
        {
            return TypedResults.StatusCode(StatusCodes.Status404NotFound);
        }
        var rows = new List<string[]> { s_signed };
        rows.AddRange(lines.Select(l => new[] { l.Username, l.Role, Csv.Time(l.Since), Csv.Time(l.LastUsedAt), l.Kept ? "kept" : "removed", l.Reaches ?? "" }));
        return File(context, rows, $"access-review-{review}.csv");
    }

    private static Microsoft.AspNetCore.Http.HttpResults.FileContentHttpResult File(HttpContext context, List<string[]> rows, string name)
    {
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.File(Csv.Of(rows), "text/csv; charset=utf-8; header=present", name);
    }
}
