using System.Collections.Concurrent;
using Appliance.Data;
using Appliance.Vault;

namespace Appliance.Ledger;

/// <summary>The tree cannot be appended to, because what it holds is not what was sealed. Nothing was signed on top of it.</summary>
public sealed class LedgerDamagedException(Guid tree, string what, Exception? inner = null)
    : Exception($"The ledger of tree {tree} is damaged and is not appended to: {what}", inner)
{
    public Guid Tree { get; } = tree;
}

/// <summary>
/// Appends one tree's waiting entries and signs the new head, in one transaction: a crash at any point leaves the entries either waiting
/// or sealed. Over all replicas one sealer at a time works on a tree (advisory lock of the transaction); it sees only what is committed.
/// </summary>
internal sealed class TreeSealer(Database database, LedgerKeys keys, TimeProvider clock)
{
    /// <summary>Entries under one head at most.</summary>
    public const int Batch = 2000;

    private const int LockClass = 0x4C656467; // "Ledg": the advisory locks of this capability

    // What this process has seen of each tree: within its lifetime no tree may shrink or change under it.
    private readonly ConcurrentDictionary<Guid, (long Size, byte[] Root)> _seen = [];

    /// <summary>Seals up to <see cref="Batch"/> entries; answers how many (0 as well where another sealer is at this tree) and when each was written.</summary>
    /// <exception cref="LedgerDamagedException">The latest head, its leaves or a waiting entry was tampered with.</exception>
    /// <exception cref="DatabaseUnavailableException">The database does not answer; everything still waits.</exception>
    public async Task<SealedBatch> SealAsync(Guid tree, CancellationToken cancellationToken)
    {
        await using var session = await database.ForTreeAsync(tree, cancellationToken);
        // A statement of its own: those after it see what the lock's last holder committed.
        var mine = await session.SqlAsync<bool>(
            $"""select pg_try_advisory_xact_lock({LockClass}, hashtext({tree}::text)) as "Value" """, cancellationToken);
        if (!mine[0])
        {
            return SealedBatch.Nothing;
        }
        var frontier = await LatestFrontierAsync(session, tree, cancellationToken);
        // "lateral … offset 0": each entry is looked up by its key. After a burst, before the tables were analysed, the planner
        // would otherwise take them for empty and compare every waiting entry with every other.
        var waiting = await session.SqlAsync<WaitingRow>($"""
            select q.entry_id as "EntryId", e.id as "Id", e.at as "At", e.actor as "Actor", e.action as "Action",
                   e.subject as "Subject", e.address as "Address", e.details as "Details"
              from (select * from ledger_queue where tree = {tree} order by position limit {Batch}) q
              left join lateral (select * from ledger_entries where id = q.entry_id offset 0) e on e.tree = q.tree order by q.position
            """, cancellationToken);
        if (waiting.Count == 0)
        {
            return SealedBatch.Nothing;
        }

        var first = frontier.Size;
        var hashes = new byte[waiting.Count][];
        for (var i = 0; i < waiting.Count; i++)
        {
            var entry = waiting[i].ToEntry(tree)
                ?? throw new LedgerDamagedException(tree, $"entry {waiting[i].EntryId} was removed before it was sealed");
            hashes[i] = LeafEncoding.Hash(entry, first + i);
            frontier.Append(hashes[i]);
        }
        var head = keys.Sign(new TreeHead(tree, frontier.Size, frontier.Root(), clock.GetUtcNow()));
        await WriteAsync(session, tree, first, [.. waiting.Select(w => w.EntryId)], hashes, head, frontier.Export(), cancellationToken);
        _seen[tree] = (head.Head.Size, head.Head.Root.ToArray());
        return new SealedBatch([.. waiting.Select(w => w.At!.Value)], head.Head.SignedAt);
    }

