using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Ledger;

/// <summary>
/// Recomputes a tree from its entries and compares it with its leaves, its signed heads and heads that were kept elsewhere. Reads one
/// snapshot of the database in batches, so the service goes on meanwhile and memory does not grow with the ledger. Rows are looked up by key ("offset 0" keeps the planner
/// to it), so that no plan made before the tables were analysed takes quadratic time.
/// </summary>
/// <remarks>
/// Against whoever can write to the database but has not the signing key, every change of what was sealed shows, except that the ledger
/// is cut back to an earlier state as a whole: that shows only against heads that were kept elsewhere.
/// </remarks>
public sealed class LedgerVerification(Database database, LedgerKeys keys)
{
    private const int Batch = 5000;

    /// <summary>Verifies one tree.</summary>
    /// <param name="tree">A team's id, or <see cref="LedgerAppend.ApplianceTree"/>.</param>
    /// <param name="kept">Heads kept elsewhere; those of other trees are passed over. Their signatures must have been checked.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="DatabaseUnavailableException">The database does not answer.</exception>
    public async Task<LedgerReport> VerifyAsync(Guid tree, IReadOnlyCollection<SignedHead> kept, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(kept);
        await using var session = await database.ForTreeAsync(tree, cancellationToken);
        // One moment for all that is read below, or entries sealed meanwhile would look inserted.
        await session.ExecuteAsync($"set transaction isolation level repeatable read, read only", cancellationToken);

        var findings = new Findings();
        var walk = new TreeWalk(tree, keys, findings);
        var outside = new Queue<SignedHead>(kept.Where(k => k.Head.Tree == tree).OrderBy(k => k.Head.Size));
        var compared = outside.Count;
        long heads = 0;
        await using var leaves = LeavesAsync(session, tree, cancellationToken).GetAsyncEnumerator(cancellationToken);
        var more = await leaves.MoveNextAsync();
        await foreach (var head in HeadsAsync(session, tree, cancellationToken))
        {
            heads++;
            while (outside.TryPeek(out var earlier) && earlier.Head.Size < head.Size)
            {
                more = await WalkToAsync(earlier.Head.Size);
                walk.KeptBetween(outside.Dequeue());
            }
            more = await WalkToAsync(head.Size);
            walk.Head(head);
        }
        while (outside.TryDequeue(out var last))
        {
            more = await WalkToAsync(last.Head.Size);
            walk.KeptAtEnd(last);
        }
        await WalkToAsync(long.MaxValue);
        walk.End();
        await FindUnsealedAsync(session, tree, findings, cancellationToken);

        var waiting = (await session.SqlAsync<WaitingCount>($"""
            select count(*) as "Count", min(e.at) as "Oldest"
              from ledger_queue q left join lateral (select * from ledger_entries where id = q.entry_id offset 0) e on e.tree = q.tree where q.tree = {tree}
            """, cancellationToken)).Single();
        return new LedgerReport(tree, walk.Leaves, waiting.Count, waiting.Oldest, heads, compared, findings.List, findings.More);

        async Task<bool> WalkToAsync(long size)
        {
            while (more && leaves.Current.Index < size)
            {
                walk.Leaf(leaves.Current.Index, leaves.Current.EntryId, leaves.Current.Hash, leaves.Current.ToEntry(tree));
                more = await leaves.MoveNextAsync();
            }
            return more;
        }
    }

    /// <summary>The latest head of a tree as the database holds it, unchecked; null where nothing is sealed yet.</summary>
    public async Task<SignedHead?> LatestHeadAsync(Guid tree, CancellationToken cancellationToken)
    {
        await using var session = await database.ForTreeAsync(tree, cancellationToken);
        var rows = await session.SqlAsync<HeadRow>($"""
            select size as "Size", root as "Root", frontier as "Frontier", signed_at as "SignedAt", key_id as "KeyId", signature as "Signature"
              from ledger_heads where tree = {tree} order by size desc limit 1
            """, cancellationToken);
        return rows.SingleOrDefault()?.ToSigned(tree);
    }

    private static async IAsyncEnumerable<LeafRow> LeavesAsync(
        TeamSession session, Guid tree, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (long next = 0; ;)
        {
            var rows = await session.SqlAsync<LeafRow>($"""
                select l.index as "Index", l.entry_id as "EntryId", l.hash as "Hash", e.id as "Id", e.at as "At", e.actor as "Actor",
                       e.action as "Action", e.subject as "Subject", e.address as "Address", e.details as "Details"
                  from (select * from ledger_leaves where tree = {tree} and index >= {next} order by index limit {Batch}) l
                  left join lateral (select * from ledger_entries where id = l.entry_id offset 0) e on e.tree = l.tree order by l.index
                """, cancellationToken);
            foreach (var row in rows)
            {
                yield return row;
            }
            if (rows.Count < Batch)
            {
                yield break;
            }
            next = rows[^1].Index + 1;
        }
    }

    private static async IAsyncEnumerable<HeadRow> HeadsAsync(
        TeamSession session, Guid tree, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (long after = 0; ;)
        {
            var rows = await session.SqlAsync<HeadRow>($"""
                select size as "Size", root as "Root", frontier as "Frontier", signed_at as "SignedAt", key_id as "KeyId", signature as "Signature"
                  from ledger_heads where tree = {tree} and size > {after} order by size limit {Batch}
                """, cancellationToken);
            foreach (var row in rows)
            {
                yield return row;
            }
            if (rows.Count < Batch)
            {
                yield break;
            }
            after = rows[^1].Size;
        }
    }

    /// <summary>The database queues each entry as it is written and unqueues it as its leaf is, so one that is in neither came another way.</summary>
    private static async Task FindUnsealedAsync(TeamSession session, Guid tree, Findings findings, CancellationToken cancellationToken)
    {
        var inserted = await session.SqlAsync<Unsealed>($"""
            select e.id as "Entry", e.at as "At" from ledger_entries e
             where e.tree = {tree}
               and not exists (select from ledger_leaves l where l.entry_id = e.id offset 0)
               and not exists (select from ledger_queue q where q.entry_id = e.id offset 0)
             order by e.id limit {LedgerReport.MaxFindings + 1}
            """, cancellationToken);
        foreach (var entry in inserted)
        {
            var how = findings.AnyMissingLeaf ? "its leaf is one of those that are missing, or it was inserted" : "it was inserted";
            findings.Add(new LedgerFinding(LedgerDamage.EntryNotSealed, $"Entry {entry.Entry} of {entry.At:u} is neither sealed nor waiting to be: {how}.")
            {
                Entry = entry.Entry,
                At = entry.At,
            });
        }
        var removed = await session.SqlAsync<Guid>($"""
            select q.entry_id as "Value" from ledger_queue q
             where q.tree = {tree} and not exists (select from ledger_entries e where e.id = q.entry_id offset 0)
             order by q.position limit {LedgerReport.MaxFindings + 1}
            """, cancellationToken);
        foreach (var entry in removed)
        {
            findings.Add(new LedgerFinding(LedgerDamage.EntryRemoved, $"Entry {entry} was removed before it was sealed.") { Entry = entry });
        }
    }

    private sealed class LeafRow : EntryColumns
    {
        public required long Index { get; init; }

        public required Guid EntryId { get; init; }

        public required byte[] Hash { get; init; }
    }

    private sealed class WaitingCount
    {
        public required long Count { get; init; }

        public DateTimeOffset? Oldest { get; init; }
    }

    private sealed class Unsealed
    {
        public required Guid Entry { get; init; }

        public required DateTimeOffset At { get; init; }
    }
}
