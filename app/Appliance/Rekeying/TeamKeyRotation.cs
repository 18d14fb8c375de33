using System.Diagnostics;
using System.Globalization;
using Appliance.Data;
using Appliance.Objects;
using Appliance.Vault;

namespace Appliance.Rekeying;

/// <summary>
/// A team's key gets a new generation, which seals what comes from then on; the team's objects are put under it one after the other, and after a time of grace, and a
/// second look through all of them, the old generation is destroyed. Each step may be cut off and is done again.
/// </summary>
internal sealed partial class TeamKeyRotation(
    Database database, TeamKeys keys, SealedObjects objects, RekeyingLimits limits, TimeProvider clock, ILogger<TeamKeyRotation> log)
{
    /// <summary>Answers whether there is more to do at once.</summary>
    public Task<bool> StepAsync(Rotation rotation, CancellationToken ct) => rotation.Stage switch
    {
        "asked" => BeginAsync(rotation, ct),
        "starting" => MakeAsync(rotation, ct),
        "keeping" => CheckAsync(rotation, ct),
        _ => RewrapAsync(rotation, ct),
    };

    private async Task<bool> BeginAsync(Rotation rotation, CancellationToken ct)
    {
        var (team, now) = (rotation.Team!.Value, clock.GetUtcNow());
        await using var session = await database.ForJobAsync(team, ct);
        var state = keys.StateOf(team);
        if (state is null || state.Generations == TeamKeys.MostGenerations)
        {
            await rotation.RefuseAsync(session, state is null ? "The team has no key." : $"The team's key has {state.Generations} generations; the oldest must be destroyed first.", now, ct);
            return false;
        }
        // The new rotation looks through everything, too, and its end is theirs.
        await session.ExecuteAsync($"update key_rotations set stage = 'overtaken', finished_at = {now} where team_id = {team.Value} and stage in ('keeping', 'checking')", ct);
        var from = state.Number.ToString(CultureInfo.InvariantCulture);
        await session.ExecuteAsync($"update key_rotations set stage = 'starting', from_key = {from}, started_at = {now}, problem = null where id = {rotation.Id}", ct);
        rotation.Record(session, "keys.rotation-started", ("from", from));
        await session.CommitAsync(ct);
        return true;
    }

    private async Task<bool> MakeAsync(Rotation rotation, CancellationToken ct)
    {
        var (team, now) = (rotation.Team!.Value, clock.GetUtcNow());
        var made = keys.Rotate(team, int.Parse(rotation.FromKey!, CultureInfo.InvariantCulture), now);
        await using var session = await database.ForJobAsync(team, ct);
        if (made is null)
        {
            await rotation.RefuseAsync(session, "The team has no key.", now, ct);
            return false;
        }
        await session.ExecuteAsync(
            $"update key_rotations set stage = 'rewrapping', to_key = {made.Value.ToString(CultureInfo.InvariantCulture)}, after_object = null, problem = null where id = {rotation.Id}", ct);
        await session.CommitAsync(ct);
        return true;
    }

    private async Task<bool> CheckAsync(Rotation rotation, CancellationToken ct)
    {
        await using var session = await database.ForJobAsync(rotation.Team!.Value, ct);
        await session.ExecuteAsync(
            $"update key_rotations set stage = 'checking', after_object = null, damaged = 0, unreadable = 0, problem = null where id = {rotation.Id}", ct);
        await session.CommitAsync(ct);
        return true;
    }

    private async Task<bool> RewrapAsync(Rotation rotation, CancellationToken ct)
    {
        var team = rotation.Team!.Value;
        keys.RequireGeneration(team, int.Parse(rotation.ToKey!, CultureInfo.InvariantCulture));
        var turn = Stopwatch.StartNew();
        var found = await objects.RewrapAsync(team, rotation.AfterObject is { } after ? new ObjectId(after) : null, PaceAsync, ct);
        foreach (var spoiled in found.Damaged.Concat(found.Unreadable))
        {
            LogSpoiled(log, team, spoiled);
        }
        var next = rotation with
        {
            AfterObject = found.Last?.Value,
            Rewrapped = rotation.Rewrapped + found.Rewrapped,
            Damaged = rotation.Damaged + found.Damaged.Count,
            Unreadable = rotation.Unreadable + found.Unreadable.Count,
        };
        await using var session = await database.ForJobAsync(team, ct);
        await session.ExecuteAsync(
            $"""
            update key_rotations set after_object = {next.AfterObject}::uuid, rewrapped = {next.Rewrapped}, damaged = {next.Damaged}, unreadable = {next.Unreadable}, problem = null
             where id = {rotation.Id}
            """, ct);
        if (found.Ended)
        {
            await EndAsync(session, next, ct);
        }
        await session.CommitAsync(ct);
        return true;

        async Task<bool> PaceAsync(long written)
        {
            if (written > 0)
            {
                await Task.Delay(TimeSpan.FromSeconds((double)written / limits.BytesPerSecond), ct);
            }
            return turn.Elapsed < limits.Turn;
        }
    }

    private async Task EndAsync(TeamSession session, Rotation rotation, CancellationToken ct)
    {
        var (now, numbers) = (clock.GetUtcNow(), new (string, string?)[]
        {
            ("objects", rotation.Rewrapped.ToString(CultureInfo.InvariantCulture)), ("to", rotation.ToKey),
            ("damaged", (rotation.Damaged + rotation.Unreadable).ToString(CultureInfo.InvariantCulture)),
        });
        if (rotation.Stage == "rewrapping")
        {
            await session.ExecuteAsync(
                $"update key_rotations set stage = 'keeping', rewrapped_at = {now}, next_at = {now + limits.KeepTeamKeys}, after_object = null where id = {rotation.Id}", ct);
            rotation.Record(session, "keys.rewrapped", numbers);
        }
        else if (rotation.Damaged > 0)
        {
            // What the old generation alone still opens in part is not destroyed by us.
            await session.ExecuteAsync(
                $"""
                update key_rotations set stage = 'keeping', next_at = {now + limits.KeepTeamKeys}, after_object = null,
                    problem = 'Damaged objects are still under the old key (the log names them). Restore or delete them; then it is destroyed.' where id = {rotation.Id}
                """, ct);
        }
        else
        {
            // Destroyed before it is said. Cut off between, the second look is done again.
            keys.DestroySuperseded(session.TeamOrThrow, now);
            await session.ExecuteAsync($"update key_rotations set stage = 'finished', finished_at = {now}, after_object = null where id = {rotation.Id}", ct);
            rotation.Record(session, "keys.rotation-finished", numbers);
        }
    }

    [LoggerMessage(EventId = 4301, Level = LogLevel.Error, Message = "Re-keying team {Team}: object {Object} is damaged and was left as it is.")]
    private static partial void LogSpoiled(ILogger logger, TeamId team, ObjectId @object);
}
