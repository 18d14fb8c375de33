using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Runtime.InteropServices;
using System.Text;

namespace Appliance.Files;

/// <summary>A file or a folder of an archive. <c>Parent</c>: the index of the folder that it is in, always a smaller one; -1 at the top.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ZipItem(int Parent, string Name, bool IsFolder, long Size, DateTimeOffset Modified);

/// <summary>Where an archive's bytes come from, one file after the other.</summary>
internal interface IZipContent
{
    /// <summary>Begins with this item's bytes.</summary>
    ValueTask OpenAsync(int item, CancellationToken cancellationToken);

    /// <summary>The next of them; 0 at their end.</summary>
    ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken);
}

/// <summary>
/// Writes a ZIP file front to back, without a temporary file and without holding content (APPNOTE.TXT 6.3.10). Files are stored, not compressed: what is
/// large is compressed already, and so the length is known before the first byte. A file's checksum follows its bytes (section 4.3.9, "data
/// descriptor"); names are UTF-8 (4.4.4, bit 11); ZIP64 where a size, an offset or the count asks for it (4.5.3). Memory: some 20 bytes for each item.
/// </summary>
internal sealed class ZipWriter
{
    private const uint Full = 0xFFFFFFFF;
    private const ushort FullCount = 0xFFFF;
    private const int CopyBuffer = 64 << 10;

    /// <summary>4.4.2: made on Unix (3), by version 6.3 of the specification.</summary>
    private const ushort MadeBy = (3 << 8) | 63;

    private const ushort Version20 = 20;
    private const ushort Version45 = 45; // 4.4.3.2: ZIP64
    private const ushort Utf8Names = 1 << 11;
    private const ushort ChecksumFollows = 1 << 3;
    private const int TimeExtra = 9;

    private readonly IReadOnlyList<ZipItem> _items;
    private readonly int[] _pathBytes;
    private readonly long[] _offsets;
    private readonly uint[] _checksums;
    private readonly long _directoryStart;
    private readonly long _directoryLength;
    private long _unflushed;

    public ZipWriter(IReadOnlyList<ZipItem> items)
    {
        _items = items;
        (_pathBytes, _offsets, _checksums) = (new int[items.Count], new long[items.Count], new uint[items.Count]);
        var at = 0L;
        for (var i = 0; i < items.Count; i++)
        {
            var item = items[i];
            if (item.Parent >= i || (item.Parent >= 0 && !items[item.Parent].IsFolder))
            {
                throw new ArgumentException("An item stands after the folder that it is in.", nameof(items));
            }
            _pathBytes[i] = (item.Parent < 0 ? 0 : _pathBytes[item.Parent]) + Encoding.UTF8.GetByteCount(item.Name) + (item.IsFolder ? 1 : 0);
            _offsets[i] = at;
            at += LocalLength(i) + item.Size + DescriptorLength(item);
        }
        _directoryStart = at;
        for (var i = 0; i < items.Count; i++)
        {
            _directoryLength += 46 + _pathBytes[i] + DirectoryExtra(i);
        }
        Length = _directoryStart + _directoryLength + (IsZip64 ? 56 + 20 : 0) + 22;
    }

    /// <summary>The whole archive's bytes.</summary>
    public long Length { get; }

    /// <summary>4.3.14: one of the numbers at the end does not fit.</summary>
    private bool IsZip64 => _items.Count >= FullCount || _directoryStart >= Full || _directoryLength >= Full;

    /// <summary>Writes all of it, and ends where the reader has gone.</summary>
    /// <param name="output">Completed by the caller.</param>
    /// <param name="content">The files' bytes: exactly as many as each item says.</param>
    /// <param name="mayGoOn">Asked before each piece; where it says no, this throws.</param>
    /// <param name="cancellationToken">Ends it early, at the next piece.</param>
    /// <returns>False: the reader has gone.</returns>
    /// <exception cref="ArchiveCutException">What is there is not what was counted, or may no longer be had: what was written must not be taken for whole.</exception>
    public async Task<bool> WriteAsync(PipeWriter output, IZipContent content, Func<ValueTask<bool>> mayGoOn, CancellationToken cancellationToken)
    {
        for (var i = 0; i < _items.Count; i++)
        {
            WriteLocalHeader(output, i);
            if (!_items[i].IsFolder && !await CopyAsync(output, i, content, mayGoOn, cancellationToken))
            {
                return false;
            }
            if (_unflushed >= CopyBuffer && await HasGoneAsync(output, cancellationToken))
            {
                return false;
            }
        }
        for (var i = 0; i < _items.Count; i++)
        {
            WriteDirectoryHeader(output, i);
            if (_unflushed >= CopyBuffer && await HasGoneAsync(output, cancellationToken))
            {
                return false;
            }
        }
        WriteEnd(output);
        return !await HasGoneAsync(output, cancellationToken);
    }

