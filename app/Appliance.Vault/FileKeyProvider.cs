using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Appliance.Vault;

/// <summary>
/// The appliance key in a file of one line, <c>appliance-key-v1:</c> and 44 base64 characters, mode 0400, so that a person who
/// finds it knows what it is. The bytes are decoded without ever being a string. Older generations lie beside it, each wrapped by the current one
/// (<see cref="KeptKeyFile"/>). A key that another process made is noticed at the next use: one stat(2).
/// </summary>
public sealed class FileKeyProvider : IKeyProvider, IDisposable
{
    private const int EncodedLength = 44; // base64 of 32 bytes
    private static readonly int s_fileLength = Prefix.Length + EncodedLength + 1;

    private readonly string _path;
    private readonly Lock _gate = new();
    private readonly List<HeldKey> _all = []; // whoever has one from Generations may still work with it
    private volatile Held _held;
    private bool _disposed;

    private FileKeyProvider(string path)
    {
        _path = Path.GetFullPath(path);
        _held = Load();
    }

    public string KeyId => Generations[0].KeyId;

    public IReadOnlyList<IKeyProvider> Generations
    {
        get
        {
            // Gone: what was read serves until the next start.
            if (FileStamp.Of(_path) is { } stamp && stamp != _held.Stamp)
            {
                Refresh();
            }

            return _held.Keys;
        }
    }

    private static ReadOnlySpan<byte> Prefix => "appliance-key-v1:"u8;

    /// <summary>Makes a new random key file: flushed with its folder, mode 0400.</summary>
    /// <exception cref="KeyFileException">There is a file already, or it cannot be written.</exception>
    public static void Create(string path)
    {
        using var key = NewKey();
        using var line = Line(key);
        KeyFile.Create(path, line.Span);
    }

    /// <summary>Reads the key file, and the older generations beside it.</summary>
    /// <exception cref="KeyFileException">Missing, empty, of the wrong length, garbled, not readable, or open to its group or others; or an older generation is damaged.</exception>
    public static FileKeyProvider Open(string path) => new(path);

    /// <summary>
    /// Makes a new generation, which is current when this returns, here and in every other process. The one before it, and those before that, are durable under
    /// it before it takes their place, and the old file's bytes are overwritten. Done once however often it is called, and finished by the next call where a crash cut it off.
    /// </summary>
    /// <param name="from">The id of the generation that is to be succeeded. Where it is not the current one any more, nothing is done.</param>
    /// <param name="now">When that was.</param>
    /// <returns>The id of the current generation.</returns>
    /// <exception cref="KeyFileException">That generation is not held: the file is another appliance's, or from before it; or the folder cannot be written.</exception>
    public string Rotate(string from, DateTimeOffset now)
    {
        try
        {
            using var folder = DurableFile.Lock(Path.GetDirectoryName(_path)!);
            Refresh();
            KeyFile.Tidy(_path);
            KeptKeyFile.Tidy(_path, _held.Keys[0].KeyId);
            if (_held.Keys[0].KeyId == from)
            {
                Succeed(now);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException(_path, "cannot be replaced", "Its folder must be writable by this account, on a disk with free space that knows locks.", e);
        }

        return _held.Keys.Any(key => key.KeyId == from)
            ? _held.Keys[0].KeyId
            : throw new KeyFileException(_path, $"does not hold key {from}, nor one that came after it", KeyFile.RestoreIt);
    }

    private void Succeed(DateTimeOffset now)
    {
        using var key = NewKey();
        using var line = Line(key);
        using var next = new HeldKey(key, supersededAt: 0);
        foreach (var old in _held.Keys.Cast<HeldKey>())
        {
            KeptKeyFile.Write(_path, next, old, old.SupersededAt != 0 ? old.SupersededAt : (now - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
        }

        KeyFile.Replace(_path, line.Span);
        Refresh();
        KeptKeyFile.Tidy(_path, _held.Keys[0].KeyId);
    }

    /// <summary>
    /// What lies there now. What cannot be read changes nothing, and neither does a key that does not keep the one that was current: only who held that one can have
    /// made a successor. What is held goes on.
    /// </summary>
    private void Refresh()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (FileStamp.Of(_path) is { } stamp && stamp != _held.Stamp)
            {
                try
                {
                    var now = Load();
                    _held = now.Keys.Any(key => key.KeyId == _held.Keys[0].KeyId) ? now : _held with { Stamp = stamp };
                }
                catch (KeyFileException)
                {
                    _held = _held with { Stamp = stamp };
                }
            }
        }
    }

    private Held Load()
    {
        var stamp = FileStamp.Of(_path) ?? default;
        using var key = Read(_path);
        using var read = new HeldKey(key, supersededAt: 0);
        var current = Known(read);
        var kept = KeptKeyFile.ReadAll(_path, current);
        try
        {
            return new Held(stamp, [current, .. kept.OrderByDescending(old => old.SupersededAt).Select(Known)]);
        }
        finally
        {
            kept.ForEach(old => old.Dispose());
        }
    }

    /// <summary>The one that is held already, where it is: somebody may be at work with it.</summary>
    private HeldKey Known(HeldKey read)
    {
        if (_all.Find(held => held.KeyId == read.KeyId && held.SupersededAt == read.SupersededAt) is { } same)
        {
            return same;
        }

        var held = read.Copy();
        _all.Add(held);
        return held;
    }

    private static SecretBytes NewKey()
    {
        var key = new SecretBytes(KeyWrap.KeyLength);
        RandomNumberGenerator.Fill(key.Span);
        return key;
    }

    private static SecretBytes Line(SecretBytes key)
    {
        var line = new SecretBytes(s_fileLength);
        Prefix.CopyTo(line.Span);
        Base64.EncodeToUtf8(key.Span, line.Span[Prefix.Length..], out _, out _);
        line.Span[^1] = (byte)'\n';
        return line;
    }

    private static SecretBytes Read(string path)
    {
        using var line = KeyFile.Read(
            path,
            "Put it back from the backup of your keys: without it nothing that was sealed can be opened. A new key suits only a new, empty appliance.",
            maxLength: 4096);
        var text = line.Span;
        if (text[^1] == (byte)'\n')
        {
            text = text[..^1];
        }

        if (text.Length != Prefix.Length + EncodedLength)
        {
            throw KeyFile.WrongLength(path, line.Length);
        }

        var key = new SecretBytes(KeyWrap.KeyLength);
        if (!text.StartsWith(Prefix)
            || Base64.DecodeFromUtf8(text[Prefix.Length..], key.Span, out _, out var written) != OperationStatus.Done
            || written != KeyWrap.KeyLength)
        {
            key.Dispose();
            throw KeyFile.Garbled(path, "one line of 'appliance-key-v1:' and 44 base64 characters");
        }

        return key;
    }

    public void Wrap(ReadOnlySpan<byte> key32, ReadOnlySpan<byte> associatedData, Span<byte> wrapped60) => Generations[0].Wrap(key32, associatedData, wrapped60);

    public void Unwrap(ReadOnlySpan<byte> wrapped60, ReadOnlySpan<byte> associatedData, Span<byte> key32) => Generations[0].Unwrap(wrapped60, associatedData, key32);

    public void Derive(string purpose, Span<byte> key32) => Generations[0].Derive(purpose, key32);

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _all.ForEach(key => key.Dispose());
        }
    }

    /// <param name="Stamp">Of the key file when it was read.</param>
    /// <param name="Keys">The current one first.</param>
    private sealed record Held(FileStamp Stamp, IReadOnlyList<IKeyProvider> Keys);
}
