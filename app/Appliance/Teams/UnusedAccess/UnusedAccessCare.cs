using System.Globalization;
using Appliance.Accounts.People;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.Teams.UnusedAccess;

/// <summary>
/// Looks, every six hours (a process that is restarted every night gets its turn as well), whose access nobody uses: warns them, and a week later takes it. The last owner stays, and so does the last one who can sign in
/// without the team's identity provider: nobody else could let anyone in. Owners are reminded of access reviews that are due, too. One replica at a time does it.
/// </summary>
internal sealed partial class UnusedAccessCare(
    Database database, MailQueue mails, ApplianceOwners owners, AccessReview.AccessReviews reviews, Settings settings, TimeProvider clock, ILogger<UnusedAccessCare> log)
    : RepeatedWork(TimeSpan.FromHours(6), clock, log, TimeSpan.FromMinutes(5))
{
    private const long CareLock = 0x756e_7573_6564_6163;

    private static readonly Origin Nobody = new(null, null);

    /// <summary>One round through all teams; answers how many were warned and how many lost their access. Nothing where another replica is at it.</summary>
    internal async Task<(int Warned, int Ended)> RunOnceAsync(CancellationToken ct)
    {
        await using var turn = await database.ForApplianceAsync(ct);
        if (await turn.SqlAsync<bool>($"""select pg_try_advisory_xact_lock({CareLock}) as "Value" """, ct) is not [true])
        {
            return (0, 0);
        }
        int warned, ended;
        await using (var session = await database.ForApplianceAsync(ct))
        {
            (warned, ended) = await owners.CareAsync(session, ct);
        }
        foreach (var team in await database.AllTeamsAsync(ct))
        {
            try
            {
                var (w, e) = await CareAsync(team, ct);
                (warned, ended) = (warned + w, ended + e);
                await AccessRequests.TeamAccessRequests.SweepAsync(database, team, Clock.GetUtcNow(), ct);
                await using var session = await database.ForJobAsync(team, ct);
                await reviews.RemindAsync(session, ct);
            }
            catch (Exception error) when (error is DatabaseUnavailableException or ConcurrentChangeException)
            {
                LogLater(log, error, team);
            }
        }
        LogDone(log, warned, ended);
        return (warned, ended);
    }

    protected override Task RoundAsync(CancellationToken cancellationToken) => RunOnceAsync(cancellationToken);

    private async Task<(int Warned, int Ended)> CareAsync(TeamId team, CancellationToken ct)
    {
        await using var session = await database.ForJobAsync(team, ct);
        var (rules, now) = (await TeamAccessList.RulesAsync(session, ct), Clock.GetUtcNow());
        if (!(await TeamAccessList.ListAsync(session, ct)).Any(m => m.IsDueToWarn(rules, now) || m.IsDueToEnd(rules, now)))
        {
            return (0, 0);
        }
        // As whoever removes a member does: who may still be taken out is decided under the owners' locks.
        await session.SqlAsync<Guid>($"""select user_id as "Value" from memberships where team_id = app_team() order by user_id for update""", ct);
        var name = (await session.SqlAsync<string>($"""select name as "Value" from teams where id = app_team()""", ct)).Single();
        var (warned, ended) = (0, 0);
        foreach (var member in await TeamAccessList.ListAsync(session, ct))
        {
            if (member.IsDueToEnd(rules, now))
            {
                if (!await MustStayAsync(session, member, ct))
                {
                    await EndAsync(session, member, name, now, ct);
                    ended++;
                }
            }
            else if (member.IsDueToWarn(rules, now) && !await MustStayAsync(session, member, ct))
            {
                await session.ExecuteAsync($"update memberships set warned_at = {now} where team_id = app_team() and user_id = {member.UserId}", ct);
                var end = member.EndsAt(rules, now)!.Value;
                session.Record(TeamAccessList.Happened("member.access-ends", member.UserId, member.Username, ("ends", end.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture))), Nobody);
                mails.ToPerson(session, new UserId(member.UserId), AccessMails.Ends(name, end, settings.Origin));
                warned++;
            }
        }
        await session.CommitAsync(ct);
        return (warned, ended);
    }

    private async Task EndAsync(TeamSession session, MemberAccess member, string team, DateTimeOffset now, CancellationToken ct)
    {
        await session.ExecuteAsync(
            $"""
            with gone as (delete from memberships where team_id = app_team() and user_id = {member.UserId} returning *)
            insert into revoked_access (team_id, user_id, role, since, added_by, last_used_at, revoked_at)
            select team_id, user_id, role, since, added_by, {member.LastUsedAt}, {now} from gone
            """, ct);
        session.Record(
            TeamAccessList.Happened(
                "member.access-revoked", member.UserId, member.Username, ("role", member.Role), ("reason", "unused"),
                ("last_used", member.LastUsedAt?.ToUniversalTime().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture))),
            Nobody);
        mails.ToPerson(session, new UserId(member.UserId), AccessMails.Ended(team, settings.Origin));
    }

    private static async Task<bool> MustStayAsync(TeamSession session, MemberAccess member, CancellationToken ct) =>
        member.Role == Membership.Owner && (await session.SqlAsync<bool>(
            $"""
            select not exists (select from memberships where team_id = app_team() and role = 'owner' and user_id <> {member.UserId})
                   or (exists (select from saml_connections where team_id = app_team() and state <> 'draft') and app_break_glass_owners({member.UserId}) = 0) as "Value"
            """, ct)).Single();

    [LoggerMessage(EventId = 4201, Level = LogLevel.Information, Message = "Unused access: {Warned} members warned, the access of {Ended} ended.")]
    private static partial void LogDone(ILogger logger, int warned, int ended);

    [LoggerMessage(EventId = 4202, Level = LogLevel.Warning, Message = "Unused access of team {Team} was not looked at; the next round does it.")]
    private static partial void LogLater(ILogger logger, Exception error, TeamId team);
}
