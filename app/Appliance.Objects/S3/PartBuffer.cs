using System.Buffers;

namespace Appliance.Objects.S3;

/// <summary>The bytes of one part, in pooled pieces, so that a small object costs little. Holds sealed bytes only.</summary>
internal sealed class PartBuffer : IDisposable
{
    const int PieceSize = 256 << 10;

    readonly List<byte[]> _pieces = [];

    public long Length { get; private set; }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var at = (int)(Length % PieceSize);
            if (at == 0)
            {
                _pieces.Add(ArrayPool<byte>.Shared.Rent(PieceSize));
            }
            var taken = Math.Min(bytes.Length, PieceSize - at);
            bytes[..taken].CopyTo(_pieces[^1].AsSpan(at));
            bytes = bytes[taken..];
            Length += taken;
        }
    }

    /// <summary>For one request; it can rewind, which the SDK does to sign and to try again.</summary>
    public Stream OpenRead() => new PieceStream(this);

    public void Dispose()
    {
        foreach (var piece in _pieces)
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
        _pieces.Clear();
        Length = 0;
    }

    sealed class PieceStream(PartBuffer buffer) : Stream
    {
        long _position;

        public override bool CanRead => true;
        public override bool CanSeek => true;
        public override bool CanWrite => false;
        public override long Length => buffer.Length;

        public override long Position
        {
            get => _position;
            set => _position = value >= 0 && value <= Length ? value : throw new ArgumentOutOfRangeException(nameof(value));
        }

        public override int Read(Span<byte> into)
        {
            var at = (int)(_position % PieceSize);
            var count = (int)Math.Min(Math.Min(into.Length, PieceSize - at), Length - _position);
            if (count > 0)
            {
                buffer._pieces[(int)(_position / PieceSize)].AsSpan(at, count).CopyTo(into);
                _position += count;
            }
            return Math.Max(count, 0);
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            cancellationToken.IsCancellationRequested ? ValueTask.FromCanceled<int>(cancellationToken) : new(Read(buffer.Span));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
        {
            SeekOrigin.Begin => offset,
            SeekOrigin.Current => _position + offset,
            _ => Length + offset,
        };

        public override void Flush() { }
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
