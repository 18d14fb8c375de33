using System.Globalization;
using Appliance.Data;
using Appliance.Vault;

namespace Appliance.Rekeying;

/// <summary>
/// The appliance key gets a new generation. Everything that the one before it sealed is sealed anew: the teams' keys, and what lies in the database. The old one stays
/// only wrapped by the new one: keyed hashes were made with it that cannot be made again, and backups of the database.
/// </summary>
internal sealed partial class ApplianceKeyRotation(
    Database database, FileKeyProvider provider, TeamKeys keys, SealedRows rows, RekeyingLimits limits, TimeProvider clock, ILogger<ApplianceKeyRotation> log)
{
    /// <summary>Answers whether there is more to do at once.</summary>
    public Task<bool> StepAsync(Rotation rotation, CancellationToken ct) => rotation.Stage switch
    {
        "asked" => BeginAsync(rotation, ct),
        "starting" => MakeAsync(rotation, ct),
        _ => RewrapAsync(rotation, ct),
    };

    /// <summary>The database says another key of ours than the current one: it was restored from before a rotation, or the process died just after making the key.</summary>
    public async Task<bool> NoticeAsync(TeamSession session, CancellationToken ct)
    {
        var current = provider.KeyId;
        var known = (await session.SqlAsync<string>($"""select value as "Value" from appliance_state where name = 'appliance_key_id'""", ct)).SingleOrDefault();
        if (known is null || known == current)
        {
            return false;
        }
        var now = clock.GetUtcNow();
        await session.ExecuteAsync(
            $"""
            insert into key_rotations (id, team_id, stage, asked_at, asked_by, from_key, started_at)
            values ({Guid.CreateVersion7(now)}, null, 'starting', {now}, 'appliance', {known}, {now}) on conflict do nothing
            """, ct);
        return true;
    }

    private async Task<bool> BeginAsync(Rotation rotation, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        await using var session = await database.ForApplianceAsync(ct);
        var from = provider.KeyId;
        await session.ExecuteAsync($"insert into appliance_state (name, value) values ('hash_key_id', {provider.Generations[^1].KeyId}) on conflict do nothing", ct);
        await session.ExecuteAsync($"update key_rotations set stage = 'overtaken', finished_at = {now} where team_id is null and stage in ('keeping', 'checking')", ct);
        await session.ExecuteAsync($"update key_rotations set stage = 'starting', from_key = {from}, started_at = {now}, problem = null where id = {rotation.Id}", ct);
        rotation.Record(session, "keys.rotation-started", ("from", from));
        await session.CommitAsync(ct);
        return true;
    }

    private async Task<bool> MakeAsync(Rotation rotation, CancellationToken ct)
    {
        var made = provider.Rotate(rotation.FromKey!, clock.GetUtcNow());
        await using var session = await database.ForApplianceAsync(ct);
        await session.ExecuteAsync($"select app_appliance_key_is({made})", ct);
        await session.ExecuteAsync($"update key_rotations set stage = 'rewrapping', to_key = {made}, problem = null where id = {rotation.Id}", ct);
        await session.CommitAsync(ct);
        return true;
    }

    private async Task<bool> RewrapAsync(Rotation rotation, CancellationToken ct)
    {
        var (done, damaged) = (0L, 0L);
        foreach (var team in keys.Teams())
        {
            try
            {
                done += keys.Rewrap(team) ? 1 : 0;
            }
            catch (Exception e) when (e is TamperedException or KeyFileException)
            {
                damaged++;
                LogTeamKey(log, e, team);
            }
        }
        var (resealed, unreadable) = await rows.ResealAsync(ct);
        await EndAsync(rotation with { Rewrapped = rotation.Rewrapped + done + resealed, Damaged = damaged, Unreadable = unreadable }, ct);
        return true;
    }

    private async Task EndAsync(Rotation rotation, CancellationToken ct)
    {
        var (now, first) = (clock.GetUtcNow(), rotation.Stage == "rewrapping");
        var problem = rotation.Damaged + rotation.Unreadable > 0 ? "Keys of teams, or sealed rows of the database, are damaged (the log names them)." : null;
        await using var session = await database.ForApplianceAsync(ct);
        await session.ExecuteAsync(
            $"""
            update key_rotations set stage = {(first ? "keeping" : "finished")}, rewrapped_at = coalesce(rewrapped_at, {now}), next_at = {now + limits.SecondLook},
                finished_at = case when {first} then null else {now} end,
                rewrapped = {rotation.Rewrapped}, damaged = {rotation.Damaged}, unreadable = {rotation.Unreadable}, problem = {problem}::text where id = {rotation.Id}
            """, ct);
        rotation.Record(session, first ? "keys.rewrapped" : "keys.rotation-finished", ("from", rotation.FromKey), ("to", rotation.ToKey),
            ("sealed", rotation.Rewrapped.ToString(CultureInfo.InvariantCulture)), ("damaged", (rotation.Damaged + rotation.Unreadable).ToString(CultureInfo.InvariantCulture)));
        await session.CommitAsync(ct);
    }

    [LoggerMessage(EventId = 4302, Level = LogLevel.Error, Message = "Re-keying: the key of team {Team} could not be wrapped anew.")]
    private static partial void LogTeamKey(ILogger logger, Exception error, TeamId team);
}
