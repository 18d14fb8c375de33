using System.Buffers;
using Appliance.Vault;

namespace Appliance.Objects;

/// <param name="Last">The last object that was looked at; null: none was.</param>
/// <param name="Ended">Whether it was the team's last.</param>
/// <param name="Rewrapped">How many are under the newest generation now that were not.</param>
/// <param name="Damaged">Whose header opens and whose content does not: left as they are, under the generation that opens what is left of them.</param>
/// <param name="Unreadable">Which no generation of the team's key opens.</param>
public sealed record RewrapResult(ObjectId? Last, bool Ended, int Rewrapped, IReadOnlyList<ObjectId> Damaged, IReadOnlyList<ObjectId> Unreadable);

/// <summary>Puts objects under the newest generation of their team's key.</summary>
internal sealed class Rewrapping(IObjectStore store, ObjectSealer sealer)
{
    const int ChunksAtOnce = 15;

    public async Task<RewrapResult> RunAsync(TeamId team, ObjectId? after, Func<long, Task<bool>> pace, CancellationToken cancellation)
    {
        var (last, rewrapped) = (after, 0);
        var (damaged, unreadable) = (new List<ObjectId>(), new List<ObjectId>());
        await foreach (var found in store.ListAsync(team, after, cancellation))
        {
            var written = 0L;
            try
            {
                if (await HeaderAsync(found.Key, cancellation) is { } header)
                {
                    await ReplaceAsync(found, header, cancellation);
                    (written, rewrapped) = (found.Length, rewrapped + 1);
                }
            }
            catch (HeaderUnreadableException)
            {
                unreadable.Add(found.Key.Object);
            }
            catch (TamperedException)
            {
                damaged.Add(found.Key.Object);
            }
            catch (ObjectMissingException)
            {
                // Deleted since it was listed.
            }
            last = found.Key.Object;
            if (!await pace(written))
            {
                return new RewrapResult(last, Ended: false, rewrapped, damaged, unreadable);
            }
        }
        return new RewrapResult(last, Ended: true, rewrapped, damaged, unreadable);
    }

    /// <summary>The new header; null where the one that is there will do.</summary>
    async Task<byte[]?> HeaderAsync(ObjectKey key, CancellationToken cancellation)
    {
        var header = new byte[SealedFormat.HeaderLength];
        await using var content = (await store.ReadAsync(key, 0, header.Length, cancellation)).Content;
        var read = await content.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, cancellation);
        try
        {
            return sealer.Rewrap(key.Team, key.Object, header.AsSpan(0, read));
        }
        catch (TamperedException error)
        {
            throw new HeaderUnreadableException(error);
        }
    }

    async Task ReplaceAsync(StoredObject found, byte[] header, CancellationToken cancellation)
    {
        var chunks = SealedFormat.ChunkCount(SealedFormat.PlainLength(found.Length));
        using var session = sealer.Open(found.Key.Team, found.Key.Object, header);
        var range = await store.ReadAsync(found.Key, header.Length, found.Length - header.Length, cancellation);
        await using var content = range.Content;
        await using var write = await store.BeginReplaceAsync(found.Key, cancellation);
        var (sealed_, plain) = (ArrayPool<byte>.Shared.Rent(ChunksAtOnce * SealedFormat.SealedChunkSize), ArrayPool<byte>.Shared.Rent(SealedFormat.ChunkSize));
        try
        {
            await write.WriteAsync(header, cancellation);
            var left = found.Length - header.Length;
            for (var chunk = 0L; chunk < chunks;)
            {
                var length = (int)Math.Min(left, ChunksAtOnce * SealedFormat.SealedChunkSize);
                if (await content.ReadAtLeastAsync(sealed_.AsMemory(0, length), length, throwOnEndOfStream: false, cancellation) != length)
                {
                    throw new TamperedException($"Sealed object {found.Key.Object} of team {found.Key.Team} ends early.");
                }
                for (var at = 0; at < length; at += SealedFormat.SealedChunkSize, chunk++)
                {
                    session.OpenChunk(chunk, sealed_.AsSpan(at, Math.Min(SealedFormat.SealedChunkSize, length - at)), chunk == chunks - 1, plain);
                }
                await write.WriteAsync(sealed_.AsMemory(0, length), cancellation);
                left -= length;
            }
            await write.CompleteAsync(cancellation);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(sealed_);
            ArrayPool<byte>.Shared.Return(plain, clearArray: true); // it held content in clear
        }
    }

    sealed class HeaderUnreadableException(Exception inner) : Exception(inner.Message, inner);
}
