using System.IO.Enumeration;
using System.Runtime.CompilerServices;
using Appliance.Vault;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Objects.Disk;

/// <summary>
/// Objects as files: <c>{team:N}/{last two digits of the id}/{object:N}</c>. An id is a UUIDv7, which begins with the time and ends at random,
/// so the last digits spread objects over 256 folders. What is being written lies in <c>tmp/</c> until it is complete.
/// </summary>
internal sealed class DiskStore(string folder) : IObjectStore, IDisposable
{
    const string Unfinished = "tmp";

    readonly DiskThreads _threads = new(16);
    readonly Lock _opening = new();
    Roots? _roots;

    sealed record Roots(SafeFileHandle Root, SafeFileHandle Unfinished);

    public Task PrepareAsync(CancellationToken cancellation) => RunAsync(() => { _ = Open(); return true; }, null, cancellation);

    public Task CheckReachableAsync(CancellationToken cancellation) => RunAsync(
        () =>
        {
            Probe(Open().Unfinished);
            return true;
        }, null, cancellation);

    public Task<IObjectWrite> BeginWriteAsync(ObjectKey key, CancellationToken cancellation) => BeginAsync(key, replaces: false, cancellation);

    public Task<IObjectWrite> BeginReplaceAsync(ObjectKey key, CancellationToken cancellation) => BeginAsync(key, replaces: true, cancellation);

    Task<IObjectWrite> BeginAsync(ObjectKey key, bool replaces, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        return Task.FromResult<IObjectWrite>(new DiskWrite(this, _threads, key, $"{key.Team.Value:N}.{key.Object.Value:N}.{Guid.NewGuid():N}", replaces));
    }

    public Task<StoredRange> ReadAsync(ObjectKey key, long offset, long count, CancellationToken cancellation)
    {
        StoredRange Range(SafeFileHandle file)
        {
            var length = RandomAccess.GetLength(file);
            return new StoredRange(new DiskReadStream(_threads, file, offset, Math.Clamp(length - offset, 0, count)), length);
        }
        cancellation.ThrowIfCancellationRequested();
        // What the system knows without asking the disk is opened at once; anything else, errors too, is a disk thread's.
        return _roots is { } roots && Posix.OpenCached(roots.Root, $"{TeamName(key.Team)}/{ShardOf(key)}/{NameOf(key)}") is { } cached
            ? Task.FromResult(Range(cached))
            : RunAsync(() => Range(OpenFile(key) ?? throw new ObjectMissingException(key.Object)), null, cancellation);
    }

    public Task<StoredObject?> StatAsync(ObjectKey key, CancellationToken cancellation) => RunAsync(
        () =>
        {
            using var file = OpenFile(key);
            return file is null ? null : new StoredObject(key, RandomAccess.GetLength(file), new DateTimeOffset(File.GetLastWriteTimeUtc(file)));
        }, null, cancellation);

    // Not flushed: should a power cut bring the object back, it is an orphan, and the sweeper removes it again.
    public Task DeleteAsync(ObjectKey key, CancellationToken cancellation) => RunAsync(
        () =>
        {
            using var parent = OpenFolderOf(key, create: false);
            return parent is not null && Posix.Remove(parent, NameOf(key));
        }, null, cancellation);

    /// <remarks>Folder by folder, within one by name.</remarks>
    public async IAsyncEnumerable<StoredObject> ListAsync(TeamId team, ObjectId? after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var last = after is { } id ? new ObjectKey(team, id) : (ObjectKey?)null;
        var first = last is { } one ? ShardOf(one) : ShardName(0);
        for (var shard = 0; shard < 256; shard++)
        {
            var name = ShardName((byte)shard);
            if (string.CompareOrdinal(name, first) < 0)
            {
                continue;
            }
            foreach (var found in await RunAsync(() => ListShard(team, name), null, cancellation))
            {
                if (name != first || last is not { } behind || string.CompareOrdinal(NameOf(found.Key), NameOf(behind)) > 0)
                {
                    yield return found;
                }
            }
        }
    }

    public Task<int> AbortStaleWritesAsync(TeamId team, DateTimeOffset before, CancellationToken cancellation) => RunAsync(
        () =>
        {
            var unfinished = Open().Unfinished;
            var prefix = $"{team.Value:N}.";
            return Files(unfinished)
                .Where(file => file.Name.StartsWith(prefix, StringComparison.Ordinal) && file.Modified < before)
                .ToList()
                .Count(file => Posix.Remove(unfinished, file.Name));
        }, null, cancellation);

    internal SafeFileHandle CreateUnfinished(string name) => Posix.CreateFile(Open().Unfinished, name);

    /// <summary>
    /// Gives a complete temporary file its place, durably. Blocks. The name comes before the flush: a journaling file system then makes
    /// both durable in one go, and nobody knows the name before this has returned.
    /// </summary>
    internal void Publish(ObjectKey key, string unfinishedName, SafeFileHandle file)
    {
        using var parent = OpenFolderOf(key, create: true)!;
        Posix.MoveNew(Open().Unfinished, unfinishedName, parent, NameOf(key));
        try
        {
            Posix.Flush(file);
            Posix.Flush(parent);
        }
        catch (IOException)
        {
            Posix.Remove(parent, NameOf(key)); // not known to be durable, so it must not be seen
            throw;
        }
    }

