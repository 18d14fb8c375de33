using System.Net;
using System.Net.Sockets;
using System.Text;
using Appliance.Data;
using Appliance.Accounts;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn;

/// <summary>Failures under one key: an account from an address, an address, or an account.</summary>
public sealed class Delay
{
    public required byte[] Key { get; init; }

    public required int Failures { get; set; }

    public required DateTimeOffset LastAt { get; set; }

    public required DateTimeOffset BlockedUntil { get; set; }
}

/// <summary>An address that has signed in to an account.</summary>
public sealed class Place
{
    public required byte[] Key { get; init; }

    public required UserId UserId { get; init; }

    public required DateTimeOffset LastAt { get; init; }
}

internal sealed class DelayConfiguration : IEntityTypeConfiguration<Delay>, IEntityTypeConfiguration<Place>
{
    public void Configure(EntityTypeBuilder<Delay> builder)
    {
        builder.ToTable("sign_in_delays");
        builder.HasKey(d => d.Key);
    }

    public void Configure(EntityTypeBuilder<Place> builder)
    {
        builder.ToTable("sign_in_places");
        builder.HasKey(p => p.Key);
        builder.HasOne<User>().WithMany().HasForeignKey(p => p.UserId);
    }
}

/// <summary>
/// Growing delays after failures (NIST SP 800-63B §5.2.2). An attempt is charged as a failure before it is checked and refunded if it was
/// right, so a thousand attempts at once are a thousand failures. What comes during a delay is refused, not checked and not counted:
/// nobody can be kept out for good. Names that nobody has are counted like any other.
/// </summary>
public sealed class Delays(Database database, BlobProtector protector, TimeProvider clock)
{
    /// <summary>An account from one address: 1, 2, 4 … seconds after 3 failures, 15 minutes at most.</summary>
    private static readonly Rule AccountAndAddress = new(3, TimeSpan.FromMinutes(15));

    /// <summary>An address, whatever names it tries: after 10.</summary>
    private static readonly Rule AddressAlone = new(10, TimeSpan.FromMinutes(15));

    /// <summary>
    /// An account, from wherever: after 20, a minute at most, and not for an address that has signed in to it before. A crowd that
    /// guesses is slowed down; its victim is not kept out.
    /// </summary>
    private static readonly Rule AccountAlone = new(20, TimeSpan.FromMinutes(1));

    private static readonly DateTimeOffset Never = DateTimeOffset.UnixEpoch;

    /// <summary>
    /// Six digits can be guessed, as keys, recovery codes and passwords cannot. Whoever knows a password already has ten guesses from new addresses,
    /// then about one an hour: one chance in ten thousand a day.
    /// </summary>
    private static readonly Rule Guesses = new(10, TimeSpan.FromHours(1)) { HalfLife = TimeSpan.FromDays(1) };

    private sealed record Rule(int Free, TimeSpan Longest)
    {
        /// <summary>Failures count half after so long without an attempt.</summary>
        public TimeSpan HalfLife { get; init; } = TimeSpan.FromMinutes(30);

        public TimeSpan After(int failures) => failures < Free
            ? TimeSpan.Zero
            : TimeSpan.FromSeconds(Math.Min(Math.Pow(2, Math.Min(failures - Free, 30)), Longest.TotalSeconds));
    }

    /// <summary>What an attempt is counted under. Not the name or the address, but MACs of them.</summary>
    /// <param name="Both">The account from the address.</param>
    /// <param name="Address">The address.</param>
    /// <param name="Account">The account.</param>
    /// <param name="Code">The account's codes of six digits; null: it is no such code that is tried.</param>
    public sealed record Keys(byte[] Both, byte[] Address, byte[] Account, byte[]? Code)
    {
        internal IEnumerable<byte[]> All => Code is null ? [Both, Address, Account] : [Both, Address, Account, Code];
    }

    /// <param name="Wait">Zero: go on, the attempt is charged. Otherwise refused, for so long.</param>
    /// <param name="First">The first to be refused in this delay; the ledger hears of it once.</param>
    /// <param name="Guesses">Where a code of six digits is tried: how many went wrong lately, this one included until it is refunded.</param>
    public sealed record Charge(TimeSpan Wait, bool First, int Guesses = 0)
    {
        /// <summary>So many wrong codes after the right password that the person has to know.</summary>
        public bool IsGuessing => Guesses == Delays.Guesses.Free;
    }

    /// <param name="accountKey">The username as it is looked up, whether anybody has it or not.</param>
    /// <param name="http">For the address.</param>
    /// <param name="guessable">A code of six digits is tried.</param>
    public Keys For(string accountKey, HttpContext http, bool guessable = false)
    {
        var address = Bucket(http.Connection.RemoteIpAddress);
        return new Keys(Mac("both", accountKey + "\n" + address), Mac("address", address), Mac("account", accountKey), guessable ? Mac("code", accountKey) : null);
    }

