using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Appliance.Data;

namespace Appliance.SignIn.SecurityKeys;

internal enum CeremonyPurpose
{
    Registration,
    Assertion,

    /// <summary>Any passkey may answer; nobody is known yet.</summary>
    Passkey,
}

/// <summary>
/// Ceremonies that wait for their answer. Each belongs to one person, one purpose, one browser and the session or sign-in in it, lives for
/// five minutes, and is taken out before its answer is looked at, in a transaction of its own: a challenge works once, even where
/// what follows fails (WebAuthn §13.4.3).
/// </summary>
internal sealed class Ceremonies(Database database, TimeProvider clock)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    /// <summary>How many a person can have waiting; the oldest go first.</summary>
    private const int MaxWaiting = 16;

    /// <summary>How many passkeys' questions wait for whoever it will be. Rates are limited for each address besides.</summary>
    private const int MaxWaitingForAnybody = 10_000;

    /// <summary>The advisory lock's number: any, but no other's.</summary>
    private const long SweepLock = 0x5EC_CE12E;

    private const string CookieName = "__Host-key-ceremony";
    private const int SecretBytes = 32;

    /// <summary>Keeps the state; answers the reference under which <see cref="TakeAsync"/> finds it.</summary>
    /// <param name="user">Whose; <see cref="UserId.Appliance"/> where any passkey may answer.</param>
    /// <param name="purpose">What for.</param>
    /// <param name="state">To be kept.</param>
    /// <param name="http">The browser.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public async Task<string> KeepAsync(UserId user, CeremonyPurpose purpose, string state, HttpContext http, CancellationToken cancellationToken)
    {
        var reference = Reference.New();
        var most = purpose == CeremonyPurpose.Passkey ? MaxWaitingForAnybody : MaxWaiting;
        var (hash, binding, now) = (Hash(reference), Binding(http, Secret(http) ?? NewSecret(http)), clock.GetUtcNow());
        await using var session = await database.ForApplianceAsync(cancellationToken);
        // One sweeps at a time, the others go on without: two that delete the same rows in another order would deadlock.
        await session.ExecuteAsync(
            $"""
            delete from security_key_ceremonies where (select pg_try_advisory_xact_lock({SweepLock})) and (expires_at <= {now} or reference_hash in
                (select reference_hash from security_key_ceremonies where user_id = {user.Value} order by expires_at desc offset {most - 1}))
            """,
            cancellationToken);
        await session.ExecuteAsync(
            $"""
            insert into security_key_ceremonies (reference_hash, binding, user_id, purpose, state, expires_at)
            values ({hash}, {binding}, {user.Value}, {Text(purpose)}, {state}, {now + Lifetime})
            """,
            cancellationToken);
        await session.CommitAsync(cancellationToken);
        return reference;
    }

    /// <summary>
    /// Takes the state out. Null: unknown, taken before, expired, or begun by another person, for another purpose, in another
    /// browser or session; it is gone then too, so that nobody guesses twice.
    /// </summary>
    public async Task<string?> TakeAsync(UserId user, CeremonyPurpose purpose, string reference, HttpContext http, CancellationToken cancellationToken)
    {
        if (!Reference.IsWellFormed(reference) || Secret(http) is not { } secret)
        {
            return null;
        }
        await using var session = await database.ForApplianceAsync(cancellationToken);
        var taken = await session.SqlAsync<Waiting>(
            $"""delete from security_key_ceremonies where reference_hash = {Hash(reference)} returning binding as "Binding", user_id as "UserId", purpose as "Purpose", state as "State", expires_at as "ExpiresAt" """,
            cancellationToken);
        await session.CommitAsync(cancellationToken);
        var now = clock.GetUtcNow();
        return taken is [var waiting]
            && waiting.ExpiresAt > now && waiting.ExpiresAt <= now + Lifetime + Lifetime // a clock that was set back lengthens nothing
            && waiting.UserId == user.Value
            && waiting.Purpose == Text(purpose)
            && CryptographicOperations.FixedTimeEquals(waiting.Binding, Binding(http, secret))
                ? waiting.State
                : null;
    }

    // What the browser holds, and what it is in the middle of: a session (whose id stays when its token is renewed), a sign-in, a set-up.
    private static byte[] Binding(HttpContext http, string secret) =>
        Hash(string.Join(' ', secret, Claim(http, SignedInPerson.SessionClaim), Claim(http, HalfSignedInHandler.SignInClaim), Claim(http, SetUpHandler.LinkClaim)));

    private static string? Claim(HttpContext http, string type) => http.User.FindFirstValue(type);

    private static string? Secret(HttpContext http) =>
        http.Request.Cookies[CookieName] is { Length: 2 * SecretBytes } secret && secret.All(char.IsAsciiHexDigitLower) ? secret : null;

    private static string NewSecret(HttpContext http)
    {
        var secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(SecretBytes));
        http.Response.Cookies.Append(CookieName, secret, new CookieOptions
        {
            HttpOnly = true,
            Secure = true,
            SameSite = SameSiteMode.Strict,
            Path = "/",
            IsEssential = true,
        });
        return secret;
    }

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    private static string Text(CeremonyPurpose purpose) => purpose switch
    {
        CeremonyPurpose.Registration => "registration",
        CeremonyPurpose.Assertion => "assertion",
        _ => "passkey",
    };

    private sealed record Waiting(byte[] Binding, Guid UserId, string Purpose, string State, DateTimeOffset ExpiresAt);
}
