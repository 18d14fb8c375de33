using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Appliance.Vault;

/// <summary>
/// An entry at its place in a tree, in the one form in which it becomes a leaf (docs/ledger-format.md). The place is part of it: the same entry
/// elsewhere is another leaf.
/// </summary>
/// <param name="Tree">A team's id, or nil for the appliance.</param>
/// <param name="Index">From 0.</param>
/// <param name="Id">The entry's.</param>
/// <param name="At">To the microsecond.</param>
/// <param name="Actor">The account; null for nobody.</param>
/// <param name="Action">Past tense, dotted.</param>
/// <param name="Subject">What it was done to.</param>
/// <param name="Address">Where the request came from.</param>
/// <param name="Details">A JSON object, as the exact text that is hashed.</param>
public sealed record LedgerLeaf(Guid Tree, long Index, Guid Id, DateTimeOffset At, Guid? Actor, string Action, string? Subject, string? Address, string Details)
{
    private const byte Absent = 0;
    private const byte Present = 1;

    private static ReadOnlySpan<byte> Domain => "appliance ledger entry v1\n\0"u8;

    /// <summary>
    /// "appliance ledger entry v1\n\0" 27 | tree 16 | index 8 | id 16 | microseconds since 1970-01-01T00:00:00Z, two's complement 8 |
    /// actor: 0, or 1 and 16 | action | subject | address | details. A text is 0 where there is none, or 1, its length in bytes 4, and UTF-8.
    /// Integers and ids are big-endian.
    /// </summary>
    public byte[] Encode()
    {
        var leaf = new ArrayBufferWriter<byte>(256);
        leaf.Write(Domain);
        Write(leaf, Tree);
        Write(leaf, Index);
        Write(leaf, Id);
        Write(leaf, (At - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
        leaf.Write([Actor is null ? Absent : Present]);
        if (Actor is { } actor)
        {
            Write(leaf, actor);
        }

        Write(leaf, Action);
        Write(leaf, Subject);
        Write(leaf, Address);
        Write(leaf, Details);
        return leaf.WrittenSpan.ToArray();
    }

    /// <summary>The leaf's hash (RFC 9162 section 2.1.1), 32 bytes.</summary>
    public byte[] Hash() => MerkleTree.HashLeaf(Encode());

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
