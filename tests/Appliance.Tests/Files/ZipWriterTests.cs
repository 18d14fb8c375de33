using System.Buffers;
using System.Diagnostics;
using System.IO.Compression;
using System.IO.Pipelines;
using System.Text;
using Appliance.Files;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>The writer alone, its archives read by programs that are not ours.</summary>
[Trait("Requirement", "F1")]
public sealed class ZipWriterTests : IDisposable
{
    private static readonly DateTimeOffset s_then = new(2024, 2, 29, 13, 14, 16, TimeSpan.Zero);

    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-zip-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Unzip_and_python_read_names_of_any_script_empty_folders_and_empty_files()
    {
        string[] names = ["plain.txt", "Grüße – 東京.txt", "مرحبا.txt", "🙂🏳️‍🌈.txt", "שלום עולם", "a b'c\"d$(x);.txt", "-rf", "%2e%2e", new string('ü', 120)];
        var items = new List<ZipItem> { Folder(-1, "Ordner ä"), Folder(0, "empty"), Folder(0, "日本"), File(2, "zero", 0) };
        items.AddRange(names.Select((name, i) => File(2, name, i * 1000)));
        var path = await WriteAsync(items);

        Run("unzip", "-tqq", path);
        using var zip = ZipFile.OpenRead(path);
        zip.Entries.Select(e => e.FullName).ShouldBe(["Ordner ä/", "Ordner ä/empty/", "Ordner ä/日本/", "Ordner ä/日本/zero", .. names.Select(n => "Ordner ä/日本/" + n)]);
        foreach (var (entry, index) in zip.Entries.Select((e, i) => (e, i)).Where(x => !items[x.i].IsFolder))
        {
            await using var stream = await entry.OpenAsync();
            using var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes);
            bytes.ToArray().ShouldBe(Pattern.Bytes(index, (int)items[index].Size));
            entry.LastWriteTime.DateTime.ShouldBe(s_then.DateTime);
        }
        Run("python3", "-c", "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; assert all(i.flag_bits & 2048 for i in z.infolist()); assert oct(z.infolist()[0].external_attr >> 16) == '0o40755'", path);
    }

    [Fact]
    public async Task Nothing_at_all_is_an_archive_too()
    {
        var path = await WriteAsync([]);
        Run("python3", "-c", "import sys, zipfile; assert zipfile.ZipFile(sys.argv[1]).namelist() == []", path);
    }

    [Theory]
    [InlineData(65_534)]
    [InlineData(65_535)]
    [InlineData(70_001)]
    public async Task More_entries_than_sixteen_bits_count_are_read_back(int count)
    {
        var path = await WriteAsync([.. Enumerable.Range(0, count).Select(i => File(-1, $"f{i}", i % 3))]);
        Run("python3", "-c", "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert len(z.infolist()) == int(sys.argv[2]); assert z.read('f65533') == z.read('f65533')", path, count.ToString());
        Run("unzip", "-tqq", path);
    }

    [Fact]
    public async Task A_file_of_four_gibibytes_and_what_comes_after_it_are_read_back()
    {
        // Sparse where the file system can: zeros are skipped, not written.
        var large = (4L << 30) + 12_345;
        ZipItem[] items = [File(-1, "before", 10), File(-1, "large", large), File(-1, "after", 20), File(-1, "just-below", 0xFFFFFFFE % 1000)];
        var path = await WriteAsync(items, zerosFrom: 1 << 20);
        new FileInfo(path).Length.ShouldBe(new ZipWriter(items).Length);
        Run("python3", "-c",
            "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); i = z.getinfo('large'); assert i.file_size == int(sys.argv[2]); assert len(z.read('after')) == 20 and len(z.read('before')) == 10; f = z.open('large'); f.read(100)",
            path, large.ToString());
        using var zip = ZipFile.OpenRead(path);
        zip.GetEntry("large")!.Length.ShouldBe(large);
        Run("unzip", "-tqq", path, "after", "before", "just-below");
    }

    [Theory]
    [InlineData(0xFFFFFFFEL)]
    [InlineData(0xFFFFFFFFL)]
    [InlineData(0x100000000L)]
    public void The_length_is_known_beforehand_at_every_border(long size)
    {
        // Without the bytes: local header 30 + name + time, descriptor, directory, end.
        var plain = 30 + 1 + 9 + 16 + 46 + 1 + 9 + 22;
        var zip64 = new ZipWriter([File(-1, "x", size)]).Length - size - plain;
        // In the header 20, in the descriptor 8, in the directory 20, at the end 76, from the first size on that does not fit; the directory's place alone
        // asks for the end's.
        zip64.ShouldBe(size >= 0xFFFFFFFFL ? 20 + 8 + 20 + 76 : 76);
    }

    [Fact]
    public async Task A_source_that_ends_early_or_may_not_go_on_is_no_archive()
    {
        var writer = new ZipWriter([File(-1, "x", 100)]);
        await Should.ThrowAsync<ArchiveCutException>(() => writer.WriteAsync(PipeWriter.Create(Stream.Null), new Pattern([File(-1, "x", 50)], 0), () => new(true), default));
        await Should.ThrowAsync<ArchiveCutException>(() => writer.WriteAsync(PipeWriter.Create(Stream.Null), new Pattern([File(-1, "x", 100)], 0), () => new(false), default));
    }

    [Fact]
    public async Task A_reader_that_has_gone_ends_the_reading_at_once()
    {
        var items = Enumerable.Range(0, 100_000).Select(i => File(-1, $"f{i}", 100)).ToArray();
        var source = new Pattern(items, 0);
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 1 << 20, resumeWriterThreshold: 1 << 19));
        var writing = new ZipWriter(items).WriteAsync(pipe.Writer, source, () => new(true), default);
        var read = 0L;
        while (read < 5 << 20)
        {
            var result = await pipe.Reader.ReadAsync();
            read += result.Buffer.Length;
            pipe.Reader.AdvanceTo(result.Buffer.End);
        }
        await pipe.Reader.CompleteAsync();
        (await writing).ShouldBeFalse();
        source.Opened.ShouldBeLessThan(60_000, $"{read} bytes were read");
    }

    [Fact]
    public void The_checksum_is_that_of_the_specification()
    {
        Crc32.Append(0, "123456789"u8).ShouldBe(0xCBF43926u);
        Crc32.Append(Crc32.Append(0, "1234"u8), "56789"u8).ShouldBe(0xCBF43926u);
        Crc32.Append(0, []).ShouldBe(0u);
    }

    private static ZipItem Folder(int parent, string name) => new(parent, name, true, 0, s_then);

    private static ZipItem File(int parent, string name, long size) => new(parent, name, false, size, s_then);

    private async Task<string> WriteAsync(IReadOnlyList<ZipItem> items, long zerosFrom = long.MaxValue)
    {
        var path = Path.Combine(_folder, "x.zip");
        await using (var file = new SparseStream(System.IO.File.Create(path)))
        {
            var output = PipeWriter.Create(file, new StreamPipeWriterOptions(minimumBufferSize: 64 << 10, leaveOpen: true));
            var writer = new ZipWriter(items);
            (await writer.WriteAsync(output, new Pattern(items, zerosFrom), () => new(true), default)).ShouldBeTrue();
            await output.CompleteAsync();
            file.Length.ShouldBe(writer.Length);
        }
        return path;
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        process.ExitCode.ShouldBe(0, $"{program}: {output.Result} {error}");
    }

    /// <summary>Bytes that tell which item they are of; zeros for items of a certain size on.</summary>
    private sealed class Pattern(IReadOnlyList<ZipItem> items, long zerosFrom) : IZipContent
    {
        private long _left;
        private int _item;

        public int Opened { get; private set; }

        public static byte[] Bytes(int item, int size) => [.. Enumerable.Range(0, size).Select(i => (byte)(item + 1))];

        public ValueTask OpenAsync(int item, CancellationToken cancellationToken)
        {
            (_item, _left) = (item, items[item].Size);
            Opened++;
            return ValueTask.CompletedTask;
        }

        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var count = (int)Math.Min(buffer.Length, _left);
            buffer.Span[..count].Fill((byte)(items[_item].Size >= zerosFrom ? 0 : _item + 1));
            _left -= count;
            return ValueTask.FromResult(count);
        }
    }

    /// <summary>A file in which long runs of zeros are holes.</summary>
    private sealed class SparseStream(FileStream file) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => file.Position;

        public override long Position { get => file.Position; set => throw new NotSupportedException(); }

        public override void Flush() => file.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (buffer.Length >= 4096 && buffer.IndexOfAnyExcept((byte)0) < 0)
            {
                file.Seek(buffer.Length, SeekOrigin.Current);
                return;
            }
            file.Write(buffer);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Write(buffer.Span);
            return ValueTask.CompletedTask;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                file.SetLength(file.Position);
                file.Dispose();
            }
            base.Dispose(disposing);
        }
    }
}
