namespace Appliance.Vault.Tests;

[Trait("Requirement", "F7")]
public sealed class SecrecyTests
{
    [Fact]
    public void Secret_bytes_are_zero_after_dispose_and_cannot_be_had_any_more()
    {
        var secret = new SecretBytes(32);
        secret.Span.Fill(0xAB);
        var copy = new byte[32];
        secret.CopyTo(copy);
        copy.ShouldAllBe(b => b == 0xAB);
        var same = System.Runtime.InteropServices.MemoryMarshal.CreateSpan(ref secret.Span[0], 32);

        secret.Dispose();

        same.ContainsAnyExcept((byte)0).ShouldBeFalse();
        Should.Throw<ObjectDisposedException>(() => secret.CopyTo(copy));
        Should.Throw<ObjectDisposedException>(() => secret.Span.Length);
        secret.ToString().ShouldBe("secret");
        secret.Dispose();
    }

    [Fact]
    public void Keys_are_zeroed_when_they_leave_the_cache()
    {
        var cache = new TeamKeyCache(capacity: 1);
        var stamp = new FileStamp(DateTime.UnixEpoch, DateTime.UnixEpoch, 1);
        TeamId first = TeamId.New(), second = TeamId.New();
        cache.Put(first, stamp, TestVault.Bytes(32));
        var held = cache.SecretOf(first)!;
        cache.Put(second, stamp, TestVault.Bytes(32));
        Should.Throw<ObjectDisposedException>(() => held.CopyTo(new byte[32]));

        var next = cache.SecretOf(second)!;
        cache.Copy(second, stamp with { Length = 2 }, new byte[32]).ShouldBe(0);
        cache.Drop(second);
        Should.Throw<ObjectDisposedException>(() => next.CopyTo(new byte[32]));

        cache.Put(first, stamp, TestVault.Bytes(32));
        var last = cache.SecretOf(first)!;
        cache.Dispose();
        Should.Throw<ObjectDisposedException>(() => last.CopyTo(new byte[32]));
        Should.Throw<ObjectDisposedException>(() => cache.Put(first, stamp, new byte[32]));
    }

    [Fact]
    public void No_exception_text_holds_key_or_content_bytes()
    {
        using var vault = new TestVault();
        var content = "the team's own words"u8.ToArray();
        var sealedBytes = vault.Seal(content);
        var teamKey = new byte[32];
        vault.Keys.CopyKey(vault.Team, teamKey);
        var applianceKey = StrangersReader.ReadApplianceKey(File.ReadAllBytes(vault.KeyPath));
        var keyLine = File.ReadAllText(vault.KeyPath).TrimEnd();
        var garbled = Path.Combine(vault.Root, "garbled.key");
        File.WriteAllText(garbled, "appliance-key-v9" + keyLine["appliance-key-v1".Length..]);
        File.SetUnixFileMode(garbled, UnixFileMode.UserRead);
        var altered = (byte[])sealedBytes.Clone();
        altered[^1] ^= 1;
        var rewrapped = (byte[])sealedBytes.Clone();
        rewrapped[70] ^= 1;

        var errors = new List<Exception>
        {
            Record.Exception(() => vault.Open(altered)),
            Record.Exception(() => vault.Open(rewrapped)),
            Record.Exception(() => vault.Open(sealedBytes[..^1])),
            Record.Exception(() => vault.Keys.Create(vault.Team)),
            Record.Exception(() => FileKeyProvider.Create(vault.KeyPath)),
            Record.Exception(() => FileKeyProvider.Open(garbled)),
            Record.Exception(() => vault.Provider.Unwrap(new byte[60], teamKey, new byte[32])),
            Record.Exception(() => new BlobProtector(vault.Provider).Unprotect("x", content)),
        };
        vault.Keys.Destroy(vault.Team);
        errors.Add(Record.Exception(() => vault.Open(sealedBytes)));
        vault.Provider.Dispose();
        errors.Add(Record.Exception(() => vault.Provider.Derive("x", new byte[32])));

        foreach (var error in errors)
        {
            var text = error.ShouldNotBeNull().ToString();
            foreach (var secret in (byte[][])[teamKey, applianceKey, content])
            {
                for (var at = 0; at + 6 <= secret.Length; at++)
                {
                    text.ShouldNotContain(Convert.ToHexString(secret, at, 6), Case.Insensitive);
                }

                text.ShouldNotContain(Convert.ToBase64String(secret)[..12]);
            }

            text.ShouldNotContain("own words");
        }
    }
}
