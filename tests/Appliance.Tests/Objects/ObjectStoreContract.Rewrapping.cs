using System.Security.Cryptography;
using Appliance.Objects;
using Appliance.Vault;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Objects;

public abstract partial class ObjectStoreContract
{
    [Fact, Trait("Requirement", "O5")]
    public async Task An_object_takes_anothers_place_in_one_step_and_never_an_empty_one()
    {
        var key = NewKey();
        foreach (var length in new[] { 100, PartSize + 100 })
        {
            var (before, after) = (RandomNumberGenerator.GetBytes(length), RandomNumberGenerator.GetBytes(length));
            await Store.DeleteAsync(key, default);
            await PutAsync(key, before);
            await using (var dropped = await Store.BeginReplaceAsync(key, default))
            {
                await dropped.WriteAsync(after, default);
            }
            (await GetAsync(key)).ShouldBe(before);
            await using (var write = await Store.BeginReplaceAsync(key, default))
            {
                await write.WriteAsync(after, default);
                (await GetAsync(key)).ShouldBe(before);
                await write.CompleteAsync(default);
            }
            (await GetAsync(key)).ShouldBe(after);

            await Store.DeleteAsync(key, default);
            await using var late = await Store.BeginReplaceAsync(key, default);
            await late.WriteAsync(after, default);
            await Should.ThrowAsync<ObjectMissingException>(() => late.CompleteAsync(default));
            (await Store.StatAsync(key, default)).ShouldBeNull();
        }
    }

    [Fact, Trait("Requirement", "O5")]
    public async Task A_list_goes_on_behind_any_object_that_is_there_or_was()
    {
        for (var i = 0; i < 40; i++)
        {
            await PutAsync(NewKey(), [1]);
        }
        var all = (await ListAsync()).Select(found => found.Key.Object).ToList();
        await Store.DeleteAsync(new ObjectKey(Team, all[20]), default);
        foreach (var from in new[] { 0, 19, 20, 38, 39 })
        {
            var rest = new List<ObjectId>();
            await foreach (var found in Store.ListAsync(Team, all[from], default))
            {
                rest.Add(found.Key.Object);
            }
            rest.ShouldBe(all.Skip(from + 1).Where(id => id != all[20]));
        }
    }

    [Fact, Trait("Requirement", "O5"), Trait("Requirement", "F7")]
    public async Task Objects_are_put_under_the_newest_key_and_the_old_one_then_opens_nothing()
    {
        var contents = new[] { 0, 1, Chunk, 15 * Chunk + 1, 40 * Chunk, PartSize + 5 * Chunk }.ToDictionary(_ => ObjectId.New(), RandomNumberGenerator.GetBytes);
        foreach (var (id, content) in contents)
        {
            await SealAsync(id, content);
        }
        // Somebody reads while the object is replaced, and had begun before.
        var (slow, whole) = (contents.Keys.Last(), contents.Values.Last());
        await using var reading = await Objects.OpenAsync(Team, slow, whole.Length, 0, whole.Length, default);
        Vault.Keys.Rotate(Team, 1, DateTimeOffset.UtcNow).ShouldBe(2);
        var young = ObjectId.New();
        await SealAsync(young, [7]);

        var (last, count, seen) = ((ObjectId?)null, 0, 0L);
        for (var ended = false; !ended;)
        {
            var step = await Objects.RewrapAsync(Team, last, bytes => Task.FromResult((seen += bytes) < 0), default);
            (step.Damaged.Count, step.Unreadable.Count).ShouldBe((0, 0));
            (last, count, ended) = (step.Last, count + step.Rewrapped, step.Ended);
        }
        count.ShouldBe(contents.Count);
        seen.ShouldBe(contents.Values.Sum(content => SealedFormat.SealedLength(content.Length)));
        using (var copy = new MemoryStream())
        {
            await reading.CopyToAsync(copy);
            copy.ToArray().AsSpan().SequenceEqual(whole).ShouldBeTrue();
        }
        (await Objects.RewrapAsync(Team, null, _ => Task.FromResult(true), default)).Rewrapped.ShouldBe(0, "done once");

        Vault.Keys.DestroySuperseded(Team, DateTimeOffset.MaxValue).ShouldBe(1);
        foreach (var (id, content) in contents.Append(new(young, [7])))
        {
            (await OpenAsync(id, content.Length)).AsSpan().SequenceEqual(content).ShouldBeTrue();
        }
        (await Store.AbortStaleWritesAsync(Team, DateTimeOffset.UtcNow.AddHours(1), default)).ShouldBe(0);
    }

    [Fact, Trait("Requirement", "O5"), Trait("Requirement", "F7")]
    public async Task What_is_damaged_is_left_as_it_is_and_named()
    {
        var (good, spoiled, headless) = (ObjectId.New(), ObjectId.New(), ObjectId.New());
        foreach (var id in new[] { good, spoiled, headless })
        {
            await SealAsync(id, RandomNumberGenerator.GetBytes(3 * Chunk));
        }
        await FlipAsync(spoiled, SealedFormat.HeaderLength + 2 * Chunk);
        await FlipAsync(headless, 60);
        var before = await GetAsync(new ObjectKey(Team, spoiled));
        Vault.Keys.Rotate(Team, 1, DateTimeOffset.UtcNow);

        var result = await Objects.RewrapAsync(Team, null, _ => Task.FromResult(true), default);

        result.Rewrapped.ShouldBe(1);
        result.Damaged.ShouldBe([spoiled]);
        result.Unreadable.ShouldBe([headless]);
        (await GetAsync(new ObjectKey(Team, spoiled))).ShouldBe(before);
        (await OpenAsync(good, 3 * Chunk)).Length.ShouldBe(3 * Chunk);

        async Task FlipAsync(ObjectId id, int at)
        {
            var key = new ObjectKey(Team, id);
            var bytes = await GetAsync(key);
            bytes[at] ^= 1;
            await Store.DeleteAsync(key, default);
            await PutAsync(key, bytes);
        }
    }
}
