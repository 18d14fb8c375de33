using Appliance.Vault;

namespace Appliance.Ledger;

/// <summary>The leaves since the last head that fits: kept, within bounds, so that what does not fit can be named one by one.</summary>
internal sealed class Segment(Findings findings)
{
    private const int MaxLeaves = 20_000;
    private const int MaxSuspects = 256;

    private readonly List<byte[]> _leaves = [];
    private readonly List<Suspect> _suspects = [];
    private byte[] _start = new MerkleFrontier().Export();
    private long _first;
    private bool _whole = true; // every leaf since _start is in _leaves

    /// <summary>Everything up to this frontier fits.</summary>
    public void Start(MerkleFrontier frontier)
    {
        _start = frontier.Export();
        _first = frontier.Size;
        _whole = true;
        _leaves.Clear();
        _suspects.Clear();
    }

    /// <summary>What stands before a head that does not fit has been named; what follows cannot be rebuilt from a known start.</summary>
    public void StartAfterDoubt()
    {
        _whole = false;
        _leaves.Clear();
        _suspects.Clear();
    }

    public void Add(long index, byte[] stored, byte[] computed, LedgerEntry? entry)
    {
        _whole &= _leaves.Count < MaxLeaves && index == _first + _leaves.Count;
        if (_whole)
        {
            _leaves.Add(stored);
        }
        if (entry is null || computed.AsSpan().SequenceEqual(stored))
        {
            return;
        }
        var suspect = new Suspect(index, stored, entry);
        if (_suspects.Count < MaxSuspects)
        {
            _suspects.Add(suspect);
        }
        else
        {
            findings.Add(Edited(suspect));
        }
    }

    /// <summary>Whether these leaves have the root, once those that were only moved are back in their places.</summary>
    public bool Is(ReadOnlySpan<byte> root)
    {
        if (!_whole || _suspects.Count == 0)
        {
            return false;
        }
        var leaves = _leaves.ToArray();
        foreach (var suspect in _suspects)
        {
            if (_suspects.Find(place => suspect.WasLeafOf(place.Index)) is { } home)
            {
                leaves[home.Index - _first] = suspect.Stored;
            }
        }
        var frontier = MerkleFrontier.Import(_start);
        foreach (var leaf in leaves)
        {
            frontier.Append(leaf);
        }
        return root.SequenceEqual(frontier.Root());
    }

    /// <summary>Names the suspects where the stored leaves are to be believed, or nothing tells.</summary>
    public void NameEdited()
    {
        foreach (var suspect in _suspects)
        {
            var home = _suspects.Find(place => place.Index != suspect.Index
                && (suspect.WasLeafOf(place.Index) || LeafEncoding.Hash(suspect.Entry, place.Index).AsSpan().SequenceEqual(place.Stored)));
            findings.Add(home is null ? Edited(suspect) : Moved(suspect, home.Index));
        }
        _suspects.Clear();
    }

    /// <summary>Names the suspects where the entries make the leaves that were signed.</summary>
    public void NameAltered()
    {
        foreach (var suspect in _suspects)
        {
            findings.Add(Named(suspect, LedgerDamage.LeafAltered,
                $"The leaf of entry {suspect.Entry.Id}, number {suspect.Index}, of {suspect.Entry.At:u}, was altered; the entry is as it was sealed."));
        }
        _suspects.Clear();
    }

    private static LedgerFinding Edited(Suspect suspect) => Named(suspect, LedgerDamage.EntryEdited,
        $"Entry {suspect.Entry.Id}, number {suspect.Index}, dated {suspect.Entry.At:u}, was edited: it is not what was sealed.");

    private static LedgerFinding Moved(Suspect suspect, long home) => Named(suspect, LedgerDamage.EntryMoved,
        $"Entry {suspect.Entry.Id}, dated {suspect.Entry.At:u}, stands as number {suspect.Index} and was sealed as number {home}.") with
    {
        Last = home,
    };

    private static LedgerFinding Named(Suspect suspect, LedgerDamage damage, string what) =>
        new(damage, what) { Index = suspect.Index, Entry = suspect.Entry.Id, At = suspect.Entry.At };

    /// <summary>A leaf whose entry makes another one.</summary>
    private sealed record Suspect(long Index, byte[] Stored, LedgerEntry Entry)
    {
        /// <summary>Whether leaf and entry fit each other at that place.</summary>
        public bool WasLeafOf(long index) => LeafEncoding.Hash(Entry, index).AsSpan().SequenceEqual(Stored);
    }
}
