using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>
/// The teams' keys: a folder with one small file for each, wrapped by the appliance key. They live outside the database and its
/// backups, so that destroying one file destroys a team's data everywhere. Safe for use by many threads; other processes may
/// make and destroy keys in the same folder.
/// </summary>
public sealed class TeamKeys : IDisposable
{
    /// <summary>Generations that one team's key can have at once.</summary>
    public const int MostGenerations = TeamKeyFile.MostGenerations;

    private const string Suffix = ".key";
    private const string Doomed = ".destroyed";

    private readonly IKeyProvider _provider;
    private readonly string _folder;
    private readonly TeamKeyCache _cache;

    /// <summary>Opens the folder (made with mode 0700 if missing) and finishes any destruction that a crash interrupted.</summary>
    /// <exception cref="KeyFileException">A team key in it was wrapped by another appliance key, or the folder cannot be used.</exception>
    public TeamKeys(IKeyProvider provider, string folder)
        : this(provider, folder, cachedKeys: 1024)
    {
    }

    internal TeamKeys(IKeyProvider provider, string folder, int cachedKeys)
    {
        ArgumentNullException.ThrowIfNull(provider);
        _provider = provider;
        _folder = Path.GetFullPath(folder);
        _cache = new TeamKeyCache(cachedKeys);
        try
        {
            MakeFolder();
            foreach (var path in Directory.EnumerateFiles(_folder, "*" + Doomed))
            {
                KeyFile.Shred(path);
            }

            foreach (var path in Directory.EnumerateFiles(_folder, "*" + Suffix))
            {
                TeamKeyFile.RequireWrappedBy(_provider, path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException(_folder, "cannot be used", "It must be a folder that belongs to the service's account, mode 0700.", e);
        }
    }

    /// <summary>How many unwrapped keys are in memory.</summary>
    internal int CachedKeys => _cache.Count;

    /// <summary>Makes the team's key: random, wrapped, flushed with its folder, mode 0400.</summary>
    /// <exception cref="KeyFileException">The team has a key already, or the folder cannot be written.</exception>
    public void Create(TeamId team)
    {
        var path = PathOf(team);
        Span<byte> key = stackalloc byte[KeyWrap.KeyLength];
        Span<byte> file = stackalloc byte[TeamKeyFile.Length];
        try
        {
            RandomNumberGenerator.Fill(key);
            TeamKeyFile.Write(_provider, team, key, file);
            KeyFile.Create(path, file);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>Whether the team has a key now. One stat(2).</summary>
    public bool Exists(TeamId team) => File.Exists(PathOf(team));

    /// <summary>
    /// Destroys the team's key for good; nothing of the team can be opened after this returns, here or in another process.
    /// (A session that is open already holds its own object's key and may finish.) Renamed first, so that no reader sees a
    /// half-overwritten key; then overwritten, which on a copying file system or a flash disk reaches not every copy: that is
    /// why the key lies wrapped. Does nothing when there is no key; may be repeated after a crash.
    /// </summary>
    /// <exception cref="IOException">The disk refused; call again.</exception>
    public void Destroy(TeamId team)
    {
        var path = PathOf(team);
        using var held = DurableFile.Lock(_folder); // or a rotation under way would put the key back
        try
        {
            DurableFile.Replace(path, path + Doomed);
        }
        catch (FileNotFoundException)
        {
            // Destroyed before, perhaps by a run that crashed half way: what it left is removed below.
        }

        _cache.Drop(team);
        foreach (var leftover in Directory.EnumerateFiles(_folder, Path.GetFileName(path) + ".*"))
        {
            KeyFile.Shred(leftover);
        }
    }

    /// <summary>Every team that has a key here.</summary>
    public IReadOnlyList<TeamId> Teams() =>
        [.. Directory.EnumerateFiles(_folder, "*" + Suffix).Select(path => TeamId.TryParse(Path.GetFileNameWithoutExtension(path), out var team) ? team : default).Where(team => team != default)];

    /// <summary>What can be said of a team's key without telling it; null: the team has none.</summary>
    /// <exception cref="TamperedException">The file was altered, or belongs to another team.</exception>
    public TeamKeyState? StateOf(TeamId team)
    {
        try
        {
            using var ring = TeamKeyFile.Read(_provider, team, PathOf(team));
            return new TeamKeyState(ring.Number, ring.Count);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Whether the current generation of the appliance key wraps the team's key; true, too, where there is none.</summary>
    public bool IsCurrent(TeamId team) => TeamKeyFile.RequireWrappedBy(_provider, PathOf(team));

    /// <summary>
    /// A new generation of the team's key: what is sealed from now on is the new one's, here and in every other process; the others still open what they sealed.
    /// Durable when it returns, and done once however often it is called.
    /// </summary>
    /// <param name="team">Whose key.</param>
    /// <param name="from">The number of the generation that is to be succeeded. Where a later one is there already, nothing is done.</param>
    /// <param name="now">When that was.</param>
    /// <returns>The number of the newest generation; null: the team has no key.</returns>
    /// <exception cref="KeyFileException">The file is older than that generation, or holds as many as it can.</exception>
    public int? Rotate(TeamId team, int from, DateTimeOffset now) => Change(team, ring =>
        ring.Number > from ? null
        : ring.Number < from ? throw Older(team, ring.Number, from)
        : ring.Count < TeamKeyFile.MostGenerations ? ring.WithNew(Microseconds(now))
        : throw new KeyFileException(PathOf(team), $"holds {ring.Count} generations", "Wait until the oldest is destroyed, or destroy it earlier (docs/re-keying.md)."));

    /// <summary>Wraps the team's key, in all its generations, by the current appliance key; nothing where it is.</summary>
    /// <returns>Whether it was not.</returns>
    public bool Rewrap(TeamId team)
    {
        if (IsCurrent(team))
        {
            return false;
        }

        return Change(team, ring => ring.Newest(ring.Count)) is not null;
    }

    /// <summary>Destroys the generations that were superseded before that time: what they alone open can never be opened again. The newest always stays.</summary>
    /// <returns>How many are left; null: the team has no key.</returns>
    public int? DestroySuperseded(TeamId team, DateTimeOffset before)
    {
        var left = 0;
        var found = Change(team, ring =>
        {
            left = 1;
            while (left < ring.Count && ring.SupersededAt(left) >= Microseconds(before))
            {
                left++;
            }

            return left < ring.Count ? ring.Newest(left) : null;
        });
        return found is null ? null : left;
    }

    /// <summary>Refuses a key file that was put back from before a rotation: what was sealed since cannot be opened with it, and nothing more may be sealed under it.</summary>
    /// <exception cref="KeyFileException">It is older than that generation.</exception>
    public void RequireGeneration(TeamId team, int number)
    {
        if (StateOf(team) is { } state && state.Number < number)
        {
            throw Older(team, state.Number, number);
        }
    }

    public void Dispose() => _cache.Dispose();

    private static long Microseconds(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private KeyFileException Older(TeamId team, int number, int wanted) => new(
        PathOf(team), $"holds generation {number} of the team's key, but generation {wanted} has been in use", "Put the newer file back from the backup of your keys.");

    /// <summary>Replaces the file with what <paramref name="change"/> makes of it (null: leaves it), all while nobody else changes or destroys it; answers the newest number.</summary>
    private int? Change(TeamId team, Func<TeamKeyRing, TeamKeyRing?> change)
    {
        var path = PathOf(team);
        using var held = DurableFile.Lock(_folder);
        if (!File.Exists(path))
        {
            return null;
        }

        KeyFile.Tidy(path);
        using var ring = TeamKeyFile.Read(_provider, team, path);
        using var changed = change(ring);
        if (changed is null)
        {
            return ring.Number;
        }

        Span<byte> file = stackalloc byte[TeamKeyFile.MostBytes];
        KeyFile.Replace(path, file[..TeamKeyFile.Write(_provider, team, changed, file)]);
        _cache.Drop(team);
        return changed.Number;
    }

    /// <summary>Copies the team's newest key into a buffer that the caller zeroes.</summary>
    /// <inheritdoc cref="CopyKeys" path="/exception"/>
    internal void CopyKey(TeamId team, Span<byte> key)
    {
        Span<byte> keys = stackalloc byte[TeamKeyFile.MostGenerations * KeyWrap.KeyLength];
        try
        {
            CopyKeys(team, keys);
            keys[..KeyWrap.KeyLength].CopyTo(key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(keys);
        }
    }

    /// <summary>Copies all generations of the team's key, the newest first, into a buffer that the caller zeroes; answers how many.</summary>
    /// <exception cref="TeamKeyMissingException">Never made, or destroyed.</exception>
    /// <exception cref="TamperedException">The file was altered, or belongs to another team.</exception>
    internal int CopyKeys(TeamId team, Span<byte> keys)
    {
        var path = PathOf(team);
        if (FileStamp.Of(path) is not { } stamp)
        {
            _cache.Drop(team);
            throw new TeamKeyMissingException(team);
        }

        if (_cache.Copy(team, stamp, keys) is > 0 and var cached)
        {
            return cached / KeyWrap.KeyLength;
        }

        try
        {
            using var ring = TeamKeyFile.Read(_provider, team, path);
            ring.Keys.CopyTo(keys);
            _cache.Put(team, stamp, ring.Keys.Span);
            if (FileStamp.Of(path) != stamp)
            {
                _cache.Drop(team); // destroyed or replaced since the first look: Destroy dropped the cached key before we put it there
            }

            return ring.Count;
        }
        catch (FileNotFoundException)
        {
            throw new TeamKeyMissingException(team);
        }
        catch (TamperedException) when (FileStamp.Of(path) is null)
        {
            throw new TeamKeyMissingException(team); // destroyed while it was being read
        }
    }

    private string PathOf(TeamId team) => team.Value != Guid.Empty
        ? Path.Combine(_folder, team + Suffix)
        : throw new ArgumentException("The all-zero id names no team.", nameof(team));

    private void MakeFolder()
    {
        if (!Directory.Exists(_folder))
        {
            Directory.CreateDirectory(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            DurableFile.FlushFolder(Path.GetDirectoryName(_folder) ?? "/");
        }
    }
}

/// <param name="Number">Of the newest generation; the first a team ever had is 1.</param>
/// <param name="Generations">How many are held.</param>
public sealed record TeamKeyState(int Number, int Generations);
