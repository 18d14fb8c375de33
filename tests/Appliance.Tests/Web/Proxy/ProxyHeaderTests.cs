using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Numerics;
using Appliance.Web.Proxy;

namespace Appliance.Tests.Web.Proxy;

/// <summary>The bytes of the PROXY protocol's second version, right and wrong. On a real listener: <see cref="ProxyProtocolTests"/>.</summary>
[Trait("Requirement", "W5")]
public sealed class ProxyHeaderTests
{
    internal static readonly byte[] Signature = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A];

    private static readonly byte[] s_v4 = [203, 0, 113, 7, 192, 0, 2, 1, 0x30, 0x39, 0x20, 0xFB];
    private static readonly byte[] s_v6 = [.. IPAddress.Parse("2001:db8::7").GetAddressBytes(), .. IPAddress.Parse("2001:db8::1").GetAddressBytes(), 0x30, 0x39, 0x20, 0xFB];

    [Fact]
    public void An_address_of_either_family_is_taken_with_its_port()
    {
        Whole(Header(0x21, 0x11, s_v4)).Source.ShouldBe(IPEndPoint.Parse("203.0.113.7:12345"));
        Whole(Header(0x21, 0x21, s_v6)).Source.ShouldBe(IPEndPoint.Parse("[2001:db8::7]:12345"));
    }

    [Theory]
    [InlineData(0x20, 0x00, 0)] // LOCAL, as health checks come
    [InlineData(0x20, 0x11, 12)] // LOCAL: addresses are skipped
    [InlineData(0x20, 0xFF, 5)] // LOCAL: "including the family which is ignored"
    [InlineData(0x21, 0x00, 0)]
    [InlineData(0x21, 0x00, 40)]
    [InlineData(0x21, 0x12, 12)]
    [InlineData(0x21, 0x22, 36)]
    [InlineData(0x21, 0x31, 216)]
    [InlineData(0x21, 0x32, 216)]
    public void What_names_no_tcp_client_leaves_the_connections_own_address(byte command, byte family, int length)
    {
        var header = Whole(Header(command, family, new byte[length]));
        header.Source.ShouldBeNull();
        header.Length.ShouldBe(16 + length);
    }

    [Theory]
    [InlineData(0x11)] // version 1
    [InlineData(0x31)] // version 3
    [InlineData(0x22)] // commands that nobody has assigned
    [InlineData(0x2F)]
    [InlineData(0x01)]
    public void Another_version_or_command_is_refused(byte command) => State(Header(command, 0x11, s_v4)).ShouldBe(ProxyHeaderState.Invalid);

    [Theory]
    [InlineData(0x01)]
    [InlineData(0x10)]
    [InlineData(0x13)]
    [InlineData(0x41)]
    [InlineData(0xFF)]
    public void Another_family_or_transport_is_refused(byte family) => State(Header(0x21, family, new byte[216])).ShouldBe(ProxyHeaderState.Invalid);

    [Theory]
    [InlineData(0x11, 0)]
    [InlineData(0x11, 11)]
    [InlineData(0x21, 12)]
    [InlineData(0x21, 35)]
    [InlineData(0x31, 215)]
    public void Fewer_bytes_than_the_familys_addresses_take_are_refused(byte family, int length) =>
        State(Header(0x21, family, new byte[length])).ShouldBe(ProxyHeaderState.Invalid);

    [Fact]
    public void More_than_fits_into_one_segment_is_refused_before_it_has_come()
    {
        State([.. Signature, 0x21, 0x11, 0xFF, 0xFF]).ShouldBe(ProxyHeaderState.Invalid);
        State([.. Signature, 0x20, 0x00, 0x05, 0xA5]).ShouldBe(ProxyHeaderState.Invalid); // 16 + 1445
        State(Header(0x20, 0x00, new byte[1444])).ShouldBe(ProxyHeaderState.Whole);
    }

    [Fact]
    public void Until_the_last_byte_it_is_incomplete_and_what_follows_it_stays()
    {
        var header = Header(0x21, 0x11, s_v4, Vector(0x04, new byte[9]), Vector(0xE5, [1, 2, 3]));
        for (var length = 0; length < header.Length; length++)
        {
            State(header[..length]).ShouldBe(ProxyHeaderState.Incomplete, $"{length} bytes");
        }
        Whole([.. header, 22, 3, 1]).Length.ShouldBe(header.Length);
    }

    [Fact]
    public void Something_else_is_refused_with_its_first_wrong_byte()
    {
        State([22]).ShouldBe(ProxyHeaderState.Invalid); // a TLS handshake
        State("PROXY TCP4 203.0.113.7 192.0.2.1 12345 8443\r\n"u8.ToArray()).ShouldBe(ProxyHeaderState.Invalid); // version 1
        State("\r\n\r\nGET"u8.ToArray()).ShouldBe(ProxyHeaderState.Invalid);
        for (var at = 0; at < Signature.Length; at++)
        {
            var wrong = (byte[])Signature.Clone();
            wrong[at] ^= 0x01;
            State(wrong[..(at + 1)]).ShouldBe(ProxyHeaderState.Invalid);
        }
    }

    [Fact]
    public void Vectors_that_do_not_fill_the_rest_exactly_are_refused()
    {
        State(Header(0x21, 0x11, s_v4, [0x04, 0, 2, 0])).ShouldBe(ProxyHeaderState.Invalid);
        State(Header(0x21, 0x11, s_v4, [0x04, 0xFF, 0xFF])).ShouldBe(ProxyHeaderState.Invalid);
        State(Header(0x21, 0x11, s_v4, [0x04])).ShouldBe(ProxyHeaderState.Invalid);
        State(Header(0x21, 0x11, s_v4, [0x04, 0])).ShouldBe(ProxyHeaderState.Invalid);
        State(Header(0x21, 0x11, s_v4, [0x04, 0, 0])).ShouldBe(ProxyHeaderState.Whole);
    }

    [Fact]
    public void A_checksum_is_verified()
    {
        var header = Header(0x21, 0x11, s_v4, Vector(0x03, new byte[4]));
        var crc = uint.MaxValue;
        foreach (var b in header)
        {
            crc = BitOperations.Crc32C(crc, b);
        }
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(^4), ~crc);
        Whole(header).Source.ShouldNotBeNull();
        header[16] ^= 1; // another address
        State(header).ShouldBe(ProxyHeaderState.Invalid);
        State(Header(0x21, 0x11, s_v4, Vector(0x03, new byte[3]))).ShouldBe(ProxyHeaderState.Invalid);
    }

    [Fact]
    public void Whatever_comes_it_neither_throws_nor_takes_more_than_there_is()
    {
        var random = new Random(20261125);
        for (var i = 0; i < 200_000; i++)
        {
            var bytes = Header((byte)(0x20 + random.Next(2)), (byte)random.Next(256), new byte[random.Next(64)]);
            for (var changes = random.Next(6); changes > 0; changes--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }
            bytes = bytes[..random.Next(bytes.Length + 1)];
            var cut = random.Next(bytes.Length + 1);
            var state = ProxyHeader.TryRead(Segments(bytes[..cut], bytes[cut..]), out var header);
            state.ShouldBe(State(bytes), "the same however it was cut");
            header.Length.ShouldBeLessThanOrEqualTo(bytes.Length);
        }
    }

    internal static byte[] Header(byte command, byte family, params byte[][] rest)
    {
        var after = rest.SelectMany(part => part).ToArray();
        return [.. Signature, command, family, (byte)(after.Length >> 8), (byte)after.Length, .. after];
    }

    private static byte[] Vector(byte type, byte[] value) => [type, (byte)(value.Length >> 8), (byte)value.Length, .. value];

    private static ProxyHeaderState State(byte[] bytes) => ProxyHeader.TryRead(new ReadOnlySequence<byte>(bytes), out _);

    private static ProxyHeader Whole(byte[] bytes)
    {
        ProxyHeader.TryRead(new ReadOnlySequence<byte>(bytes), out var header).ShouldBe(ProxyHeaderState.Whole);
        return header;
    }

    private static ReadOnlySequence<byte> Segments(byte[] first, byte[] second)
    {
        var start = new Segment(first, 0);
        var end = start.Then(second);
        return new ReadOnlySequence<byte>(start, 0, end, second.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(byte[] bytes, long index) => (Memory, RunningIndex) = (bytes, index);

        public Segment Then(byte[] bytes)
        {
            var next = new Segment(bytes, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