    /// <summary>Counts an attempt as a failure, or refuses it without counting. Commits.</summary>
    public async Task<Charge> ChargeAsync(Keys keys, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        var known = await session.Query<Place>().AnyAsync(p => p.Key == keys.Both, cancellationToken);
        var rows = await LockAsync(session, keys, cancellationToken);
        var now = clock.GetUtcNow(); // once it is our turn
        var (wait, cause) = Rules(keys, known).Select(r => (Remaining(rows[Hex(r.Key)], r.Rule, now), rows[Hex(r.Key)])).MaxBy(r => r.Item1);
        if (wait > TimeSpan.Zero)
        {
            return new Charge(wait, await TellOnceAsync(session, cause, cancellationToken));
        }
        foreach (var (key, rule) in Rules(keys, knownPlace: false))
        {
            var row = rows[Hex(key)];
            row.Failures = Decayed(row, rule, now) + 1;
            row.LastAt = now;
            var delay = rule.After(row.Failures);
            row.BlockedUntil = delay > TimeSpan.Zero ? now + delay : Never;
        }
        await session.CommitAsync(cancellationToken);
        return new Charge(TimeSpan.Zero, false, keys.Code is null ? 0 : rows[Hex(keys.Code)].Failures);
    }

    /// <summary>Takes back what <see cref="ChargeAsync"/> counted: the attempt was right.</summary>
    public async Task RefundAsync(TeamSession session, Keys keys, CancellationToken cancellationToken)
    {
        foreach (var row in (await LockAsync(session, keys, cancellationToken)).Values)
        {
            row.Failures = Math.Max(row.Failures - 1, 0);
            row.BlockedUntil = Never;
        }
        await session.SaveAsync(cancellationToken);
    }

    /// <summary>Signed in with every factor: this account from this address starts afresh, and is known from now on.</summary>
    public async Task ForgiveAsync(TeamSession session, Keys keys, UserId user, CancellationToken cancellationToken)
    {
        await RefundAsync(session, keys, cancellationToken);
        var now = clock.GetUtcNow();
        var both = keys.Both;
        await session.ExecuteAsync($"update sign_in_delays set failures = 0 where key = {both}", cancellationToken);
        await session.ExecuteAsync($"""
            insert into sign_in_places (key, user_id, last_at) values ({both}, {user.Value}, {now})
            on conflict (key) do update set user_id = excluded.user_id, last_at = excluded.last_at
            """, cancellationToken);
    }

    private static IEnumerable<(byte[] Key, Rule Rule)> Rules(Keys keys, bool knownPlace)
    {
        yield return (keys.Both, AccountAndAddress);
        yield return (keys.Address, AddressAlone);
        if (!knownPlace)
        {
            yield return (keys.Account, AccountAlone);
            if (keys.Code is { } code)
            {
                yield return (code, Guesses);
            }
        }
    }

    /// <summary>Never longer than the rule allows, so a clock that is set back keeps nobody out.</summary>
    private static TimeSpan Remaining(Delay row, Rule rule, DateTimeOffset now)
    {
        var wait = row.BlockedUntil - now;
        return wait <= TimeSpan.Zero || wait > rule.Longest ? TimeSpan.Zero : wait;
    }

    private static int Decayed(Delay row, Rule rule, DateTimeOffset now)
    {
        var since = now - (row.BlockedUntil > row.LastAt ? row.BlockedUntil : row.LastAt);
        return since <= TimeSpan.Zero ? row.Failures : row.Failures >> (int)Math.Min(since / rule.HalfLife, 30);
    }

    /// <summary>The rows, made if need be, locked in the order of their keys so that nobody waits in a circle.</summary>
    private static async Task<Dictionary<string, Delay>> LockAsync(TeamSession session, Keys keys, CancellationToken cancellationToken)
    {
        byte[][] sorted = [.. keys.All.OrderBy(Hex, StringComparer.Ordinal)];
        await session.ExecuteAsync($"""
            insert into sign_in_delays (key, failures, last_at, blocked_until)
            select key, 0, {Never}, {Never} from unnest({sorted}) as key order by key on conflict do nothing
            """, cancellationToken);
        await session.SqlAsync<int>($"""select 1 as "Value" from sign_in_delays where key = any({sorted}) order by key for update""", cancellationToken);
        return await session.Query<Delay>().Where(d => sorted.Contains(d.Key)).ToDictionaryAsync(d => Hex(d.Key), cancellationToken);
    }

    /// <summary>Marks the delay as told by moving its last attempt into it.</summary>
    private static async Task<bool> TellOnceAsync(TeamSession session, Delay row, CancellationToken cancellationToken)
    {
        if (row.LastAt >= row.BlockedUntil)
        {
            return false;
        }
        row.LastAt = row.BlockedUntil;
        await session.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>An IPv6 customer has at least a /64 (RFC 6177), so that is one address.</summary>
    private static string Bucket(IPAddress? address)
    {
        if (address is null)
        {
            return "unknown";
        }
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || address.IsIPv4MappedToIPv6)
        {
            return (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();
        }
        return Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8));
    }

    private static string Hex(byte[] key) => Convert.ToHexString(key);

    private byte[] Mac(string kind, string text) => protector.Mac("sign-in-delay-" + kind, Encoding.UTF8.GetBytes(text));
}
