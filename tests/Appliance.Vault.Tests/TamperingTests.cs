namespace Appliance.Vault.Tests;

/// <summary>An attacker who can change everything in the store, but holds no key.</summary>
[Trait("Requirement", "F7")]
public sealed class TamperingTests : IDisposable
{
    private const int Header = SealedFormat.HeaderLength;
    private const int Chunk = SealedFormat.SealedChunkSize;

    private readonly TestVault _vault = new();

    [Fact]
    public void Every_bit_of_the_header_counts()
    {
        var sealedBytes = _vault.Seal([1, 2, 3]);
        for (var bit = 0; bit < Header * 8; bit++)
        {
            var altered = Flip(sealedBytes, bit / 8, bit % 8);
            Should.Throw<TamperedException>(() => _vault.Open(altered), $"bit {bit}");
        }

        _vault.Open(sealedBytes).ShouldBe([1, 2, 3]);
    }

    [Fact]
    public void Every_bit_of_a_short_object_counts()
    {
        var sealedBytes = _vault.Seal([1, 2, 3]);
        for (var bit = Header * 8; bit < sealedBytes.Length * 8; bit++)
        {
            var altered = Flip(sealedBytes, bit / 8, bit % 8);
            Should.Throw<TamperedException>(() => _vault.Open(altered), $"bit {bit}");
        }
    }

    [Fact]
    public void A_bit_in_any_region_of_any_chunk_counts()
    {
        var sealedBytes = _vault.Seal(TestVault.Bytes((3 * SealedFormat.ChunkSize) + 500));
        for (var chunk = 0; chunk < 4; chunk++)
        {
            var start = Header + (chunk * Chunk);
            var length = Math.Min(Chunk, sealedBytes.Length - start);
            foreach (var at in (int[])[0, 1, length / 3, length / 2, length - 17, length - 16, length - 8, length - 1])
            {
                var altered = Flip(sealedBytes, start + at, at % 8);
                Should.Throw<TamperedException>(() => _vault.Open(altered), $"chunk {chunk}, byte {at}").Message.ShouldContain($"chunk {chunk}");
            }
        }
    }

    [Fact]
    public void A_refused_chunk_leaves_no_plain_bytes_behind()
    {
        var sealedBytes = Flip(_vault.Seal(TestVault.Bytes(1000)), Header + 999, 0);
        using var session = _vault.Sealer.Open(_vault.Team, _vault.Object, sealedBytes.AsSpan(0, Header));
        var destination = new byte[1000];
        Should.Throw<TamperedException>(() => session.OpenChunk(0, sealedBytes.AsSpan(Header), last: true, destination));
        destination.ShouldAllBe(b => b == 0);
    }

    [Fact]
    public void A_short_object_cut_anywhere_is_refused()
    {
        var sealedBytes = _vault.Seal(TestVault.Bytes(40));
        for (var length = 0; length < sealedBytes.Length; length++)
        {
            var cut = sealedBytes[..length];
            Should.Throw<TamperedException>(() => _vault.Open(cut), $"cut to {length}");
        }
    }

