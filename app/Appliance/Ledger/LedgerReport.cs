namespace Appliance.Ledger;

/// <summary>What can be wrong with a tree.</summary>
public enum LedgerDamage
{
    /// <summary>The entry at <c>Index</c> is no longer what was sealed.</summary>
    EntryEdited,

    /// <summary>The leaf at <c>Index</c> names an entry that is gone, or an entry is gone that was waiting to be sealed.</summary>
    EntryRemoved,

    /// <summary>The entry stands at <c>Index</c> and was sealed at <c>Last</c>.</summary>
    EntryMoved,

    /// <summary>The entry is neither sealed nor waiting: it was written past the database's own triggers, or its leaf was taken away.</summary>
    EntryNotSealed,

    /// <summary>No leaves from <c>Index</c> to <c>Last</c>.</summary>
    LeavesMissing,

    /// <summary>The leaf at <c>Index</c> is not the one that was sealed, while its entry is.</summary>
    LeafAltered,

    /// <summary>Leaves from <c>Index</c> to <c>Last</c> are under no head.</summary>
    LeavesUnsigned,

    /// <summary>The signature over the head of <c>Size</c> is wrong, or by a key that is not known, or its frontier was altered.</summary>
    HeadAltered,

    /// <summary>The head of <c>Size</c> does not follow from that of <c>EarlierSize</c>.</summary>
    HeadDoesNotFollow,

    /// <summary>Entries and leaves from <c>Index</c> to <c>Last</c> are not those that were sealed between heads <c>EarlierSize</c> and <c>Size</c>.</summary>
    EntriesRewritten,

    /// <summary>The head of <c>Size</c> that was kept elsewhere is of another tree than what stands here.</summary>
    KeptHeadDiffers,

    /// <summary>A head of <c>Size</c> was kept elsewhere; here the ledger ends at <c>EarlierSize</c>.</summary>
    CutBack,
}

/// <summary>One thing that is wrong. Indexes count from 0; ranges include both ends; <see cref="What"/> is the sentence for people.</summary>
public sealed record LedgerFinding(LedgerDamage Damage, string What)
{
    public long? Index { get; init; }

    public long? Last { get; init; }

    public Guid? Entry { get; init; }

    public DateTimeOffset? At { get; init; }

    public long? Size { get; init; }

    public long? EarlierSize { get; init; }
}

/// <summary>What verifying one tree came to.</summary>
/// <param name="Tree">A team's id, or <see cref="LedgerAppend.ApplianceTree"/>.</param>
/// <param name="Sealed">Leaves.</param>
/// <param name="Waiting">Entries that were committed and are not sealed yet: none for longer than a second while the service runs.</param>
/// <param name="OldestWaiting">When the oldest of them was written.</param>
/// <param name="Heads">Signed heads in the database.</param>
/// <param name="KeptHeads">Heads kept elsewhere that were compared.</param>
/// <param name="Findings">At most <see cref="MaxFindings"/>, in the order of the tree.</param>
/// <param name="MoreFindings">Those beyond.</param>
public sealed record LedgerReport(
    Guid Tree, long Sealed, long Waiting, DateTimeOffset? OldestWaiting, long Heads, int KeptHeads, IReadOnlyList<LedgerFinding> Findings, long MoreFindings)
{
    public const int MaxFindings = 200;

    public bool Intact => Findings.Count == 0;
}

/// <summary>Collects findings, in bounded memory.</summary>
internal sealed class Findings
{
    private readonly List<LedgerFinding> _list = [];

    public IReadOnlyList<LedgerFinding> List => _list;

    public long More { get; private set; }

    public bool AnyMissingLeaf => _list.Exists(f => f.Damage == LedgerDamage.LeavesMissing);

    public void Add(LedgerFinding finding)
    {
        if (_list.Count < LedgerReport.MaxFindings)
        {
            _list.Add(finding);
        }
        else
        {
            More++;
        }
    }
}
