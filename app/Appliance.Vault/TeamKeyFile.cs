using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>
/// The bytes of a team key's file (docs/sealed-format.md, "Team key files"). Version 1 holds one key: magic "APTK" 4 | version 4 | appliance key id 8 |
/// team id 16 | wrapped key 60, the first 32 being the wrap's associated data. Version 2, made by the first rotation, holds several generations: the same 32 bytes |
/// number of the newest 4 | how many 4 | for each, the newest first, when it was superseded 8 (0: it is not) | wrapped key 60. There a wrap's associated data is
/// the first 40 bytes | its place, from 0, 4 | when it was superseded 8; so none can be left out, moved or brought back by itself.
/// </summary>
internal static class TeamKeyFile
{
    /// <summary>Of version 1.</summary>
    public const int Length = WrapAt + KeyWrap.WrappedLength;

    public const int MostGenerations = 8;

    public const int MostBytes = EntriesAt + MostGenerations * EntryLength;

    private const int KeyIdAt = 8;
    private const int TeamAt = 16;
    private const int WrapAt = 32;
    private const int NumberAt = 32;
    private const int CountAt = 36;
    private const int EntriesAt = 40;
    private const int EntryLength = 8 + KeyWrap.WrappedLength;

    private static ReadOnlySpan<byte> Magic => "APTK\0\0\0"u8;

    /// <summary>Writes version 1.</summary>
    public static void Write(IKeyProvider provider, TeamId team, ReadOnlySpan<byte> key, Span<byte> file)
    {
        var generation = provider.Generations[0];
        WriteHeader(generation, team, 1, file);
        generation.Wrap(key, file[..WrapAt], file[WrapAt..]);
    }

    /// <summary>Writes what was read, under the current appliance key; version 1 stays version 1 as long as there is one generation that never had another.</summary>
    /// <returns>Bytes written, at most <see cref="MostBytes"/>.</returns>
    public static int Write(IKeyProvider provider, TeamId team, TeamKeyRing ring, Span<byte> file)
    {
        if (ring.Number == 1)
        {
            Write(provider, team, ring.KeyAt(0), file[..Length]);
            return Length;
        }

        var generation = provider.Generations[0];
        WriteHeader(generation, team, 2, file);
        BinaryPrimitives.WriteInt32BigEndian(file[NumberAt..], ring.Number);
        BinaryPrimitives.WriteInt32BigEndian(file[CountAt..], ring.Count);
        Span<byte> associated = stackalloc byte[EntriesAt + 12];
        for (var i = 0; i < ring.Count; i++)
        {
            var entry = file.Slice(EntriesAt + i * EntryLength, EntryLength);
            BinaryPrimitives.WriteInt64BigEndian(entry, ring.SupersededAt(i));
            Associate(file, i, entry, associated);
            generation.Wrap(ring.KeyAt(i), associated, entry[8..]);
        }

        return EntriesAt + ring.Count * EntryLength;
    }

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="TamperedException">Altered, cut, or another team's.</exception>
    /// <exception cref="KeyFileException">Wrapped by an appliance key that is not held, or not readable.</exception>
    public static TeamKeyRing Read(IKeyProvider provider, TeamId team, string path)
    {
        Span<byte> whole = stackalloc byte[MostBytes + 1];
        var file = whole[..Load(path, whole)];
        if (!IsWhole(file))
        {
            throw Damaged(team);
        }

        var generation = WrappedBy(provider, file) ?? throw OtherApplianceKey(provider, path, file);
        if (new Guid(file[TeamAt..WrapAt], bigEndian: true) != team.Value)
        {
            throw Damaged(team);
        }

        if (file[7] == 1)
        {
            var single = new TeamKeyRing(1, 1);
            Unwrap(generation, file[WrapAt..], file[..WrapAt], single, 0);
            return single;
        }

        var ring = new TeamKeyRing(BinaryPrimitives.ReadInt32BigEndian(file[NumberAt..]), BinaryPrimitives.ReadInt32BigEndian(file[CountAt..]));
        Span<byte> associated = stackalloc byte[EntriesAt + 12];
        for (var i = 0; i < ring.Count; i++)
        {
            var entry = file.Slice(EntriesAt + i * EntryLength, EntryLength);
            Associate(file, i, entry, associated);
            Unwrap(generation, entry[8..], associated, ring, i);
            ring.Supersede(i, BinaryPrimitives.ReadInt64BigEndian(entry));
        }

        return ring;
    }

