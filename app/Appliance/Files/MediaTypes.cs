using System.Buffers.Binary;
using System.Text;

namespace Appliance.Files;

/// <summary>
/// What a content is, told from its first bytes and nothing else (WHATWG MIME Sniffing standard, sections 6 and 7; formats that it does not know, after
/// their own specifications). Only what cannot run is ever named: HTML, SVG, XML and JavaScript are text/plain.
/// </summary>
public static class MediaTypes
{
    /// <summary>How many bytes are looked at; the standard's "resource header" (section 5.2) has 1445, which leaves out a long MP3 frame.</summary>
    public const int HeadBytes = 4096;

    public const string Text = "text/plain";
    public const string Pdf = "application/pdf";

    /// <param name="head">The first bytes, up to <see cref="HeadBytes"/> of them; all of them where there are no more.</param>
    /// <returns>A type without parameters; <see cref="FileVersion.UnknownMediaType"/> for what is none of those.</returns>
    public static string Of(ReadOnlySpan<byte> head)
    {
        head = head[..Math.Min(head.Length, HeadBytes)];
        return Image(head) ?? AudioOrVideo(head) ?? Document(head) ?? (IsText(head) ? Text : FileVersion.UnknownMediaType);
    }

    /// <summary>Section 6.1. Of BMP also the reserved bytes must be zero: two letters alone would make pictures of texts.</summary>
    private static string? Image(ReadOnlySpan<byte> head) =>
        head.StartsWith((ReadOnlySpan<byte>)[0x89, .. "PNG\r\n"u8, 0x1A, 0x0A]) ? "image/png"
        : head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]) ? "image/jpeg"
        : head.StartsWith("GIF87a"u8) || head.StartsWith("GIF89a"u8) ? "image/gif"
        : IsRiff(head, "WEBPVP"u8) ? "image/webp"
        : head.StartsWith("BM"u8) && head.Length >= 10 && head[6..10].IndexOfAnyExcept((byte)0) < 0 ? "image/bmp"
        : head.StartsWith((ReadOnlySpan<byte>)[0, 0, 1, 0]) || head.StartsWith((ReadOnlySpan<byte>)[0, 0, 2, 0]) ? "image/x-icon"
        : head.StartsWith("II*\0"u8) || head.StartsWith("MM\0*"u8) ? "image/tiff"
        : null;

    /// <summary>Section 6.2; FLAC after RFC 9639 section 6, the codecs in Ogg after RFC 5334 section 4.</summary>
    private static string? AudioOrVideo(ReadOnlySpan<byte> head) =>
        head.StartsWith("ID3"u8) ? "audio/mpeg"
        : head.StartsWith("OggS\0"u8) ? OggKind(head)
        : head.StartsWith("fLaC"u8) ? "audio/flac"
        : head.StartsWith("MThd\0\0\0\x06"u8) ? "audio/midi"
        : IsRiff(head, "WAVE"u8) ? "audio/wav"
        : IsRiff(head, "AVI "u8) ? "video/x-msvideo"
        : head.StartsWith("FORM"u8) && head.Length >= 12 && (head[8..12].SequenceEqual("AIFF"u8) || head[8..12].SequenceEqual("AIFC"u8)) ? "audio/aiff"
        : IsoMedia(head) ?? Matroska(head) ?? (IsMp3(head) ? "audio/mpeg" : null);

    /// <summary>Sections 6.4 and 7.1, and the archives that people have besides.</summary>
    private static string? Document(ReadOnlySpan<byte> head) =>
        head.StartsWith("%PDF-"u8) ? Pdf
        : head.StartsWith("PK\x03\x04"u8) || head.StartsWith("PK\x05\x06"u8) ? "application/zip"
        : head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 0x08]) ? "application/gzip"
        : head.StartsWith("Rar!\x1A\x07"u8) ? "application/vnd.rar"
        : head.StartsWith((ReadOnlySpan<byte>)[.. "7z"u8, 0xBC, 0xAF, 0x27, 0x1C]) ? "application/x-7z-compressed"
        : head.StartsWith((ReadOnlySpan<byte>)[0xFD, .. "7zXZ"u8, 0]) ? "application/x-xz"
        : head.StartsWith("BZh"u8) && head.Length >= 10 && head[4..10].SequenceEqual((ReadOnlySpan<byte>)[0x31, 0x41, 0x59, 0x26, 0x53, 0x59]) ? "application/x-bzip2"
        : head.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]) ? "application/zstd"
        : head.Length >= 262 && head[257..262].SequenceEqual("ustar"u8) ? "application/x-tar"
        : null;

    private static bool IsRiff(ReadOnlySpan<byte> head, ReadOnlySpan<byte> form) =>
        head.StartsWith("RIFF"u8) && head.Length >= 8 + form.Length && head[8..(8 + form.Length)].SequenceEqual(form);

    /// <summary>The codec that the first page names. One that is not known may be either.</summary>
    private static string OggKind(ReadOnlySpan<byte> head)
    {
        const int Segments = 26;
        var packet = head.Length > Segments && head.Length > Segments + 1 + head[Segments] ? head[(Segments + 1 + head[Segments])..] : [];
        return packet.StartsWith((ReadOnlySpan<byte>)[0x01, .. "vorbis"u8]) || packet.StartsWith("OpusHead"u8) || packet.StartsWith((ReadOnlySpan<byte>)[0x7F, .. "FLAC"u8]) || packet.StartsWith("Speex   "u8) ? "audio/ogg"
            : packet.StartsWith((ReadOnlySpan<byte>)[0x80, .. "theora"u8]) ? "video/ogg"
            : "application/ogg";
    }

    /// <summary>
    /// Section 6.2.1, "signature for MP4", and the brands of ISO/IEC 14496-12 that it leaves out: the first one that is known, the major brand before
    /// the compatible ones.
    /// </summary>
    private static string? IsoMedia(ReadOnlySpan<byte> head)
    {
        if (head.Length < 12 || !head[4..8].SequenceEqual("ftyp"u8))
        {
            return null;
        }
        var box = BinaryPrimitives.ReadUInt32BigEndian(head);
        if (box > head.Length || box % 4 != 0 || box < 12)
        {
            return null;
        }
        for (var at = 8; at < box; at = at == 8 ? 16 : at + 4)
        {
            var brand = head.Slice(at, 4);
            if (brand.SequenceEqual("avif"u8) || brand.SequenceEqual("avis"u8))
            {
                return "image/avif";
            }
            if (brand.StartsWith("hei"u8) || brand.StartsWith("hev"u8))
            {
                return "image/heic";
            }
            if (brand.SequenceEqual("M4A "u8) || brand.SequenceEqual("M4B "u8))
            {
                return "audio/mp4";
            }
            if (brand.SequenceEqual("qt  "u8))
            {
                return "video/quicktime";
            }
            if (brand.StartsWith("mp4"u8) || brand.StartsWith("iso"u8) || brand.StartsWith("M4V"u8) || brand.SequenceEqual("avc1"u8) || brand.SequenceEqual("dash"u8))
            {
                return "video/mp4";
            }
        }
        return null;
    }

    /// <summary>Section 6.2.2, "signature for WebM": the document type (EBML element 0x4282, RFC 8794 section 11.2.6) within the header.</summary>
    private static string? Matroska(ReadOnlySpan<byte> head)
    {
        if (!head.StartsWith((ReadOnlySpan<byte>)[0x1A, 0x45, 0xDF, 0xA3]))
        {
            return null;
        }
        var header = head[4..Math.Min(head.Length, 64)];
        var at = header.IndexOf((ReadOnlySpan<byte>)[0x42, 0x82]);
        var type = at >= 0 && at + 3 <= header.Length ? header[(at + 3)..] : [];
        return type.StartsWith("webm"u8) ? "video/webm" : type.StartsWith("matroska"u8) ? "video/x-matroska" : null;
    }

    /// <summary>Section 6.2.3, "signature for MP3 without ID3": a frame, and where it ends another one.</summary>
    private static bool IsMp3(ReadOnlySpan<byte> head) =>
        Mp3Frame(head) is { } length && length <= head.Length && Mp3Frame(head[length..]) is not null;

    /// <summary>The length in bytes of the Layer III frame that begins here; null where none does.</summary>
    private static int? Mp3Frame(ReadOnlySpan<byte> at)
    {
        if (at.Length < 4 || at[0] != 0xFF || (at[1] & 0xE0) != 0xE0)
        {
            return null;
        }
        var (version, layer, bitrate, sampling) = ((at[1] >> 3) & 3, (at[1] >> 1) & 3, at[2] >> 4, (at[2] >> 2) & 3);
        if (version == 1 || layer != 1 || bitrate is 0 or 15 || sampling == 3)
        {
            return null;
        }
        ReadOnlySpan<int> one = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
        ReadOnlySpan<int> two = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
        ReadOnlySpan<int> rates = [44100, 48000, 32000];
        var isOne = version == 3;
        var rate = rates[sampling] >> (isOne ? 0 : version == 2 ? 1 : 2);
        return (isOne ? 144 : 72) * (isOne ? one : two)[bitrate] * 1000 / rate + ((at[2] >> 1) & 1);
    }

    /// <summary>
    /// Section 7.2: a byte order mark, or no "binary data byte" (section 3). UTF-8 besides, so that nothing in another encoding is shown as what it
    /// is not; the head may end within a character.
    /// </summary>
    private static bool IsText(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || head.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
        {
            return IsUtf16(head[2..], bigEndian: head[0] == 0xFE);
        }
        while (!head.IsEmpty)
        {
            var status = Rune.DecodeFromUtf8(head, out var rune, out var length);
            if (status == System.Buffers.OperationStatus.NeedMoreData)
            {
                return true;
            }
            if (status != System.Buffers.OperationStatus.Done || IsBinary(rune.Value))
            {
                return false;
            }
            head = head[length..];
        }
        return true;
    }

    private static bool IsUtf16(ReadOnlySpan<byte> head, bool bigEndian)
    {
        var afterHigh = false;
        for (; head.Length >= 2; head = head[2..])
        {
            var unit = (char)(bigEndian ? BinaryPrimitives.ReadUInt16BigEndian(head) : BinaryPrimitives.ReadUInt16LittleEndian(head));
            if (IsBinary(unit) || char.IsLowSurrogate(unit) != afterHigh)
            {
                return false;
            }
            afterHigh = char.IsHighSurrogate(unit);
        }
        return true;
    }

    private static bool IsBinary(int value) => value is <= 0x08 or 0x0B or (>= 0x0E and <= 0x1A) or (>= 0x1C and <= 0x1F);
}
