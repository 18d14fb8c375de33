using System.Security.Claims;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Policy;
using Appliance.SignIn.Tokens;
using Appliance.Vault;

namespace Appliance.SignIn;

public sealed partial class Sessions
{
    /// <summary>
    /// Whose token this is and what it opens just now; null: nobody's, or the session is over. What the policies of the appliance and of the address's team
    /// ask is read with it, so that a change holds from the next request. One query; a write only where the last use is over a minute ago or the session
    /// has just been idle for too long.
    /// </summary>
    internal async Task<ClaimsPrincipal?> LookUpAsync(byte[] tokenHash, HttpContext http, CancellationToken cancellationToken)
    {
        var (along, now, team) = (AlongRead.For(http), clock.GetUtcNow(), TeamDoor.TeamOf(http) ?? "");
        var found = await database.ReadWithAsync(
            $"""
            select s.id, s.user_id, s.created_at, s.last_seen_at, s.expires_at, s.locked_at, s.stepped_up_at, u.username, u.owner, u.password_changed_at,
                   s.only_team, s.only_team_reference,
                   set_config('app.person', case when s.locked_at is null and s.expires_at > {now} and s.created_at <= {now + ClockTolerance}
                       and s.last_seen_at <= {now + ClockTolerance} and s.last_seen_at > {now - settings.IdleLock} then s.user_id::text else '' end, true),
                   s.factor, s.user_verified, s.longest_idle_seconds, k.is_backup_eligible, p.password_days,
                   p.second_factor, p.device_bound, p.user_verification, p.idle_lock_minutes, p.session_hours,
                   t.second_factor, t.device_bound, t.user_verification, t.idle_lock_minutes, t.session_hours, u.password_hash is null
            from sessions s join users u on u.id = s.user_id cross join appliance_policy p
                 left join security_keys k on k.credential_id = s.key_id and k.user_id = s.user_id
                 left join lateral app_team_policy(coalesce(s.only_team_reference, {team}), s.user_id) t on true
            where s.token_hash = {tokenHash}
            """,
            r =>
            {
                along?.ReadAs(r.Text(12));
                return new Found(r.Id(0), new UserId(r.Id(1)), r.Time(2), r.Time(3), r.Time(4), r.TimeOrNull(5), r.TimeOrNull(6), r.Text(7), r.Bool(8), r.TimeOrNull(9),
                    r.IdOrNull(10) is { } only ? new SessionLimit(new TeamId(only), r.Text(11), null) : null,
                    new GivenFactor(r.TextOrNull(13), r.IsNull(16) ? null : new KeyFacts(r.Bool(16), r.Bool(14))), TimeSpan.FromSeconds(r.Int(15)), r.IntOrNull(17),
                    PolicyQueries.Factors(r.Text(18), r.Bool(19), r.Bool(20), r.IntOrNull(21), r.IntOrNull(22)),
                    r.IsNull(23) ? null : PolicyQueries.Factors(r.Text(23), r.Bool(24), r.Bool(25), r.IntOrNull(26), r.IntOrNull(27)), r.Bool(28));
            }, along, cancellationToken);
        now = clock.GetUtcNow();
        if (found is not [var row] || !IsAlive(row, now))
        {
            return null;
        }
        var (locked, idle) = (row.LockedAt is not null, now - row.LastSeenAt);
        if (!locked && IsIdle(row, idle))
        {
            await using var session = await database.ForApplianceAsync(cancellationToken);
            await LockAsync(session, row.Id, new Origin(row.UserId, http.Address()), cancellationToken);
            await session.CommitAsync(cancellationToken);
            locked = true;
        }
        else if (!locked && idle >= LastSeenPrecision && !http.Request.Headers.ContainsKey(BackgroundHeader))
        {
            await using var session = await database.ForApplianceAsync(cancellationToken);
            await session.ExecuteAsync(
                $"""
                update sessions set last_seen_at = {now}, longest_idle_seconds = greatest(longest_idle_seconds, {(int)idle.TotalSeconds})
                where id = {row.Id} and last_seen_at < {now} and locked_at is null
                """, cancellationToken);
            await session.CommitAsync(cancellationToken);
        }
        // A session that opens one team is nothing without it, so that team's policy is asked of it everywhere.
        var asked = row.Limit is null ? row.Policy : row.Policy.And(row.TeamPolicy);
        var state = locked ? SignedInPerson.Locked
            : !asked.IsMetBy(row.Given) ? SignedInPerson.MustEnrol
            : IsPasswordDue(row, now) ? SignedInPerson.PasswordDue
            : SignedInPerson.Open;
        var person = Principal(row.Id, row.UserId, row.Username, row.Owner, state, !locked && IsSteppedUp(row, now), row.Limit);
        if (row.NoPassword)
        {
            ((ClaimsIdentity)person.Identity!).AddClaim(new Claim(SignedInPerson.NoPasswordClaim, "true"));
        }
        TeamDoor.Tell(person, row.Limit?.Reference ?? team, row.TeamPolicy, row.Policy, row.Given, now - row.CreatedAt);
        return person;
    }

