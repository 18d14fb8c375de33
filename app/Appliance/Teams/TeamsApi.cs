using Appliance.SignIn;
using Appliance.SignIn.Tokens;
using Appliance.Web;
using Appliance.Web.Api;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Appliance.Teams;

/// <summary>One of the caller's teams. <c>Role</c>: owner or member.</summary>
public sealed record TeamAnswer(string Reference, string Name, string Role);

public sealed record TeamsAnswer(IReadOnlyList<TeamAnswer> Teams);

/// <summary>What a team stores: bytes of all versions, the trash included, and files. A limit of null is none.</summary>
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

    private static async Task<Results<Ok<TeamDetailsAnswer>, StatusCodeHttpResult>> FindAsync(HttpContext context, string team, TeamAccess access)
    {
        await using var visit = await access.EnterAsync(team, context.User, context.RequestAborted);
        if (visit is null)
        {
            return TypedResults.StatusCode(StatusCodes.Status404NotFound);
        }
        var counted = (await visit.Session.SqlAsync<Counted>(
            $"""
            select (select count(*)::int from memberships where team_id = app_team()) as "Members",
                   coalesce(u.bytes, 0) + coalesce(c.bytes, 0) as "Bytes", coalesce(u.files, 0) + coalesce(c.files, 0) as "Files",
                   u.max_bytes as "MaxBytes", u.max_files as "MaxFiles"
            from (select sum(bytes)::bigint as bytes, sum(files)::bigint as files from usage_changes where team_id = app_team()) c
            left join team_usage u on u.team_id = app_team()
            """, context.RequestAborted)).Single();
        return TypedResults.Ok(new TeamDetailsAnswer(
            visit.Reference, visit.Name, visit.IsOwner ? Membership.Owner : Membership.Member, counted.Members,
            new UsageAnswer(counted.Bytes, counted.Files, counted.MaxBytes, counted.MaxFiles)));
    }

    private sealed record Counted(int Members, long Bytes, long Files, long? MaxBytes, long? MaxFiles);
}
