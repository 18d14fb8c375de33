namespace Appliance.Vault;

/// <summary>
/// The bytes of a team key's file (docs/sealed-format.md, "Team key files"), 92 in all:
/// magic "APTK" 4 | version 4 | appliance key id 8 | team id 16 | wrapped key 60, the first 32 being the wrap's associated data.
/// </summary>
internal static class TeamKeyFile
{
    public const int Length = KeyIdAt + 8 + 16 + KeyWrap.WrappedLength;

    private const int KeyIdAt = 8;
    private const int TeamAt = 16;
    private const int WrapAt = 32;

    private static ReadOnlySpan<byte> Magic => "APTK\0\0\0\x01"u8;

    public static void Write(IKeyProvider provider, TeamId team, ReadOnlySpan<byte> key, Span<byte> file)
    {
        WriteHeader(provider, team, file[..WrapAt]);
        provider.Wrap(key, file[..WrapAt], file[WrapAt..]);
    }

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="TamperedException">Altered, cut, or another team's.</exception>
    /// <exception cref="KeyFileException">Wrapped by another appliance key, or not readable.</exception>
    public static void Read(IKeyProvider provider, TeamId team, string path, Span<byte> key)
    {
        Span<byte> file = stackalloc byte[Length];
        Span<byte> header = stackalloc byte[WrapAt];
        WriteHeader(provider, team, header);
        var whole = Load(path, file);
        if (whole && WrappedByAnother(header, file))
        {
            throw OtherApplianceKey(provider, path, file);
        }

        if (!whole || !file.StartsWith(header))
        {
            throw new TamperedException($"The key file of team {team} is cut, altered, or another team's.");
        }

        provider.Unwrap(file[WrapAt..], header, key);
    }

    /// <summary>Tells a wrong appliance key at the start, before anything is sealed with it. Damaged files are found when they are used.</summary>
    /// <exception cref="KeyFileException">The file says that another appliance key wrapped it.</exception>
    public static void RequireWrappedBy(IKeyProvider provider, string path)
    {
        Span<byte> file = stackalloc byte[Length];
        Span<byte> header = stackalloc byte[WrapAt];
        WriteHeader(provider, default, header);
        try
        {
            if (Load(path, file) && WrappedByAnother(header, file))
            {
                throw OtherApplianceKey(provider, path, file);
            }
        }
        catch (FileNotFoundException)
        {
            // Destroyed by another process since the folder was listed.
        }
    }

    private static void WriteHeader(IKeyProvider provider, TeamId team, Span<byte> header)
    {
        Magic.CopyTo(header);
        Convert.FromHexString(provider.KeyId).CopyTo(header[KeyIdAt..TeamAt]);
        team.Value.TryWriteBytes(header[TeamAt..], bigEndian: true, out _);
    }

    private static bool WrappedByAnother(ReadOnlySpan<byte> header, ReadOnlySpan<byte> file) =>
        file.StartsWith(Magic) && !file[KeyIdAt..TeamAt].SequenceEqual(header[KeyIdAt..TeamAt]);

    private static KeyFileException OtherApplianceKey(IKeyProvider provider, string path, ReadOnlySpan<byte> file) => new(
        path,
        $"was wrapped by appliance key {Convert.ToHexStringLower(file[KeyIdAt..TeamAt])}, but this appliance has key {provider.KeyId}",
        "Start with the appliance key that belongs to this folder, or put the folder back that belongs to this key.");

    private static bool Load(string path, Span<byte> file)
    {
        try
        {
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return RandomAccess.GetLength(handle) == Length && RandomAccess.Read(handle, file, 0) == Length;
        }
        catch (UnauthorizedAccessException e)
        {
            throw new KeyFileException(path, "is not readable by this account", "It must be owned by the service's account, with mode 0400.", e);
        }
    }
}
