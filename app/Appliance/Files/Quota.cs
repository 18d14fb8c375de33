using System.Globalization;
using Appliance.Data;
using Appliance.Teams;
using Appliance.Web;

namespace Appliance.Files;

/// <summary>
/// What a team stores and may store. <c>Bytes</c>: of all versions, the trash included, and those that uploads under way have announced; <c>Files</c>
/// likewise. A limit of null is none.
/// </summary>
public sealed record TeamUsage(long Bytes, long Files, long? MaxBytes, long? MaxFiles)
{
    internal bool HasRoomFor(long bytes, long files) =>
        (MaxBytes is not { } most || bytes == 0 || bytes <= most - Bytes) && (MaxFiles is not { } mostFiles || files == 0 || files <= mostFiles - Files);

    /// <summary>So far from the limits that what others add at the same moment, unseen, cannot reach them: each of a few dozen transactions adds a MiB at most.</summary>
    internal bool IsFarFromLimits => HasRoomFor(256L << 20, 1000);
}

/// <summary>Limits per team. Content that would exceed them is refused when it is announced, before its bytes are sent.</summary>
public sealed class Quota(Settings settings)
{
    /// <summary>Content of so many bytes may share the lock where the limits are far.</summary>
    private const long SmallBytes = 1 << 20;

    public Task<TeamUsage> UsageAsync(TeamVisit visit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        return ReadAsync(visit.Session, cancellationToken);
    }

    /// <summary>
    /// Makes sure that there is room for so much more, until the transaction ends: what is added must be in the same transaction. Where a limit is
    /// near or much is added, one after the other; the look comes after the lock, so it sees all who went before.
    /// </summary>
    /// <exception cref="FileRuleException">There is no room.</exception>
    public async Task RequireRoomAsync(TeamSession session, long bytes, long files, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        if (!await HasLimitsAsync(session, cancellationToken))
        {
            return;
        }
        var usage = await ReadAsync(session, cancellationToken);
        Require(usage, bytes, files);
        if (bytes <= SmallBytes && usage.IsFarFromLimits)
        {
            await session.ExecuteAsync($"savepoint before_lock; select pg_advisory_xact_lock_shared(hashtextextended('quota ' || app_team(), 0))", cancellationToken);
            usage = await ReadAsync(session, cancellationToken);
            if (usage.IsFarFromLimits)
            {
                return;
            }
            // The limit came near while it waited. The shared lock is given back first: two who hold it would wait for each other.
            await session.ExecuteAsync($"rollback to savepoint before_lock", cancellationToken);
        }
        await LockAsync(session, cancellationToken);
        Require(await ReadAsync(session, cancellationToken), bytes, files);
    }

    /// <summary>Whether the team is limited at all. Where it is not, nobody need count what it has.</summary>
    internal async Task<bool> HasLimitsAsync(TeamSession session, CancellationToken cancellationToken)
    {
        var own = await session.SqlAsync<OwnLimits>(
            $"""select max_bytes as "MaxBytes", max_files as "MaxFiles" from team_usage where team_id = app_team()""", cancellationToken);
        var (bytes, files) = own is [var row] ? (row.MaxBytes, row.MaxFiles) : (null, null);
        return Limit(bytes, settings.TeamQuotaGibibytes) is not null || Limit(files, settings.TeamQuotaFiles) is not null;
    }

    /// <summary>Where it can be seen already that there is no room. Holds nothing.</summary>
    /// <exception cref="FileRuleException">There is no room.</exception>
    internal static void Require(TeamUsage usage, long bytes, long files)
    {
        if (!usage.HasRoomFor(bytes, files))
        {
            throw new FileRuleException(FileRule.QuotaExceeded, Sentence(usage, bytes));
        }
    }

