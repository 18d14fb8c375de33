using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Appliance.Data;
using Appliance.Vault;

namespace Appliance.Ledger;

/// <summary>How a change tells the ledger of itself: in its own transaction, without a lock, so that writers never wait for each other.</summary>
public static class LedgerAppend
{
    /// <summary>The tree of the appliance itself; every other tree is a team's.</summary>
    public static readonly Guid ApplianceTree = Guid.Empty;

    private static long _last;

    /// <summary>Raised after each commit that wrote an entry: a nudge, so that the sealer of this process need not wait for its next look.</summary>
    internal static event EventHandler? Committed;

    /// <summary>Writes to the ledger of the session's team. It becomes true together with the change, or not at all.</summary>
    public static void Record(this TeamSession session, LedgerEvent happened, Origin origin)
    {
        ArgumentNullException.ThrowIfNull(session);
        session.Append(session.TeamOrThrow.Value, happened, origin);
    }

    /// <summary>Writes to the appliance's own ledger.</summary>
    public static void RecordForAppliance(this TeamSession session, LedgerEvent happened, Origin origin) =>
        session.Append(ApplianceTree, happened, origin);

    /// <summary>
    /// As <see cref="Record"/>, for a statement that writes the row itself, together with what it tells of: it must be inserted as it is, and
    /// <see cref="Nudge"/> is to be called once it is committed.
    /// </summary>
    internal static LedgerEntry Prepare(TeamId team, LedgerEvent happened, Origin origin) => Entry(team.Value, happened, origin);

    /// <summary>As <see cref="Prepare"/>, for the appliance's own ledger.</summary>
    internal static LedgerEntry PrepareForAppliance(LedgerEvent happened, Origin origin) => Entry(ApplianceTree, happened, origin);

    /// <summary>Tells the sealer that there is something to seal.</summary>
    internal static void Nudge() => Committed?.Invoke(null, EventArgs.Empty);

    private static void Append(this TeamSession session, Guid tree, LedgerEvent happened, Origin origin)
    {
        session.Add(Entry(tree, happened, origin));
        session.AfterCommit(Nudge);
    }

    private static LedgerEntry Entry(Guid tree, LedgerEvent happened, Origin origin)
    {
        var now = DateTimeOffset.UtcNow;
        return new LedgerEntry
        {
            Id = NewId(now),
            Tree = tree,
            At = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond)),
            Actor = origin.Actor,
            Action = happened.Action,
            Subject = happened.Subject,
            Address = origin.Address,
            Details = Details(happened, origin),
        };
    }

    /// <summary>What the change says of itself, and the token or the operator that made it: said here, so that no capability can forget it.</summary>
    private static string Details(LedgerEvent happened, Origin origin)
    {
        if (happened.Details is null && origin.Named is null && origin.Operator is null)
        {
            return "{}";
        }
        var details = new SortedDictionary<string, string?>(happened.Details?.ToDictionary() ?? [], StringComparer.Ordinal);
        if (origin.Named is { } token)
        {
            (details[TokenName.NameDetail], details[TokenName.ReferenceDetail]) = (token.Name, token.Reference);
        }
        if (origin.Operator is { } key)
        {
            (details[OperatorName.NameDetail], details[OperatorName.KeyDetail]) = (key.Name, key.Fingerprint);
        }
        return JsonSerializer.Serialize(details);
    }

    /// <summary>
    /// A UUIDv7 that is greater than each one before it in this process (RFC 9562 section 6.2, method 3: the 12 bits after the
    /// milliseconds are a fraction of one). Entries of one transaction are inserted by key, so they keep the order they were recorded in.
    /// </summary>
    internal static Guid NewId(DateTimeOffset now)
    {
        var (milliseconds, rest) = Math.DivRem((now - DateTimeOffset.UnixEpoch).Ticks, TimeSpan.TicksPerMillisecond); // all ticks times 4096 are more than a long holds
        var fractions = milliseconds * 4096 + rest * 4096 / TimeSpan.TicksPerMillisecond;
        long last, next;
        do
        {
            last = Volatile.Read(ref _last);
            next = Math.Max(fractions, last + 1);
        }
        while (Interlocked.CompareExchange(ref _last, next, last) != last);

        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes[8..]);
        BinaryPrimitives.WriteInt64BigEndian(bytes, next >> 12 << 16 | 0x7000 | next & 0xFFF);
        bytes[8] = (byte)(bytes[8] & 0x3F | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}
