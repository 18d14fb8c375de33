using System.Text;

namespace Appliance.Vault.Tests;

[Trait("Requirement", "W1")]
public sealed class MerkleTests
{
    // The reference vectors of the certificate-transparency project: these leaves, and the root after each.
    private static readonly byte[][] s_knownLeaves =
        [.. new[] { "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f" }
            .Select(leaf => MerkleTree.HashLeaf(Convert.FromHexString(leaf)))];

    private static readonly string[] s_knownRoots =
    [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    private static readonly byte[][] s_leaves =
        [.. Enumerable.Range(0, 1000).Select(i => MerkleTree.HashLeaf(Encoding.ASCII.GetBytes($"entry {i}")))];

    [Fact]
    public void Roots_are_those_of_the_reference_vectors()
    {
        Hex(MerkleTree.EmptyRoot).ShouldBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        Hex(MerkleTree.Root([])).ShouldBe(Hex(MerkleTree.EmptyRoot));
        for (var size = 1; size <= 8; size++)
        {
            Hex(MerkleTree.Root(s_knownLeaves[..size])).ShouldBe(s_knownRoots[size - 1], $"size {size}");
        }
    }

    [Theory]
    [InlineData(0, 1, "")]
    [InlineData(0, 8, "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7 5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e 6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")]
    [InlineData(5, 8, "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0 d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")]
    [InlineData(2, 3, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")]
    [InlineData(1, 5, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d 5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b")]
    public void Inclusion_proofs_are_those_of_the_reference_vectors(int index, int size, string proof) =>
        string.Join(' ', MerkleTree.InclusionProof(s_knownLeaves[..size], index).Select(Hex)).ShouldBe(proof);

    [Theory]
    [InlineData(1, 1, "")]
    [InlineData(1, 8, "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7 5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e 6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")]
    [InlineData(6, 8, "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0 d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")]
    [InlineData(2, 5, "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b")]
    public void Consistency_proofs_are_those_of_the_reference_vectors(int first, int second, string proof) =>
        string.Join(' ', MerkleTree.ConsistencyProof(s_knownLeaves, first, second).Select(Hex)).ShouldBe(proof);

    [Fact]
    public void Every_inclusion_proof_up_to_70_leaves_holds_and_every_alteration_is_refused()
    {
        for (var size = 1; size <= 70; size++)
        {
            var leaves = s_leaves[..size];
            var root = MerkleTree.Root(leaves);
            for (var index = 0; index < size; index++)
            {
                var proof = MerkleTree.InclusionProof(leaves, index);
                var name = $"leaf {index} of {size}";
                MerkleTree.VerifyInclusion(leaves[index], index, size, proof, root).ShouldBeTrue(name);
                MerkleTree.VerifyInclusion(Flip(leaves[index]), index, size, proof, root).ShouldBeFalse(name);
                MerkleTree.VerifyInclusion(leaves[index], index, size, proof, Flip(root)).ShouldBeFalse(name);
                MerkleTree.VerifyInclusion(leaves[index], (index + 1) % (size + 1), size, proof, root).ShouldBeFalse(name);
                foreach (var altered in Alterations(proof))
                {
                    MerkleTree.VerifyInclusion(leaves[index], index, size, altered, root).ShouldBeFalse(name);
                }
            }
        }
    }

    [Fact]
    public void Every_consistency_proof_up_to_40_leaves_holds_and_every_alteration_is_refused()
    {
        for (var second = 1; second <= 40; second++)
        {
            var root = MerkleTree.Root(s_leaves[..second]);
            for (var first = 1; first <= second; first++)
            {
                var name = $"{first} in {second}";
                var firstRoot = MerkleTree.Root(s_leaves[..first]);
                var proof = MerkleTree.ConsistencyProof(s_leaves, first, second);
                MerkleTree.VerifyConsistency(first, second, firstRoot, root, proof).ShouldBeTrue(name);
                MerkleTree.VerifyConsistency(first, second, Flip(firstRoot), root, proof).ShouldBeFalse(name);
                MerkleTree.VerifyConsistency(first, second, firstRoot, Flip(root), proof).ShouldBeFalse(name);
                foreach (var altered in Alterations(proof))
                {
                    MerkleTree.VerifyConsistency(first, second, firstRoot, root, altered).ShouldBeFalse(name);
                }
            }
        }
    }

    [Fact]
    public void A_tree_with_one_old_entry_rewritten_is_not_consistent_with_its_past()
    {
        var old = MerkleTree.Root(s_leaves[..13]);
        for (var rewritten = 0; rewritten < 13; rewritten++)
        {
            var forged = s_leaves[..29].ToArray();
            forged[rewritten] = MerkleTree.HashLeaf("forged"u8);
            var proof = MerkleTree.ConsistencyProof(forged, 13, 29);
            MerkleTree.VerifyConsistency(13, 29, old, MerkleTree.Root(forged), proof).ShouldBeFalse($"entry {rewritten}");
        }
    }

    [Fact]
    public void Everything_follows_from_the_empty_tree_and_nothing_else_passes_for_it()
    {
        var root = MerkleTree.Root(s_leaves[..5]);
        MerkleTree.ConsistencyProof(s_leaves, 0, 5).ShouldBeEmpty();
        MerkleTree.VerifyConsistency(0, 5, MerkleTree.EmptyRoot, root, []).ShouldBeTrue();
        MerkleTree.VerifyConsistency(0, 0, MerkleTree.EmptyRoot, MerkleTree.EmptyRoot, []).ShouldBeTrue();
        MerkleTree.VerifyConsistency(0, 5, root, root, []).ShouldBeFalse();
        MerkleTree.VerifyConsistency(0, 5, MerkleTree.EmptyRoot, root, [root]).ShouldBeFalse();
        MerkleTree.VerifyConsistency(0, 0, MerkleTree.EmptyRoot, root, []).ShouldBeFalse();
        MerkleTree.VerifyConsistency(5, 4, root, root, []).ShouldBeFalse();
        MerkleTree.VerifyConsistency(-1, 4, root, root, []).ShouldBeFalse();
        MerkleTree.VerifyConsistency(4, 5, root, root, []).ShouldBeFalse();
    }

    [Fact]
    public void Malformed_proofs_are_refused_without_an_exception()
    {
        var leaf = s_leaves[0];
        MerkleTree.VerifyInclusion(leaf, 0, 2, [new byte[31]], leaf).ShouldBeFalse();
        MerkleTree.VerifyInclusion(leaf, 0, 2, [null!], leaf).ShouldBeFalse();
        MerkleTree.VerifyInclusion(leaf, 0, 2, null!, leaf).ShouldBeFalse();
        MerkleTree.VerifyInclusion([], 0, 1, [], leaf).ShouldBeFalse();
        MerkleTree.VerifyInclusion(leaf, -1, 1, [], leaf).ShouldBeFalse();
        MerkleTree.VerifyInclusion(leaf, 0, 0, [], leaf).ShouldBeFalse();
        MerkleTree.VerifyInclusion(leaf, 0, long.MaxValue, [leaf], leaf).ShouldBeFalse();
        MerkleTree.VerifyConsistency(1, 2, leaf, leaf, [new byte[33]]).ShouldBeFalse();
        MerkleTree.VerifyConsistency(3, 5, leaf, leaf, []).ShouldBeFalse();
        MerkleTree.VerifyConsistency(1, 2, [], leaf, [leaf]).ShouldBeFalse();
        MerkleTree.VerifyConsistency(1, long.MaxValue, leaf, leaf, [leaf]).ShouldBeFalse();
    }

    [Fact]
    public void A_node_is_not_taken_for_a_leaf()
    {
        var node = MerkleTree.HashNode(s_leaves[0], s_leaves[1]);
        MerkleTree.HashLeaf([.. s_leaves[0], .. s_leaves[1]]).ShouldNotBe(node);
        Should.Throw<ArgumentException>(() => MerkleTree.HashNode(new byte[31], new byte[32]));
        Should.Throw<ArgumentException>(() => MerkleTree.HashNode(new byte[32], new byte[33]));
        Should.Throw<ArgumentException>(() => MerkleTree.Root([new byte[31]]));
        Should.Throw<ArgumentOutOfRangeException>(() => MerkleTree.InclusionProof(s_leaves, s_leaves.Length));
        Should.Throw<ArgumentOutOfRangeException>(() => MerkleTree.ConsistencyProof(s_leaves, 2, 1));
        Should.Throw<ArgumentOutOfRangeException>(() => MerkleTree.ConsistencyProof(s_leaves, 1, s_leaves.Length + 1));
    }

    [Fact]
    public void The_frontier_has_the_tree_s_root_at_every_size_up_to_1000_also_after_a_restart()
    {
        var frontier = new MerkleFrontier();
        for (var size = 0; size <= 1000; size++)
        {
            frontier.Size.ShouldBe(size);
            Hex(frontier.Root()).ShouldBe(Hex(MerkleTree.Root(s_leaves[..size])), $"size {size}");
            frontier = MerkleFrontier.Import(frontier.Export());
            if (size < 1000)
            {
                frontier.Append(s_leaves[size]);
            }
        }
    }

    [Fact]
    public void A_frontier_of_impossible_shape_is_refused()
    {
        var frontier = new MerkleFrontier();
        foreach (var leaf in s_leaves[..13])
        {
            frontier.Append(leaf);
        }

        var bytes = frontier.Export();
        byte[] otherSize = [.. bytes[..8], 15, .. bytes[9..]];
        byte[] negative = [1, 0x80, .. new byte[7], .. bytes[9..41]];
        foreach (var wrong in (byte[][])[[], bytes[..8], bytes[..^1], bytes[..^32], [.. bytes, 0], [2, .. bytes[1..]], otherSize, negative])
        {
            Should.Throw<TamperedException>(() => MerkleFrontier.Import(wrong));
        }

        Should.Throw<ArgumentException>(() => frontier.Append(new byte[31]));
        frontier.Size.ShouldBe(13);
    }

    private static IEnumerable<byte[][]> Alterations(byte[][] proof)
    {
        for (var i = 0; i < proof.Length; i++)
        {
            yield return [.. proof[..i], Flip(proof[i]), .. proof[(i + 1)..]];
            yield return [.. proof[..i], .. proof[(i + 1)..]];
        }

        for (var i = 1; i < proof.Length; i++)
        {
            yield return [.. proof[..(i - 1)], proof[i], proof[i - 1], .. proof[(i + 1)..]];
        }

        yield return [.. proof, MerkleTree.EmptyRoot];
        yield return [MerkleTree.EmptyRoot, .. proof];
    }

    private static byte[] Flip(byte[] hash)
    {
        var altered = (byte[])hash.Clone();
        altered[17] ^= 4;
        return altered;
    }

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
