using Appliance.Vault;

namespace Appliance.Objects;

/// <param name="Examined">Objects old enough to be judged.</param>
/// <param name="Deleted">Objects removed, because nobody references them.</param>
/// <param name="AbortedWrites">Unfinished writes removed.</param>
public sealed record SweepResult(int Examined, int Deleted, int AbortedWrites);

/// <param name="Id">Which object.</param>
/// <param name="Expected">Stored bytes that the referenced length asks for.</param>
/// <param name="Found">Stored bytes that are there.</param>
public sealed record WrongSize(ObjectId Id, long Expected, long Found);

/// <param name="Id">Which object.</param>
/// <param name="StoredLength">Sealed bytes.</param>
/// <param name="Modified">When it was completed: a young one may be an upload that is about to be committed.</param>
public sealed record Orphan(ObjectId Id, long StoredLength, DateTimeOffset Modified);

/// <summary>How references and stored objects of a team differ.</summary>
public sealed record ConsistencyReport(
    long Referenced, long Stored, IReadOnlyList<ObjectId> Missing, IReadOnlyList<WrongSize> WrongSize, IReadOnlyList<Orphan> Orphans)
{
    /// <summary>Nothing that is referenced is missing or spoiled. Orphans harm nobody.</summary>
    public bool NothingLost => Missing.Count == 0 && WrongSize.Count == 0;
}

/// <summary>What keeps store and references in step: the sweeper and the consistency check.</summary>
internal sealed class StoreCare(IObjectStore store, TimeProvider time)
{
    const int BatchSize = 500;

    public async Task<SweepResult> SweepAsync(
        TeamId team,
        Func<IReadOnlyList<ObjectId>, CancellationToken, Task<IReadOnlySet<ObjectId>>> stillReferenced,
        TimeSpan grace,
        CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(grace, TimeSpan.Zero);
        var before = time.GetUtcNow() - grace;
        var (examined, deleted) = (0, 0);
        var batch = new List<ObjectId>(BatchSize);
        await foreach (var found in store.ListAsync(team, null, cancellation))
        {
            if (found.Modified >= before)
            {
                continue;
            }
            examined++;
            batch.Add(found.Key.Object);
            if (batch.Count == BatchSize)
            {
                deleted += await SweepBatchAsync();
            }
        }
        deleted += await SweepBatchAsync();
        return new SweepResult(examined, deleted, await store.AbortStaleWritesAsync(team, before, cancellation));

        async Task<int> SweepBatchAsync()
        {
            if (batch.Count == 0)
            {
                return 0;
            }
            var referenced = await stillReferenced(batch, cancellation);
            var orphans = batch.Where(id => !referenced.Contains(id)).ToList();
            batch = new List<ObjectId>(BatchSize); // not cleared: the callee may have kept it
            foreach (var orphan in orphans)
            {
                await store.DeleteAsync(new ObjectKey(team, orphan), cancellation);
            }
            return orphans.Count;
        }
    }

    /// <summary>
    /// The store is listed before the references are read, so an upload committed meanwhile seems missing and a file deleted meanwhile seems
    /// orphaned: each finding is looked at again before it is reported.
    /// </summary>
    public async Task<ConsistencyReport> CheckAsync(
        TeamId team, IAsyncEnumerable<(ObjectId Id, long Length)> referenced, CancellationToken cancellation)
    {
        var stored = new Dictionary<ObjectId, (long Length, DateTimeOffset Modified)>();
        await foreach (var found in store.ListAsync(team, null, cancellation))
        {
            stored[found.Key.Object] = (found.Length, found.Modified);
        }
        var storedCount = stored.Count;
        var referencedCount = 0L;
        var (missing, wrongSize, orphans) = (new List<ObjectId>(), new List<WrongSize>(), new List<Orphan>());

        await foreach (var (id, length) in referenced.WithCancellation(cancellation))
        {
            referencedCount++;
            var expected = SealedFormat.SealedLength(length);
            if (stored.Remove(id, out var listed) && listed.Length == expected)
            {
                continue;
            }
            switch (await store.StatAsync(new ObjectKey(team, id), cancellation))
            {
                case null:
                    missing.Add(id);
                    break;
                case var now when now.Length != expected:
                    wrongSize.Add(new WrongSize(id, expected, now.Length));
                    break;
            }
        }
        foreach (var id in stored.Keys)
        {
            if (await store.StatAsync(new ObjectKey(team, id), cancellation) is { } still)
            {
                orphans.Add(new Orphan(id, still.Length, still.Modified));
            }
        }
        return new ConsistencyReport(referencedCount, storedCount, missing, wrongSize, orphans);
    }
}
