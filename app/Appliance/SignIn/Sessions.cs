using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Alerts;
using Appliance.SignIn.LostKey;
using Appliance.SignIn.Policy;
using Appliance.SignIn.Tokens;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn;

/// <summary>
/// The sessions of people, kept in the database and so revocable at once. Methods that take a <see cref="TeamSession"/> work in
/// the caller's transaction, with their ledger entry; the caller commits.
/// </summary>
public sealed partial class Sessions(Database database, AccountAlerts alerts, TimeProvider clock, SignInSettings settings)
{
    /// <summary>
    /// Said by a page's script where nobody asked: the request is no sign that the person is there, and the session locks as if it had not come. It takes
    /// nothing away from anybody's protection, so it need not be believed.
    /// </summary>
    internal const string BackgroundHeader = "Appliance-Background";

    /// <summary>How far two replicas' clocks may be apart.</summary>
    internal static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan LastSeenPrecision = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Signs the person in, in this browser: a new token, whatever cookie the browser came with (no fixation). A session that the
    /// cookie named before is over; sessions in other browsers go on. The second factor was just given, so step-up holds.
    /// </summary>
    public Task StartAsync(TeamSession session, User user, HttpContext http, CancellationToken cancellationToken) =>
        StartAsync(session, user, http, null, steppedUp: true, new SessionFactor(null), cancellationToken);

    /// <summary>As the other one, limited to a team; not stepped up where no second factor was given here.</summary>
    internal async Task StartAsync(
        TeamSession session, User user, HttpContext http, SessionLimit? limit, bool steppedUp, SessionFactor factor, CancellationToken cancellationToken)
    {
        if (SessionCookie.Read(http) is { } old)
        {
            await EndAsync(session, session.Query<Session>().Where(s => s.TokenHash == old), http, cancellationToken);
        }
        var now = clock.GetUtcNow();
        var token = Token.New();
        var row = new Session
        {
            Id = Guid.CreateVersion7(now),
            Reference = Reference.New(),
            TokenHash = Token.Hash(token),
            UserId = user.Id,
            CreatedAt = now,
            LastSeenAt = now,
            ExpiresAt = limit?.EndsAt is { } end && end < now + settings.Lifetime ? end : now + settings.Lifetime,
            SteppedUpAt = steppedUp ? now : null,
            KeyGivenAt = factor.Proof is null ? null : now,
            OnlyTeam = limit?.Team,
            OnlyTeamReference = limit?.Reference,
            Factor = factor.Name,
            KeyId = factor.Proof?.CredentialId,
            UserVerified = factor.Proof?.UserVerified ?? false,
            Address = http.Address(),
            Agent = http.Agent(),
        };
        session.Add(row);
        await session.SaveAsync(cancellationToken);
        if (limit is null)
        {
            await session.ExecuteAsync($"update users set last_sign_in_at = {now} where id = {user.Id.Value}", cancellationToken);
        }
        SessionCookie.Write(http, token);
        await alerts.SignedInAsync(session, user.Id, http, cancellationToken);
        // What this response shows from here on is shown to the person who has just signed in.
        http.User = Principal(row.Id, user.Id, user.Username, user.Owner, SignedInPerson.Open, steppedUp, limit);
    }

    /// <summary>The second factor was given again: step-up holds from now, under a new identifier.</summary>
    internal Task StepUpAsync(TeamSession session, HttpContext http, SessionFactor factor, CancellationToken cancellationToken) => RenewAsync(
        session,
        http,
        row =>
        {
            var now = clock.GetUtcNow();
            (row.SteppedUpAt, row.LongestIdleSeconds) = (now, 0);
            Given(row, factor, now);
        },
        cancellationToken);

    /// <summary>A factor was added, and by that given: the session counts as opened with it, under a new identifier.</summary>
    internal static Task AddedAsync(TeamSession session, HttpContext http, SessionFactor factor, CancellationToken cancellationToken) =>
        RenewAsync(session, http, row => Given(row, factor), cancellationToken);

    /// <summary>
    /// Opens a locked session, under a new identifier. A touched key steps up as well; a password alone opens the lock and no more.
    /// </summary>
    internal async Task UnlockAsync(TeamSession session, HttpContext http, SessionFactor factor, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        await RenewAsync(
            session,
            http,
            row =>
            {
                (row.LockedAt, row.LastSeenAt, row.LongestIdleSeconds) = (null, now, 0);
                row.SteppedUpAt = factor.Name == SessionFactor.Password ? row.SteppedUpAt : now;
                Given(row, factor, now);
            },
            cancellationToken);
        session.RecordForAppliance(new LedgerEvent("session.unlocked", http.User.SessionId().ToString("D")), http.Origin());
    }

    /// <summary>A new identifier for the same session; the old one is worth nothing from the commit on (OWASP ASVS 3.2.1).</summary>
    public Task RenewIdentifierAsync(TeamSession session, HttpContext http, CancellationToken cancellationToken) =>
        RenewAsync(session, http, _ => { }, cancellationToken);

    /// <summary>Locks the request's own session.</summary>
    public async Task LockAsync(HttpContext http, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        await LockAsync(session, http.User.SessionId(), http.Origin(), cancellationToken);
        await session.CommitAsync(cancellationToken);
    }

