using System.Text;
using Appliance.Files;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>The first bytes say what it is; nothing that can run is ever named.</summary>
[Trait("Requirement", "F3")]
public sealed class MediaTypeTests
{
    [Theory]
    [InlineData("89504E470D0A1A0A0000000D49484452", "image/png")]
    [InlineData("FFD8FFE000104A464946", "image/jpeg")]
    [InlineData("474946383961", "image/gif")]
    [InlineData("52494646AABBCCDD574542505650382000", "image/webp")]
    [InlineData("424D4600000000000000360000002800", "image/bmp")]
    [InlineData("0000001C6674797061766966000000006D696631617669666D696166", "image/avif")]
    [InlineData("0000001866747970686569630000000068656963", "application/octet-stream")] // the box says it is longer
    [InlineData("00000018667479706865696300000000686569636D696631", "image/heic")]
    [InlineData("49443304000000000000", "audio/mpeg")]
    [InlineData("664C614300000022", "audio/flac")]
    [InlineData("52494646AABBCCDD57415645", "audio/wav")]
    [InlineData("52494646AABBCCDD41564920", "video/x-msvideo")]
    [InlineData("464F524D0000000041494646", "audio/aiff")]
    [InlineData("0000001866747970697336300000000069736F6D6D703432", "video/mp4")]
    [InlineData("00000018667479704D344120000000006D70343269736F6D", "audio/mp4")]
    [InlineData("0000001466747970717420200000000071742020", "video/quicktime")]
    [InlineData("1A45DFA39F4286810142F7810142F2810442F381084282847765626D", "video/webm")]
    [InlineData("1A45DFA3A34286810142F7810142F2810442F381084282886D6174726F736B61", "video/x-matroska")]
    [InlineData("255044462D312E37", "application/pdf")]
    [InlineData("504B0304140000000800", "application/zip")]
    [InlineData("1F8B0800", "application/gzip")]
    [InlineData("526172211A0700", "application/vnd.rar")]
    [InlineData("377ABCAF271C0004", "application/x-7z-compressed")]
    [InlineData("7F454C4602010100", "application/octet-stream")]
    [InlineData("4D5A90000300", "application/octet-stream")]
    [InlineData("FF", "application/octet-stream")]
    [InlineData("", "text/plain")]
    [InlineData("FFFE68006900", "text/plain")]
    [InlineData("FEFF00680069", "text/plain")]
    [InlineData("FFFE00006900", "application/octet-stream")]
    [InlineData("FFFE00DC6900", "application/octet-stream")]
    [InlineData("EFBBBF6869", "text/plain")]
    [InlineData("E4F6FC", "application/octet-stream")] // ISO 8859-1
    [InlineData("68E282", "text/plain")] // ends within a character
    [InlineData("C0AF", "application/octet-stream")]
    [InlineData("1B5B306D", "text/plain")] // the escape of terminals is no binary data byte
    public void The_first_bytes_decide(string hex, string type) => MediaTypes.Of(Convert.FromHexString(hex)).ShouldBe(type);

    [Theory]
    [InlineData("<!DOCTYPE html><script>alert(1)</script>")]
    [InlineData("  <html>")]
    [InlineData("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")]
    [InlineData("<?xml version='1.0'?><x/>")]
    [InlineData("alert(1)")]
    [InlineData("BMW is a car, not a bitmap.")]
    [InlineData("GIF89 without its letter")]
    [InlineData("MZ is how some texts begin")]
    [InlineData("<!-- %PDF-1.7 --><script>")]
    [InlineData("日本語のテキスト 🙂")]
    public void What_can_run_is_plain_text(string text) => MediaTypes.Of(Encoding.UTF8.GetBytes(text)).ShouldBe("text/plain");

    [Fact]
    public void Ogg_says_by_its_first_packet_what_it_carries()
    {
        static byte[] Page(string packet) => [.. "OggS\0"u8, .. new byte[21], 1, 30, .. Encoding.Latin1.GetBytes(packet)];
        MediaTypes.Of(Page("\u0001vorbis")).ShouldBe("audio/ogg");
        MediaTypes.Of(Page("OpusHead")).ShouldBe("audio/ogg");
        MediaTypes.Of(Page("\u0080theora")).ShouldBe("video/ogg");
        MediaTypes.Of(Page("something")).ShouldBe("application/ogg");
        MediaTypes.Of("OggS\0"u8).ShouldBe("application/ogg");
    }

    [Fact]
    public void An_MP3_without_ID3_is_two_frames_one_after_the_other()
    {
        // MPEG-1 Layer III, 128 kbit/s, 44.1 kHz: 417 bytes a frame.
        var frame = new byte[417];
        (frame[0], frame[1], frame[2]) = (0xFF, 0xFB, 0x90);
        MediaTypes.Of([.. frame, .. frame]).ShouldBe("audio/mpeg");
        MediaTypes.Of(frame).ShouldBe("application/octet-stream");
        MediaTypes.Of([.. frame, 0, .. frame]).ShouldBe("application/octet-stream");
    }

    [Fact]
    public void No_head_however_it_is_cut_or_made_up_makes_it_throw_or_name_what_can_run()
    {
        var random = new Random(4711);
        string[] starts = ["", "RIFF", "OggS\0", "\0\0\0\u0018ftyp", "\u001aE\u00df\u00a3", "\u00ff\u00fb\u0090", "BM", "FORM", "%PDF-", "<svg", "\u00ff\u00fe"];
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = new byte[random.Next(0, 600)];
            random.NextBytes(bytes);
            var start = Encoding.Latin1.GetBytes(starts[random.Next(starts.Length)]);
            start.AsSpan(0, Math.Min(start.Length, bytes.Length)).CopyTo(bytes);
            MediaTypes.Of(bytes).ShouldNotBeOneOf("text/html", "image/svg+xml", "text/xml", "application/xml", "text/javascript");
        }
    }
}
