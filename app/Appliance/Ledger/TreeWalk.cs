using Appliance.Vault;

namespace Appliance.Ledger;

/// <summary>
/// The judging half of verification: takes a tree's leaves in order and its heads where they stand between them, and says what does not
/// fit. Two trees are built side by side, one of the leaves as stored and one of the leaves as the entries make them; the signed heads
/// tell which of the two is the true one where they differ.
/// </summary>
internal sealed class TreeWalk(Guid tree, LedgerKeys keys, Findings findings)
{
    private readonly Segment _segment = new(findings);
    private MerkleFrontier _stored = new();
    private MerkleFrontier _computed = new();

    private long _good;            // size of the last head that everything up to it agrees with
    private bool _broken;          // a leaf is missing since then: the trees cannot be built until the next head gives a new start
    private HeadRow? _doubted;     // a well-signed head that does not fit; the next one tells whether it or the leaves are false
    private MerkleFrontier? _onDoubted; // the tree that grows from it

    /// <summary>Leaves so far, missing ones included.</summary>
    public long Leaves { get; private set; }

    public void Leaf(long index, Guid entryId, byte[] hash, LedgerEntry? entry)
    {
        MissUpTo(index);
        Leaves = index + 1;
        var computed = hash;
        if (entry is null)
        {
            findings.Add(new LedgerFinding(LedgerDamage.EntryRemoved, $"Entry {entryId}, number {index}, was removed.") { Index = index, Entry = entryId });
        }
        else
        {
            computed = LeafEncoding.Hash(entry, index);
        }
        _segment.Add(index, hash, computed, entry);
        if (!_broken)
        {
            _stored.Append(hash);
            _computed.Append(computed);
            _onDoubted?.Append(hash);
        }
    }

    public void Head(HeadRow head)
    {
        MissUpTo(head.Size);
        if (Untrustworthy(head) is { } why)
        {
            findings.Add(new LedgerFinding(LedgerDamage.HeadAltered, $"The head of size {head.Size}, of {head.SignedAt:u}, {why}.") { Size = head.Size, At = head.SignedAt });
            return;
        }
        var frontier = head.ReadFrontier();
        if (frontier is null)
        {
            findings.Add(new LedgerFinding(LedgerDamage.HeadAltered, $"The frontier beside the head of size {head.Size} was altered.") { Size = head.Size, At = head.SignedAt });
        }
        Judge(head, frontier);
    }

    /// <summary>A head from elsewhere, whose signature was checked, where the database has a later one.</summary>
    public void KeptBetween(SignedHead kept)
    {
        MissUpTo(kept.Head.Size);
        Compare(kept);
    }

    /// <summary>A head from elsewhere, whose signature was checked, after all that the database has.</summary>
    public void KeptAtEnd(SignedHead kept)
    {
        var size = kept.Head.Size;
        if (size > Leaves)
        {
            findings.Add(new LedgerFinding(LedgerDamage.CutBack,
                $"A head of size {size}, signed {kept.Head.SignedAt:u}, was kept elsewhere; here the ledger ends at {Leaves}. It was cut back or an old copy was put in its place.")
            {
                Size = size,
                EarlierSize = Leaves,
                At = kept.Head.SignedAt,
            });
        }
        else
        {
            Compare(kept);
        }
    }

    /// <summary>No more leaves, no more heads.</summary>
    public void End()
    {
        var signed = _doubted?.Size ?? _good;
        if (_doubted is { } doubted)
        {
            findings.Add(DoesNotFollow(doubted,
                $"The head of size {doubted.Size} does not follow from that of size {_good}: entries {_good} to {doubted.Size - 1} were rewritten, or the head is false."));
        }
        if (Leaves > signed)
        {
            findings.Add(new LedgerFinding(LedgerDamage.LeavesUnsigned, $"Leaves {signed} to {Leaves - 1} are under no head that can be believed.") { Index = signed, Last = Leaves - 1 });
        }
        _segment.NameEdited();
    }