    /// <summary>The person's sessions that are not over, the last used one first.</summary>
    public async Task<IReadOnlyList<Session>> ListAsync(UserId user, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var begun = now - ((await session.AppliancePolicyAsync(cancellationToken)).Factors.Lifetime ?? settings.Lifetime);
        return await session.Query<Session>().AsNoTracking()
            .Where(s => s.UserId == user && s.ExpiresAt > now && s.CreatedAt > begun)
            .OrderByDescending(s => s.LastSeenAt).ThenBy(s => s.Id)
            .ToListAsync(cancellationToken);
    }

    /// <summary>Ends one of the person's own sessions. False: they have none of that reference.</summary>
    public async Task<bool> EndAsync(TeamSession session, UserId user, string reference, HttpContext http, CancellationToken cancellationToken) =>
        await EndAsync(session, session.Query<Session>().Where(s => s.UserId == user && s.Reference == reference), http, cancellationToken) > 0;

    /// <summary>Signs out: ends the request's own session and takes its cookie back.</summary>
    public async Task EndThisAsync(TeamSession session, HttpContext http, CancellationToken cancellationToken)
    {
        var id = http.User.SessionId();
        await EndAsync(session, session.Query<Session>().Where(s => s.Id == id), http, cancellationToken);
        SessionCookie.Delete(http);
    }

    /// <summary>Ends every session of the person but the request's own.</summary>
    public Task<int> EndOthersAsync(TeamSession session, UserId user, HttpContext http, CancellationToken cancellationToken)
    {
        var id = http.User.SessionId();
        return EndAsync(session, session.Query<Session>().Where(s => s.UserId == user && s.Id != id), http, cancellationToken);
    }

    public Task<int> EndAllAsync(TeamSession session, UserId user, HttpContext http, CancellationToken cancellationToken) =>
        EndAsync(session, session.Query<Session>().Where(s => s.UserId == user), http, cancellationToken);

    /// <summary>Removes what nobody can use any more. For a job.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        var now = clock.GetUtcNow();
        await session.ExecuteAsync($"delete from sessions where expires_at <= {now}", cancellationToken);
        await session.ExecuteAsync($"delete from sign_ins where expires_at <= {now}", cancellationToken);
        await session.ExecuteAsync($"delete from remembered_devices where expires_at <= {now}", cancellationToken);
        await session.ExecuteAsync($"delete from sms_codes where sent_at <= {now.AddHours(-1)}", cancellationToken);
        await session.ExecuteAsync($"delete from set_up_links where expires_at <= {now}", cancellationToken);
        await session.ExecuteAsync($"delete from mail_links where expires_at <= {now}", cancellationToken);
        await LostKeys.SweepAsync(session, now, cancellationToken);
        await session.ExecuteAsync($"delete from known_origins where last_at <= {now - KnownOrigins.Kept}", cancellationToken);
        await session.ExecuteAsync($"delete from sign_in_delays where last_at <= {now.AddDays(-1)} and blocked_until <= {now}", cancellationToken);
        await session.ExecuteAsync($"delete from sign_in_places where last_at <= {now.AddDays(-90)}", cancellationToken);
        await session.CommitAsync(cancellationToken);
    }

    /// <summary>A key that was touched counts, whatever was given before; anything else only where there was less.</summary>
    private static void Given(Session row, SessionFactor factor, DateTimeOffset? now = null)
    {
        if (factor.Proof is { } proof)
        {
            (row.Factor, row.KeyId, row.UserVerified, row.KeyGivenAt) = (SessionFactor.Key, proof.CredentialId, proof.UserVerified, now ?? row.KeyGivenAt);
        }
        else if (factor.Name != SessionFactor.Password && row.Factor != SessionFactor.Key)
        {
            row.Factor = factor.Name;
        }
    }

    private async Task LockAsync(TeamSession session, Guid id, Origin origin, CancellationToken cancellationToken)
    {
        // Of many requests that find the session idle, one locks it and tells the ledger.
        var now = clock.GetUtcNow();
        if (await session.ExecuteAsync($"update sessions set locked_at = {now} where id = {id} and locked_at is null", cancellationToken) > 0)
        {
            session.RecordForAppliance(new LedgerEvent("session.locked", id.ToString("D")), origin);
        }
    }

    private static async Task RenewAsync(TeamSession session, HttpContext http, Action<Session> change, CancellationToken cancellationToken)
    {
        var id = http.User.SessionId();
        var row = await session.Query<Session>().SingleOrDefaultAsync(s => s.Id == id, cancellationToken)
            ?? throw new ConcurrentChangeException(new InvalidOperationException("The session ended meanwhile."));
        var token = Token.New();
        row.TokenHash = Token.Hash(token);
        change(row);
        await session.SaveAsync(cancellationToken);
        SessionCookie.Write(http, token);
    }

    private static async Task<int> EndAsync(TeamSession session, IQueryable<Session> which, HttpContext http, CancellationToken cancellationToken)
    {
        var rows = await which.ToListAsync(cancellationToken);
        foreach (var row in rows)
        {
            session.Remove(row);
            session.RecordForAppliance(
                new LedgerEvent("session.ended", row.Id.ToString("D"), new Dictionary<string, string?>(StringComparer.Ordinal) { ["user"] = row.UserId.ToString() }),
                http.Origin());
        }
        await session.SaveAsync(cancellationToken);
        return rows.Count;
    }
}

/// <summary>The one team that a session opens, because that team's identity provider vouched for the person.</summary>
/// <param name="Team">The team.</param>
/// <param name="Reference">Its public reference.</param>
/// <param name="EndsAt">When the identity provider wants the session to end; null: it does not say.</param>
internal sealed record SessionLimit(TeamId Team, string Reference, DateTimeOffset? EndsAt);