    /// <summary>Counted here: once its reader has gone a pipe takes bytes without counting them, and would never be asked.</summary>
    private void Advance(PipeWriter output, int count)
    {
        output.Advance(count);
        _unflushed += count;
    }

    private async ValueTask<bool> HasGoneAsync(PipeWriter output, CancellationToken cancellationToken)
    {
        _unflushed = 0;
        var flushed = await output.FlushAsync(cancellationToken);
        return flushed.IsCompleted || flushed.IsCanceled;
    }

    private async Task<bool> CopyAsync(PipeWriter output, int index, IZipContent content, Func<ValueTask<bool>> mayGoOn, CancellationToken cancellationToken)
    {
        var (left, checksum) = (_items[index].Size, 0u);
        if (left > 0)
        {
            await content.OpenAsync(index, cancellationToken);
        }
        while (left > 0)
        {
            if (!await mayGoOn())
            {
                throw new ArchiveCutException("Whoever asked may not have it any more.");
            }
            var memory = output.GetMemory((int)Math.Min(left, CopyBuffer)); // no more than needed: of many small files each would keep a whole buffer
            var read = await content.ReadAsync(memory[..(int)Math.Min(memory.Length, left)], cancellationToken);
            if (read == 0)
            {
                throw new ArchiveCutException("A file has fewer bytes than it says.");
            }
            checksum = Crc32.Append(checksum, memory.Span[..read]);
            Advance(output, read);
            left -= read;
            if (_unflushed >= CopyBuffer && await HasGoneAsync(output, cancellationToken))
            {
                return false;
            }
        }
        _checksums[index] = checksum;
        WriteDescriptor(output, _items[index].Size, checksum);
        return true;
    }

    private static bool IsLarge(ZipItem item) => item.Size >= Full;

    private int LocalLength(int index) => 30 + _pathBytes[index] + TimeExtra + (IsLarge(_items[index]) ? 20 : 0);

    private static int DescriptorLength(ZipItem item) => item.IsFolder ? 0 : IsLarge(item) ? 24 : 16;

    private int DirectoryExtra(int index)
    {
        var zip64 = (IsLarge(_items[index]) ? 16 : 0) + (_offsets[index] >= Full ? 8 : 0);
        return TimeExtra + (zip64 == 0 ? 0 : 4 + zip64);
    }

    /// <summary>4.3.7. Sizes and checksum are zero where they follow (4.4.4, bit 3); a large file has its ZIP64 field all the same, by which
    /// the descriptor's eight bytes are known (4.3.9.2).</summary>
    private void WriteLocalHeader(PipeWriter output, int index)
    {
        var item = _items[index];
        var large = IsLarge(item);
        var into = new Field(output.GetSpan(LocalLength(index)));
        into.Write32(0x04034B50);
        into.Write16(large ? Version45 : Version20);
        WriteCommon(ref into, item);
        into.Write32(0);
        into.Write32(large ? Full : 0);
        into.Write32(large ? Full : 0);
        into.Write16((ushort)_pathBytes[index]);
        into.Write16((ushort)(TimeExtra + (large ? 20 : 0)));
        WritePath(into.Take(_pathBytes[index]), index);
        WriteTime(ref into, item.Modified);
        if (large)
        {
            into.Write16(0x0001); // 4.5.3: both sizes, in this order
            into.Write16(16);
            into.Write64(0);
            into.Write64(0);
        }
        Advance(output, into.Written);
    }

    /// <summary>4.4.4 flags, 4.4.5 method 0 (stored), 4.4.6 time and date as MS-DOS has them, here in UTC.</summary>
    private static void WriteCommon(ref Field into, ZipItem item)
    {
        into.Write16(item.IsFolder ? Utf8Names : (ushort)(Utf8Names | ChecksumFollows));
        into.Write16(0);
        var time = item.Modified.UtcDateTime;
        var counts = time.Year is >= 1980 and <= 2107;
        into.Write16(counts ? (ushort)(time.Hour << 11 | time.Minute << 5 | time.Second / 2) : (ushort)0);
        into.Write16(counts ? (ushort)(time.Year - 1980 << 9 | time.Month << 5 | time.Day) : (ushort)(1 << 5 | 1));
    }

    /// <summary>4.3.9, with the signature that 4.3.9.3 recommends.</summary>
    private void WriteDescriptor(PipeWriter output, long size, uint checksum)
    {
        var into = new Field(output.GetSpan(24));
        into.Write32(0x08074B50);
        into.Write32(checksum);
        if (size >= Full)
        {
            into.Write64(size);
            into.Write64(size);
        }
        else
        {
            into.Write32((uint)size);
            into.Write32((uint)size);
        }
        Advance(output, into.Written);
    }

