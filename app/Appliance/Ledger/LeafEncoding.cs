using Appliance.Vault;

namespace Appliance.Ledger;

/// <summary>Entries as leaves of their trees (<see cref="LedgerLeaf"/>).</summary>
public static class LeafEncoding
{
    public static LedgerLeaf At(LedgerEntry entry, long index)
    {
        ArgumentNullException.ThrowIfNull(entry);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        return new LedgerLeaf(entry.Tree, index, entry.Id, entry.At, entry.Actor?.Value, entry.Action, entry.Subject, entry.Address, entry.Details);
    }

    public static byte[] Encode(LedgerEntry entry, long index) => At(entry, index).Encode();

    /// <summary>The leaf's hash (RFC 9162 section 2.1.1), 32 bytes.</summary>
    public static byte[] Hash(LedgerEntry entry, long index) => At(entry, index).Hash();
}
