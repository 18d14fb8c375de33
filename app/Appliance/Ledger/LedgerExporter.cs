using System.Runtime.CompilerServices;
using Appliance.Data;
using Appliance.Vault;

namespace Appliance.Ledger;

/// <summary>
/// A tree as lines that anybody can verify without the appliance (docs/ledger-format.md, "Exports"). Sealed entries never change, so they are read
/// piece by piece, each in a session of its own: memory does not grow with the tree, and whoever lost their access gets no further piece.
/// </summary>
public sealed class LedgerExporter(LedgerKeys keys) : IDisposable
{
    private const int Batch = 500;
    private const int AtOnce = 4;

    private readonly SemaphoreSlim _slots = new(AtOnce);

    /// <summary>Dispose it when done; null: as many exports as the appliance makes at once are under way.</summary>
    public IDisposable? TryBegin() => _slots.Wait(0) ? new Slot(_slots) : null;

    public void Dispose() => _slots.Dispose();

    /// <summary>The latest head, where it can be believed; null where nothing is sealed yet.</summary>
    /// <exception cref="LedgerDamagedException">It cannot be believed.</exception>
    public async Task<SignedHead?> HeadAsync(TeamSession session, Guid tree, CancellationToken cancellationToken)
    {
        var rows = await session.SqlAsync<HeadRow>($"""
            select size as "Size", root as "Root", frontier as "Frontier", signed_at as "SignedAt", key_id as "KeyId", signature as "Signature"
              from ledger_heads where tree = {tree} order by size desc limit 1
            """, cancellationToken);
        return rows is not [var row] ? null
            : row.Root.Length == MerkleTree.HashLength && row.ToSigned(tree) is var head && keys.Verify(head) ? head
            : throw new LedgerDamagedException(tree, $"its latest head, of size {row.Size}, cannot be believed");
    }

    /// <summary>Header, the entries from <paramref name="from"/> up to the head, and the head.</summary>
    /// <param name="head">From <see cref="HeadAsync"/>.</param>
    /// <param name="from">Between 0 and the head's size.</param>
    /// <param name="open">Opens a session that may read the tree; asked for each piece.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="LedgerDamagedException">An entry or a leaf is gone, or may be read no longer.</exception>
    public async IAsyncEnumerable<string> LinesAsync(SignedHead head, long from, Func<Task<TeamSession>> open, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(head);
        ArgumentNullException.ThrowIfNull(open);
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(from, head.Head.Size);
        var tree = head.Head.Tree;
        yield return LedgerLines.Header(tree, from);
        for (var next = from; next < head.Head.Size;)
        {
            var end = Math.Min(next + Batch, head.Head.Size);
            List<SealedRow> rows;
            await using (var session = await open())
            {
                rows = await ReadAsync(session, tree, next, end, cancellationToken);
            }
            foreach (var row in rows)
            {
                yield return row.Index == next && row.ToEntry(tree) is { } entry
                    ? LedgerLines.Entry(LeafEncoding.At(entry, next), row.Hash)
                    : throw new LedgerDamagedException(tree, $"entry {next} is gone");
                next++;
            }
            if (next < end)
            {
                throw new LedgerDamagedException(tree, $"entry {next} is gone");
            }
        }
        yield return LedgerLines.Head(head, keys.PublicKeyOf(head.KeyId));
    }

    /// <summary>An entry and what leads from it to the latest head; null where there is no such sealed entry.</summary>
    /// <exception cref="LedgerDamagedException">It is not what was sealed.</exception>
    public async Task<LedgerProof?> ProveAsync(TeamSession session, Guid tree, long index, CancellationToken cancellationToken)
    {
        if (index < 0 || await HeadAsync(session, tree, cancellationToken) is not { } head || index >= head.Head.Size)
        {
            return null;
        }
        if (await ReadAsync(session, tree, index, index + 1, cancellationToken) is not [var row] || row.ToEntry(tree) is not { } entry)
        {
            throw new LedgerDamagedException(tree, $"entry {index} is gone");
        }
        var path = new List<byte[]>();
        foreach (var (start, count) in MerkleTree.InclusionPath(index, head.Head.Size))
        {
            path.Add(await RootAsync(session, tree, start, count, cancellationToken));
        }
        var leaf = LeafEncoding.At(entry, index);
        return MerkleTree.VerifyInclusion(leaf.Hash(), index, head.Head.Size, path, head.Head.Root.Span)
            ? new LedgerProof(leaf, path, head, keys.PublicKeyOf(head.KeyId))
            : throw new LedgerDamagedException(tree, $"entry {index} is not what was sealed, or what leads to its head was altered");
    }

    /// <summary>The root of a complete subtree, or of what the tree ends with: from the last frontier within it and the leaves after that, a batch at most.</summary>
    private static async Task<byte[]> RootAsync(TeamSession session, Guid tree, long start, long count, CancellationToken cancellationToken)
    {
        var end = start + count;
        // At the very end of a complete subtree the frontier has merged it with what is before it.
        var last = long.IsPow2(count) ? end - 1 : end;
        var rows = await session.SqlAsync<HeadRow>($"""
            select size as "Size", root as "Root", frontier as "Frontier", signed_at as "SignedAt", key_id as "KeyId", signature as "Signature"
              from ledger_heads where tree = {tree} and size > {start} and size <= {last} order by size desc limit 1
            """, cancellationToken);
        var frontier = rows is not [var row] ? new MerkleFrontier()
            : row.ReadFrontier()?.From(start) ?? throw new LedgerDamagedException(tree, $"the frontier beside the head of size {row.Size} was altered");
        var leaves = await session.SqlAsync<byte[]>($"""
            select hash as "Value" from ledger_leaves where tree = {tree} and index >= {start + frontier.Size} and index < {end} order by index limit {TreeSealer.Batch + 1}
            """, cancellationToken);
        foreach (var leaf in leaves)
        {
            frontier.Append(leaf);
        }
        return frontier.Size == count ? frontier.Root() : throw new LedgerDamagedException(tree, $"leaves between {start} and {end - 1}, or heads, are gone");
    }

    private static Task<List<SealedRow>> ReadAsync(TeamSession session, Guid tree, long first, long end, CancellationToken cancellationToken) =>
        session.SqlAsync<SealedRow>($"""
            select l.index as "Index", l.hash as "Hash", e.id as "Id", e.at as "At", e.actor as "Actor",
                   e.action as "Action", e.subject as "Subject", e.address as "Address", e.details as "Details"
              from (select * from ledger_leaves where tree = {tree} and index >= {first} and index < {end} order by index) l
              left join lateral (select * from ledger_entries where id = l.entry_id offset 0) e on e.tree = l.tree order by l.index
            """, cancellationToken);

    private sealed class SealedRow : EntryColumns
    {
        public required long Index { get; init; }

        public required byte[] Hash { get; init; }
    }

    private sealed class Slot(SemaphoreSlim slots) : IDisposable
    {
        public void Dispose() => slots.Release();
    }
}
