using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Numerics;

namespace Appliance.Web.Proxy;

internal enum ProxyHeaderState
{
    /// <summary>Right so far, and not whole.</summary>
    Incomplete,

    /// <summary>No header, or one that must be refused.</summary>
    Invalid,

    /// <summary>Whole.</summary>
    Whole,
}

/// <summary>
/// The header of version 2 of the PROXY protocol, as a connection begins with it (HAProxy's doc/proxy-protocol.txt, section 2.2). Version 1, which is
/// text, is not spoken. Nothing of an address is looked at before all of the header is there.
/// </summary>
/// <param name="Length">Bytes that it takes.</param>
/// <param name="Source">Where the client comes from; null: the connection's own other end counts (LOCAL, or a family that is not TCP).</param>
internal readonly record struct ProxyHeader(int Length, IPEndPoint? Source)
{
    /// <summary>Bytes in all. The header "is always smaller than an MSS" (section 2.2), which is 1460 bytes on Ethernet.</summary>
    internal const int MostBytes = 1460;

    private const int Fixed = 16;
    private const byte Local = 0x20;
    private const byte Proxied = 0x21;
    private const byte Checksum = 0x03; // PP2_TYPE_CRC32C
    private const int ChecksumBytes = 4;

    private static ReadOnlySpan<byte> Signature => [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A];

    /// <summary>Looks for a header at the beginning of what has come so far.</summary>
    public static ProxyHeaderState TryRead(in ReadOnlySequence<byte> received, out ProxyHeader header)
    {
        header = default;
        Span<byte> bytes = stackalloc byte[MostBytes];
        var there = (int)Math.Min(received.Length, MostBytes);
        received.Slice(0, there).CopyTo(bytes);
        bytes = bytes[..there];

        // Refused with the first byte that is wrong: nobody is waited for who speaks something else.
        var signature = Math.Min(there, Signature.Length);
        if (!bytes[..signature].SequenceEqual(Signature[..signature]) || (there > 12 && bytes[12] is not (Local or Proxied)))
        {
            return ProxyHeaderState.Invalid;
        }
        if (there < Fixed)
        {
            return ProxyHeaderState.Incomplete;
        }
        var length = Fixed + BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        if (length > MostBytes)
        {
            return ProxyHeaderState.Invalid;
        }
        if (there < length)
        {
            return ProxyHeaderState.Incomplete;
        }
        return TryReadWhole(bytes[..length], out header) ? ProxyHeaderState.Whole : ProxyHeaderState.Invalid;
    }

    private static bool TryReadWhole(Span<byte> bytes, out ProxyHeader header)
    {
        header = new ProxyHeader(bytes.Length, null);
        if (bytes[12] == Local)
        {
            return true; // the proxy speaks for itself, such as to ask for our health; the rest, the family too, is to be skipped
        }
        // Family and transport: unspecified, then TCP, UDP and Unix sockets. Others "must be rejected as invalid by receivers".
        var addresses = bytes[13] switch { 0x00 => 0, 0x11 or 0x12 => 12, 0x21 or 0x22 => 36, 0x31 or 0x32 => 216, _ => int.MaxValue };
        if (addresses > bytes.Length - Fixed)
        {
            return false;
        }
        if (bytes[13] == 0x00)
        {
            return true; // without a family nobody knows where its addresses end
        }
        var source = bytes[13] switch
        {
            0x11 => new IPEndPoint(new IPAddress(bytes.Slice(Fixed, 4)), BinaryPrimitives.ReadUInt16BigEndian(bytes[(Fixed + 8)..])),
            0x21 => new IPEndPoint(new IPAddress(bytes.Slice(Fixed, 16)), BinaryPrimitives.ReadUInt16BigEndian(bytes[(Fixed + 32)..])),
            _ => null, // valid, and not for a web server: as unspecified
        };
        header = header with { Source = source };
        return HasGoodVectors(bytes, Fixed + addresses);
    }

    /// <summary>The type-length-value vectors fill what is left exactly; a checksum among them is right (section 2.2.3). The others are skipped.</summary>
    private static bool HasGoodVectors(Span<byte> bytes, int from)
    {
        while (from < bytes.Length)
        {
            if (bytes.Length - from < 3)
            {
                return false;
            }
            var value = from + 3;
            var next = value + BinaryPrimitives.ReadUInt16BigEndian(bytes[(from + 1)..]);
            if (next > bytes.Length || (bytes[from] == Checksum && (next - value != ChecksumBytes || !IsRight(bytes, value))))
            {
                return false;
            }
            from = next;
        }
        return true;
    }

    private static bool IsRight(Span<byte> bytes, int at)
    {
        var field = bytes.Slice(at, ChecksumBytes);
        var told = BinaryPrimitives.ReadUInt32BigEndian(field);
        field.Clear();
        var crc = uint.MaxValue; // RFC 4960, appendix B: begun with ones, ended with the complement
        foreach (var b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }
        BinaryPrimitives.WriteUInt32BigEndian(field, told);
        return ~crc == told;
    }
}
