using System.Runtime.InteropServices;
using Appliance.Vault;

namespace Appliance.Objects;

/// <summary>Names one stored object; written <c>{team:N}/{object:N}</c>.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ObjectKey(TeamId Team, ObjectId Object)
{
    public override string ToString() => $"{Team.Value:N}/{Object.Value:N}";

    /// <summary>Reads what <see cref="ToString"/> wrote, and nothing else.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ObjectKey key)
    {
        key = default;
        if (text.Length != 65 || text[32] != '/' || text.ContainsAnyInRange('A', 'Z')
            || !Guid.TryParseExact(text[..32], "N", out var team) || !Guid.TryParseExact(text[33..], "N", out var id))
        {
            return false;
        }
        key = new ObjectKey(new TeamId(team), new ObjectId(id));
        return true;
    }
}

/// <param name="Key">Whose object, and which.</param>
/// <param name="Length">Stored bytes, thus sealed ones.</param>
/// <param name="Modified">When it was completed, by the store's clock.</param>
internal sealed record StoredObject(ObjectKey Key, long Length, DateTimeOffset Modified);

/// <param name="Content">The bytes asked for, clipped to the object's end. Its owner disposes it.</param>
/// <param name="ObjectLength">Bytes of the whole stored object.</param>
internal sealed record StoredRange(Stream Content, long ObjectLength);

/// <summary>
/// Where sealed bytes lie. An object is whole and durable once its writing has completed, and only the wrap of the key in its header ever changes afterwards
/// (<see cref="BeginReplaceAsync"/>); before, nobody may know its name. After a power cut there may be a part of an object whose writing had not completed: an orphan, which the sweeper removes.
/// Every method throws <see cref="StoreUnavailableException"/> when the store does not work, <see cref="StoreFullException"/> when it is full,
/// and <see cref="OperationCanceledException"/> only for the caller's own token.
/// </summary>
internal interface IObjectStore
{
    /// <summary>Makes the store ready for use: creates the folder or the bucket where that is allowed. Safe to repeat.</summary>
    /// <exception cref="StoreMisconfiguredException">The store cannot be used as configured; the message names the setting.</exception>
    Task PrepareAsync(CancellationToken cancellation);

    /// <summary>Throws unless the store can be reached and used now.</summary>
    Task CheckReachableAsync(CancellationToken cancellation);

    Task<IObjectWrite> BeginWriteAsync(ObjectKey key, CancellationToken cancellation);

    /// <summary>
    /// Begins to write what takes the place of an object in one step: whoever reads it finds the one or the other. The bytes behind the header are to be the same, so
    /// that who reads them from both has read one object. Completing throws <see cref="ObjectMissingException"/> when the object is gone by then.
    /// </summary>
    Task<IObjectWrite> BeginReplaceAsync(ObjectKey key, CancellationToken cancellation);

    /// <summary>Reads <paramref name="count"/> (at least 1) bytes from <paramref name="offset"/>, fewer where the object ends earlier.</summary>
    /// <exception cref="ObjectMissingException">No such object.</exception>
    Task<StoredRange> ReadAsync(ObjectKey key, long offset, long count, CancellationToken cancellation);

    /// <summary>Null when there is no such object.</summary>
    Task<StoredObject?> StatAsync(ObjectKey key, CancellationToken cancellation);

    /// <summary>Removes the object; one that is not there is no error.</summary>
    Task DeleteAsync(ObjectKey key, CancellationToken cancellation);

    /// <summary>All complete objects of the team, in an order of the store's own.</summary>
    /// <param name="team">Whose objects.</param>
    /// <param name="after">Only those that come after this one, whether it is there or not; null: from the first.</param>
    /// <param name="cancellation">Ends it.</param>
    IAsyncEnumerable<StoredObject> ListAsync(TeamId team, ObjectId? after, CancellationToken cancellation);

    /// <summary>Removes what unfinished writes of the team left behind that were last touched before <paramref name="before"/>.</summary>
    /// <returns>How many were removed.</returns>
    Task<int> AbortStaleWritesAsync(TeamId team, DateTimeOffset before, CancellationToken cancellation);
}

/// <summary>
/// One object being written, front to back, by one caller at a time. Disposing it before it is complete leaves nothing
/// visible.
/// </summary>
internal interface IObjectWrite : IAsyncDisposable
{
    /// <summary>Appends. The memory may be reused once the task has completed.</summary>
    ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation);

    /// <summary>Appends the rest, which may be nothing; returns when the object is visible and would survive a power cut.</summary>
    /// <exception cref="ObjectExistsException">There is such an object already; it is untouched.</exception>
    Task CompleteAsync(ReadOnlyMemory<byte> rest, CancellationToken cancellation);

    /// <inheritdoc cref="CompleteAsync(ReadOnlyMemory{byte}, CancellationToken)"/>
    Task CompleteAsync(CancellationToken cancellation) => CompleteAsync(ReadOnlyMemory<byte>.Empty, cancellation);
}
