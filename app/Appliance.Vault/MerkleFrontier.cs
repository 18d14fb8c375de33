using System.Buffers.Binary;
using System.Numerics;

namespace Appliance.Vault;

/// <summary>
/// What is needed of a Merkle tree to append to it and to know its root: the roots of its complete subtrees, at most 63 of them,
/// one for each bit that is set in its size. Appending and <see cref="Root"/> take O(log n) hashes. Not safe for use by several threads.
/// </summary>
public sealed class MerkleFrontier
{
    private const byte Version = 1;
    private const int HeadLength = 1 + sizeof(long);

    private readonly List<byte[]> _subtrees = []; // the largest, and oldest, first

    /// <summary>Leaves so far.</summary>
    public long Size { get; private set; }

    /// <summary>Adds a leaf at the end.</summary>
    /// <exception cref="ArgumentException">It is no hash of 32 bytes.</exception>
    public void Append(ReadOnlySpan<byte> leafHash)
    {
        if (leafHash.Length != MerkleTree.HashLength)
        {
            throw new ArgumentException($"A leaf hash has {MerkleTree.HashLength} bytes.", nameof(leafHash));
        }

        var node = leafHash.ToArray();
        for (var size = Size; long.IsOddInteger(size); size >>= 1) // as carrying when one is added in binary
        {
            node = MerkleTree.HashNode(_subtrees[^1], node);
            _subtrees.RemoveAt(_subtrees.Count - 1);
        }

        _subtrees.Add(node);
        Size++;
    }

    /// <summary>The root over all leaves: the same as <see cref="MerkleTree.Root(IReadOnlyList{byte[]})"/>.</summary>
    public byte[] Root()
    {
        if (Size == 0)
        {
            return MerkleTree.EmptyRoot;
        }

        byte[] root = [.. _subtrees[^1]];
        for (var i = _subtrees.Count - 2; i >= 0; i--)
        {
            root = MerkleTree.HashNode(_subtrees[i], root);
        }

        return root;
    }

    /// <summary>
    /// The frontier of the leaves from <paramref name="start"/> on alone, to which the leaves that follow can be appended: its root is then that of
    /// the subtree that begins there.
    /// </summary>
    /// <exception cref="ArgumentException">A complete subtree crosses the place, so that what is after it is not known here.</exception>
    public MerkleFrontier From(long start)
    {
        var rest = Size - start;
        if (start < 0 || rest < 0 || (start & rest) != 0 || (start != 0 && rest >= (start & -start)))
        {
            throw new ArgumentException($"A frontier of size {Size} does not part at {start}.", nameof(start));
        }

        var frontier = new MerkleFrontier { Size = rest };
        frontier._subtrees.AddRange(_subtrees.TakeLast(BitOperations.PopCount((ulong)rest)));
        return frontier;
    }

    /// <summary>Everything as bytes: version 1 | size, big-endian 8 | the subtrees' roots, 32 each, largest subtree first.</summary>
    public byte[] Export()
    {
        var bytes = new byte[HeadLength + (_subtrees.Count * MerkleTree.HashLength)];
        bytes[0] = Version;
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(1), Size);
        for (var i = 0; i < _subtrees.Count; i++)
        {
            _subtrees[i].CopyTo(bytes, HeadLength + (i * MerkleTree.HashLength));
        }

        return bytes;
    }

    /// <summary>
    /// Reads what <see cref="Export"/> wrote. Only its shape can be judged here: compare <see cref="Root"/> with a signed head
    /// before trusting it.
    /// </summary>
    /// <exception cref="TamperedException">No frontier looks like this.</exception>
    public static MerkleFrontier Import(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeadLength || bytes[0] != Version)
        {
            throw new TamperedException("A Merkle frontier does not start as one.");
        }

        var size = BinaryPrimitives.ReadInt64BigEndian(bytes[1..]);
        var count = BitOperations.PopCount((ulong)size);
        if (size < 0 || bytes.Length != HeadLength + (count * MerkleTree.HashLength))
        {
            throw new TamperedException($"A Merkle frontier of size {size} cannot be {bytes.Length} bytes long.");
        }

        var frontier = new MerkleFrontier { Size = size };
        for (var i = 0; i < count; i++)
        {
            frontier._subtrees.Add(bytes.Slice(HeadLength + (i * MerkleTree.HashLength), MerkleTree.HashLength).ToArray());
        }

        return frontier;
    }
}
