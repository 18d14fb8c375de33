using System.Security.Claims;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Policy;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.Tokens;

/// <summary>A token as its person sees it. <c>Team</c>: the team's name; null for every team.</summary>
public sealed record ListedToken(
    string Reference, string Name, string Kind, string? Team, bool OneTeam, bool MayWrite, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt,
    DateTimeOffset? LastUsedAt, string? LastAddress);

/// <summary>
/// The tokens and app passwords of people, kept in the database and so revocable at once. A token whose person is in a team no longer opens nothing
/// there: the database asks for the membership itself, whoever the request was signed in by.
/// </summary>
public sealed class ApiTokens(Database database, TimeProvider clock)
{
    public const int LongestName = 100;

    /// <summary>How many one person may have.</summary>
    public const int Most = 100;

    /// <summary>How long a token may live: these numbers of days; an app password also without end.</summary>
    public static readonly IReadOnlyList<int> Lifetimes = [7, 30, 90, 365];

    private static readonly TimeSpan LastUsePrecision = TimeSpan.FromMinutes(1);

    /// <summary>Makes a token for <paramref name="origin"/>'s person and commits; answers its text, which nobody can read again.</summary>
    /// <param name="kind"><see cref="ApiToken.Bearer"/> or <see cref="ApiToken.AppPassword"/>.</param>
    /// <param name="name">1 to <see cref="LongestName"/> characters.</param>
    /// <param name="team">The reference of the one team that it opens; null for all.</param>
    /// <param name="mayWrite">Whether it may change anything.</param>
    /// <param name="days">One of <see cref="Lifetimes"/>; null, for an app password alone, means without end.</param>
    /// <param name="origin">The person, and where from.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    /// <param name="madeIn">The person's session: the token opens what that session opens, as the policies ask; null: nothing is known of it.</param>
    /// <exception cref="TokenRuleException">Something of this cannot be; the message is for people.</exception>
    public async Task<string> CreateAsync(
        string kind, string? name, string? team, bool mayWrite, int? days, Origin origin, CancellationToken cancellationToken, Guid? madeIn = null)
    {
        var person = origin.Actor ?? throw new ArgumentException("A token is made by a person.", nameof(origin));
        name = CheckedName(name);
        if (kind is not (ApiToken.Bearer or ApiToken.AppPassword))
        {
            throw new TokenRuleException("Choose what it is for: a token or an app password.");
        }
        if (days is { } number ? !Lifetimes.Contains(number) : kind == ApiToken.Bearer)
        {
            throw new TokenRuleException("Choose when it ends. Only an app password can be without end.");
        }
        await using var session = await database.ForUserAsync(person, cancellationToken);
        // One after the other, so that a person's many requests at once do not go past the limit together.
        await session.SqlAsync<Guid>($"""select id as "Value" from users where id = {person.Value} for update""", cancellationToken);
        var now = clock.GetUtcNow();
        var have = await session.SqlAsync<int>($"""select count(*)::int as "Value" from api_tokens where user_id = {person.Value}""", cancellationToken);
        if (have is [>= Most])
        {
            throw new TokenRuleException($"You have {Most} tokens and app passwords already. Revoke those that you do not use.");
        }
        var text = TokenText.New(kind);
        var made = madeIn is { } id ? await session.Query<Session>().AsNoTracking().SingleAsync(s => s.Id == id && s.UserId == person, cancellationToken) : null;
        var token = new ApiToken
        {
            Id = Guid.CreateVersion7(now),
            Reference = Reference.New(),
            TokenHash = TokenText.HashOf(text, kind)!,
            UserId = person,
            Kind = kind,
            Name = name,
            TeamId = await TeamAsync(session, team, cancellationToken),
            MayWrite = mayWrite,
            Factor = made?.Factor,
            KeyId = made?.KeyId,
            UserVerified = made?.UserVerified ?? false,
            CreatedAt = now,
            ExpiresAt = days is { } lives ? now.AddDays(lives) : null,
        };
        session.Add(token);
        session.RecordForAppliance(
            new LedgerEvent("token.created", token.Id.ToString("D"), new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["kind"] = kind,
                ["team"] = token.TeamId?.ToString(),
                ["may_write"] = mayWrite ? "yes" : "no",
                ["expires"] = token.ExpiresAt?.UtcDateTime.ToString("O"),
            }), origin);
        await session.CommitAsync(cancellationToken);
        return text;
    }

    /// <summary>The person's own, the newest first, those that have expired included.</summary>
    public async Task<IReadOnlyList<ListedToken>> ListAsync(UserId person, CancellationToken cancellationToken)
    {
        await using var session = await database.ForUserAsync(person, cancellationToken);
        return await session.SqlAsync<ListedToken>(
            $"""
            select a.reference as "Reference", a.name as "Name", a.kind as "Kind", t.name as "Team", a.team_id is not null as "OneTeam", a.may_write as "MayWrite",
                   a.created_at as "CreatedAt", a.expires_at as "ExpiresAt", a.last_used_at as "LastUsedAt", a.last_address as "LastAddress"
            from api_tokens a left join teams t on t.id = a.team_id where a.user_id = {person.Value} order by a.created_at desc, a.id desc
            """, cancellationToken);
    }

    /// <summary>Ends one of the person's own, and commits: the next request with it is refused. False: they have none of that reference.</summary>
    public async Task<bool> RevokeAsync(string? reference, Origin origin, CancellationToken cancellationToken)
    {
        var person = origin.Actor ?? throw new ArgumentException("A token is revoked by its person.", nameof(origin));
        if (!Reference.IsWellFormed(reference))
        {
            return false;
        }
        await using var session = await database.ForUserAsync(person, cancellationToken);
        var gone = await session.SqlAsync<Guid>(
            $"""delete from api_tokens where user_id = {person.Value} and reference = {reference} returning id as "Value" """, cancellationToken);
        if (gone is not [var id])
        {
            return false;
        }
        session.RecordForAppliance(new LedgerEvent("token.revoked", id.ToString("D")), origin);
        await session.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>
    /// Whose token this is and what it opens; null: nobody's, of another kind or another person, or it is over. One query; a write only where
    /// the last use is over a minute ago.
    /// </summary>
    /// <param name="hash">Of <see cref="TokenText"/>.</param>
    /// <param name="kind">How it was sent.</param>
    /// <param name="username">The username that came with it, in any case; null where none did.</param>
    /// <param name="address">Where it was used.</param>
    /// <param name="door">The public reference of the team whose address it is used at; empty: of none.</param>
    /// <param name="along">What is read in the same flight as the token's person: nothing for a token that is over, or for another team.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    internal async Task<ClaimsPrincipal?> LookUpAsync(
        byte[] hash, string kind, string? username, string? address, string door, AlongRead? along, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var found = await database.ReadWithAsync(
            $"""
            select id, user_id, username, username_key, team_id, may_write, created_at, expires_at, last_used_at, reference, name, person,
                   second_factor, device_bound, user_verification, team_second_factor, team_device_bound, team_user_verification,
                   factor, key_backup_eligible, user_verified
            from app_enter_with_token({hash}, {kind}, {now}, {now + Sessions.ClockTolerance}, {door})
            """,
            row =>
            {
                along?.ReadAs(row.Text(11));
                return new Found(
                    row.Id(0), row.Id(1), row.Text(2), row.Text(3), row.IdOrNull(4), row.Bool(5), row.Time(6), row.TimeOrNull(7), row.TimeOrNull(8), row.Text(9), row.Text(10),
                    PolicyQueries.Factors(row.Text(12), row.Bool(13), row.Bool(14), null, null),
                    row.IsNull(15) ? null : PolicyQueries.Factors(row.Text(15), row.Bool(16), row.Bool(17), null, null),
                    new GivenFactor(row.TextOrNull(18), row.IsNull(19) ? null : new KeyFacts(row.Bool(19), row.Bool(20))));
            }, along, cancellationToken);
        now = clock.GetUtcNow();
        if (found is not [var row] || !IsAlive(row, now) || (username is not null && NameKey.Of(username) != row.UsernameKey))
        {
            return null;
        }
        if (row.LastUsedAt is not { } last || (now - last).Duration() >= LastUsePrecision)
        {
            await using var session = await database.ForApplianceAsync(cancellationToken);
            await session.ExecuteAsync($"update api_tokens set last_used_at = {now}, last_address = {address} where id = {row.Id}", cancellationToken);
            await session.CommitAsync(cancellationToken);
        }
        var principal = Principal(row, kind);
        TeamDoor.TellToken(principal, door, row.TeamPolicy, row.Policy, row.Given);
        return principal;
    }

    /// <summary>Whether the token has neither been revoked nor expired, for requests that run for long.</summary>
    internal async Task<bool> IsAliveAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        return await session.SqlAsync<int>(
            $"""select 1 as "Value" from api_tokens where id = {id} and (expires_at is null or expires_at > {clock.GetUtcNow()})""", cancellationToken) is [_];
    }

    /// <summary>A clock that was set back would lengthen a token's life: what was made in the future is over.</summary>
    private static bool IsAlive(Found row, DateTimeOffset now) =>
        (row.ExpiresAt is null || now < row.ExpiresAt) && row.CreatedAt <= now + Sessions.ClockTolerance;

    private static ClaimsPrincipal Principal(Found row, string kind)
    {
        var identity = new ClaimsIdentity(TokenAuthenticationHandler.Scheme);
        identity.AddClaim(new Claim(ClaimTypes.NameIdentifier, row.UserId.ToString("D")));
        identity.AddClaim(new Claim(ClaimTypes.Name, row.Username));
        identity.AddClaim(new Claim(TokenPerson.TokenClaim, row.Id.ToString("D")));
        identity.AddClaim(new Claim(TokenPerson.KindClaim, kind));
        identity.AddClaim(new Claim(TokenPerson.ReferenceClaim, row.Reference));
        identity.AddClaim(new Claim(TokenPerson.NameClaim, row.Name));
        if (row.TeamId is { } team)
        {
            identity.AddClaim(new Claim(TokenPerson.TeamClaim, team.ToString("D")));
        }
        if (row.MayWrite)
        {
            identity.AddClaim(new Claim(TokenPerson.MayWriteClaim, "true"));
        }
        return new ClaimsPrincipal(identity);
    }

    /// <summary>Only a team that the person is in: of the others the database shows none.</summary>
    private static async Task<TeamId?> TeamAsync(TeamSession session, string? reference, CancellationToken cancellationToken)
    {
        if (string.IsNullOrEmpty(reference))
        {
            return null;
        }
        var team = await session.SqlAsync<Guid>(
            $"""
            select t.id as "Value" from teams t join memberships m on m.team_id = t.id where t.reference = {reference} and m.user_id = app_user()
            """, cancellationToken);
        return team is [var id] ? new TeamId(id) : throw new TokenRuleException("You are not in this team any more. Choose another one.");
    }

    private static string CheckedName(string? name)
    {
        name = name?.Trim() ?? "";
        return name.Length is > 0 and <= LongestName && !name.Any(c => char.IsControl(c) || c == '\uFFFD')
            ? name
            : throw new TokenRuleException($"Give it a name of 1 to {LongestName} characters, such as the program that will use it.");
    }

    private sealed record Found(
        Guid Id, Guid UserId, string Username, string UsernameKey, Guid? TeamId, bool MayWrite, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? LastUsedAt, string Reference,
        string Name, FactorPolicy Policy, FactorPolicy? TeamPolicy, GivenFactor Given);
}

/// <summary>A rule about tokens stands in the way. The message says which and what to do, for people.</summary>
public sealed class TokenRuleException(string message) : Exception(message);
