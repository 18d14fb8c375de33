using Appliance.Vault;


namespace Appliance.Objects;

/// <summary>
/// The only way to stored content: what goes in is sealed under the team's key before it leaves the process, what comes out has been verified.
/// Safe for use by many at once. When the store does not work, every method throws <see cref="StoreUnavailableException"/>.
/// </summary>
public sealed class SealedObjects
{
    readonly IObjectStore _store;
    readonly ObjectSealer _sealer;
    readonly StoreCare _care;
    readonly Rewrapping _rewrap;

    internal SealedObjects(IObjectStore store, ObjectSealer sealer, TimeProvider time)
    {
        _store = store;
        _sealer = sealer;
        _care = new StoreCare(store, time);
        _rewrap = new Rewrapping(store, sealer);
    }

    /// <summary>Begins a new object. It is visible once <see cref="SealedWriter.CompleteAsync"/> has returned, and not before.</summary>
    /// <exception cref="TeamKeyMissingException">The team has no key.</exception>
    public async Task<SealedWriter> CreateAsync(TeamId team, ObjectId obj, CancellationToken cancellation)
    {
        var session = _sealer.Seal(team, obj);
        try
        {
            return new SealedWriter(session, await _store.BeginWriteAsync(new ObjectKey(team, obj), cancellation));
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Opens a range of an object's content. Only the chunks that hold the range are read and decrypted, each verified before a byte of it is
    /// handed out; the first already here, so that a spoiled object is refused before an answer has begun.
    /// </summary>
    /// <param name="team">Whose object.</param>
    /// <param name="obj">Which object.</param>
    /// <param name="length">Bytes of the whole content, as recorded when it was written.</param>
    /// <param name="offset">First byte wanted, 0 to <paramref name="length"/>.</param>
    /// <param name="count">Bytes wanted; the range must not reach behind <paramref name="length"/>.</param>
    /// <param name="cancellation">Ends the opening, not the reading.</param>
    /// <returns>A forward-only stream to be read asynchronously. Its reads throw <see cref="TamperedException"/> too.</returns>
    /// <exception cref="ObjectMissingException">There is no such object.</exception>
    /// <exception cref="TamperedException">What is stored is not what was written: altered, cut, extended, swapped or of another size.</exception>
    public async Task<Stream> OpenAsync(TeamId team, ObjectId obj, long length, long offset, long count, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, length);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, length - offset);

        var stream = await SealedReadStream.OpenAsync(_store, _sealer, new ObjectKey(team, obj), new SealedRange(length, offset, count), cancellation);
        try
        {
            await stream.VerifyFirstChunkAsync(cancellation);
            return stream;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <summary>Removes an object; one that is not there is no error.</summary>
    public Task DeleteAsync(TeamId team, ObjectId obj, CancellationToken cancellation) => _store.DeleteAsync(new ObjectKey(team, obj), cancellation);

    /// <summary>
    /// Removes the team's objects that nobody references, and what unfinished writes have left.
    /// </summary>
    /// <param name="team">Whose objects.</param>
    /// <param name="stillReferenced">Says which of up to 500 objects are referenced. If it throws, nothing of that batch is removed.</param>
    /// <param name="grace">Younger objects and writes are left alone. It must exceed the longest time from an object's completion to the
    /// commit of its reference.</param>
    /// <param name="cancellation">Ends the sweep; what was removed stays so.</param>
    public Task<SweepResult> SweepAsync(
        TeamId team,
        Func<IReadOnlyList<ObjectId>, CancellationToken, Task<IReadOnlySet<ObjectId>>> stillReferenced,
        TimeSpan grace,
        CancellationToken cancellation) => _care.SweepAsync(team, stillReferenced, grace, cancellation);

    /// <summary>
    /// Looks at the team's objects, one after the other, and puts those whose keys an older generation of the team's key wraps under the newest. Nothing is unreadable
    /// meanwhile, and nothing but the wrap changes: a whole object is written anew, each chunk of it verified on the way, before it takes the place of the old one.
    /// </summary>
    /// <param name="team">Whose objects.</param>
    /// <param name="after">Where to go on; null: at the first.</param>
    /// <param name="pace">Called after each object with its bytes that were written, 0 for those that needed nothing; where it answers false, that is enough for now.</param>
    /// <param name="cancellation">Ends it; what was done stays so.</param>
    /// <exception cref="TeamKeyMissingException">The team has no key.</exception>
    public Task<RewrapResult> RewrapAsync(TeamId team, ObjectId? after, Func<long, Task<bool>> pace, CancellationToken cancellation) =>
        _rewrap.RunAsync(team, after, pace, cancellation);

    /// <summary>Compares what the team references with what is stored. It reads no content; sizes tell of truncation.</summary>
    /// <param name="team">Whose objects.</param>
    /// <param name="referenced">All referenced objects with the length of their content. It is enumerated after the store was listed.</param>
    /// <param name="cancellation">Ends the check.</param>
    public Task<ConsistencyReport> CheckAsync(
        TeamId team, IAsyncEnumerable<(ObjectId Id, long Length)> referenced, CancellationToken cancellation) =>
        _care.CheckAsync(team, referenced, cancellation);

    /// <summary>Throws unless the store can be reached and used now; for readiness.</summary>
    public Task CheckReachableAsync(CancellationToken cancellation) => _store.CheckReachableAsync(cancellation);

    /// <summary>For the start: creates folder or bucket where that is allowed.</summary>
    internal Task PrepareAsync(CancellationToken cancellation) => _store.PrepareAsync(cancellation);
}
