using System.Buffers.Binary;

namespace Appliance.Vault;

/// <summary>
/// An older generation of the appliance key, wrapped by the current one (docs/sealed-format.md, "Older generations"), 92 bytes:
/// magic "APAK" 4 | version 4 | id of the key that wrapped it 8 | its own id 8 | when it was superseded 8 | wrapped key 60, the first 32 being the wrap's
/// associated data. Beside the key file, <c>appliance.key.ID.BY.kept</c>. One that another key than the current one wrapped belongs to a rotation that did not
/// happen (yet), or to one before: it is passed over.
/// </summary>
internal static class KeptKeyFile
{
    private const int Length = WrapAt + KeyWrap.WrappedLength;
    private const int ByAt = 8;
    private const int IdAt = 16;
    private const int SupersededAt = 24;
    private const int WrapAt = 32;
    private const string Suffix = ".kept";

    private static ReadOnlySpan<byte> Magic => "APAK\0\0\0\x01"u8;

    /// <summary>Durable when it returns; one that is there already stays.</summary>
    public static void Write(string keyFile, IKeyProvider by, HeldKey old, long supersededAt)
    {
        Span<byte> file = stackalloc byte[Length];
        Magic.CopyTo(file);
        Convert.FromHexString(by.KeyId).CopyTo(file[ByAt..]);
        Convert.FromHexString(old.KeyId).CopyTo(file[IdAt..]);
        BinaryPrimitives.WriteInt64BigEndian(file[SupersededAt..], supersededAt);
        old.WrapBy(by, file[..WrapAt], file[WrapAt..]);
        KeyFile.Create($"{keyFile}.{old.KeyId}.{by.KeyId}{Suffix}", file);
    }

    /// <summary>All that this key wrapped. The caller disposes them.</summary>
    /// <exception cref="KeyFileException">One was altered, cut or renamed.</exception>
    public static List<HeldKey> ReadAll(string keyFile, IKeyProvider by)
    {
        var found = new List<HeldKey>();
        try
        {
            foreach (var path in Paths(keyFile).Where(path => IsBy(path, by.KeyId)))
            {
                found.Add(Read(path, by));
            }

            return found;
        }
        catch
        {
            found.ForEach(key => key.Dispose());
            throw;
        }
    }

    /// <summary>Removes what another key than the current one wrapped.</summary>
    public static void Tidy(string keyFile, string current)
    {
        foreach (var path in Paths(keyFile).Where(path => !IsBy(path, current)))
        {
            KeyFile.Shred(path);
        }
    }

    private static IEnumerable<string> Paths(string keyFile) => Directory.EnumerateFiles(Path.GetDirectoryName(keyFile)!, Path.GetFileName(keyFile) + ".*" + Suffix);

    private static bool IsBy(string path, string id) => path.EndsWith($".{id}{Suffix}", StringComparison.Ordinal);

    private static HeldKey Read(string path, IKeyProvider by)
    {
        using var file = KeyFile.Read(path, KeyFile.RestoreIt, Length);
        var bytes = file.Span;
        if (bytes.Length != Length || !bytes.StartsWith(Magic))
        {
            throw Damaged(path);
        }

        using var key = new SecretBytes(KeyWrap.KeyLength);
        try
        {
            by.Unwrap(bytes[WrapAt..], bytes[..WrapAt], key.Span);
        }
        catch (TamperedException)
        {
            throw Damaged(path);
        }

        var held = new HeldKey(key, BinaryPrimitives.ReadInt64BigEndian(bytes[SupersededAt..]));
        if (held.SupersededAt > 0 && path.EndsWith($".{held.KeyId}.{by.KeyId}{Suffix}", StringComparison.Ordinal))
        {
            return held;
        }

        held.Dispose();
        throw Damaged(path);
    }

    private static KeyFileException Damaged(string path) => KeyFile.Garbled(path, "an older generation of this appliance's key, as it was kept");
}
