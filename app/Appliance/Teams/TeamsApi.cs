using Appliance.Files;
using Appliance.SignIn;
using Appliance.SignIn.Tokens;
using Appliance.Web;
using Appliance.Web.Api;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Appliance.Teams;

/// <summary>One of the caller's teams. <c>Role</c>: owner or member.</summary>
public sealed record TeamAnswer(string Reference, string Name, string Role);

public sealed record TeamsAnswer(IReadOnlyList<TeamAnswer> Teams);

/// <summary>What a team stores: bytes of all versions, the trash included, and files, each with what uploads under way have announced. A limit of null is none.</summary>
public sealed record UsageAnswer(long Bytes, long Files, long? MaxBytes, long? MaxFiles);

public sealed record TeamDetailsAnswer(string Reference, string Name, string Role, int Members, UsageAnswer Usage);

/// <summary><c>GET /api/v1/teams</c> and <c>GET /api/v1/teams/{team}</c>.</summary>
public static class TeamsApi
{
    public static void MapTeamsApi(this IEndpointRouteBuilder app)
    {
        var teams = app.MapApiGroup("/teams").RequireAuthorization(Access.ApiRead).WithTags("Teams");
        teams.MapGet("", ListAsync).WithSummary("The teams that the caller is in, and that the token opens.");
        teams.MapGet("{team}", FindAsync).WithSummary("One team: what it stores, and may store.").ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static async Task<Ok<TeamsAnswer>> ListAsync(HttpContext context, TeamDirectory directory)
    {
        var mine = await directory.ListAsync(context.User.Id(), context.RequestAborted);
        var only = context.User.OnlyTeam();
        return TypedResults.Ok(new TeamsAnswer([.. mine.Where(t => only is null || t.Id == only.Value.Value).Select(t => new TeamAnswer(t.Reference, t.Name, t.Role))]));
    }

    private static async Task<Results<Ok<TeamDetailsAnswer>, StatusCodeHttpResult>> FindAsync(HttpContext context, string team, TeamAccess access, Quota quota)
    {
        await using var visit = await access.EnterAsync(team, context.User, context.RequestAborted);
        if (visit is null)
        {
            return TypedResults.StatusCode(StatusCodes.Status404NotFound);
        }
        var members = (await visit.Session.SqlAsync<int>($"""select count(*)::int as "Value" from memberships where team_id = app_team()""", context.RequestAborted)).Single();
        var usage = await quota.UsageAsync(visit, context.RequestAborted);
        return TypedResults.Ok(new TeamDetailsAnswer(
            visit.Reference, visit.Name, visit.IsOwner ? Membership.Owner : Membership.Member, members,
            new UsageAnswer(usage.Bytes, usage.Files, usage.MaxBytes, usage.MaxFiles)));
    }
}
