using System.Security.Cryptography;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Policy;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.RememberedDevices;

/// <summary>
/// Browsers that stand in for the second factor for some days, where policy allows it: a selector and a validator that is new after each use (C. Miller, B.
/// Jaspan, "Persistent Login Cookie Best Practice", improved). Two who hold one cookie cannot both use it: the second one comes with a validator that was used,
/// and that is an incident. Methods work in the caller's transaction; the caller commits.
/// </summary>
public sealed class DeviceMemory(SignInSettings settings, Sessions sessions, Notices notices, TimeProvider clock)
{
    /// <summary>So long a validator that was just replaced is taken for a second tab's. It signs nobody in.</summary>
    internal static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    /// <summary>How many a person can have; the oldest go first.</summary>
    private const int Most = 20;

    /// <summary>How long devices may be remembered: as the appliance's policy says, or the operator; where both do, the shorter. Null: not at all. The one place that is asked.</summary>
    public async Task<TimeSpan?> PeriodAsync(TeamSession session, CancellationToken ct)
    {
        var policy = await session.AppliancePolicyAsync(ct);
        // Where more is asked for than a device can stand in for: of its second factor nothing more is known than that it was one.
        if (!policy.Factors.IsMetBy(new GivenFactor(SessionFactor.Device, null)))
        {
            return null;
        }
        var days = policy.RememberedDays;
        return days == 0 ? settings.RememberDevice : TimeSpan.FromDays(days) is var period && settings.RememberDevice < period ? settings.RememberDevice : period;
    }

    /// <summary>
    /// Remembers this browser: the person has just given their second factor in it and wishes so. Nothing where policy does not allow it. What the browser
    /// was remembered by before is forgotten.
    /// </summary>
    public async Task RememberAsync(TeamSession session, User user, HttpContext http, CancellationToken ct)
    {
        if (await PeriodAsync(session, ct) is not { } period)
        {
            return;
        }
        var (now, selector, validator) = (clock.GetUtcNow(), Token.New(), Token.New());
        var old = DeviceCookie.Read(http)?.SelectorHash ?? [];
        await session.ExecuteAsync(
            $"""
            delete from remembered_devices where user_id = {user.Id.Value} and (selector_hash = {old} or expires_at <= {now} or id in
                (select id from remembered_devices where user_id = {user.Id.Value} order by created_at desc offset {Most - 1}))
            """,
            ct);
        var device = new RememberedDevice
        {
            Id = Guid.CreateVersion7(now),
            Reference = Reference.New(),
            UserId = user.Id,
            SelectorHash = Token.Hash(selector),
            ValidatorHash = Token.Hash(validator),
            CreatedAt = now,
            RotatedAt = now,
            ExpiresAt = now + period,
            Address = http.Address(),
            Agent = http.Agent(),
        };
        session.Add(device);
        session.RecordForAppliance(Event("device.remembered", user.Id, ("device", device.Reference)), new Origin(user.Id, http.Address()));
        session.AfterCommit(() => DeviceCookie.Write(http, selector, validator, period));
    }

    /// <summary>
    /// Whether this browser stands in for the second factor of the person, whose password was right and whose row is locked in the session; it does so once.
    /// A validator that was used up before is taken for a thief's, or a thief was here before its person: every session ends, every device is forgotten, and the
    /// person and the ledger are told.
    /// </summary>
    public async Task<bool> UseAsync(TeamSession session, User user, HttpContext http, CancellationToken ct)
    {
        if (DeviceCookie.Read(http) is not { } cookie || await PeriodAsync(session, ct) is not { } period)
        {
            return false;
        }
        // Another person's cookie says nothing: browsers are shared.
        var device = await session.Query<RememberedDevice>().AsNoTracking().SingleOrDefaultAsync(d => d.SelectorHash == cookie.SelectorHash && d.UserId == user.Id, ct);
        var now = clock.GetUtcNow();
        if (device is null || !IsAlive(device, period, now))
        {
            return false;
        }
        if (!CryptographicOperations.FixedTimeEquals(device.ValidatorHash, cookie.ValidatorHash))
        {
            if (device.PreviousHash is null || now - device.RotatedAt >= Grace || !CryptographicOperations.FixedTimeEquals(device.PreviousHash, cookie.ValidatorHash))
            {
                await ReportAsync(session, user, device, http, ct);
            }
            return false;
        }
        var validator = Token.New();
        if (await session.ExecuteAsync(
            $"""
            update remembered_devices set previous_hash = validator_hash, validator_hash = {Token.Hash(validator)}, rotated_at = {now}
             where id = {device.Id} and validator_hash = {cookie.ValidatorHash}
            """,
            ct) != 1)
        {
            // Forgotten in this moment.
            return false;
        }
        // Only once the new one is durable: a browser with a validator that nobody knows would look like a thief.
        session.AfterCommit(() => DeviceCookie.Write(http, DeviceCookie.Selector(http), validator, End(device, period) - now));
        return true;
    }