    /// <summary>4.3.12.</summary>
    private void WriteDirectoryHeader(PipeWriter output, int index)
    {
        var item = _items[index];
        var (large, far) = (IsLarge(item), _offsets[index] >= Full);
        var into = new Field(output.GetSpan(46 + _pathBytes[index] + DirectoryExtra(index)));
        into.Write32(0x02014B50);
        into.Write16(MadeBy);
        into.Write16(large || far ? Version45 : Version20);
        WriteCommon(ref into, item);
        into.Write32(_checksums[index]);
        into.Write32(large ? Full : (uint)item.Size);
        into.Write32(large ? Full : (uint)item.Size);
        into.Write16((ushort)_pathBytes[index]);
        into.Write16((ushort)DirectoryExtra(index));
        into.Write16(0); // comment
        into.Write16(0); // disk
        into.Write16(0); // internal attributes
        // 4.4.15: the upper half is a Unix mode (rw-r--r--, rwxr-xr-x), the lower MS-DOS' own bit for folders.
        into.Write32(item.IsFolder ? (0x41EDu << 16) | 0x10 : 0x81A4u << 16);
        into.Write32(far ? Full : (uint)_offsets[index]);
        WritePath(into.Take(_pathBytes[index]), index);
        WriteTime(ref into, item.Modified);
        if (large || far)
        {
            into.Write16(0x0001); // 4.5.3: only the fields that are full above, in this order
            into.Write16((ushort)((large ? 16 : 0) + (far ? 8 : 0)));
            if (large)
            {
                into.Write64(item.Size);
                into.Write64(item.Size);
            }
            if (far)
            {
                into.Write64(_offsets[index]);
            }
        }
        Advance(output, into.Written);
    }

    private void WriteEnd(PipeWriter output)
    {
        var into = new Field(output.GetSpan(56 + 20 + 22));
        var zip64 = IsZip64;
        if (zip64)
        {
            into.Write32(0x06064B50); // 4.3.14
            into.Write64(56 - 12);
            into.Write16(MadeBy);
            into.Write16(Version45);
            into.Write32(0);
            into.Write32(0);
            into.Write64(_items.Count);
            into.Write64(_items.Count);
            into.Write64(_directoryLength);
            into.Write64(_directoryStart);
            into.Write32(0x07064B50); // 4.3.15
            into.Write32(0);
            into.Write64(_directoryStart + _directoryLength);
            into.Write32(1);
        }
        into.Write32(0x06054B50); // 4.3.16
        into.Write16(0);
        into.Write16(0);
        into.Write16(zip64 ? FullCount : (ushort)_items.Count);
        into.Write16(zip64 ? FullCount : (ushort)_items.Count);
        into.Write32(zip64 ? Full : (uint)_directoryLength);
        into.Write32(zip64 ? Full : (uint)_directoryStart);
        into.Write16(0);
        Advance(output, into.Written);
    }

    /// <summary>4.4.17.1: forward slashes, none at the front; a folder ends with one. Written from its end, folder by folder.</summary>
    private void WritePath(Span<byte> into, int index)
    {
        for (var i = index; i >= 0; i = _items[i].Parent)
        {
            var start = _items[i].Parent < 0 ? 0 : _pathBytes[_items[i].Parent];
            var written = Encoding.UTF8.GetBytes(_items[i].Name, into[start..]);
            if (_items[i].IsFolder)
            {
                into[start + written] = (byte)'/';
            }
        }
    }

    /// <summary>Info-ZIP's "extended timestamp" (APPNOTE 4.6.1, 0x5455): UTC seconds, where MS-DOS' time names no zone.</summary>
    private static void WriteTime(ref Field into, DateTimeOffset modified)
    {
        into.Write16(0x5455);
        into.Write16(5);
        into.Write8(1);
        into.Write32((uint)Math.Clamp(modified.ToUnixTimeSeconds(), 0, int.MaxValue));
    }

    /// <summary>4.4.1.1: all values little-endian.</summary>
    private ref struct Field(Span<byte> into)
    {
        private readonly Span<byte> _into = into;

        public int Written { get; private set; }

        public void Write8(byte value) => Take(1)[0] = value;

        public void Write16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Take(2), value);

        public void Write32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Take(4), value);

        public void Write64(long value) => BinaryPrimitives.WriteInt64LittleEndian(Take(8), value);

        public Span<byte> Take(int count) => _into.Slice((Written += count) - count, count);
    }
}

/// <summary>An archive cannot be brought to its end. Its connection is cut.</summary>
internal sealed class ArchiveCutException(string message) : Exception(message);
