namespace Appliance.Vault.Tests;

[Trait("Requirement", "F7")]
public sealed class SealingTests : IDisposable
{
    private const int Chunk = SealedFormat.ChunkSize;

    private readonly TestVault _vault = new();

    public static TheoryData<int> Lengths =>
        [0, 1, 15, 16, 17, Chunk - 1, Chunk, Chunk + 1, (2 * Chunk) - 1, 2 * Chunk, (2 * Chunk) + 1, 5 * Chunk, (5 * Chunk) + 1];

    [Theory]
    [MemberData(nameof(Lengths))]
    public void What_was_sealed_comes_out_whole(int length)
    {
        var plain = TestVault.Bytes(length);
        var sealedBytes = _vault.Seal(plain);
        sealedBytes.LongLength.ShouldBe(SealedFormat.SealedLength(length));
        SealedFormat.PlainLength(sealedBytes.Length).ShouldBe(length);
        _vault.Open(sealedBytes).AsSpan().SequenceEqual(plain).ShouldBeTrue();
    }

    [Fact]
    public void Random_lengths_come_out_whole_and_sealed_bytes_hold_nothing_in_clear()
    {
        var random = new Random(20261121);
        for (var i = 0; i < 100; i++)
        {
            var plain = TestVault.Bytes(random.Next(0, 4 * Chunk), seed: i);
            var obj = ObjectId.New();
            var sealedBytes = _vault.Seal(_vault.Team, obj, plain);
            _vault.Open(_vault.Team, obj, sealedBytes).AsSpan().SequenceEqual(plain).ShouldBeTrue($"case {i}");
            if (plain.Length >= 16)
            {
                sealedBytes.AsSpan().IndexOf(plain.AsSpan(plain.Length - 16)).ShouldBe(-1);
            }
        }
    }

    [Fact]
    public void The_same_bytes_sealed_twice_share_nothing_but_the_public_header_fields()
    {
        var first = _vault.Seal(new byte[1000]);
        var second = _vault.Seal(new byte[1000]);
        first.AsSpan(0, 12).SequenceEqual(second.AsSpan(0, 12)).ShouldBeTrue();
        first.AsSpan(12, 7).SequenceEqual(second.AsSpan(12, 7)).ShouldBeFalse();
        first.AsSpan(52, 12).SequenceEqual(second.AsSpan(52, 12)).ShouldBeFalse();
        first.AsSpan(112, 1000).SequenceEqual(second.AsSpan(112, 1000)).ShouldBeFalse();
    }

    [Fact]
    public void Chunks_open_in_any_order_and_repeatedly()
    {
        var plain = TestVault.Bytes((6 * Chunk) + 123);
        var sealedBytes = _vault.Seal(plain);
        using var session = _vault.Sealer.Open(_vault.Team, _vault.Object, sealedBytes.AsSpan(0, SealedFormat.HeaderLength));
        var random = new Random(7);
        var buffer = new byte[Chunk];
        for (var i = 0; i < 50; i++)
        {
            var index = random.Next(7);
            var length = session.OpenChunk(index, TestVault.Chunk(sealedBytes, index), last: index == 6, buffer);
            buffer.AsSpan(0, length).SequenceEqual(plain.AsSpan(index * Chunk, length)).ShouldBeTrue($"chunk {index}");
        }
    }

    [Fact]
    public void Lengths_are_exact_inverses_and_impossible_sealed_lengths_are_refused()
    {
        var reachable = new HashSet<long>();
        for (var plain = 0L; plain <= (2 * Chunk) + 40; plain++)
        {
            var sealedLength = SealedFormat.SealedLength(plain);
            SealedFormat.PlainLength(sealedLength).ShouldBe(plain);
            reachable.Add(sealedLength);
        }

        for (var length = -1L; length <= SealedFormat.SealedLength((2 * Chunk) + 40); length++)
        {
            if (!reachable.Contains(length))
            {
                Should.Throw<TamperedException>(() => SealedFormat.PlainLength(length));
            }
        }
    }

    [Fact]
    public void The_longest_object_has_2_to_the_48_bytes()
    {
        SealedFormat.MaxPlainLength.ShouldBe(1L << 48);
        SealedFormat.ChunkCount(SealedFormat.MaxPlainLength).ShouldBe(1L << 32);
        var longest = SealedFormat.SealedLength(SealedFormat.MaxPlainLength);
        SealedFormat.PlainLength(longest).ShouldBe(SealedFormat.MaxPlainLength);
        Should.Throw<TamperedException>(() => SealedFormat.PlainLength(longest + 17));
        Should.Throw<TamperedException>(() => SealedFormat.PlainLength(long.MaxValue));
        Should.Throw<TamperedException>(() => SealedFormat.PlainLength(long.MinValue));
        Should.Throw<ArgumentOutOfRangeException>(() => SealedFormat.SealedLength(SealedFormat.MaxPlainLength + 1));
        Should.Throw<ArgumentOutOfRangeException>(() => SealedFormat.SealedLength(-1));
        Should.Throw<ArgumentOutOfRangeException>(() => SealedFormat.ChunkOffset(1L << 32));
        SealedFormat.ChunkOffset(2).ShouldBe(112 + (2 * 65552));
    }

