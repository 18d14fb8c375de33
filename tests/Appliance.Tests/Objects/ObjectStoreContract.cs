using System.Security.Cryptography;
using Appliance.Objects;
using Appliance.Vault;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Objects;

/// <summary>What every store must do, whatever it is made of. This file: the store itself; the others: what is sealed into it.</summary>
public abstract partial class ObjectStoreContract : IAsyncLifetime
{
    private protected const int PartSize = 5 << 20;

    private protected TestVault Vault { get; } = new();
    private protected TeamId Team => Vault.Team;
    private protected IObjectStore Store { get; private set; } = null!;
    private protected SealedObjects Objects { get; private set; } = null!;

    private protected abstract IObjectStore OpenStore();

    public virtual async Task InitializeAsync()
    {
        Store = OpenStore();
        Objects = new SealedObjects(Store, Vault.Sealer, TimeProvider.System);
        await Store.PrepareAsync(default);
    }

    public virtual Task DisposeAsync()
    {
        (Store as IDisposable)?.Dispose();
        Vault.Dispose();
        return Task.CompletedTask;
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task What_was_written_can_be_read_and_measured()
    {
        var key = NewKey();
        var content = RandomNumberGenerator.GetBytes(100_000);
        var before = DateTimeOffset.UtcNow.AddSeconds(-2);
        await PutAsync(key, content);

        (await GetAsync(key)).ShouldBe(content);
        var stat = (await Store.StatAsync(key, default)).ShouldNotBeNull();
        stat.Key.ShouldBe(key);
        stat.Length.ShouldBe(100_000);
        stat.Modified.ShouldBeGreaterThan(before);
        stat.Modified.ShouldBeLessThan(DateTimeOffset.UtcNow.AddSeconds(2));
    }

    [Theory, Trait("Requirement", "F8")]
    [InlineData(0, 1, 1)]
    [InlineData(0, 1000, 1000)]
    [InlineData(999, 1, 1)]
    [InlineData(500, 100, 100)]
    [InlineData(900, 500, 100)]
    [InlineData(1000, 1, 0)]
    [InlineData(5000, 10, 0)]
    public async Task A_range_is_clipped_to_the_object_and_tells_its_whole_length(int offset, int count, int expected)
    {
        var key = NewKey();
        var content = RandomNumberGenerator.GetBytes(1000);
        await PutAsync(key, content);

        var range = await Store.ReadAsync(key, offset, count, default);
        range.ObjectLength.ShouldBe(1000);
        (await DrainAsync(range.Content)).ShouldBe(content.AsSpan(Math.Min(offset, 1000), expected).ToArray());
    }

    [Theory, Trait("Requirement", "F8")]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(PartSize - 1)]
    [InlineData(PartSize)]
    [InlineData(PartSize + 1)]
    [InlineData(2 * PartSize)]
    [InlineData(3 * PartSize + 17)]
    public async Task Lengths_around_the_size_of_a_part_come_back_whole(int length)
    {
        var key = NewKey();
        var content = RandomNumberGenerator.GetBytes(length);
        await PutAsync(key, content, piece: 983_280);

        (await Store.StatAsync(key, default)).ShouldNotBeNull().Length.ShouldBe(length);
        if (length > 0)
        {
            (await GetAsync(key)).AsSpan().SequenceEqual(content).ShouldBeTrue();
        }
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task What_is_absent_is_said_to_be_absent()
    {
        var key = NewKey();
        (await Store.StatAsync(key, default)).ShouldBeNull();
        (await Should.ThrowAsync<ObjectMissingException>(() => Store.ReadAsync(key, 0, 1, default))).Id.ShouldBe(key.Object);
        await Store.DeleteAsync(key, default);
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task What_was_deleted_is_gone()
    {
        var key = NewKey();
        await PutAsync(key, [1, 2, 3]);
        await Store.DeleteAsync(key, default);

        (await Store.StatAsync(key, default)).ShouldBeNull();
        (await ListAsync()).ShouldBeEmpty();
    }

    [Theory, Trait("Requirement", "F8")]
    [InlineData(10)]
    [InlineData(PartSize + 1)]
    public async Task An_object_is_never_overwritten(int length)
    {
        var key = NewKey();
        await PutAsync(key, [1, 2, 3]);

        (await Should.ThrowAsync<ObjectExistsException>(() => PutAsync(key, new byte[length]))).Id.ShouldBe(key.Object);
        (await GetAsync(key)).ShouldBe([1, 2, 3]);
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task Of_eight_writers_of_one_object_one_wins()
    {
        var key = NewKey();
        var attempts = await Task.WhenAll(Enumerable.Range(1, 8).Select(async number =>
        {
            try
            {
                await PutAsync(key, Enumerable.Repeat((byte)number, 1000).ToArray());
                return number;
            }
            catch (ObjectExistsException)
            {
                return 0;
            }
        }));

        var winner = attempts.Where(number => number > 0).ShouldHaveSingleItem();
        (await GetAsync(key)).ShouldAllBe(value => value == winner);
    }

    [Theory, Trait("Requirement", "T7")]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData(3 * PartSize)]
    public async Task A_write_that_is_not_completed_leaves_nothing(int length)
    {
        var key = NewKey();
        await using (var write = await Store.BeginWriteAsync(key, default))
        {
            await write.WriteAsync(new byte[length], default);
            (await Store.StatAsync(key, default)).ShouldBeNull();
            (await ListAsync()).ShouldBeEmpty();
        }

        (await Store.StatAsync(key, default)).ShouldBeNull();
        (await ListAsync()).ShouldBeEmpty();
        (await Store.AbortStaleWritesAsync(Team, DateTimeOffset.UtcNow.AddHours(1), default)).ShouldBe(0);
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task A_cancelled_write_leaves_nothing()
    {
        var key = NewKey();
        using var cancelled = new CancellationTokenSource();
        await using (var write = await Store.BeginWriteAsync(key, default))
        {
            await write.WriteAsync(new byte[2 * PartSize], default);
            await cancelled.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(async () =>
            {
                await write.WriteAsync(new byte[PartSize], cancelled.Token);
                await write.CompleteAsync(cancelled.Token);
            });
        }

        (await Store.StatAsync(key, default)).ShouldBeNull();
        (await Store.AbortStaleWritesAsync(Team, DateTimeOffset.UtcNow.AddHours(1), default)).ShouldBe(0);
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task A_long_list_is_complete_and_holds_one_team_only()
    {
        const int Count = 1100; // more than a page of S3
        var keys = Enumerable.Range(0, Count).Select(_ => NewKey()).ToList();
        await Parallel.ForEachAsync(keys, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (key, _) => await PutAsync(key, [7]));
        await PutAsync(new ObjectKey(Vault.OtherTeam, ObjectId.New()), [8]);

        var listed = await ListAsync();
        listed.Select(found => found.Key).ShouldBe(keys, ignoreOrder: true);
        listed.ShouldAllBe(found => found.Length == 1);
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task A_store_that_works_is_reachable() => await Store.CheckReachableAsync(default);

    private protected ObjectKey NewKey() => new(Team, ObjectId.New());

    private protected async Task PutAsync(ObjectKey key, byte[] content, int piece = int.MaxValue)
    {
        await using var write = await Store.BeginWriteAsync(key, default);
        for (var at = 0; at < content.Length; at += Math.Min(piece, content.Length - at))
        {
            await write.WriteAsync(content.AsMemory(at, Math.Min(piece, content.Length - at)), default);
        }
        await write.CompleteAsync(default);
    }

    private protected async Task<byte[]> GetAsync(ObjectKey key) => await DrainAsync((await Store.ReadAsync(key, 0, long.MaxValue / 2, default)).Content);

    private protected async Task<List<StoredObject>> ListAsync()
    {
        var found = new List<StoredObject>();
        await foreach (var one in Store.ListAsync(Team, null, default))
        {
            found.Add(one);
        }
        return found;
    }

    private protected static async Task<byte[]> DrainAsync(Stream stream)
    {
        await using (stream)
        {
            using var all = new MemoryStream();
            await stream.CopyToAsync(all);
            return all.ToArray();
        }
    }
}
