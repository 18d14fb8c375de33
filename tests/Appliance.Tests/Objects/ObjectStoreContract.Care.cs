using Appliance.Objects;
using Appliance.Vault;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Objects;

public abstract partial class ObjectStoreContract
{
    [Fact, Trait("Requirement", "T7")]
    public async Task The_sweeper_removes_what_nobody_references_and_nothing_else()
    {
        var (kept, orphan, foreign) = (ObjectId.New(), ObjectId.New(), ObjectId.New());
        await SealAsync(kept, new byte[10]);
        await SealAsync(orphan, new byte[10]);
        await PutAsync(new ObjectKey(Vault.OtherTeam, foreign), [1]);

        var result = await LaterObjects().SweepAsync(Team, Only(kept), TimeSpan.FromHours(1), default);

        result.ShouldBe(new SweepResult(Examined: 2, Deleted: 1, AbortedWrites: 0));
        (await ListAsync()).ShouldHaveSingleItem().Key.Object.ShouldBe(kept);
        (await Store.StatAsync(new ObjectKey(Vault.OtherTeam, foreign), default)).ShouldNotBeNull();
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task The_sweeper_leaves_young_objects_and_writes_alone_and_does_not_even_ask()
    {
        await SealAsync(ObjectId.New(), new byte[10]);
        await using var writer = await Objects.CreateAsync(Team, ObjectId.New(), default);
        await writer.WriteAsync(new byte[2 * PartSize], default);

        var result = await Objects.SweepAsync(Team, (_, _) => throw new InvalidOperationException("asked"), TimeSpan.FromHours(1), default);

        result.ShouldBe(new SweepResult(0, 0, 0));
        await writer.CompleteAsync(default);
        (await ListAsync()).Count.ShouldBe(2);
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task The_sweeper_removes_writes_that_were_left_unfinished()
    {
        // Never disposed, as after kill -9.
        var abandoned = await Store.BeginWriteAsync(NewKey(), default);
        await abandoned.WriteAsync(new byte[2 * PartSize + 1], default);

        (await LaterObjects().SweepAsync(Vault.OtherTeam, NobodyAsync, TimeSpan.FromHours(1), default)).AbortedWrites.ShouldBe(0);
        (await LaterObjects().SweepAsync(Team, NobodyAsync, TimeSpan.FromHours(1), default)).AbortedWrites.ShouldBe(1);
        (await LaterObjects().SweepAsync(Team, NobodyAsync, TimeSpan.FromHours(1), default)).AbortedWrites.ShouldBe(0);
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task The_sweeper_asks_for_at_most_500_at_once_and_removes_nothing_of_a_batch_when_the_answer_fails()
    {
        await Parallel.ForEachAsync(Enumerable.Range(0, 501), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (_, _) => await PutAsync(NewKey(), [1]));
        var asked = new List<int>();
        await Should.ThrowAsync<TimeoutException>(() => LaterObjects().SweepAsync(
            Team,
            (batch, _) =>
            {
                asked.Add(batch.Count);
                return asked.Count == 1 ? Task.FromResult<IReadOnlySet<ObjectId>>(batch.ToHashSet()) : throw new TimeoutException("no database");
            },
            TimeSpan.FromHours(1), default));

        asked.ShouldBe([500, 1]);
        (await ListAsync()).Count.ShouldBe(501);
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task The_check_names_what_is_missing_of_a_wrong_size_and_orphaned()
    {
        var (good, missing, cut, orphan) = (ObjectId.New(), ObjectId.New(), ObjectId.New(), ObjectId.New());
        await SealAsync(good, new byte[70_000]);
        await SealAsync(orphan, new byte[5]);
        await PutAsync(new ObjectKey(Team, cut), new byte[50]);

        var report = await Objects.CheckAsync(Team, References((good, 70_000), (missing, 1), (cut, 100)), default);

        report.Missing.ShouldBe([missing]);
        report.WrongSize.ShouldBe([new WrongSize(cut, SealedFormat.SealedLength(100), 50)]);
        report.Orphans.ShouldHaveSingleItem().Id.ShouldBe(orphan);
        report.Orphans[0].StoredLength.ShouldBe(SealedFormat.SealedLength(5));
        (report.Referenced, report.Stored, report.NothingLost).ShouldBe((3, 3, false));
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task The_check_is_not_misled_by_what_happens_meanwhile()
    {
        var (deleted, uploaded) = (ObjectId.New(), ObjectId.New());
        await SealAsync(deleted, new byte[5]);

        var report = await Objects.CheckAsync(Team, MeanwhileAsync(), default);

        (report.Missing.Count, report.WrongSize.Count, report.Orphans.Count, report.NothingLost).ShouldBe((0, 0, 0, true));

        async IAsyncEnumerable<(ObjectId, long)> MeanwhileAsync()
        {
            await Objects.DeleteAsync(Team, deleted, default);
            await SealAsync(uploaded, new byte[6]);
            yield return (uploaded, 6);
        }
    }

    private static Task<IReadOnlySet<ObjectId>> NobodyAsync(IReadOnlyList<ObjectId> batch, CancellationToken cancellation) =>
        Task.FromResult<IReadOnlySet<ObjectId>>(new HashSet<ObjectId>());

    private static Func<IReadOnlyList<ObjectId>, CancellationToken, Task<IReadOnlySet<ObjectId>>> Only(params ObjectId[] ids) =>
        (batch, _) => Task.FromResult<IReadOnlySet<ObjectId>>(batch.Intersect(ids).ToHashSet());

    private static async IAsyncEnumerable<(ObjectId, long)> References(params (ObjectId, long)[] references)
    {
        await Task.Yield();
        foreach (var reference in references)
        {
            yield return reference;
        }
    }

    /// <summary>The same store, seen two hours later.</summary>
    private protected SealedObjects LaterObjects() => new(Store, Vault.Sealer, new LaterTime());

    private sealed class LaterTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddHours(2);
    }
}
