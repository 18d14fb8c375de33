using Appliance.Data;
using Appliance.Ledger;
using Appliance.Rekeying;
using Appliance.Web.Api;

namespace Appliance.Admin;

/// <summary>Re-keying: how the keys stand, and asking for a rotation. No key is in any answer; the appliance's own job does it.</summary>
internal static class KeysEndpoints
{
    private const string Appliance = "appliance";
    private const string Teams = "teams";

    public static void MapKeys(this IEndpointRouteBuilder admin)
    {
        admin.MapGet("/keys", StatusAsync).Does(AdminActions.Keys);
        admin.MapPost("/keys/appliance/rotate", (HttpContext context, OperatorWork work, TimeProvider time) => RotateAsync(context, work, time, Appliance)).Does(AdminActions.Keys);
        admin.MapPost("/keys/teams/rotate", (HttpContext context, OperatorWork work, TimeProvider time) => RotateAsync(context, work, time, Teams)).Does(AdminActions.Keys);
        admin.MapPost("/keys/teams/{team}/rotate", async Task<IResult> (string team, HttpContext context, OperatorWork work, TimeProvider time) =>
            Reference.IsWellFormed(team) ? await RotateAsync(context, work, time, team) : ApiProblem.NothingHere).Does(AdminActions.Keys);
    }

    private static async Task<IResult> StatusAsync(HttpContext context, OperatorWork work, KeyRotations keys)
    {
        var rotations = await work.LookAsync<Row>(context, "keys", $"""
            select team as "Team", stage as "Stage", asked_at as "AskedAt", asked_by as "AskedBy", started_at as "StartedAt", rewrapped_at as "RewrappedAt", next_at as "NextAt",
                   finished_at as "FinishedAt", rewrapped as "Rewrapped", damaged as "Damaged", unreadable as "Unreadable", problem as "Problem" from operator_key_rotations()
            """);
        var state = keys.Describe();
        return TypedResults.Ok(new { ok = state.Damaged == 0 && rotations.All(r => r.Problem is null), keys = state, rotations });
    }

    private static async Task<IResult> RotateAsync(HttpContext context, OperatorWork work, TimeProvider time, string what)
    {
        var busy = false;
        var happened = new LedgerEvent("operator.key-rotation-asked", what == Appliance ? null : what, OperatorWork.Details(("key", what == Appliance ? Appliance : "team")));
        var asked = await work.DoAsync(context, happened, async session =>
        {
            var answer = (await session.SqlAsync<string?>(
                $"""select operator_rotate_keys({what}, {context.Operator()!.Name}, {time.GetUtcNow()}) as "Value" """, context.RequestAborted)).Single();
            busy = answer == "busy";
            return busy ? null : answer;
        });
        return asked is not null ? TypedResults.Accepted((string?)null, new { asked = long.Parse(asked, System.Globalization.CultureInfo.InvariantCulture) })
            : busy ? ApiProblem.Refused(context, StatusCodes.Status409Conflict, "busy", "That key is being rotated already, or there is none to rotate. \"keys status\" shows how far it is.")
            : ApiProblem.NothingHere;
    }

    /// <param name="Team">The team's reference; null: the appliance key.</param>
    /// <param name="Stage">asked, starting, rewrapping, keeping (the old one, for a time), checking, finished, overtaken (by a later one), refused.</param>
    /// <param name="AskedAt">When.</param>
    /// <param name="AskedBy">The operator's name.</param>
    /// <param name="StartedAt">When the new key was made.</param>
    /// <param name="RewrappedAt">When everything was under it.</param>
    /// <param name="NextAt">When the old one goes.</param>
    /// <param name="FinishedAt">When it was gone.</param>
    /// <param name="Rewrapped">Objects, or keys and rows.</param>
    /// <param name="Damaged">Objects that open in part, under the old key.</param>
    /// <param name="Unreadable">What no key opens.</param>
    /// <param name="Problem">What stands in the way.</param>
    private sealed record Row(
        string? Team, string Stage, DateTimeOffset AskedAt, string AskedBy, DateTimeOffset? StartedAt, DateTimeOffset? RewrappedAt, DateTimeOffset? NextAt,
        DateTimeOffset? FinishedAt, long Rewrapped, long Damaged, long Unreadable, string? Problem);
}
