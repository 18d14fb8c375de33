using System.Text;
using Appliance.Data;
using Appliance.Ledger;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Ledger;

/// <summary>The bytes that docs/ledger-format.md promises.</summary>
public sealed class LeafEncodingTests
{
    private static readonly LedgerEntry Entry = new()
    {
        Id = new Guid("01020304-0506-7708-890a-0b0c0d0e0f10"),
        Tree = new Guid("a0a1a2a3-a4a5-76a7-88a9-aaabacadaeaf"),
        At = DateTimeOffset.UnixEpoch.AddTicks(10 * 0x0001020304050607),
        Actor = new UserId(new Guid("b0b1b2b3-b4b5-76b7-88b9-babbbcbdbebf")),
        Action = "file.uploaded",
        Subject = "ü",
        Address = null,
        Details = "{}",
    };

    [Fact, Trait("Requirement", "W1")]
    public void An_entry_has_the_documented_bytes()
    {
        var expected = Convert.ToHexStringLower(Encoding.ASCII.GetBytes("appliance ledger entry v1\n\0"))
            + "a0a1a2a3a4a576a788a9aaabacadaeaf" + "0000000000000005" + "0102030405067708890a0b0c0d0e0f10" + "0001020304050607"
            + "01b0b1b2b3b4b576b788b9babbbcbdbebf"
            + "010000000d" + Convert.ToHexStringLower("file.uploaded"u8) + "0100000002c3bc" + "00" + "01000000027b7d";
        Convert.ToHexStringLower(LeafEncoding.Encode(Entry, 5)).ShouldBe(expected);
    }

    [Fact, Trait("Requirement", "W1")]
    public void Every_field_and_the_place_change_the_hash()
    {
        LedgerEntry With(Guid? id = null, Guid? tree = null, long microseconds = 0, UserId? actor = null, bool nobody = false, string action = "file.uploaded",
            string? subject = "ü", string? address = null, string details = "{}") => new()
            {
                Id = id ?? Entry.Id,
                Tree = tree ?? Entry.Tree,
                At = Entry.At.AddMicroseconds(microseconds),
                Actor = nobody ? null : actor ?? Entry.Actor,
                Action = action,
                Subject = subject,
                Address = address,
                Details = details,
            };
        LedgerEntry[] others =
        [
            With(), With(id: Guid.NewGuid()), With(tree: Guid.NewGuid()), With(microseconds: 1), With(actor: UserId.New()), With(nobody: true),
            With(action: "file.uploadedü", subject: ""), With(subject: null), With(subject: null, address: "ü"), With(address: ""), With(details: "{ }"),
        ];
        others.Select(e => Convert.ToHexString(LeafEncoding.Hash(e, 0))).Append(Convert.ToHexString(LeafEncoding.Hash(Entry, 1)))
            .Distinct(StringComparer.Ordinal).Count().ShouldBe(others.Length + 1);
    }

    [Fact, Trait("Requirement", "W1")]
    public void Ids_grow_within_a_process_even_where_the_clock_stands_still_or_goes_back()
    {
        var now = DateTimeOffset.UtcNow;
        var ids = Enumerable.Range(0, 10_000).Select(i => LedgerAppend.NewId(now.AddTicks(-i))).ToList();
        ids.ShouldBe(ids.OrderBy(i => i.ToString("N"), StringComparer.Ordinal));
        ids.Distinct().Count().ShouldBe(ids.Count);
        // The first 48 bits are the milliseconds since 1970 (RFC 9562 section 5.7): lists and filters rely on it, also after a restart.
        Convert.ToInt64(ids[0].ToString("N")[..12], 16).ShouldBeInRange(now.ToUnixTimeMilliseconds(), now.ToUnixTimeMilliseconds() + 60_000);
        ids.ShouldAllBe(i => i.Version == 7 && (i.Variant & 0xC) == 0x8);
    }
}
