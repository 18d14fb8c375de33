using Appliance.Files;
using Shouldly;
using Xunit;
using static Appliance.Files.ByteRange.Outcome;

namespace Appliance.Tests.Files;

/// <summary>RFC 9110 section 14, to the letter.</summary>
[Trait("Requirement", "F3")]
public sealed class ByteRangeTests
{
    [Theory]
    [InlineData("bytes=0-0", 10, Part, 0, 1)]
    [InlineData("bytes=0-9", 10, Part, 0, 10)]
    [InlineData("bytes=0-", 10, Part, 0, 10)]
    [InlineData("bytes=9-", 10, Part, 9, 1)]
    [InlineData("bytes=2-5", 10, Part, 2, 4)]
    [InlineData("bytes=2-99999", 10, Part, 2, 8)]
    [InlineData("bytes=2-99999999999999999999999999", 10, Part, 2, 8)]
    [InlineData("bytes=-3", 10, Part, 7, 3)]
    [InlineData("bytes=-30", 10, Part, 0, 10)]
    [InlineData("bytes=-99999999999999999999999999", 10, Part, 0, 10)]
    [InlineData("BYTES=1-1", 10, Part, 1, 1)]
    [InlineData("bytes= 1-1", 10, Part, 1, 1)]
    [InlineData("bytes=,1-1,", 10, Part, 1, 1)]
    [InlineData("bytes=00000001-00000001", 10, Part, 1, 1)]
    [InlineData("bytes=10-", 10, Unsatisfiable)]
    [InlineData("bytes=10-20", 10, Unsatisfiable)]
    [InlineData("bytes=99999999999999999999999999-", 10, Unsatisfiable)]
    [InlineData("bytes=-0", 10, Unsatisfiable)]
    [InlineData("bytes=0-", 0, Unsatisfiable)]
    [InlineData("bytes=0-0", 0, Unsatisfiable)]
    [InlineData("bytes=-5", 0, Whole)]
    [InlineData(null, 10, Whole)]
    [InlineData("", 10, Whole)]
    [InlineData("bytes", 10, Whole)]
    [InlineData("bytes=", 10, Whole)]
    [InlineData("bytes=-", 10, Whole)]
    [InlineData("bytes=5-2", 10, Whole)]
    [InlineData("bytes=a-b", 10, Whole)]
    [InlineData("bytes=1", 10, Whole)]
    [InlineData("bytes=1-2-3", 10, Whole)]
    [InlineData("bytes=--1", 10, Whole)]
    [InlineData("bytes=+1-2", 10, Whole)]
    [InlineData("bytes=1 - 2", 10, Whole)]
    [InlineData("bytes=٣-٥", 10, Whole)]
    [InlineData("bytes=0-1,4-5", 10, Whole)]
    [InlineData("bytes=0-1,99-", 10, Whole)]
    [InlineData("lines=1-2", 10, Whole)]
    [InlineData("bytes =1-2", 10, Whole)]
    public void A_range_header_means_what_the_standard_says(string? header, long length, ByteRange.Outcome outcome, long start = 0, long count = 0)
    {
        ByteRange.Read(header, length, out var range).ShouldBe(outcome);
        if (outcome == Part)
        {
            range.ShouldBe(new ByteRange(start, count));
        }
    }
}