    /// <summary>
    /// For the last step of an upload, before it locks anything else. Its bytes were announced; but a file that it was to be a new version of may
    /// have gone meanwhile, and then it is one more. Null where files are not limited; otherwise to be followed by <see cref="HasFilesLeftAsync"/>.
    /// </summary>
    internal async Task<long?> HoldFilesAsync(TeamSession session, CancellationToken cancellationToken)
    {
        var limits = await session.SqlAsync<long?>($"""select max_files as "Value" from team_usage where team_id = app_team()""", cancellationToken);
        var most = Limit(limits.SingleOrDefault(), settings.TeamQuotaFiles);
        if (most is not null)
        {
            await LockAsync(session, cancellationToken);
        }
        return most;
    }

    /// <summary>Whether the files that are there, the new one among them, are as many as may be.</summary>
    internal static async Task<bool> HasFilesLeftAsync(TeamSession session, long most, CancellationToken cancellationToken) =>
        (await session.SqlAsync<bool>(
            $"""
            select coalesce((select files from team_usage where team_id = app_team()), 0)
                   + coalesce((select sum(files) from usage_changes where team_id = app_team()), 0) <= {most} as "Value"
            """, cancellationToken)).Single();

    private static Task<int> LockAsync(TeamSession session, CancellationToken cancellationToken) =>
        session.ExecuteAsync($"select pg_advisory_xact_lock(hashtextextended('quota ' || app_team(), 0))", cancellationToken);

    /// <summary>A team's own limit (<see cref="Unlimited"/>: none), or the appliance's.</summary>
    private static long? Limit(long? own, long? otherwise) => own switch { null => otherwise, Unlimited => null, _ => own };

    /// <summary>What holds for a team whose row says so.</summary>
    internal (long? Bytes, long? Files) Limits(long? ownBytes, long? ownFiles) =>
        (Limit(ownBytes, settings.TeamQuotaGibibytes is { } gib ? (long)gib << 30 : null), Limit(ownFiles, settings.TeamQuotaFiles));

    /// <summary>How the database keeps that a team has no limit although the appliance sets one.</summary>
    internal const long Unlimited = long.MaxValue;

    internal async Task<TeamUsage> ReadAsync(TeamSession session, CancellationToken cancellationToken)
    {
        var counted = (await session.SqlAsync<Counted>(
            $"""
            select (coalesce(u.bytes, 0) + coalesce(c.bytes, 0) + coalesce(w.bytes, 0))::bigint as "Bytes",
                   (coalesce(u.files, 0) + coalesce(c.files, 0) + coalesce(w.files, 0))::bigint as "Files",
                   u.max_bytes as "MaxBytes", u.max_files as "MaxFiles"
            from (select sum(bytes) as bytes, sum(files) as files from usage_changes where team_id = app_team()) c
            cross join (
                select sum(length) as bytes, count(*) filter (where conflict = 'keep-both' or not exists (
                    select from entries e where e.team_id = app_team() and e.name_key = up.name_key and e.parent_id is not distinct from up.folder_id
                      and e.deleted_at is null and e.kind = 'file')) as files
                from uploads up where team_id = app_team() and finished_at is null) w
            left join team_usage u on u.team_id = app_team()
            """, cancellationToken)).Single();
        return new TeamUsage(
            counted.Bytes, counted.Files,
            Limits(counted.MaxBytes, counted.MaxFiles).Bytes, Limits(counted.MaxBytes, counted.MaxFiles).Files);
    }

    private static string Sentence(TeamUsage usage, long bytes)
    {
        const string Advice = "What lies in the trash counts: empty it, or ask your operator for more.";
        return usage.MaxBytes is { } most && bytes > 0 && bytes > most - usage.Bytes
            ? $"This team may store {ByteSize.Text(most)} and has {ByteSize.Text(usage.Bytes)}; {ByteSize.Text(bytes)} more do not fit. {Advice}"
            : string.Create(CultureInfo.InvariantCulture, $"This team may store {usage.MaxFiles:#,0} files and has {usage.Files:#,0}. {Advice}");
    }

    private sealed record OwnLimits(long? MaxBytes, long? MaxFiles);

    private sealed record Counted(long Bytes, long Files, long? MaxBytes, long? MaxFiles);
}
