using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>
/// The teams' keys: a folder with one small file for each, wrapped by the appliance key. They live outside the database and its
/// backups, so that destroying one file destroys a team's data everywhere. Safe for use by many threads; other processes may
/// make and destroy keys in the same folder.
/// </summary>
public sealed class TeamKeys : IDisposable
{
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
                Shred(path);
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
            Shred(leftover);
        }
    }

    public void Dispose() => _cache.Dispose();

    /// <summary>Copies the team's key into a buffer that the caller zeroes.</summary>
    /// <exception cref="TeamKeyMissingException">Never made, or destroyed.</exception>
    /// <exception cref="TamperedException">The file was altered, or belongs to another team.</exception>
    internal void CopyKey(TeamId team, Span<byte> key)
    {
        var path = PathOf(team);
        if (FileStamp.Of(path) is not { } stamp)
        {
            _cache.Drop(team);
            throw new TeamKeyMissingException(team);
        }

        if (_cache.TryCopy(team, stamp, key))
        {
            return;
        }

        try
        {
            TeamKeyFile.Read(_provider, team, path, key);
        }
        catch (FileNotFoundException)
        {
            throw new TeamKeyMissingException(team);
        }
        catch (TamperedException) when (FileStamp.Of(path) is null)
        {
            throw new TeamKeyMissingException(team); // destroyed while it was being read
        }

        _cache.Put(team, stamp, key);
        if (FileStamp.Of(path) != stamp)
        {
            _cache.Drop(team); // destroyed since the first look: Destroy dropped the cached key before we put it there
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

    private void Shred(string path)
    {
        try
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            Span<byte> noise = stackalloc byte[TeamKeyFile.Length];
            RandomNumberGenerator.Fill(noise);
            file.Write(noise);
            file.Flush(flushToDisk: true);
        }
        catch (FileNotFoundException)
        {
            return; // another process was faster
        }

        File.Delete(path);
        DurableFile.FlushFolder(_folder);
    }
}