    private static async Task WriteAsync(
        TeamSession session, Guid tree, long first, Guid[] entries, byte[][] hashes, SignedHead head, byte[] frontier, CancellationToken cancellationToken)
    {
        try
        {
            // The leaves take their entries off the queue (trigger dequeue).
            await session.ExecuteAsync($"""
                insert into ledger_leaves (tree, index, entry_id, hash)
                select {tree}, {first} + n - 1, entry_id, hash from unnest({entries}, {hashes}) with ordinality as sealed (entry_id, hash, n)
                """, cancellationToken);
            await session.ExecuteAsync($"""
                insert into ledger_heads (tree, size, root, frontier, signed_at, key_id, signature)
                values ({tree}, {head.Head.Size}, {head.Head.Root.ToArray()}, {frontier}, {head.Head.SignedAt}, {head.KeyId}, {head.Signature.ToArray()})
                """, cancellationToken);
        }
        catch (Exception e) when (e is DuplicateException or ForbiddenByDatabaseException)
        {
            throw new LedgerDamagedException(tree, $"a leaf or head stands already where the one of size {head.Head.Size} belongs", e);
        }
        await session.CommitAsync(cancellationToken);
    }

    /// <summary>Where to append: at the latest head, if it is ours, whole, not older than what this process saw, and the leaves end with it.</summary>
    private async Task<MerkleFrontier> LatestFrontierAsync(TeamSession session, Guid tree, CancellationToken cancellationToken)
    {
        var row = (await session.SqlAsync<HeadRow>($"""
            select size as "Size", root as "Root", frontier as "Frontier", signed_at as "SignedAt", key_id as "KeyId", signature as "Signature"
              from ledger_heads where tree = {tree} order by size desc limit 1
            """, cancellationToken)).SingleOrDefault();
        var leaves = (await session.SqlAsync<long>(
            $"""select coalesce(max(index) + 1, 0) as "Value" from ledger_leaves where tree = {tree}""", cancellationToken)).Single();

        var frontier = row is null ? new MerkleFrontier() : Believed(tree, row);
        if (leaves != frontier.Size)
        {
            throw new LedgerDamagedException(tree, $"it has {leaves} leaves, and the latest head was signed over {frontier.Size}");
        }
        if (_seen.TryGetValue(tree, out var seen) && seen.Size > frontier.Size)
        {
            throw new LedgerDamagedException(tree, $"its latest head has size {frontier.Size}, and one of size {seen.Size} was seen before");
        }
        if (_seen.TryGetValue(tree, out seen) && seen.Size == frontier.Size && !seen.Root.AsSpan().SequenceEqual(frontier.Root()))
        {
            throw new LedgerDamagedException(tree, $"its head of size {frontier.Size} is not the one that was seen before");
        }
        return frontier;
    }

    private MerkleFrontier Believed(Guid tree, HeadRow row)
    {
        if (!keys.Knows(row.KeyId))
        {
            throw new LedgerDamagedException(tree, $"its latest head, of size {row.Size}, is signed with a key that is not known here ({row.KeyId})");
        }
        if (row.Root.Length != MerkleTree.HashLength || !keys.Verify(row.ToSigned(tree)))
        {
            throw new LedgerDamagedException(tree, $"the signature of its latest head, of size {row.Size}, is wrong");
        }
        return row.ReadFrontier()
            ?? throw new LedgerDamagedException(tree, $"the frontier of its latest head, of size {row.Size}, was altered");
    }

    private sealed class WaitingRow : EntryColumns
    {
        public required Guid EntryId { get; init; }
    }
}

/// <param name="Written">When each entry was written.</param>
/// <param name="SignedAt">When the head over them was signed.</param>
internal sealed record SealedBatch(IReadOnlyList<DateTimeOffset> Written, DateTimeOffset SignedAt)
{
    public static readonly SealedBatch Nothing = new([], default);

    public int Count => Written.Count;
}

/// <summary>The columns of an entry that was joined to something else; all null where there is no such entry.</summary>
internal abstract class EntryColumns
{
    public Guid? Id { get; init; }

    public DateTimeOffset? At { get; init; }

    public Guid? Actor { get; init; }

    public string? Action { get; init; }

    public string? Subject { get; init; }

    public string? Address { get; init; }

    public string? Details { get; init; }

    public LedgerEntry? ToEntry(Guid tree) => Id is { } id
        ? new LedgerEntry
        {
            Id = id,
            Tree = tree,
            At = At!.Value,
            Actor = Actor is { } actor ? new UserId(actor) : null,
            Action = Action!,
            Subject = Subject,
            Address = Address,
            Details = Details!,
        }
        : null;
}
