using System.Security.Cryptography;
using Appliance.Objects;
using Appliance.Vault;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Objects;

public abstract partial class ObjectStoreContract
{
    private const int Chunk = SealedFormat.ChunkSize;

    [Theory, Trait("Requirement", "F7")]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Chunk - 1)]
    [InlineData(Chunk)]
    [InlineData(Chunk + 1)]
    [InlineData(15 * Chunk)]
    [InlineData(15 * Chunk + 1)]
    [InlineData(40 * Chunk)]
    public async Task Content_of_any_length_comes_back_whole(int length)
    {
        var id = ObjectId.New();
        var content = RandomNumberGenerator.GetBytes(length);
        await SealAsync(id, content, piece: 70_001);

        (await OpenAsync(id, length)).AsSpan().SequenceEqual(content).ShouldBeTrue();
        (await Store.StatAsync(new ObjectKey(Team, id), default)).ShouldNotBeNull().Length.ShouldBe(SealedFormat.SealedLength(length));
    }

    [Theory, Trait("Requirement", "F2")]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(Chunk)]
    [InlineData(1 << 20)]
    public async Task The_pieces_that_content_arrives_in_do_not_matter(int piece)
    {
        var id = ObjectId.New();
        var content = RandomNumberGenerator.GetBytes(piece == 1 ? Chunk + 100 : 3 * Chunk);
        await SealAsync(id, content, piece);
        (await OpenAsync(id, content.Length)).AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "F7")]
    public async Task Any_range_comes_back_exactly()
    {
        const int Length = 20 * Chunk + 777;
        var id = ObjectId.New();
        var content = RandomNumberGenerator.GetBytes(Length);
        await SealAsync(id, content);

        int[] edges = [0, 1, Chunk - 1, Chunk, Chunk + 1, 17 * Chunk, 20 * Chunk, Length - 1, Length];
        foreach (var from in edges)
        {
            foreach (var to in edges.Where(to => to >= from))
            {
                var read = await DrainAsync(await Objects.OpenAsync(Team, id, Length, from, to - from, default));
                read.AsSpan().SequenceEqual(content.AsSpan(from, to - from)).ShouldBeTrue($"{from}..{to}");
            }
        }
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 11)]
    [InlineData(11, 0)]
    [InlineData(5, long.MaxValue)]
    public async Task A_range_outside_of_the_content_is_refused(long offset, long count) =>
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => Objects.OpenAsync(Team, ObjectId.New(), 10, offset, count, default));

    [Fact, Trait("Requirement", "F7")]
    public async Task Nothing_that_is_stored_is_readable_without_the_key()
    {
        var id = ObjectId.New();
        var content = "A sentence that must not be found in the store. "u8.ToArray();
        await SealAsync(id, content);
        (await GetAsync(new ObjectKey(Team, id))).AsSpan().IndexOf("sentence"u8).ShouldBe(-1);
    }

    [Fact, Trait("Requirement", "F2")]
    public async Task A_large_object_comes_back_whole()
    {
        const int Piece = 1 << 20, Pieces = 72;
        var id = ObjectId.New();
        var piece = RandomNumberGenerator.GetBytes(Piece);
        using var written = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using (var writer = await Objects.CreateAsync(Team, id, default))
        {
            for (var number = 0; number < Pieces; number++)
            {
                piece[0] = (byte)number;
                written.AppendData(piece);
                await writer.WriteAsync(piece, default);
            }
            await writer.CompleteAsync(default);
            writer.Length.ShouldBe((long)Piece * Pieces);
        }

        await using var stream = await Objects.OpenAsync(Team, id, (long)Piece * Pieces, 0, (long)Piece * Pieces, default);
        (await SHA256.HashDataAsync(stream)).ShouldBe(written.GetHashAndReset());
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task Many_objects_at_once_do_not_disturb_each_other() =>
        await Parallel.ForEachAsync(Enumerable.Range(0, 48), new ParallelOptions { MaxDegreeOfParallelism = 24 }, async (number, _) =>
        {
            var id = ObjectId.New();
            var content = RandomNumberGenerator.GetBytes(number * 20_000);
            await SealAsync(id, content, piece: 50_000);
            (await OpenAsync(id, content.Length)).AsSpan().SequenceEqual(content).ShouldBeTrue();
        });

    [Fact, Trait("Requirement", "T7")]
    public async Task A_writer_that_is_dropped_leaves_nothing()
    {
        var id = ObjectId.New();
        await using (var writer = await Objects.CreateAsync(Team, id, default))
        {
            await writer.WriteAsync(new byte[3 * PartSize], default);
        }
        await Should.ThrowAsync<ObjectMissingException>(() => OpenAsync(id, 3 * PartSize));
        (await Objects.SweepAsync(Team, NobodyAsync, TimeSpan.Zero, default)).ShouldBe(new SweepResult(0, 0, 0));
    }

    [Fact]
    public async Task A_completed_writer_takes_no_more()
    {
        await using var writer = await Objects.CreateAsync(Team, ObjectId.New(), default);
        await writer.CompleteAsync(default);
        await Should.ThrowAsync<InvalidOperationException>(async () => await writer.WriteAsync(new byte[1], default));
        await Should.ThrowAsync<InvalidOperationException>(() => writer.CompleteAsync(default));
    }

    [Fact, Trait("Requirement", "F7")]
    public async Task A_flipped_bit_anywhere_is_detected_before_its_chunk_is_handed_out()
    {
        const int Length = 2 * Chunk + 500;
        var id = ObjectId.New();
        await SealAsync(id, RandomNumberGenerator.GetBytes(Length));
        var stored = await GetAsync(new ObjectKey(Team, id));
        int[] places = [0, SealedFormat.HeaderLength - 1, SealedFormat.HeaderLength, SealedFormat.HeaderLength + Chunk,
            (int)SealedFormat.ChunkOffset(1) + 5, stored.Length - 17, stored.Length - 1];
        foreach (var place in places)
        {
            var spoiled = stored.ToArray();
            spoiled[place] ^= 0x10;
            await ReplaceAsync(new ObjectKey(Team, id), spoiled);
            await Should.ThrowAsync<TamperedException>(() => OpenAsync(id, Length), $"byte {place}");
        }

        // The last chunk is spoiled by now; what lies before it is still good, and a range in it is refused at once.
        (await DrainAsync(await Objects.OpenAsync(Team, id, Length, Chunk, 100, default))).Length.ShouldBe(100);
        await Should.ThrowAsync<TamperedException>(() => Objects.OpenAsync(Team, id, Length, 2 * Chunk, 1, default));
    }

    [Theory, Trait("Requirement", "F7")]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(SealedFormat.HeaderLength)]
    [InlineData(SealedFormat.HeaderLength + SealedFormat.SealedChunkSize)]
    [InlineData(SealedFormat.HeaderLength + 2 * SealedFormat.SealedChunkSize - 1)]
    [InlineData(SealedFormat.HeaderLength + 2 * SealedFormat.SealedChunkSize + 1)]
    public async Task A_cut_or_extended_object_is_refused_wherever_it_is_read(int storedLength)
    {
        const int Length = 2 * Chunk;
        var id = ObjectId.New();
        await SealAsync(id, new byte[Length]);
        var stored = await GetAsync(new ObjectKey(Team, id));
        Array.Resize(ref stored, storedLength);
        await ReplaceAsync(new ObjectKey(Team, id), stored);

        await Should.ThrowAsync<TamperedException>(() => OpenAsync(id, Length));
        await Should.ThrowAsync<TamperedException>(() => Objects.OpenAsync(Team, id, Length, 0, 1, default));
        await Should.ThrowAsync<TamperedException>(() => Objects.OpenAsync(Team, id, Length, Length - 1, 1, default));
    }

    [Fact, Trait("Requirement", "F7")]
    public async Task Swapped_chunks_are_detected()
    {
        var id = ObjectId.New();
        await SealAsync(id, RandomNumberGenerator.GetBytes(3 * Chunk));
        var stored = await GetAsync(new ObjectKey(Team, id));
        var first = stored.AsSpan((int)SealedFormat.ChunkOffset(0), SealedFormat.SealedChunkSize);
        var second = stored.AsSpan((int)SealedFormat.ChunkOffset(1), SealedFormat.SealedChunkSize);
        var kept = first.ToArray();
        second.CopyTo(first);
        kept.CopyTo(second);
        await ReplaceAsync(new ObjectKey(Team, id), stored);
        await Should.ThrowAsync<TamperedException>(() => OpenAsync(id, 3 * Chunk));
    }

    [Fact, Trait("Requirement", "F7")]
    public async Task An_object_put_in_the_place_of_another_is_detected_within_and_between_teams()
    {
        var (mine, alsoMine, theirs) = (ObjectId.New(), ObjectId.New(), ObjectId.New());
        await SealAsync(mine, new byte[100]);
        await SealAsync(alsoMine, new byte[100]);
        var stored = await GetAsync(new ObjectKey(Team, mine));

        await ReplaceAsync(new ObjectKey(Team, alsoMine), stored);
        await Should.ThrowAsync<TamperedException>(() => OpenAsync(alsoMine, 100));

        await PutAsync(new ObjectKey(Vault.OtherTeam, theirs), stored);
        await Should.ThrowAsync<TamperedException>(() => Objects.OpenAsync(Vault.OtherTeam, theirs, 100, 0, 100, default));
        await PutAsync(new ObjectKey(Vault.OtherTeam, mine), stored);
        await Should.ThrowAsync<TamperedException>(() => Objects.OpenAsync(Vault.OtherTeam, mine, 100, 0, 100, default));
    }

    [Fact, Trait("Requirement", "F7")]
    public async Task Another_teams_object_is_missing_not_forbidden()
    {
        var id = ObjectId.New();
        await SealAsync(id, new byte[10]);
        await Should.ThrowAsync<ObjectMissingException>(() => Objects.OpenAsync(Vault.OtherTeam, id, 10, 0, 10, default));
    }

    private protected async Task SealAsync(ObjectId id, byte[] content, int piece = int.MaxValue)
    {
        await using var writer = await Objects.CreateAsync(Team, id, default);
        for (var at = 0; at < content.Length; at += Math.Min(piece, content.Length - at))
        {
            await writer.WriteAsync(content.AsMemory(at, Math.Min(piece, content.Length - at)), default);
        }
        await writer.CompleteAsync(default);
        writer.Length.ShouldBe(content.Length);
    }

    private protected async Task<byte[]> OpenAsync(ObjectId id, long length) =>
        await DrainAsync(await Objects.OpenAsync(Team, id, length, 0, length, default));

    private async Task ReplaceAsync(ObjectKey key, byte[] stored)
    {
        await Store.DeleteAsync(key, default);
        await PutAsync(key, stored);
    }
}
