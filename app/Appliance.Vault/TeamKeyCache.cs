namespace Appliance.Vault;

/// <summary>What a file looked like when its key was read. Another stamp, or none, and the cached key is not used.</summary>
internal readonly record struct FileStamp(DateTime Written, DateTime Created, long Length)
{
    /// <summary>One stat(2). Null when there is no such file.</summary>
    public static FileStamp? Of(string path)
    {
        var info = new FileInfo(path);
        return info.Exists ? new FileStamp(info.LastWriteTimeUtc, info.CreationTimeUtc, info.Length) : null;
    }
}

/// <summary>
/// Unwrapped team keys, the least recently used evicted first and zeroed as they go. Callers get copies, made under the lock,
/// so that no one works with a key while it is being zeroed.
/// </summary>
internal sealed class TeamKeyCache(int capacity) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TeamId, LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _byUse = new();
    private bool _disposed;

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>How many bytes: the team's generations, 32 each, the newest first. 0 when they are not here, or were read from a file that has changed since.</summary>
    public int Copy(TeamId team, FileStamp stamp, Span<byte> keys)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(TeamKeys));
            if (!_entries.TryGetValue(team, out var node) || node.Value.Stamp != stamp)
            {
                return 0;
            }

            _byUse.Remove(node);
            _byUse.AddFirst(node);
            node.Value.Key.CopyTo(keys);
            return node.Value.Key.Length;
        }
    }

    public void Put(TeamId team, FileStamp stamp, ReadOnlySpan<byte> key)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(TeamKeys));
            Remove(team);
            var secret = new SecretBytes(key.Length);
            key.CopyTo(secret.Span);
            _entries[team] = _byUse.AddFirst(new Entry(team, stamp, secret));
            if (_entries.Count > capacity)
            {
                Remove(_byUse.Last!.Value.Team);
            }
        }
    }

    /// <summary>The cached secret itself: only for tests, which watch it being zeroed.</summary>
    public SecretBytes? SecretOf(TeamId team)
    {
        lock (_gate)
        {
            return _entries.TryGetValue(team, out var node) ? node.Value.Key : null;
        }
    }

    public void Drop(TeamId team)
    {
        lock (_gate)
        {
            Remove(team);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            foreach (var entry in _byUse)
            {
                entry.Key.Dispose();
            }

            _entries.Clear();
            _byUse.Clear();
        }
    }

    private void Remove(TeamId team)
    {
        if (_entries.Remove(team, out var node))
        {
            _byUse.Remove(node);
            node.Value.Key.Dispose();
        }
    }

    private sealed record Entry(TeamId Team, FileStamp Stamp, SecretBytes Key);
}