    /// <summary>The person's devices that still count, the last used one first.</summary>
    public async Task<IReadOnlyList<RememberedDevice>> ListAsync(TeamSession session, UserId user, CancellationToken ct)
    {
        if (await PeriodAsync(session, ct) is not { } period)
        {
            return [];
        }
        var now = clock.GetUtcNow();
        var all = await session.Query<RememberedDevice>().AsNoTracking().Where(d => d.UserId == user).OrderByDescending(d => d.RotatedAt).ToListAsync(ct);
        return [.. all.Where(d => IsAlive(d, period, now))];
    }

    /// <summary>Forgets one of the person's own devices. False: they have none of that reference.</summary>
    public static async Task<bool> ForgetAsync(TeamSession session, UserId user, string reference, HttpContext http, CancellationToken ct)
    {
        if (await session.ExecuteAsync($"delete from remembered_devices where user_id = {user.Value} and reference = {reference}", ct) == 0)
        {
            return false;
        }
        session.RecordForAppliance(Event("device.forgotten", user, ("device", reference)), http.Origin());
        return true;
    }

    /// <summary>Forgets all of a person's devices, because <paramref name="why"/>: what they stood in for has changed.</summary>
    public static async Task ForgetAllAsync(TeamSession session, UserId user, string why, HttpContext http, CancellationToken ct)
    {
        if (await session.ExecuteAsync($"delete from remembered_devices where user_id = {user.Value}", ct) > 0)
        {
            session.RecordForAppliance(Event("device.forgotten", user, ("device", "all"), ("why", why)), http.Origin());
        }
    }

    private async Task ReportAsync(TeamSession session, User user, RememberedDevice device, HttpContext http, CancellationToken ct)
    {
        await session.ExecuteAsync($"delete from remembered_devices where user_id = {user.Id.Value}", ct);
        await session.ExecuteAsync($"delete from sign_ins where user_id = {user.Id.Value}", ct);
        await sessions.EndAllAsync(session, user.Id, http, ct);
        notices.Add(session, user.Id, Notice.DeviceMayBeCopied, http);
        session.RecordForAppliance(Event("device.copied", user.Id, ("device", device.Reference)), new Origin(null, http.Address()));
        session.AfterCommit(() => DeviceCookie.Delete(http));
    }

    /// <summary>As policy says today. A clock that was set back lengthens nothing.</summary>
    private static bool IsAlive(RememberedDevice device, TimeSpan period, DateTimeOffset now) =>
        now < End(device, period) && device.CreatedAt <= now + Sessions.ClockTolerance && device.RotatedAt <= now + Sessions.ClockTolerance;

    private static DateTimeOffset End(RememberedDevice device, TimeSpan period) =>
        device.CreatedAt + period < device.ExpiresAt ? device.CreatedAt + period : device.ExpiresAt;

    private static LedgerEvent Event(string action, UserId user, params (string Name, string Value)[] details) =>
        new(action, user.ToString(), details.ToDictionary(d => d.Name, d => (string?)d.Value, StringComparer.Ordinal));
}
