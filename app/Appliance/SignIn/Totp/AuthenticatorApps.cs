using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Policy;
using Appliance.SignIn.RememberedDevices;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.Sms;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.Totp;

/// <summary>Authenticator apps as the second factor: one for each person, beside or instead of security keys.</summary>
public sealed class AuthenticatorApps(Database database, BlobProtector protector, AppOffers offers, TimeProvider clock)
{
    internal const string Wrong = "This code did not work. Each works once: wait for the next one, and see that your phone’s clock is right.";
    private const string Stale = "That took too long. Remove the entry from your app and scan the new code.";

    /// <summary>The person's app; null: they have none.</summary>
    public async Task<AuthenticatorApp?> FindAsync(UserId user, CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        return await FindAsync(session, user, ct);
    }

    /// <summary>
    /// Whether this is a code of the person's app. It is used up in a transaction of its own: a code works once (RFC 6238 §5.2), however what follows
    /// ends.
    /// </summary>
    public async Task<KeyResult> VerifyAsync(User user, string? code, HttpContext http, CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        var now = clock.GetUtcNow();
        if (await FindAsync(session, user.Id, ct) is not { } app || TotpCode.Match(Secret(app), code, now) is not { } step)
        {
            return new KeyResult(false, Wrong);
        }
        // Of two that come with one code at once, one succeeds: the row's lock decides. Nor does a code that was seen work after a later one.
        if (await session.ExecuteAsync(
            $"""
            update authenticator_apps set last_step = {step}, last_used_at = {now}
             where user_id = {user.Id.Value} and sealed_secret = {app.SealedSecret} and last_step < {step}
            """,
            ct) != 1)
        {
            session.RecordForAppliance(AppEvents.Reused(user.Id), http.Origin());
            await session.CommitAsync(ct);
            return new KeyResult(false, Wrong);
        }
        await session.CommitAsync(ct);
        return new KeyResult(true);
    }

    /// <summary>
    /// Adds the offered app, in place of another where there is one, if the code is the app's. In the caller's transaction, which it commits where
    /// this succeeds; the user's row is in it by now.
    /// </summary>
    public async Task<KeyResult> AddAsync(TeamSession session, User user, string? offer, string? code, HttpContext http, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (offers.Open(user.Id, offer, http) is not { } secret)
        {
            return new KeyResult(false, Stale);
        }
        if (TotpCode.Match(secret, code, now) is not { } step)
        {
            return new KeyResult(false, Wrong);
        }
        await Factors.LockAsync(session, user.Id, ct);
        var replaced = await session.ExecuteAsync($"delete from authenticator_apps where user_id = {user.Id.Value}", ct) > 0;
        session.Add(new AuthenticatorApp
        {
            UserId = user.Id,
            SealedSecret = protector.Protect(Purpose(user.Id), secret),
            LastStep = step,
            CreatedAt = now,
        });
        session.RecordForAppliance(AppEvents.Added(user.Id, replaced), http.Origin());
        await DeviceMemory.ForgetAllAsync(session, user.Id, "authenticator-app.added", http, ct);
        await Phones.RemoveAsync(session, user.Id, http, ct);
        await session.SaveAsync(ct);
        return new KeyResult(true);
    }

    /// <summary>In the caller's transaction, which it commits where the answer is <see cref="KeyChange.Done"/>.</summary>
    public static async Task<KeyChange> RemoveAsync(TeamSession session, UserId user, HttpContext http, CancellationToken ct)
    {
        await Factors.LockAsync(session, user, ct);
        var factors = await Factors.ReadAsync(session, user, ct);
        if (!factors.App)
        {
            return KeyChange.Unknown;
        }
        if (await session.NeededProblemAsync(user, has => has with { App = false }, ct) is not null)
        {
            return KeyChange.LastFactor;
        }
        await session.ExecuteAsync($"delete from authenticator_apps where user_id = {user.Value}", ct);
        if (!factors.Key)
        {
            await RecoveryCodes.RemoveAllAsync(session, user, ct);
        }
        session.RecordForAppliance(AppEvents.Removed(user), http.Origin());
        await DeviceMemory.ForgetAllAsync(session, user, "authenticator-app.removed", http, ct);
        return KeyChange.Done;
    }

    private static Task<AuthenticatorApp?> FindAsync(TeamSession session, UserId user, CancellationToken ct) =>
        session.Query<AuthenticatorApp>().AsNoTracking().SingleOrDefaultAsync(a => a.UserId == user, ct);

    private byte[] Secret(AuthenticatorApp app) => protector.Unprotect(Purpose(app.UserId), app.SealedSecret);

    /// <summary>Each person's own, so that a secret moved to another person's row opens nothing.</summary>
    internal static string Purpose(UserId user) => "totp-secret " + user;
}

/// <summary>What the appliance's ledger hears of authenticator apps.</summary>
internal static class AppEvents
{
    public static LedgerEvent Added(UserId user, bool replaced) => new(
        "authenticator-app.added", user.ToString(), new Dictionary<string, string?>(StringComparer.Ordinal) { ["replaced"] = replaced ? "true" : "false" });

    public static LedgerEvent Removed(UserId user) => new("authenticator-app.removed", user.ToString());

    /// <summary>A code that was right, and used before: somebody was impatient, or somebody looked on.</summary>
    public static LedgerEvent Reused(UserId user) => new("authenticator-app.code-reused", user.ToString());
}