    /// <summary>
    /// Whether the session has neither been ended nor run out, for requests that run for long. A locked one is alive: walking away from the desk must
    /// not break a download. A new identifier keeps the row, so it changes nothing here.
    /// </summary>
    internal async Task<bool> IsAliveAsync(Guid id, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        return await database.ReadAsync(
            $"""
            select 1 from sessions s cross join appliance_policy p
            where s.id = {id} and s.expires_at > {now} and (p.session_hours is null or s.created_at + make_interval(hours => p.session_hours) > {now})
            """, _ => true, cancellationToken) is [_];
    }

    /// <summary>
    /// For the appliance or, where the request is for a team, for that team: idle just now, or at any time since the person last proved who they are. Having
    /// been elsewhere in between proves nothing.
    /// </summary>
    private bool IsIdle(Found row, TimeSpan idle) =>
        idle >= settings.IdleLock || idle >= row.Policy.IdleLock || idle >= row.TeamPolicy?.IdleLock || row.LongestIdle >= row.TeamPolicy?.IdleLock;

    private bool IsPasswordDue(Found row, DateTimeOffset now)
    {
        TimeSpan? asked = row.PasswordDays is { } days ? TimeSpan.FromDays(days) : null;
        var age = settings.PasswordAge is { } own && !(asked < own) ? own : asked;
        return row.Limit is null && row.PasswordChangedAt is { } changed && (now - changed).Duration() >= age;
    }

    /// <summary>
    /// A clock that was set back would lengthen every session's life: what was made or used in the future is over.
    /// </summary>
    private static bool IsAlive(Found row, DateTimeOffset now) =>
        now < row.ExpiresAt && !(now - row.CreatedAt >= row.Policy.Lifetime) && row.CreatedAt <= now + ClockTolerance && row.LastSeenAt <= now + ClockTolerance;

    private bool IsSteppedUp(Found row, DateTimeOffset now) =>
        row.SteppedUpAt is { } at && at <= now + ClockTolerance && now - at < settings.StepUp;

    private static ClaimsPrincipal Principal(
        Guid session, UserId person, string username, bool owner, string state, bool steppedUp, SessionLimit? limit)
    {
        var identity = new ClaimsIdentity(SessionAuthenticationHandler.Scheme);
        identity.AddClaim(new Claim(ClaimTypes.NameIdentifier, person.ToString()));
        identity.AddClaim(new Claim(ClaimTypes.Name, username));
        identity.AddClaim(new Claim(SignedInPerson.SessionClaim, session.ToString("D")));
        identity.AddClaim(new Claim(SignedInPerson.StateClaim, state));
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

    private sealed record Found(
        Guid Id, UserId UserId, DateTimeOffset CreatedAt, DateTimeOffset LastSeenAt, DateTimeOffset ExpiresAt, DateTimeOffset? LockedAt, DateTimeOffset? SteppedUpAt,
        string Username, bool Owner, DateTimeOffset? PasswordChangedAt, SessionLimit? Limit, GivenFactor Given, TimeSpan LongestIdle, int? PasswordDays,
        FactorPolicy Policy, FactorPolicy? TeamPolicy, bool NoPassword);
}