    /// <summary>
    /// Gives a complete temporary file an object's place, durably: flushed before it takes the name, because the other is gone then. Blocks.
    /// </summary>
    /// <exception cref="ObjectMissingException">There is no such object.</exception>
    internal void Replace(ObjectKey key, string unfinishedName, SafeFileHandle file)
    {
        using var parent = OpenFolderOf(key, create: false) ?? throw new ObjectMissingException(key.Object);
        Posix.Flush(file);
        if (!Posix.Exchange(Open().Unfinished, unfinishedName, parent, NameOf(key)))
        {
            throw new ObjectMissingException(key.Object);
        }
        Posix.Flush(parent);
        Posix.Remove(Open().Unfinished, unfinishedName); // the old one
    }

    /// <summary>Removes what a write that will not complete has left. Blocks.</summary>
    internal void Discard(string unfinishedName) => Posix.Remove(Open().Unfinished, unfinishedName);

    internal async Task<T> RunAsync<T>(Func<T> work, ObjectId? id, CancellationToken cancellation)
    {
        try
        {
            return await _threads.Run(work, cancellation);
        }
        catch (Exception error) when (DiskErrors.Known(error))
        {
            throw DiskErrors.Translate(error, id);
        }
    }

    public void Dispose()
    {
        _threads.Dispose();
        _roots?.Unfinished.Dispose();
        _roots?.Root.Dispose();
    }

    Roots Open()
    {
        if (_roots is { } open)
        {
            return open;
        }
        lock (_opening)
        {
            return _roots ??= OpenOrCreate();
        }
    }

    Roots OpenOrCreate()
    {
        SafeFileHandle? root = null;
        try
        {
            root = OpenOrCreateRoot();
            Posix.CreateFolder(root, Unfinished);
            Posix.Flush(root);
            var unfinished = Posix.OpenFolder(root, Unfinished)!;
            Probe(unfinished);
            return new Roots(root, unfinished);
        }
        catch (Exception error) when (DiskErrors.Known(error))
        {
            root?.Dispose();
            throw new StoreMisconfiguredException(
                $"The folder for objects, {folder}, cannot be used: {error.Message} Make it a folder that the service's account owns, or set another.",
                error);
        }
    }

    /// <summary>Creates one folder at most: a whole path made up would hide a typing error, or a disk that is not mounted.</summary>
    SafeFileHandle OpenOrCreateRoot()
    {
        if (!Directory.Exists(folder))
        {
            var path = Path.TrimEndingDirectorySeparator(folder);
            using var parent = Posix.OpenRoot(Path.GetDirectoryName(path)!);
            Posix.CreateFolder(parent, Path.GetFileName(path));
            Posix.Flush(parent);
        }
        return Posix.OpenRoot(folder);
    }

    /// <summary>Only a write proves that the disk takes writes.</summary>
    static void Probe(SafeFileHandle unfinished)
    {
        var name = $"probe.{Guid.NewGuid():N}";
        using var probe = Posix.CreateFile(unfinished, name);
        Posix.Remove(unfinished, name);
        RandomAccess.Write(probe, "probe"u8, 0);
    }

    /// <summary>The folder an object lies in; null when it is not there and is not to be created.</summary>
    SafeFileHandle? OpenFolderOf(ObjectKey key, bool create)
    {
        var root = Open().Root;
        using var team = OpenFolder(root, TeamName(key.Team), create);
        return team is null ? null : OpenFolder(team, ShardOf(key), create);
    }

    static SafeFileHandle? OpenFolder(SafeFileHandle parent, string name, bool create)
    {
        var found = Posix.OpenFolder(parent, name);
        if (found is null && create)
        {
            Posix.CreateFolder(parent, name);
            Posix.Flush(parent); // or a power cut would take the new folder and the durable file within it
            found = Posix.OpenFolder(parent, name) ?? throw new IOException($"The folder {name} vanished.", Posix.NoEntry);
        }
        return found;
    }

    SafeFileHandle? OpenFile(ObjectKey key)
    {
        using var parent = OpenFolderOf(key, create: false);
        return parent is null ? null : Posix.OpenFile(parent, NameOf(key));
    }

    List<StoredObject> ListShard(TeamId team, string shard)
    {
        using var teamFolder = Posix.OpenFolder(Open().Root, TeamName(team));
        using var shardFolder = teamFolder is null ? null : Posix.OpenFolder(teamFolder, shard);
        var found = new List<StoredObject>();
        if (shardFolder is not null)
        {
            foreach (var file in Files(shardFolder))
            {
                if (ObjectKey.TryParse($"{TeamName(team)}/{file.Name}", out var key))
                {
                    found.Add(new StoredObject(key, file.Length, file.Modified));
                }
            }
        }
        found.Sort((a, b) => string.CompareOrdinal(NameOf(a.Key), NameOf(b.Key)));
        return found;
    }

    sealed record FoundFile(string Name, long Length, DateTimeOffset Modified);

    /// <summary>The plain files of an open folder: named by descriptor, so that it is that very folder, whatever its path leads to by now.</summary>
    static FileSystemEnumerable<FoundFile> Files(SafeFileHandle folder) => new(
        $"/proc/self/fd/{folder.DangerousGetHandle()}",
        (ref FileSystemEntry entry) => new FoundFile(entry.FileName.ToString(), entry.Length, entry.LastWriteTimeUtc),
        new EnumerationOptions { AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Directory, IgnoreInaccessible = false });

    static string TeamName(TeamId team) => team.Value.ToString("N");
    static string NameOf(ObjectKey key) => key.Object.Value.ToString("N");
    static string ShardOf(ObjectKey key) => ShardName(key.Object.Value.ToByteArray()[15]);
    static string ShardName(byte last) => last.ToString("x2");
}
