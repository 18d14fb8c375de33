using System.Security.Claims;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Alerts;
using Appliance.SignIn.Tokens;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn;

/// <summary>
/// The sessions of people, kept in the database and so revocable at once. Methods that take a <see cref="TeamSession"/> work in
/// the caller's transaction, with their ledger entry; the caller commits.
/// </summary>
public sealed class Sessions(Database database, AccountAlerts alerts, TimeProvider clock, SignInSettings settings)
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
        StartAsync(session, user, http, null, steppedUp: true, cancellationToken);

    /// <summary>As the other one, limited to a team; not stepped up where no second factor was given here.</summary>
    internal async Task StartAsync(
        TeamSession session, User user, HttpContext http, SessionLimit? limit, bool steppedUp, CancellationToken cancellationToken)
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
            OnlyTeam = limit?.Team,
            OnlyTeamReference = limit?.Reference,
            Address = http.Address(),
            Agent = http.Agent(),
        };
        session.Add(row);
        await session.SaveAsync(cancellationToken);
        await alerts.SignedInAsync(session, user.Id, http, cancellationToken);
        SessionCookie.Write(http, token);
        // What this response shows from here on is shown to the person who has just signed in.
        http.User = Principal(row.Id, user.Id, user.Username, user.Owner, locked: false, renew: false, steppedUp, limit);
    }

    /// <summary>The second factor was given again: step-up holds from now, under a new identifier.</summary>
    public Task StepUpAsync(TeamSession session, HttpContext http, CancellationToken cancellationToken) =>
        RenewAsync(session, http, row => row.SteppedUpAt = clock.GetUtcNow(), cancellationToken);

    /// <summary>
    /// Opens a locked session, under a new identifier. A touched key steps up as well; a password alone opens the lock and no more.
    /// </summary>
    public async Task UnlockAsync(TeamSession session, HttpContext http, bool steppedUp, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        await RenewAsync(
            session,
            http,
            row =>
            {
                (row.LockedAt, row.LastSeenAt) = (null, now);
                row.SteppedUpAt = steppedUp ? now : row.SteppedUpAt;
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
        return await session.Query<Session>().AsNoTracking()
            .Where(s => s.UserId == user && s.ExpiresAt > now)
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
        await session.ExecuteAsync($"delete from known_origins where last_at <= {now - KnownOrigins.Kept}", cancellationToken);
        await session.ExecuteAsync($"delete from sign_in_delays where last_at <= {now.AddDays(-1)} and blocked_until <= {now}", cancellationToken);
        await session.ExecuteAsync($"delete from sign_in_places where last_at <= {now.AddDays(-90)}", cancellationToken);
        await session.CommitAsync(cancellationToken);
    }

    /// <summary>
    /// Whose token this is and what it opens just now; null: nobody's, or the session is over. One query; a write only where the
    /// last use is over a minute ago or the session has just been idle for too long.
    /// </summary>
    internal async Task<ClaimsPrincipal?> LookUpAsync(byte[] tokenHash, HttpContext http, CancellationToken cancellationToken)
    {
        var (along, now) = (AlongRead.For(http), clock.GetUtcNow());
        var found = await database.ReadWithAsync(
            $"""
            select s.id, s.user_id, s.created_at, s.last_seen_at, s.expires_at, s.locked_at, s.stepped_up_at, u.username, u.owner, u.password_changed_at,
                   s.only_team, s.only_team_reference,
                   set_config('app.person', case when s.locked_at is null and s.expires_at > {now} and s.created_at <= {now + ClockTolerance}
                       and s.last_seen_at <= {now + ClockTolerance} and s.last_seen_at > {now - settings.IdleLock} then s.user_id::text else '' end, true)
            from sessions s join users u on u.id = s.user_id where s.token_hash = {tokenHash}
            """,
            r =>
            {
                along?.ReadAs(r.Text(12));
                return new Found(r.Id(0), new UserId(r.Id(1)), r.Time(2), r.Time(3), r.Time(4), r.TimeOrNull(5), r.TimeOrNull(6), r.Text(7), r.Bool(8), r.TimeOrNull(9),
                    r.IdOrNull(10) is { } only ? new SessionLimit(new TeamId(only), r.Text(11), null) : null);
            }, along, cancellationToken);
        now = clock.GetUtcNow();
        if (found is not [var row] || !IsAlive(row, now))
        {
            return null;
        }
        var locked = row.LockedAt is not null;
        if (!locked && now - row.LastSeenAt >= settings.IdleLock)
        {
            await using var session = await database.ForApplianceAsync(cancellationToken);
            await LockAsync(session, row.Id, new Origin(row.UserId, http.Address()), cancellationToken);
            await session.CommitAsync(cancellationToken);
            locked = true;
        }
        else if (!locked && now - row.LastSeenAt >= LastSeenPrecision && !http.Request.Headers.ContainsKey(BackgroundHeader))
        {
            await using var session = await database.ForApplianceAsync(cancellationToken);
            await session.ExecuteAsync($"update sessions set last_seen_at = {now} where id = {row.Id} and last_seen_at < {now} and locked_at is null", cancellationToken);
            await session.CommitAsync(cancellationToken);
        }
        var renew = row.Limit is null && settings.PasswordAge is { } age && row.PasswordChangedAt is { } changed && (now - changed).Duration() >= age;
        return Principal(row.Id, row.UserId, row.Username, row.Owner, locked, renew, !locked && IsSteppedUp(row, now), row.Limit);
    }

    /// <summary>
    /// Whether the session has neither been ended nor run out, for requests that run for long. A locked one is alive: walking away from the desk must
    /// not break a download. A new identifier keeps the row, so it changes nothing here.
    /// </summary>
    internal async Task<bool> IsAliveAsync(Guid id, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        return await database.ReadAsync($"select 1 from sessions where id = {id} and expires_at > {now}", _ => true, cancellationToken) is [_];
    }

    /// <summary>
    /// A clock that was set back would lengthen every session's life: what was made or used in the future is over.
    /// </summary>
    private static bool IsAlive(Found row, DateTimeOffset now) =>
        now < row.ExpiresAt && row.CreatedAt <= now + ClockTolerance && row.LastSeenAt <= now + ClockTolerance;

    private bool IsSteppedUp(Found row, DateTimeOffset now) =>
        row.SteppedUpAt is { } at && at <= now + ClockTolerance && now - at < settings.StepUp;

    private static ClaimsPrincipal Principal(Guid session, UserId person, string username, bool owner, bool locked, bool renew, bool steppedUp, SessionLimit? limit)
    {
        var identity = new ClaimsIdentity(SessionAuthenticationHandler.Scheme);
        identity.AddClaim(new Claim(ClaimTypes.NameIdentifier, person.ToString()));
        identity.AddClaim(new Claim(ClaimTypes.Name, username));
        identity.AddClaim(new Claim(SignedInPerson.SessionClaim, session.ToString("D")));
        identity.AddClaim(new Claim(SignedInPerson.StateClaim, locked ? SignedInPerson.Locked : renew ? SignedInPerson.PasswordDue : SignedInPerson.Open));
        if (steppedUp)
        {
            identity.AddClaim(new Claim(SignedInPerson.SteppedUpClaim, "true"));
        }
        if (limit is not null)
        {
            identity.AddClaim(new Claim(TokenPerson.TeamClaim, limit.Team.ToString()));
            identity.AddClaim(new Claim(SignedInPerson.OnlyTeamReferenceClaim, limit.Reference));
        }
        else if (owner)
        {
            identity.AddClaim(new Claim(SignedInPerson.OwnerClaim, "true"));
        }
        return new ClaimsPrincipal(identity);
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

    private sealed record Found(
        Guid Id, UserId UserId, DateTimeOffset CreatedAt, DateTimeOffset LastSeenAt, DateTimeOffset ExpiresAt, DateTimeOffset? LockedAt, DateTimeOffset? SteppedUpAt,
        string Username, bool Owner, DateTimeOffset? PasswordChangedAt, SessionLimit? Limit);
}

/// <summary>The one team that a session opens, because that team's identity provider vouched for the person.</summary>
/// <param name="Team">The team.</param>
/// <param name="Reference">Its public reference.</param>
/// <param name="EndsAt">When the identity provider wants the session to end; null: it does not say.</param>
internal sealed record SessionLimit(TeamId Team, string Reference, DateTimeOffset? EndsAt);
