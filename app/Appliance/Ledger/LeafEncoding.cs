using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Appliance.Vault;

namespace Appliance.Ledger;

/// <summary>The one form in which an entry becomes a leaf of its tree (docs/ledger-format.md). Its place is part of it: the same entry elsewhere is another leaf.</summary>
public static class LeafEncoding
{
    private const byte Absent = 0;
    private const byte Present = 1;

    private static ReadOnlySpan<byte> Domain => "appliance ledger entry v1\n\0"u8;

    /// <summary>
    /// "appliance ledger entry v1\n\0" 27 | tree 16 | index 8 | id 16 | microseconds since 1970-01-01T00:00:00Z, two's complement 8 |
    /// actor: 0, or 1 and 16 | action | subject | address | details. A text is 0 where there is none, or 1, its length in bytes 4, and UTF-8.
    /// Integers and ids are big-endian.
    /// </summary>
    public static byte[] Encode(LedgerEntry entry, long index)
    {
        ArgumentNullException.ThrowIfNull(entry);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        var leaf = new ArrayBufferWriter<byte>(256);
        leaf.Write(Domain);
        Write(leaf, entry.Tree);
        Write(leaf, index);
        Write(leaf, entry.Id);
        Write(leaf, (entry.At - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
        leaf.Write([entry.Actor is null ? Absent : Present]);
        if (entry.Actor is { } actor)
        {
            Write(leaf, actor.Value);
        }
        Write(leaf, entry.Action);
        Write(leaf, entry.Subject);
        Write(leaf, entry.Address);
        Write(leaf, entry.Details);
        return leaf.WrittenSpan.ToArray();
    }

    /// <summary>The leaf's hash (RFC 9162 section 2.1.1), 32 bytes.</summary>
    public static byte[] Hash(LedgerEntry entry, long index) => MerkleTree.HashLeaf(Encode(entry, index));

    private static void Write(ArrayBufferWriter<byte> leaf, Guid id)
    {
        id.TryWriteBytes(leaf.GetSpan(16), bigEndian: true, out var written);
        leaf.Advance(written);
    }

    private static void Write(ArrayBufferWriter<byte> leaf, long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(leaf.GetSpan(sizeof(long)), value);
        leaf.Advance(sizeof(long));
    }

    private static void Write(ArrayBufferWriter<byte> leaf, string? text)
    {
        leaf.Write([text is null ? Absent : Present]);
        if (text is null)
        {
            return;
        }
        BinaryPrimitives.WriteInt32BigEndian(leaf.GetSpan(sizeof(int)), Encoding.UTF8.GetByteCount(text));
        leaf.Advance(sizeof(int));
        Encoding.UTF8.GetBytes(text, leaf);
    }
}
