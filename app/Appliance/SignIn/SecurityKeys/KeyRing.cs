using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Policy;
using Appliance.SignIn.RememberedDevices;
using Appliance.SignIn.SecurityKeys.Models;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.SecurityKeys;

/// <summary>How a change of a key went.</summary>
public enum KeyChange
{
    Done,

    /// <summary>The person has no such key.</summary>
    Unknown,

    /// <summary>The name is not one; <see cref="KeyName.Rule"/>.</summary>
    BadName,

    /// <summary>A policy needs it (<see cref="FactorRules.NeededProblemAsync"/> says which), or it is the last that may be used.</summary>
    LastFactor,
}

/// <summary>A person's own keys: list, rename, remove. Whoever calls has asked for the factor again where that is due.</summary>
public sealed class KeyRing(Database database)
{
    /// <summary>The person's keys, the oldest first.</summary>
    public async Task<IReadOnlyList<SecurityKey>> ListAsync(UserId user, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        return await session.Query<SecurityKey>().AsNoTracking().Where(k => k.UserId == user)
            .OrderBy(k => k.CreatedAt).ThenBy(k => k.Reference).ToListAsync(cancellationToken);
    }

    /// <summary>One of the person's keys; null: they have none of that reference.</summary>
    public async Task<SecurityKey?> FindAsync(UserId user, string reference, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        return await session.Query<SecurityKey>().AsNoTracking().SingleOrDefaultAsync(k => k.UserId == user && k.Reference == reference, cancellationToken);
    }

    /// <summary>What the person has, without that key.</summary>
    internal static Func<EnrolledFactors, EnrolledFactors> Without(SecurityKey key) => has =>
    {
        var keys = has.Keys.ToList();
        keys.Remove(Facts(key));
        return has with { Keys = keys };
    };

    internal static KeyFacts Facts(SecurityKey key) => new(key.IsBackupEligible, key.IsUserVerified || key.UserVerifiedAt is not null);

    public async Task<KeyChange> RenameAsync(UserId user, string reference, string? name, HttpContext http, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        if (await session.Query<SecurityKey>().SingleOrDefaultAsync(k => k.UserId == user && k.Reference == reference, cancellationToken) is not { } key)
        {
            return KeyChange.Unknown;
        }
        if (!KeyName.TryClean(name, out var clean))
        {
            return KeyChange.BadName;
        }
        if (clean != key.Name)
        {
            var before = key.Name;
            key.Name = clean;
            session.RecordForAppliance(KeyEvents.Renamed(key, before), http.Origin());
            await session.CommitAsync(cancellationToken);
        }
        return KeyChange.Done;
    }

    /// <summary>In the caller's transaction, which it commits where the answer is <see cref="KeyChange.Done"/>.</summary>
    public static async Task<KeyChange> RemoveAsync(
        TeamSession session, AllowedKeyModels models, UserId user, string reference, HttpContext http, CancellationToken cancellationToken)
    {
        await Factors.LockAsync(session, user, cancellationToken);
        var keys = await session.Query<SecurityKey>().Where(k => k.UserId == user).ToListAsync(cancellationToken);
        if (keys.Find(k => k.Reference == reference) is not { } key)
        {
            return KeyChange.Unknown;
        }
        if (await session.NeededProblemAsync(user, Without(key), cancellationToken) is not null)
        {
            return KeyChange.LastFactor;
        }
        var hasApp = (await Factors.ReadAsync(session, user, cancellationToken)).App;
        if (keys.Count > 1 && !hasApp)
        {
            // A key of a model that is not allowed is no factor that stays.
            var allowed = await models.AllowedOfAsync(session, keys, cancellationToken);
            if (allowed.Count == 1 && allowed.Contains(key))
            {
                return KeyChange.LastFactor;
            }
        }
        session.Remove(key);
        await DeviceMemory.ForgetAllAsync(session, user, "security-key.removed", http, cancellationToken);
        if (keys.Count == 1 && !hasApp)
        {
            await RecoveryCodes.RemoveAllAsync(session, user, cancellationToken);
        }
        session.RecordForAppliance(KeyEvents.Removed(key), http.Origin());
        return KeyChange.Done;
    }
}
