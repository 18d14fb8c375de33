namespace Appliance.Vault.Tests;

[Trait("Requirement", "F7")]
public sealed class BlobProtectorTests : IDisposable
{
    private readonly TestVault _vault = new();

    private BlobProtector Protector => new(_vault.Provider);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100_000)]
    public void A_blob_comes_out_whole_and_never_looks_the_same_twice(int length)
    {
        var data = TestVault.Bytes(length);
        var blob = Protector.Protect("totp", data);
        blob.Length.ShouldBe(length + 29);
        Protector.Unprotect("totp", blob).AsSpan().SequenceEqual(data).ShouldBeTrue();
        Protector.Protect("totp", data).AsSpan().SequenceEqual(blob).ShouldBeFalse();
    }

    [Fact]
    public void Every_bit_every_cut_another_purpose_and_another_key_are_refused()
    {
        var blob = Protector.Protect("totp", [1, 2, 3, 4]);
        for (var bit = 0; bit < blob.Length * 8; bit++)
        {
            var altered = (byte[])blob.Clone();
            altered[bit / 8] ^= (byte)(1 << (bit % 8));
            Should.Throw<TamperedException>(() => Protector.Unprotect("totp", altered), $"bit {bit}");
        }

        for (var length = 0; length < blob.Length; length++)
        {
            var cut = blob[..length];
            Should.Throw<TamperedException>(() => Protector.Unprotect("totp", cut));
        }

        Should.Throw<TamperedException>(() => Protector.Unprotect("totp", [.. blob, 0]));
        Should.Throw<TamperedException>(() => Protector.Unprotect("other", blob)).Message.ShouldContain("other");
        using var elsewhere = new TestVault();
        Should.Throw<TamperedException>(() => new BlobProtector(elsewhere.Provider).Unprotect("totp", blob));
    }

    [Fact]
    public void A_mac_depends_on_key_purpose_and_data()
    {
        using var elsewhere = new TestVault();
        var macs = new[]
        {
            Protector.Mac("a", [1]),
            Protector.Mac("a", [2]),
            Protector.Mac("b", [1]),
            new BlobProtector(elsewhere.Provider).Mac("a", [1]),
        };
        macs.Select(Convert.ToHexString).Distinct().Count().ShouldBe(4);
        macs.ShouldAllBe(mac => mac.Length == 32);
        Protector.Mac("a", [1]).ShouldBe(macs[0]);
    }

    [Fact]
    public void Purposes_are_required_and_buffers_have_their_length()
    {
        Should.Throw<ArgumentException>(() => Protector.Protect("", [1]));
        Should.Throw<ArgumentException>(() => Protector.Mac("", [1]));
        Should.Throw<ArgumentException>(() => _vault.Provider.Derive("", new byte[32]));
        Should.Throw<ArgumentException>(() => _vault.Provider.Derive("a", new byte[31]));
        Should.Throw<ArgumentException>(() => _vault.Provider.Wrap(new byte[31], [], new byte[60]));
        Should.Throw<ArgumentException>(() => _vault.Provider.Wrap(new byte[32], [], new byte[61]));
        Should.Throw<ArgumentException>(() => _vault.Provider.Unwrap(new byte[59], [], new byte[32]));
        Should.Throw<ArgumentException>(() => _vault.Provider.Unwrap(new byte[60], [], new byte[33]));
    }

    [Fact]
    public void A_wrapped_key_opens_only_with_its_associated_data_and_leaves_nothing_otherwise()
    {
        byte[] key = TestVault.Bytes(32), wrapped = new byte[60], unwrapped = TestVault.Bytes(32, seed: 2);
        _vault.Provider.Wrap(key, [1], wrapped);
        Should.Throw<TamperedException>(() => _vault.Provider.Unwrap(wrapped, [2], unwrapped));
        unwrapped.ShouldAllBe(b => b == 0);
        _vault.Provider.Unwrap(wrapped, [1], unwrapped);
        unwrapped.ShouldBe(key);
    }

    public void Dispose() => _vault.Dispose();
}
