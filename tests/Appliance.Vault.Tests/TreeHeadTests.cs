using System.Text;

namespace Appliance.Vault.Tests;

[Trait("Requirement", "W1")]
public sealed class TreeHeadTests : IDisposable
{
    private static readonly TreeHead s_head =
        new(Guid.CreateVersion7(), 42, MerkleTree.HashLeaf("x"u8), new DateTimeOffset(2026, 11, 21, 8, 30, 0, TimeSpan.FromHours(1)));

    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("heads-test-");

    private string KeyPath => Path.Combine(_root.FullName, "heads.pem");

    [Fact]
    public void A_signed_head_verifies_with_the_public_key_alone_also_after_a_restart()
    {
        using var signer = MakeSigner();
        var signature = signer.Sign(s_head);
        signature.Length.ShouldBe(64);
        TreeHeadSigner.Verify(signer.PublicKey, s_head, signature).ShouldBeTrue();

        using var again = TreeHeadSigner.Open(KeyPath);
        again.PublicKey.ShouldBe(signer.PublicKey);
        TreeHeadSigner.Verify(signer.PublicKey, s_head, again.Sign(s_head)).ShouldBeTrue();
        (File.GetUnixFileMode(KeyPath)).ShouldBe(UnixFileMode.UserRead);
    }

    [Fact]
    public void An_altered_head_is_refused_in_every_field()
    {
        using var signer = MakeSigner();
        var signature = signer.Sign(s_head);
        foreach (var altered in new[]
        {
            s_head with { Tree = Guid.CreateVersion7() },
            s_head with { Size = 43 },
            s_head with { Root = MerkleTree.EmptyRoot },
            s_head with { SignedAt = s_head.SignedAt.AddMicroseconds(1) },
        })
        {
            altered.ShouldNotBe(s_head);
            TreeHeadSigner.Verify(signer.PublicKey, altered, signature).ShouldBeFalse();
        }
    }

    [Fact]
    public void An_altered_signature_or_another_key_is_refused()
    {
        using var signer = MakeSigner();
        var signature = signer.Sign(s_head);
        for (var bit = 0; bit < signature.Length * 8; bit++)
        {
            var altered = (byte[])signature.Clone();
            altered[bit / 8] ^= (byte)(1 << (bit % 8));
            TreeHeadSigner.Verify(signer.PublicKey, s_head, altered).ShouldBeFalse($"bit {bit}");
        }

        foreach (var wrong in (byte[][])[[], signature[..63], [.. signature, 0], new byte[64]])
        {
            TreeHeadSigner.Verify(signer.PublicKey, s_head, wrong).ShouldBeFalse();
        }

        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        TreeHeadSigner.Verify(stranger.ExportSubjectPublicKeyInfo(), s_head, signature).ShouldBeFalse();
    }

    [Fact]
    public void A_public_key_that_is_none_or_of_another_curve_is_refused_without_an_exception()
    {
        using var signer = MakeSigner();
        var signature = signer.Sign(s_head);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var rsa = RSA.Create(2048);
        foreach (var key in (byte[][])[[], [1, 2, 3], signer.PublicKey[..^1], [.. signer.PublicKey, 0], p384.ExportSubjectPublicKeyInfo(), rsa.ExportSubjectPublicKeyInfo()])
        {
            TreeHeadSigner.Verify(key, s_head, signature).ShouldBeFalse();
        }
    }

    [Fact]
    public void Heads_are_equal_by_what_is_signed_whatever_the_time_zone_or_the_ticks_below_a_microsecond()
    {
        var same = new TreeHead(s_head.Tree, 42, s_head.Root.ToArray(), s_head.SignedAt.ToUniversalTime().AddTicks(9));
        same.ShouldBe(s_head);
        same.GetHashCode().ShouldBe(s_head.GetHashCode());
        same.Encode().ShouldBe(s_head.Encode());
        same.Encode().Length.ShouldBe(TreeHead.EncodedLength);
        Should.Throw<ArgumentOutOfRangeException>(() => s_head with { Size = -1 });
        Should.Throw<ArgumentException>(() => new TreeHead(s_head.Tree, 1, new byte[31], s_head.SignedAt));
    }

    [Fact]
    public void A_head_does_not_change_when_the_caller_s_array_does()
    {
        var root = MerkleTree.EmptyRoot;
        var head = s_head with { Root = root };
        var encoded = head.Encode();
        root[0] ^= 1;
        head.Encode().ShouldBe(encoded);
    }

    [Fact]
    public void The_key_file_is_ordinary_PEM()
    {
        using var signer = MakeSigner();
        var text = File.ReadAllText(KeyPath);
        text.Split('\n').ShouldAllBe(line => line.Length <= 64);
        using var key = ECDsa.Create();
        key.ImportFromPem(text);
        key.ExportSubjectPublicKeyInfo().ShouldBe(signer.PublicKey);
    }

    [Fact]
    public void A_signing_key_file_with_a_problem_is_refused_with_its_name_and_the_fix()
    {
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using (MakeSigner())
        {
        }

        var good = File.ReadAllText(KeyPath);
        foreach (var (contents, problem) in new[]
        {
            ("", "is empty"),
            (new string('x', 5000), "wrong length"),
            ("hello", "is garbled"),
            (good[..100], "is garbled"),
            (good.Replace("MIGH", "MIGG", StringComparison.Ordinal), "is garbled"),
            (good.Replace("M", "!", StringComparison.Ordinal), "is garbled"),
            ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "is garbled"),
            (p384.ExportPkcs8PrivateKeyPem() + "\n", "is garbled"),
        })
        {
            var path = Path.Combine(_root.FullName, Guid.NewGuid().ToString());
            DurableFile.WriteNew(path, Encoding.ASCII.GetBytes(contents), UnixFileMode.UserRead);
            var error = Should.Throw<KeyFileException>(() => TreeHeadSigner.Open(path).Dispose(), problem);
            error.Message.ShouldContain(path);
            error.Message.ShouldContain(problem);
            error.Message.ShouldContain("backup of your keys");
        }

        Should.Throw<KeyFileException>(() => TreeHeadSigner.Open(KeyPath + "x")).Message.ShouldContain("is missing");
        Should.Throw<KeyFileException>(() => TreeHeadSigner.Create(KeyPath)).Message.ShouldContain("exists already");
        File.ReadAllText(KeyPath).ShouldBe(good);
        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Should.Throw<KeyFileException>(() => TreeHeadSigner.Open(KeyPath)).Message.ShouldContain("chmod 0400");
    }

    public void Dispose() => _root.Delete(recursive: true);

    private TreeHeadSigner MakeSigner()
    {
        TreeHeadSigner.Create(KeyPath);
        return TreeHeadSigner.Open(KeyPath);
    }
}
