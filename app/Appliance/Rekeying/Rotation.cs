using Appliance.Data;
using Appliance.Ledger;
using Appliance.Vault;

namespace Appliance.Rekeying;

/// <summary>One rotation as it stands in the database. Its stages: asked → starting (the new key is about to be made) → rewrapping → keeping → checking → finished.</summary>
internal sealed record Rotation(
    Guid Id, Guid? TeamId, string Stage, DateTimeOffset AskedAt, string AskedBy, string? FromKey, string? ToKey, Guid? AfterObject, long Rewrapped, long Damaged, long Unreadable)
{
    public TeamId? Team => TeamId is { } id ? new TeamId(id) : null;

    /// <summary>The newest of each key, where there is something to do for it now.</summary>
    public static async Task<List<Rotation>> DueAsync(TeamSession session, DateTimeOffset now, CancellationToken ct) => await session.SqlAsync<Rotation>(
        $"""
        select * from (
            select distinct on (team_id) id as "Id", team_id as "TeamId", stage as "Stage", asked_at as "AskedAt", asked_by as "AskedBy", from_key as "FromKey", to_key as "ToKey",
                   after_object as "AfterObject", rewrapped as "Rewrapped", damaged as "Damaged", unreadable as "Unreadable", next_at
              from key_rotations order by team_id, asked_at desc, id desc) newest
         where "Stage" in ('asked', 'starting', 'rewrapping', 'checking') or ("Stage" = 'keeping' and next_at <= {now})
         order by "TeamId" nulls first
        """, ct);

    /// <summary>In the ledger of the appliance, and in the team's where it is a team's key.</summary>
    public void Record(TeamSession session, string action, params (string Name, string? Value)[] details)
    {
        var happened = new LedgerEvent(action, Team?.ToString(), new Dictionary<string, string?>(details.ToDictionary(d => d.Name, d => d.Value), StringComparer.Ordinal)
        {
            ["key"] = Team is null ? "appliance" : "team",
            ["asked_by"] = AskedBy,
        });
        if (Team is not null)
        {
            session.Record(happened, new Origin(null, null));
        }
        session.RecordForAppliance(happened, new Origin(null, null));
    }

    /// <summary>It cannot be done, and is not tried again.</summary>
    public async Task RefuseAsync(TeamSession session, string problem, DateTimeOffset now, CancellationToken ct)
    {
        await session.ExecuteAsync($"update key_rotations set stage = 'refused', problem = {problem}, finished_at = {now} where id = {Id}", ct);
        Record(session, "keys.rotation-refused", ("problem", problem));
        await session.CommitAsync(ct);
    }
}