    /// <summary>Tells a wrong appliance key at the start, before anything is sealed with it. Damaged files are found when they are used.</summary>
    /// <returns>Whether the current generation wrapped it.</returns>
    /// <exception cref="KeyFileException">The file says that an appliance key wrapped it that is not held.</exception>
    public static bool RequireWrappedBy(IKeyProvider provider, string path)
    {
        Span<byte> whole = stackalloc byte[MostBytes + 1];
        try
        {
            var file = whole[..Load(path, whole)];
            return !IsWhole(file) || (WrappedBy(provider, file) ?? throw OtherApplianceKey(provider, path, file)).KeyId == provider.KeyId;
        }
        catch (FileNotFoundException)
        {
            return true; // Destroyed by another process since the folder was listed.
        }
    }

    private static void Unwrap(IKeyProvider generation, ReadOnlySpan<byte> wrapped, ReadOnlySpan<byte> associated, TeamKeyRing ring, int at)
    {
        try
        {
            generation.Unwrap(wrapped, associated, ring.KeyAt(at));
        }
        catch
        {
            ring.Dispose();
            throw;
        }
    }

    private static void Associate(ReadOnlySpan<byte> file, int place, ReadOnlySpan<byte> entry, Span<byte> associated)
    {
        file[..EntriesAt].CopyTo(associated);
        BinaryPrimitives.WriteInt32BigEndian(associated[EntriesAt..], place);
        entry[..8].CopyTo(associated[(EntriesAt + 4)..]);
    }

    private static bool IsWhole(ReadOnlySpan<byte> file) => file.StartsWith(Magic) && file.Length > EntriesAt && file[7] switch
    {
        1 => file.Length == Length,
        2 => BinaryPrimitives.ReadInt32BigEndian(file[CountAt..]) is >= 1 and <= MostGenerations and var count && file.Length == EntriesAt + count * EntryLength
            && BinaryPrimitives.ReadInt32BigEndian(file[NumberAt..]) >= count,
        _ => false,
    };

    private static void WriteHeader(IKeyProvider provider, TeamId team, byte version, Span<byte> header)
    {
        Magic.CopyTo(header);
        header[7] = version;
        Convert.FromHexString(provider.KeyId).CopyTo(header[KeyIdAt..TeamAt]);
        team.Value.TryWriteBytes(header[TeamAt..], bigEndian: true, out _);
    }

    private static IKeyProvider? WrappedBy(IKeyProvider provider, ReadOnlySpan<byte> file)
    {
        var id = Convert.ToHexStringLower(file[KeyIdAt..TeamAt]);
        return provider.Generations.FirstOrDefault(generation => generation.KeyId == id);
    }

    private static TamperedException Damaged(TeamId team) => new($"The key file of team {team} is cut, altered, or another team's.");

    private static KeyFileException OtherApplianceKey(IKeyProvider provider, string path, ReadOnlySpan<byte> file) => new(
        path,
        $"was wrapped by appliance key {Convert.ToHexStringLower(file[KeyIdAt..TeamAt])}, but this appliance has key {provider.KeyId}",
        "Start with the appliance key that belongs to this folder, or put the folder back that belongs to this key.");

    private static int Load(string path, Span<byte> file)
    {
        try
        {
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return RandomAccess.Read(handle, file, 0);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new KeyFileException(path, "is not readable by this account", "It must be owned by the service's account, with mode 0400.", e);
        }
    }
}

/// <summary>A team's key in all its generations, the newest first. Zeroed by <see cref="Dispose"/>.</summary>
internal sealed class TeamKeyRing(int number, int count) : IDisposable
{
    private readonly SecretBytes _keys = new(count * KeyWrap.KeyLength);
    private readonly long[] _superseded = new long[count];

    /// <summary>Of the newest generation; the first a team ever had is 1.</summary>
    public int Number => number;

    public int Count => count;

    public SecretBytes Keys => _keys;

    public Span<byte> KeyAt(int generation) => _keys.Span.Slice(generation * KeyWrap.KeyLength, KeyWrap.KeyLength);

    /// <summary>Microseconds since 1970; 0 for the newest.</summary>
    public long SupersededAt(int generation) => _superseded[generation];

    public void Supersede(int generation, long at) => _superseded[generation] = at;

    /// <summary>The same with a new random key before the others.</summary>
    public TeamKeyRing WithNew(long now)
    {
        var next = new TeamKeyRing(number + 1, count + 1);
        RandomNumberGenerator.Fill(next.KeyAt(0));
        CopyTo(next, 1, count);
        next.Supersede(1, now);
        return next;
    }

    /// <summary>The newest ones alone.</summary>
    public TeamKeyRing Newest(int kept)
    {
        var next = new TeamKeyRing(number, kept);
        CopyTo(next, 0, kept);
        return next;
    }

    public void Dispose() => _keys.Dispose();

    private void CopyTo(TeamKeyRing other, int at, int many)
    {
        for (var i = 0; i < many; i++)
        {
            KeyAt(i).CopyTo(other.KeyAt(at + i));
            other.Supersede(at + i, _superseded[i]);
        }
    }
}
