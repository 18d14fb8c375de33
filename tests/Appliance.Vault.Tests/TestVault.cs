namespace Appliance.Vault.Tests;

/// <summary>A vault on real files in a folder of its own, removed afterwards.</summary>
internal sealed class TestVault : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("vault-test-");

    public TestVault(int cachedKeys = 16)
    {
        FileKeyProvider.Create(KeyPath);
        Provider = FileKeyProvider.Open(KeyPath);
        Keys = new TeamKeys(Provider, KeyFolder, cachedKeys);
        Sealer = new ObjectSealer(Keys);
        Team = NewTeam();
    }

    public string Root => _root.FullName;

    public string KeyPath => Path.Combine(Root, "appliance.key");

    public string KeyFolder => Path.Combine(Root, "teams");

    public FileKeyProvider Provider { get; }

    public TeamKeys Keys { get; }

    public ObjectSealer Sealer { get; }

    /// <summary>A team that has a key.</summary>
    public TeamId Team { get; }

    public ObjectId Object { get; } = ObjectId.New();

    public TeamId NewTeam()
    {
        var team = TeamId.New();
        Keys.Create(team);
        return team;
    }

    public string KeyFileOf(TeamId team) => Path.Combine(KeyFolder, team + ".key");

    public byte[] Seal(byte[] plain) => Seal(Team, Object, plain);

    public byte[] Seal(TeamId team, ObjectId obj, byte[] plain)
    {
        using var session = Sealer.Seal(team, obj);
        return SealWith(session, plain);
    }

    public byte[] Open(byte[] sealedBytes) => Open(Team, Object, sealedBytes);

    public byte[] Open(TeamId team, ObjectId obj, byte[] sealedBytes) => Open(Sealer, team, obj, sealedBytes);

    /// <summary>Reads a whole object as the store's reader does: lengths first, then the header, then every chunk.</summary>
    public static byte[] Open(ObjectSealer sealer, TeamId team, ObjectId obj, byte[] sealedBytes)
    {
        var plain = new byte[SealedFormat.PlainLength(sealedBytes.Length)];
        using var session = sealer.Open(team, obj, sealedBytes.AsSpan(0, SealedFormat.HeaderLength));
        var chunks = SealedFormat.ChunkCount(plain.Length);
        var at = 0;
        for (var i = 0L; i < chunks; i++)
        {
            at += session.OpenChunk(i, Chunk(sealedBytes, i), last: i == chunks - 1, plain.AsSpan(at));
        }

        at.ShouldBe(plain.Length);
        return plain;
    }

    public static byte[] SealWith(SealingSession session, byte[] plain)
    {
        var result = new byte[SealedFormat.SealedLength(plain.Length)];
        session.Header.Span.CopyTo(result);
        var at = SealedFormat.HeaderLength;
        var chunks = SealedFormat.ChunkCount(plain.Length);
        for (var i = 0; i < chunks; i++)
        {
            var start = i * SealedFormat.ChunkSize;
            var chunk = plain.AsSpan(start, Math.Min(SealedFormat.ChunkSize, plain.Length - start));
            at += session.SealChunk(chunk, last: i == chunks - 1, result.AsSpan(at));
        }

        at.ShouldBe(result.Length);
        return result;
    }

    public static ReadOnlySpan<byte> Chunk(byte[] sealedBytes, long index)
    {
        var start = (int)SealedFormat.ChunkOffset(index);
        return sealedBytes.AsSpan(start, Math.Min(SealedFormat.SealedChunkSize, sealedBytes.Length - start));
    }

    public static byte[] Bytes(int length, int seed = 1)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public void Dispose()
    {
        Keys.Dispose();
        Provider.Dispose();
        _root.Delete(recursive: true);
    }
}
