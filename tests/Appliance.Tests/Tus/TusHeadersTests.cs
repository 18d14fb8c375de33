using Appliance.Tus;
using Microsoft.Extensions.Primitives;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Tus;

[Trait("Requirement", "F2")]
public sealed class TusHeadersTests
{
    [Theory]
    [InlineData("0", 0L)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("007", 7L)]
    public void Digits_are_a_number(string header, long number)
    {
        TusHeaders.TryNumber(header, out var read).ShouldBeTrue();
        read.ShouldBe(number);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1.0")]
    [InlineData(" 1")]
    [InlineData("0x10")]
    [InlineData("1e3")]
    [InlineData("٣")]
    [InlineData("9223372036854775808")]
    [InlineData("99999999999999999999999999999")]
    public void Anything_else_is_none(string? header) => TusHeaders.TryNumber(header, out _).ShouldBeFalse();

    [Fact]
    public void Two_headers_are_none() => TusHeaders.TryNumber(new StringValues(["1", "1"]), out _).ShouldBeFalse();

    [Fact]
    public void Metadata_is_pairs_of_key_and_base64()
    {
        TusHeaders.TryMetadata("filename d8O2cmxk,is_confidential, filetype dGV4dC9wbGFpbg==", out var pairs).ShouldBeTrue();
        pairs.ShouldBe(new Dictionary<string, string> { ["filename"] = "wörld", ["is_confidential"] = "", ["filetype"] = "text/plain" });
        TusHeaders.TryMetadata(StringValues.Empty, out pairs).ShouldBeTrue();
        pairs.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData(",")]
    [InlineData("a YQ==,")]
    [InlineData("a YQ==,a Yg==")]
    [InlineData("a  YQ==")]
    [InlineData("a YQ== b")]
    [InlineData("a YQ")]
    [InlineData("a Y Q==")]
    [InlineData("a !!!!")]
    [InlineData("ä YQ==")]
    [InlineData("a /w==")]
    [InlineData("a 7aCA")]
    public void Malformed_metadata_is_refused(string header) => TusHeaders.TryMetadata(header, out _).ShouldBeFalse();

    [Fact]
    public void Metadata_is_bounded() =>
        TusHeaders.TryMetadata(string.Join(',', Enumerable.Range(0, 21).Select(i => $"k{i} YQ==")), out _).ShouldBeFalse();

    [Theory]
    [InlineData("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", true)]
    [InlineData("sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", true)]
    [InlineData("md5 1B2M2Y8AsgTpgAmY7PhCfg==", false)]
    [InlineData("SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", false)]
    [InlineData("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0", false)]
    [InlineData("sha1  Kq5sNclPz7QV2+lfQIuc6R7oRu0=", false)]
    [InlineData("sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", false)]
    [InlineData("sha1", false)]
    [InlineData("", false)]
    public void A_checksum_is_a_known_algorithm_and_a_value_of_its_length(string header, bool taken)
    {
        using var read = TusHeaders.ReadChecksum(header);
        (read is not null).ShouldBe(taken);
    }
}