    [Fact]
    public void Chunk_2_to_the_32_is_refused_and_the_one_before_it_is_sealed_and_opened()
    {
        using var session = _vault.Sealer.Seal(_vault.Team, _vault.Object, RandomNumberGenerator.Fill, SealedFormat.MaxChunks - 1);
        var plain = TestVault.Bytes(Chunk);
        var sealedChunk = new byte[SealedFormat.SealedChunkSize];
        session.SealChunk(plain, last: false, sealedChunk);
        Should.Throw<InvalidOperationException>(() => session.SealChunk([1], last: true, new byte[17])).Message.ShouldContain("2^32");

        using var opening = _vault.Sealer.Open(_vault.Team, _vault.Object, session.Header.Span);
        var opened = new byte[Chunk];
        opening.OpenChunk(SealedFormat.MaxChunks - 1, sealedChunk, last: false, opened).ShouldBe(Chunk);
        opened.AsSpan().SequenceEqual(plain).ShouldBeTrue();
        Should.Throw<TamperedException>(() => opening.OpenChunk(0, sealedChunk, last: false, opened)); // the counter does not wrap
        Should.Throw<ArgumentOutOfRangeException>(() => opening.OpenChunk(SealedFormat.MaxChunks, sealedChunk, last: false, opened));
        Should.Throw<ArgumentOutOfRangeException>(() => opening.OpenChunk(-1, sealedChunk, last: false, opened));
    }

    [Fact]
    public void A_session_refuses_misuse()
    {
        var room = new byte[SealedFormat.SealedChunkSize + 1];
        using (var session = _vault.Sealer.Seal(_vault.Team, _vault.Object))
        {
            Should.Throw<InvalidOperationException>(() => session.SealChunk(new byte[Chunk - 1], last: false, room)).Message.ShouldContain("last");
            Should.Throw<InvalidOperationException>(() => session.SealChunk([], last: false, room));
            Should.Throw<ArgumentException>(() => session.SealChunk(new byte[Chunk + 1], last: true, room));
            Should.Throw<ArgumentException>(() => session.SealChunk(new byte[10], last: true, new byte[25]));
            session.SealChunk(new byte[Chunk], last: false, room).ShouldBe(SealedFormat.SealedChunkSize);
            Should.Throw<InvalidOperationException>(() => session.SealChunk([], last: true, room)).Message.ShouldContain("empty");
            session.SealChunk([1], last: true, room).ShouldBe(17);
            Should.Throw<InvalidOperationException>(() => session.SealChunk([1], last: true, room));
            Should.Throw<InvalidOperationException>(() => session.SealChunk(new byte[Chunk], last: false, room));
        }

        var disposed = _vault.Sealer.Seal(_vault.Team, _vault.Object);
        disposed.Dispose();
        Should.Throw<InvalidOperationException>(() => disposed.SealChunk([1], last: true, room));
        Should.Throw<ArgumentException>(() => _vault.Sealer.Seal(default, _vault.Object));
        Should.Throw<ArgumentException>(() => _vault.Sealer.Seal(_vault.Team, default));
        Should.Throw<ArgumentException>(() => _vault.Sealer.Open(_vault.Team, default, new byte[112]));
    }

    [Fact]
    public void A_destination_too_short_is_refused_when_opening()
    {
        var sealedBytes = _vault.Seal([1, 2, 3]);
        using var session = _vault.Sealer.Open(_vault.Team, _vault.Object, sealedBytes.AsSpan(0, SealedFormat.HeaderLength));
        Should.Throw<ArgumentException>(() => session.OpenChunk(0, TestVault.Chunk(sealedBytes, 0), last: true, new byte[2]));
    }

    [Fact]
    public void Sealing_and_opening_a_chunk_allocates_nothing()
    {
        var plain = TestVault.Bytes(Chunk);
        var sealedChunk = new byte[SealedFormat.SealedChunkSize];
        using var sealing = _vault.Sealer.Seal(_vault.Team, _vault.Object);
        using var opening = _vault.Sealer.Open(_vault.Team, _vault.Object, sealing.Header.Span);
        sealing.SealChunk(plain, last: false, sealedChunk);
        opening.OpenChunk(0, sealedChunk, last: false, plain);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 1; i <= 100; i++)
        {
            sealing.SealChunk(plain, last: false, sealedChunk);
            opening.OpenChunk(i, sealedChunk, last: false, plain);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Fact]
    public void Ids_are_read_in_one_form_only()
    {
        var id = TeamId.New();
        TeamId.TryParse(id.ToString(), out var read).ShouldBeTrue();
        read.ShouldBe(id);
        ObjectId.TryParse(_vault.Object.ToString(), out var obj).ShouldBeTrue();
        obj.ShouldBe(_vault.Object);
        id.Value.Version.ShouldBe(7);
        foreach (var text in new[] { null, "", "x", id.Value.ToString("N"), id.Value.ToString("B"), Guid.Empty.ToString(), id + " " })
        {
            TeamId.TryParse(text, out _).ShouldBeFalse();
            ObjectId.TryParse(text, out _).ShouldBeFalse();
        }
    }

    public void Dispose() => _vault.Dispose();
}
