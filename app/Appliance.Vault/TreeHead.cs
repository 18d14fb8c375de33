using System.Buffers.Binary;

namespace Appliance.Vault;

/// <summary>
/// What a tree was at a moment: which tree, how many leaves, which root, signed when (UTC, cut to whole microseconds, as PostgreSQL
/// keeps it). Two heads are equal when their encodings are.
/// </summary>
public sealed record TreeHead(Guid Tree, long Size, ReadOnlyMemory<byte> Root, DateTimeOffset SignedAt)
{
    /// <summary>Bytes of <see cref="Encode"/>.</summary>
    public const int EncodedLength = 24 + 16 + sizeof(long) + MerkleTree.HashLength + sizeof(long);

    /// <exception cref="ArgumentOutOfRangeException">Negative.</exception>
    public long Size { get; init => field = RequireSize(value); } = RequireSize(Size);

    /// <exception cref="ArgumentException">Not 32 bytes.</exception>
    public ReadOnlyMemory<byte> Root { get; init => field = RequireHash(value); } = RequireHash(Root);

    public DateTimeOffset SignedAt { get; init => field = Microseconds(value); } = Microseconds(SignedAt);

    private static ReadOnlySpan<byte> Domain => "appliance tree head v1\n\0"u8;

    /// <summary>
    /// The bytes that are signed, one form for each head: "appliance tree head v1\n\0" 24 | tree id 16 | size 8 | root 32 |
    /// microseconds since 1970-01-01T00:00:00Z, two's complement 8. Integers and the id are big-endian.
    /// </summary>
    public byte[] Encode()
    {
        var bytes = new byte[EncodedLength];
        Domain.CopyTo(bytes);
        Tree.TryWriteBytes(bytes.AsSpan(24), bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(40), Size);
        Root.Span.CopyTo(bytes.AsSpan(48));
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(80), (SignedAt - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
        return bytes;
    }

    public bool Equals(TreeHead? other) => other is not null && Encode().AsSpan().SequenceEqual(other.Encode());

    public override int GetHashCode() => HashCode.Combine(Tree, Size, SignedAt);

    private static long RequireSize(long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        return size;
    }

    private static ReadOnlyMemory<byte> RequireHash(ReadOnlyMemory<byte> root) => root.Length == MerkleTree.HashLength
        ? root.ToArray()
        : throw new ArgumentException($"A root has {MerkleTree.HashLength} bytes, not {root.Length}.", nameof(root));

    private static DateTimeOffset Microseconds(DateTimeOffset moment) =>
        new(moment.UtcTicks - (moment.UtcTicks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
}
