using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>
/// Merkle tree hashing and proofs of RFC 9162 section 2.1 with SHA-256. Every hash has 32 bytes. Sizes and indexes count leaves.
/// The verifying methods answer false to anything malformed; they never throw for what an attacker may send.
/// </summary>
public static class MerkleTree
{
    /// <summary>Bytes of every hash.</summary>
    public const int HashLength = SHA256.HashSizeInBytes;

    private const byte LeafPrefix = 0x00;
    private const byte NodePrefix = 0x01;

    /// <summary>The root of a tree without leaves: the hash of the empty string. A new array each time.</summary>
    public static byte[] EmptyRoot => SHA256.HashData([]);

    /// <summary>HASH(0x00 || entry), section 2.1.1.</summary>
    public static byte[] HashLeaf(ReadOnlySpan<byte> entry)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData([LeafPrefix]);
        hash.AppendData(entry);
        return hash.GetHashAndReset();
    }

    /// <summary>HASH(0x01 || left || right), section 2.1.1.</summary>
    /// <exception cref="ArgumentException">One of them is no hash of 32 bytes.</exception>
    public static byte[] HashNode(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        RequireHash(left, nameof(left));
        RequireHash(right, nameof(right));
        Span<byte> node = stackalloc byte[1 + (2 * HashLength)];
        node[0] = NodePrefix;
        left.CopyTo(node[1..]);
        right.CopyTo(node[(1 + HashLength)..]);
        return SHA256.HashData(node);
    }

    /// <summary>MTH, section 2.1.1, over the hashes of the leaves.</summary>
    public static byte[] Root(IReadOnlyList<byte[]> leafHashes)
    {
        ArgumentNullException.ThrowIfNull(leafHashes);
        return leafHashes.Count == 0 ? EmptyRoot : Root(leafHashes, 0, leafHashes.Count);
    }

    /// <summary>PATH, section 2.1.3.1: what proves that a leaf is in the tree of all these leaves, nearest to the leaf first.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such leaf.</exception>
    public static byte[][] InclusionProof(IReadOnlyList<byte[]> leafHashes, long index)
    {
        ArgumentNullException.ThrowIfNull(leafHashes);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, leafHashes.Count);
        return [.. InclusionPath(index, leafHashes.Count).Select(node => Root(leafHashes, (int)node.Start, (int)node.Count))];
    }

    /// <summary>As <see cref="InclusionProof"/>, but which leaves each hash of the proof is the root of: for whoever does not hold all leaves.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such leaf.</exception>
    public static IReadOnlyList<(long Start, long Count)> InclusionPath(long index, long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, size);
        var path = new List<(long Start, long Count)>();
        var (start, count) = (0L, size);
        while (count > 1)
        {
            var left = LargestPowerBelow(count);
            if (index - start < left)
            {
                path.Add((start + left, count - left));
                count = left;
            }
            else
            {
                path.Add((start, left));
                start += left;
                count -= left;
            }
        }

        path.Reverse(); // collected from the root down
        return path;
    }

    /// <summary>Section 2.1.3.2: whether the proof leads from the leaf at this index to the root of a tree of this size.</summary>
    public static bool VerifyInclusion(
        ReadOnlySpan<byte> leafHash, long index, long size, IReadOnlyList<byte[]> proof, ReadOnlySpan<byte> root)
    {
        if (index < 0 || index >= size || leafHash.Length != HashLength || !AllHashes(proof))
        {
            return false;
        }

        long fn = index, sn = size - 1;
        var r = leafHash.ToArray();
        foreach (var p in proof)
        {
            if (sn == 0)
            {
                return false;
            }

            if (long.IsOddInteger(fn) || fn == sn)
            {
                r = HashNode(p, r);
                SkipRightEdge(ref fn, ref sn);
            }
            else
            {
                r = HashNode(r, p);
            }

            fn >>= 1;
            sn >>= 1;
        }

        return sn == 0 && root.SequenceEqual(r);
    }

    /// <summary>
    /// PROOF, section 2.1.4.1: what proves that the tree of all these leaves (<paramref name="second"/> of them are taken) begins with
    /// the tree of the <paramref name="first"/> ones. Empty when they are the same tree, or the first is empty.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Not 0 ≤ first ≤ second ≤ number of leaves.</exception>
    public static byte[][] ConsistencyProof(IReadOnlyList<byte[]> leafHashes, long first, long second)
    {
        ArgumentNullException.ThrowIfNull(leafHashes);
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, second);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(second, leafHashes.Count);
        if (first == 0)
        {
            return [];
        }

        var proof = new List<byte[]>();
        int start = 0, count = (int)second;
        var old = (int)first; // leaves of the subtree that belong to the first tree
        while (old < count)
        {
            var left = (int)LargestPowerBelow(count);
            if (old <= left)
            {
                proof.Add(Root(leafHashes, start + left, count - left));
                count = left;
            }
            else
            {
                proof.Add(Root(leafHashes, start, left));
                start += left;
                count -= left;
                old -= left;
            }
        }

        if (start != 0) // SUBPROOF's flag b: the verifier knows the first tree's root, but not that of a part of it
        {
            proof.Add(Root(leafHashes, start, count));
        }

        proof.Reverse();
        return [.. proof];
    }

    /// <summary>Section 2.1.4.2: whether the second tree begins with the first. Every tree begins with the empty one.</summary>
    public static bool VerifyConsistency(
        long first, long second, ReadOnlySpan<byte> firstRoot, ReadOnlySpan<byte> secondRoot, IReadOnlyList<byte[]> proof)
    {
        if (first < 0 || first > second || firstRoot.Length != HashLength || secondRoot.Length != HashLength || !AllHashes(proof))
        {
            return false;
        }

        if (first == 0 || first == second)
        {
            return proof.Count == 0
                && (first != 0 || firstRoot.SequenceEqual(EmptyRoot))
                && (first != second || firstRoot.SequenceEqual(secondRoot));
        }

        var path = long.IsPow2(first) ? [firstRoot.ToArray(), .. proof] : proof;
        if (path.Count == 0)
        {
            return false;
        }

        long fn = first - 1, sn = second - 1;
        while (long.IsOddInteger(fn))
        {
            fn >>= 1;
            sn >>= 1;
        }

        byte[] fr = path[0], sr = path[0];
        foreach (var c in path.Skip(1))
        {
            if (sn == 0)
            {
                return false;
            }

            if (long.IsOddInteger(fn) || fn == sn)
            {
                fr = HashNode(c, fr);
                sr = HashNode(c, sr);
                SkipRightEdge(ref fn, ref sn);
            }
            else
            {
                sr = HashNode(sr, c);
            }

            fn >>= 1;
            sn >>= 1;
        }

        return sn == 0 && firstRoot.SequenceEqual(fr) && secondRoot.SequenceEqual(sr);
    }

    // "If LSB(fn) is not set, then right-shift both fn and sn equally until either LSB(fn) is set or fn is 0."
    private static void SkipRightEdge(ref long fn, ref long sn)
    {
        while (fn != 0 && !long.IsOddInteger(fn))
        {
            fn >>= 1;
            sn >>= 1;
        }
    }

    private static bool AllHashes(IReadOnlyList<byte[]>? proof) => proof is not null && proof.All(hash => hash?.Length == HashLength);

    private static byte[] Root(IReadOnlyList<byte[]> leafHashes, int start, int count)
    {
        if (count == 1)
        {
            RequireHash(leafHashes[start], nameof(leafHashes));
            return [.. leafHashes[start]];
        }

        var left = (int)LargestPowerBelow(count);
        return HashNode(Root(leafHashes, start, left), Root(leafHashes, start + left, count - left));
    }

    private static void RequireHash(ReadOnlySpan<byte> hash, string name)
    {
        if (hash.Length != HashLength)
        {
            throw new ArgumentException($"A hash has {HashLength} bytes, not {hash.Length}.", name);
        }
    }

    private static long LargestPowerBelow(long count) => 1L << (int)long.Log2(count - 1);
}