    [Theory]
    [InlineData(2 * SealedFormat.ChunkSize)]
    [InlineData((2 * SealedFormat.ChunkSize) + 1)]
    [InlineData(3 * SealedFormat.ChunkSize)]
    public void A_long_object_cut_at_any_boundary_is_refused(int plainLength)
    {
        var sealedBytes = _vault.Seal(TestVault.Bytes(plainLength));
        var cuts = new SortedSet<int> { 0, 1, Header - 1, Header, Header + 1, sealedBytes.Length - 1 };
        for (var boundary = Header; boundary <= sealedBytes.Length; boundary += Chunk)
        {
            cuts.UnionWith([boundary - 17, boundary - 16, boundary - 15, boundary - 1, boundary, boundary + 1, boundary + 15]);
            cuts.UnionWith([boundary + 16, boundary + 17, boundary + (Chunk / 2)]);
        }

        foreach (var length in cuts.Where(cut => cut >= 0 && cut < sealedBytes.Length))
        {
            var cut = sealedBytes[..length];
            Should.Throw<TamperedException>(() => _vault.Open(cut), $"cut to {length}");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(SealedFormat.ChunkSize)]
    [InlineData(SealedFormat.ChunkSize + 5)]
    public void Appended_bytes_and_chunks_are_refused(int plainLength)
    {
        var sealedBytes = _vault.Seal(TestVault.Bytes(plainLength));
        var last = sealedBytes[(int)SealedFormat.ChunkOffset(SealedFormat.ChunkCount(plainLength) - 1)..];
        foreach (var extra in (byte[][])[[0], new byte[16], new byte[17], new byte[Chunk], last, sealedBytes, TestVault.Bytes(3 * Chunk)])
        {
            byte[] altered = [.. sealedBytes, .. extra];
            Should.Throw<TamperedException>(() => _vault.Open(altered), $"{extra.Length} bytes appended");
        }
    }

    [Fact]
    public void Chunks_swapped_repeated_dropped_or_reversed_are_refused()
    {
        var sealedBytes = _vault.Seal(TestVault.Bytes(4 * SealedFormat.ChunkSize));
        foreach (var order in (int[][])[[1, 0, 2, 3], [0, 2, 1, 3], [0, 1, 3, 2], [0, 0, 2, 3], [0, 1, 1, 3], [0, 1, 2, 2], [0, 2, 3], [1, 2, 3], [0, 1, 3], [0, 1, 2, 3, 3], [0, 1, 1, 2, 3], [3, 2, 1, 0], [3]])
        {
            byte[] altered = [.. sealedBytes.AsSpan(0, Header), .. order.SelectMany(i => TestVault.Chunk(sealedBytes, i).ToArray())];
            Should.Throw<TamperedException>(() => _vault.Open(altered), string.Join(',', order));
        }
    }

    [Fact]
    public void The_last_chunk_is_not_taken_for_a_middle_one_nor_the_other_way_round()
    {
        var sealedBytes = _vault.Seal(TestVault.Bytes(2 * SealedFormat.ChunkSize));
        using var session = _vault.Sealer.Open(_vault.Team, _vault.Object, sealedBytes.AsSpan(0, Header));
        var room = new byte[SealedFormat.ChunkSize];
        Should.Throw<TamperedException>(() => session.OpenChunk(0, TestVault.Chunk(sealedBytes, 0), last: true, room)).Message.ShouldContain("last");
        Should.Throw<TamperedException>(() => session.OpenChunk(1, TestVault.Chunk(sealedBytes, 1), last: false, room));
        Should.Throw<TamperedException>(() => session.OpenChunk(0, TestVault.Chunk(sealedBytes, 1), last: true, room));
        session.OpenChunk(1, TestVault.Chunk(sealedBytes, 1), last: true, room).ShouldBe(SealedFormat.ChunkSize);
    }

    [Fact]
    public void Chunk_lengths_that_no_writer_makes_are_refused()
    {
        var sealedBytes = _vault.Seal([]);
        using var session = _vault.Sealer.Open(_vault.Team, _vault.Object, sealedBytes.AsSpan(0, Header));
        foreach (var (index, length, last) in (IEnumerable<(long, int, bool)>)
            [(0, 0, true), (0, 15, true), (1, 16, true), (0, Chunk - 1, false), (0, Chunk + 1, false), (0, Chunk + 1, true), (5, 16, false)])
        {
            Should.Throw<TamperedException>(() => session.OpenChunk(index, new byte[length], last, new byte[Chunk]))
                .Message.ShouldContain($"cannot be {length} bytes");
        }
    }

    [Fact]
    public void An_unfinished_object_does_not_open()
    {
        using var session = _vault.Sealer.Seal(_vault.Team, _vault.Object);
        var stored = new byte[Header + Chunk];
        session.Header.Span.CopyTo(stored);
        session.SealChunk(new byte[SealedFormat.ChunkSize], last: false, stored.AsSpan(Header));
        Should.Throw<TamperedException>(() => _vault.Open(stored));
    }

    [Fact]
    public void An_object_in_the_place_of_another_is_refused()
    {
        var other = ObjectId.New();
        var sealedBytes = _vault.Seal(_vault.Team, other, [1, 2, 3]);
        Should.Throw<TamperedException>(() => _vault.Open(sealedBytes)).Message.ShouldContain("another object or team");

        var renamed = (byte[])sealedBytes.Clone();
        _vault.Object.Value.TryWriteBytes(renamed.AsSpan(36), bigEndian: true, out _);
        Should.Throw<TamperedException>(() => _vault.Open(renamed)).Message.ShouldContain("header was altered");
    }

    [Fact]
    public void An_object_of_another_team_is_refused_even_with_its_header_rewritten()
    {
        var other = _vault.NewTeam();
        var sealedBytes = _vault.Seal(other, _vault.Object, [1, 2, 3]);
        Should.Throw<TamperedException>(() => _vault.Open(sealedBytes)).Message.ShouldContain("another object or team");

        var renamed = (byte[])sealedBytes.Clone();
        _vault.Team.Value.TryWriteBytes(renamed.AsSpan(20), bigEndian: true, out _);
        Should.Throw<TamperedException>(() => _vault.Open(renamed)).Message.ShouldContain("header was altered");
    }

    [Fact]
    public void Chunks_wraps_and_headers_of_two_objects_cannot_be_mixed()
    {
        var mine = _vault.Seal(TestVault.Bytes(100, seed: 1));
        var again = _vault.Seal(TestVault.Bytes(100, seed: 2)); // the same team and id: only keys and nonces differ
        byte[][] mixes =
        [
            [.. mine[..Header], .. again[Header..]],
            [.. mine[..52], .. again[52..Header], .. mine[Header..]], // the other's wrap
            [.. mine[..12], .. again[12..19], .. mine[19..]], // the other's nonce prefix
            [.. again[..52], .. mine[52..]],
        ];
        foreach (var mix in mixes)
        {
            Should.Throw<TamperedException>(() => _vault.Open(mix));
        }
    }

    [Fact]
    public void Headers_of_any_other_length_are_refused()
    {
        var header = _vault.Seal([])[..Header];
        foreach (var wrong in (byte[][])[[], header[..1], header[..^1], [.. header, 0]])
        {
            Should.Throw<TamperedException>(() => _vault.Sealer.Open(_vault.Team, _vault.Object, wrong).Dispose());
        }
    }

    [Fact]
    public void A_wrap_can_be_replaced_without_touching_the_chunks()
    {
        var sealedBytes = _vault.Seal(TestVault.Bytes(100));
        byte[] teamKey = new byte[32], objectKey = new byte[32];
        _vault.Keys.CopyKey(_vault.Team, teamKey);
        KeyWrap.TryUnwrap(teamKey, sealedBytes.AsSpan(52, 60), sealedBytes.AsSpan(0, 52), objectKey).ShouldBeTrue();
        var rewrapped = (byte[])sealedBytes.Clone();
        KeyWrap.Wrap(teamKey, objectKey, sealedBytes.AsSpan(0, 52), rewrapped.AsSpan(52, 60), RandomNumberGenerator.Fill);

        rewrapped.ShouldNotBe(sealedBytes);
        _vault.Open(rewrapped).ShouldBe(TestVault.Bytes(100));
    }

    public void Dispose() => _vault.Dispose();

    private static byte[] Flip(byte[] bytes, int at, int bit)
    {
        var altered = (byte[])bytes.Clone();
        altered[at] ^= (byte)(1 << bit);
        return altered;
    }
}