    private void Judge(HeadRow head, MerkleFrontier? frontier)
    {
        if (_broken)
        {
            _segment.NameEdited();
        }
        else if (Is(_stored, head.Root))
        {
            // What is stored is what was signed, so wherever entries make other leaves, it is the entries that changed.
            ResolveDoubt(leavesAreRight: true);
            _segment.NameEdited();
            frontier ??= Copy(_stored);
        }
        else if (Is(_computed, head.Root))
        {
            ResolveDoubt(leavesAreRight: true);
            _segment.NameAltered();
            frontier ??= Copy(_computed);
        }
        else if (_doubted is not null && _onDoubted is { } onDoubted && Is(onDoubted, head.Root))
        {
            ResolveDoubt(leavesAreRight: false);
            _segment.NameEdited();
            frontier ??= Copy(onDoubted);
        }
        else if (_segment.Is(head.Root))
        {
            _segment.NameEdited();
        }
        else
        {
            Doubt(head, frontier);
            return;
        }
        if (frontier is not null)
        {
            StartFrom(frontier);
        }
        else
        {
            _broken = true; // it fits, but nothing says how to go on from it
        }
    }

    private void Doubt(HeadRow head, MerkleFrontier? frontier)
    {
        if (_doubted is { } earlier)
        {
            findings.Add(DoesNotFollow(earlier, $"The head of size {earlier.Size} does not follow from that of size {_good}."));
            _good = earlier.Size;
        }
        _segment.NameEdited();
        _segment.StartAfterDoubt();
        _doubted = head;
        _onDoubted = frontier;
    }

    private void ResolveDoubt(bool leavesAreRight)
    {
        if (_doubted is not { } doubted)
        {
            return;
        }
        findings.Add(leavesAreRight
            ? DoesNotFollow(doubted, $"The head of size {doubted.Size} does not follow from that of size {_good}; the entries do, and so do later heads.")
            : new LedgerFinding(LedgerDamage.EntriesRewritten,
                $"Entries {_good} to {doubted.Size - 1} were rewritten, leaves and all: the head of size {doubted.Size} does not follow from that of size {_good}.")
            {
                Index = _good,
                Last = doubted.Size - 1,
                Size = doubted.Size,
                EarlierSize = _good,
                At = doubted.SignedAt,
            });
    }

    private LedgerFinding DoesNotFollow(HeadRow head, string what) => new(LedgerDamage.HeadDoesNotFollow, what)
    {
        Size = head.Size,
        EarlierSize = _good,
        At = head.SignedAt,
        Index = _good,
        Last = head.Size - 1,
    };

    private void StartFrom(MerkleFrontier frontier)
    {
        _good = frontier.Size;
        _stored = frontier;
        _computed = Copy(frontier);
        _broken = false;
        _doubted = null;
        _onDoubted = null;
        _segment.Start(frontier);
    }

    private void MissUpTo(long index)
    {
        if (index <= Leaves)
        {
            return;
        }
        findings.Add(new LedgerFinding(LedgerDamage.LeavesMissing,
            Leaves == index - 1 ? $"Leaf {Leaves} is missing." : $"Leaves {Leaves} to {index - 1} are missing.") { Index = Leaves, Last = index - 1 });
        _broken = true;
        Leaves = index;
    }

    private string? Untrustworthy(HeadRow head) =>
        !keys.Knows(head.KeyId) ? $"is signed with a key that is not known here ({head.KeyId})"
        : head.Root.Length != MerkleTree.HashLength || !keys.Verify(head.ToSigned(tree)) ? "was altered: its signature is wrong"
        : null;

    private void Compare(SignedHead kept)
    {
        var root = kept.Head.Root;
        if (_broken || Is(_stored, root) || Is(_computed, root) || (_onDoubted is { } onDoubted && Is(onDoubted, root)) || _segment.Is(root.Span))
        {
            return; // it fits, or what does not was named already
        }
        findings.Add(new LedgerFinding(LedgerDamage.KeptHeadDiffers,
            $"What stands here up to size {kept.Head.Size} is not what the head kept elsewhere, signed {kept.Head.SignedAt:u}, was signed over.")
        {
            Size = kept.Head.Size,
            At = kept.Head.SignedAt,
        });
    }

    private static bool Is(MerkleFrontier frontier, ReadOnlyMemory<byte> root) => root.Span.SequenceEqual(frontier.Root());

    private static MerkleFrontier Copy(MerkleFrontier frontier) => MerkleFrontier.Import(frontier.Export());
}
