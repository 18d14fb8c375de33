using System.Text;
using System.Text.Json;

namespace Appliance.Vault.Tests;

/// <summary>The vectors come from a second implementation (Vectors/make_vectors.py), not from the code under test.</summary>
[Trait("Requirement", "F7")]
public sealed class VectorTests : IDisposable
{
    private static readonly JsonElement s_vectors =
        JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "vectors.json"))).RootElement;

    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("vault-vectors-");
    private readonly FileKeyProvider _provider;
    private readonly TeamKeys _keys;
    private readonly TeamId _team = new(Guid.Parse(Text("team")));

    public VectorTests()
    {
        var keyPath = Path.Combine(_root.FullName, "appliance.key");
        DurableFile.WriteNew(keyPath, Encoding.ASCII.GetBytes(Text("applianceKeyFile")), UnixFileMode.UserRead);
        _provider = FileKeyProvider.Open(keyPath);
        var folder = _root.CreateSubdirectory("teams").FullName;
        DurableFile.WriteNew(Path.Combine(folder, _team + ".key"), Hex(s_vectors, "teamKeyFile"), UnixFileMode.UserRead);
        _keys = new TeamKeys(_provider, folder);
    }

    public static TheoryData<int> Objects => [.. Enumerable.Range(0, s_vectors.GetProperty("objects").GetArrayLength())];

    [Theory]
    [MemberData(nameof(Objects))]
    public void Sealing_with_the_vector_s_random_bytes_gives_the_vector(int number)
    {
        var vector = s_vectors.GetProperty("objects")[number];
        using var session = new ObjectSealer(_keys).Seal(_team, ObjectOf(vector), RandomBytesOf(vector), firstChunk: 0);
        var sealedBytes = TestVault.SealWith(session, PlainOf(vector));

        Convert.ToHexStringLower(session.Header.Span).ShouldBe(vector.GetProperty("header").GetString());
        sealedBytes.Length.ShouldBe(vector.GetProperty("sealedLength").GetInt32());
        Convert.ToHexStringLower(SHA256.HashData(sealedBytes)).ShouldBe(vector.GetProperty("sealedSha256").GetString());
    }

    [Theory]
    [MemberData(nameof(Objects))]
    public void Vault_and_stranger_open_the_vector(int number)
    {
        var vector = s_vectors.GetProperty("objects")[number];
        using var session = new ObjectSealer(_keys).Seal(_team, ObjectOf(vector), RandomBytesOf(vector), firstChunk: 0);
        var sealedBytes = vector.GetProperty("sealed").ValueKind == JsonValueKind.String
            ? Hex(vector, "sealed")
            : TestVault.SealWith(session, PlainOf(vector));
        Convert.ToHexStringLower(SHA256.HashData(sealedBytes)).ShouldBe(vector.GetProperty("sealedSha256").GetString());

        foreach (var plain in new[]
        {
            TestVault.Open(new ObjectSealer(_keys), _team, ObjectOf(vector), sealedBytes),
            StrangersReader.Read(StrangersTeamKey(), sealedBytes, _team.Value, ObjectOf(vector).Value),
        })
        {
            plain.Length.ShouldBe(vector.GetProperty("plainLength").GetInt32());
            Convert.ToHexStringLower(SHA256.HashData(plain)).ShouldBe(vector.GetProperty("plainSha256").GetString());
        }
    }

    [Fact]
    public void The_key_id_derived_keys_blobs_and_macs_are_those_of_the_vectors()
    {
        _provider.KeyId.ShouldBe(Text("applianceKeyId"));

        var derived = s_vectors.GetProperty("derived");
        var key = new byte[32];
        _provider.Derive(derived.GetProperty("purpose").GetString()!, key);
        key.ShouldBe(Hex(derived, "key"));

        var blob = s_vectors.GetProperty("blob");
        new BlobProtector(_provider).Unprotect(blob.GetProperty("purpose").GetString()!, Hex(blob, "blob")).ShouldBe(Hex(blob, "data"));

        var mac = s_vectors.GetProperty("mac");
        new BlobProtector(_provider).Mac(mac.GetProperty("purpose").GetString()!, Hex(mac, "data")).ShouldBe(Hex(mac, "mac"));
    }

    [Fact]
    [Trait("Requirement", "W1")]
    public void The_tree_head_is_encoded_and_verified_as_in_the_vectors()
    {
        var vector = s_vectors.GetProperty("treeHead");
        var head = new TreeHead(
            vector.GetProperty("tree").GetGuid(),
            vector.GetProperty("size").GetInt64(),
            Hex(vector, "root"),
            DateTimeOffset.UnixEpoch.AddMicroseconds(vector.GetProperty("signedAtMicroseconds").GetInt64()));
        Convert.ToHexStringLower(head.Encode()).ShouldBe(vector.GetProperty("encoded").GetString());
        TreeHeadSigner.Verify(Hex(vector, "publicKey"), head, Hex(vector, "signature")).ShouldBeTrue();

        var path = Path.Combine(_root.FullName, "heads.pem");
        DurableFile.WriteNew(path, Encoding.ASCII.GetBytes(vector.GetProperty("privateKey").GetString()!), UnixFileMode.UserRead);
        using var signer = TreeHeadSigner.Open(path);
        signer.PublicKey.ShouldBe(Hex(vector, "publicKey"));
        TreeHeadSigner.Verify(Hex(vector, "publicKey"), head, signer.Sign(head)).ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "O5")]
    public void Rotated_keys_are_read_as_in_the_vectors_and_the_old_ones_open_what_they_sealed()
    {
        var vector = s_vectors.GetProperty("rotated");
        var folder = _root.CreateSubdirectory("rotated").FullName;
        DurableFile.WriteNew(Path.Combine(folder, "appliance.key"), Encoding.ASCII.GetBytes(vector.GetProperty("applianceKeyFile").GetString()!), UnixFileMode.UserRead);
        DurableFile.WriteNew(Path.Combine(folder, vector.GetProperty("keptFile").GetString()!), Hex(vector, "kept"), UnixFileMode.UserRead);
        var teams = Directory.CreateDirectory(Path.Combine(folder, "teams")).FullName;
        DurableFile.WriteNew(Path.Combine(teams, _team + ".key"), Hex(vector, "teamKeyFile"), UnixFileMode.UserRead);

        using var provider = FileKeyProvider.Open(Path.Combine(folder, "appliance.key"));
        provider.Generations.Count.ShouldBe(2);
        provider.Generations[1].KeyId.ShouldBe(Text("applianceKeyId"));
        var blob = s_vectors.GetProperty("blob");
        new BlobProtector(provider).Unprotect(blob.GetProperty("purpose").GetString()!, Hex(blob, "blob")).ShouldBe(Hex(blob, "data"));
        var mac = s_vectors.GetProperty("mac");
        new BlobProtector(provider).Mac(mac.GetProperty("purpose").GetString()!, Hex(mac, "data")).ShouldBe(Hex(mac, "mac"));

        using var keys = new TeamKeys(provider, teams);
        keys.StateOf(_team).ShouldBe(new TeamKeyState(2, 2));
        var newest = new byte[32];
        keys.CopyKey(_team, newest);
        newest.ShouldBe(Hex(vector, "teamKey"));
        var old = s_vectors.GetProperty("objects")[2];
        TestVault.Open(new ObjectSealer(keys), _team, ObjectOf(old), Hex(old, "sealed")).ShouldBe(PlainOf(old));

        var strangers = StrangersReader.ReadApplianceKey(File.ReadAllBytes(Path.Combine(folder, "appliance.key")));
        StrangersReader.ReadTeamKeys(strangers, Hex(vector, "teamKeyFile"), _team.Value).ShouldBe([newest, Hex(s_vectors, "teamKey")]);
        StrangersReader.ReadKeptKey(strangers, Hex(vector, "kept")).ShouldBe(StrangersReader.ReadApplianceKey(Encoding.ASCII.GetBytes(Text("applianceKeyFile"))));
    }

    [Fact]
    public void The_document_s_example_is_a_vector_and_the_stranger_can_read_it()
    {
        var document = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "sealed-format.md"));
        var example = document[document.IndexOf("## A worked example", StringComparison.Ordinal)..];
        var file = HexAfter(example, "team key ", "  its file");
        var stored = (byte[])[.. HexAfter(example, "fixed part"), .. HexAfter(example, "wrap "), .. HexAfter(example, "b2 00000000 01")];
        var obj = Guid.Parse(WordsAfter(example, "\nobject ")[0]);

        var key = StrangersReader.ReadTeamKey(HexAfter(example, "appliance key"), file, _team.Value);
        key.ShouldBe(HexAfter(example, "team key "));
        StrangersReader.Read(key, stored, _team.Value, obj).ShouldBe(HexAfter(example, "plain "));
        Convert.ToHexStringLower(stored).ShouldBe(s_vectors.GetProperty("objects")[2].GetProperty("sealed").GetString());
        example.ShouldContain(Text("applianceKeyFile").TrimEnd());
        example.ShouldContain(Text("applianceKeyId"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(70_000)]
    [InlineData(131_072)]
    public void The_stranger_reads_what_the_vault_seals_today(int length)
    {
        using var vault = new TestVault();
        var plain = TestVault.Bytes(length);
        var sealedBytes = vault.Seal(plain);

        var applianceKey = StrangersReader.ReadApplianceKey(File.ReadAllBytes(vault.KeyPath));
        var teamKey = StrangersReader.ReadTeamKey(applianceKey, File.ReadAllBytes(vault.KeyFileOf(vault.Team)), vault.Team.Value);
        StrangersReader.Read(teamKey, sealedBytes, vault.Team.Value, vault.Object.Value).AsSpan().SequenceEqual(plain).ShouldBeTrue();
    }

    public void Dispose()
    {
        _keys.Dispose();
        _provider.Dispose();
        _root.Delete(recursive: true);
    }

    private static string Text(string name) => s_vectors.GetProperty(name).GetString()!;

    private static byte[] Hex(JsonElement of, string name) => Convert.FromHexString(of.GetProperty(name).GetString()!);

    private static ObjectId ObjectOf(JsonElement vector) => new(vector.GetProperty("object").GetGuid());

    private static byte[] PlainOf(JsonElement vector) =>
        [.. Enumerable.Range(0, vector.GetProperty("plainLength").GetInt32()).Select(i => (byte)((i * 131) + (i >> 8)))];

    private static RandomFill RandomBytesOf(JsonElement vector)
    {
        var queue = new Queue<byte[]>([Hex(vector, "objectKey"), Hex(vector, "noncePrefix"), Hex(vector, "wrapNonce")]);
        return destination => queue.Dequeue().CopyTo(destination);
    }

    private byte[] StrangersTeamKey()
    {
        var applianceKey = StrangersReader.ReadApplianceKey(Encoding.ASCII.GetBytes(Text("applianceKeyFile")));
        var key = StrangersReader.ReadTeamKey(applianceKey, Hex(s_vectors, "teamKeyFile"), _team.Value);
        key.ShouldBe(Hex(s_vectors, "teamKey"));
        return key;
    }

    /// <summary>The hex bytes that follow a label (the last of several, each looked for after the one before), up to the first word that is none.</summary>
    private static byte[] HexAfter(string text, params string[] labels) =>
        Convert.FromHexString(string.Concat(WordsAfter(text, labels).TakeWhile(word => word.All(char.IsAsciiHexDigitLower))));

    private static string[] WordsAfter(string text, params string[] labels)
    {
        var at = labels.Aggregate(0, (from, label) => text.IndexOf(label, from, StringComparison.Ordinal) + label.Length);
        return text[at..].Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
    }
}
