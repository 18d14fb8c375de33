using System.Buffers.Binary;

namespace Appliance.Vault;

/// <summary>
/// Sizes and layout of a sealed object (docs/sealed-format.md): a header of <see cref="HeaderLength"/> bytes, then chunks of
/// <see cref="ChunkSize"/> plain bytes, each <see cref="Overhead"/> bytes longer when sealed; only the last may be shorter.
/// An empty object is one empty chunk; any other object never ends in an empty one. All lengths in bytes.
/// </summary>
public static class SealedFormat
{
    public const int HeaderLength = WrapAt + KeyWrap.WrappedLength;

    /// <summary>Plain bytes in every chunk but the last.</summary>
    public const int ChunkSize = 65536;

    /// <summary>The authentication tag that ends each chunk.</summary>
    public const int Overhead = KeyWrap.TagLength;

    /// <summary>Sealed bytes of every chunk but the last.</summary>
    public const int SealedChunkSize = ChunkSize + Overhead;

    /// <summary>The chunk counter has 32 bits.</summary>
    public const long MaxChunks = 1L << 32;

    /// <summary>256 TiB.</summary>
    public const long MaxPlainLength = MaxChunks * ChunkSize;

    /// <summary>The header's first bytes, which never change: associated data of the key wrap and of every chunk.</summary>
    internal const int ImmutableLength = WrapAt;

    internal const int NoncePrefixAt = 12;
    internal const int NoncePrefixLength = 7;
    internal const int WrapAt = 52;

    private const int ChunkSizeAt = 8;
    private const int ReservedAt = 19;
    private const int TeamAt = 20;
    private const int ObjectAt = 36;
    private const int IdLength = 16;
    private const int CounterAt = NoncePrefixLength;
    private const int LastAt = 11;

    // magic "APSO", format version 1, suite 1 (AES-256-GCM), two reserved bytes
    private static ReadOnlySpan<byte> Start => "APSO\x01\x01\0\0"u8;

    /// <summary>Bytes of the whole sealed object.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative, or more than <see cref="MaxPlainLength"/>.</exception>
    public static long SealedLength(long plain) => HeaderLength + plain + (ChunkCount(plain) * Overhead);

    /// <summary>Bytes that a sealed object of this length holds.</summary>
    /// <exception cref="TamperedException">No object has this length when sealed.</exception>
    public static long PlainLength(long sealedLength)
    {
        var body = sealedLength - HeaderLength;
        if (sealedLength < HeaderLength + Overhead || body > MaxChunks * SealedChunkSize)
        {
            throw new TamperedException($"No sealed object is {sealedLength} bytes long: it was cut or appended to.");
        }

        var chunks = ((body - 1) / SealedChunkSize) + 1;
        var last = body - ((chunks - 1) * SealedChunkSize);
        return last > Overhead || chunks == 1
            ? body - (chunks * Overhead)
            : throw new TamperedException($"No sealed object is {sealedLength} bytes long: it was cut or appended to.");
    }

    /// <summary>Chunks of an object with that many plain bytes; 1 for an empty one.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative, or more than <see cref="MaxPlainLength"/>.</exception>
    public static long ChunkCount(long plain)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(plain);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(plain, MaxPlainLength);
        return plain == 0 ? 1 : ((plain - 1) / ChunkSize) + 1;
    }

    /// <summary>Where a chunk starts in the sealed object.</summary>
    /// <param name="index">From 0 to one less than <see cref="MaxChunks"/>.</param>
    public static long ChunkOffset(long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, MaxChunks);
        return HeaderLength + (index * SealedChunkSize);
    }

    internal static void WriteImmutable(Span<byte> header, TeamId team, ObjectId obj, ReadOnlySpan<byte> noncePrefix)
    {
        header[..ImmutableLength].Clear();
        Start.CopyTo(header);
        BinaryPrimitives.WriteUInt32BigEndian(header[ChunkSizeAt..], ChunkSize);
        noncePrefix.CopyTo(header[NoncePrefixAt..]);
        team.Value.TryWriteBytes(header[TeamAt..], bigEndian: true, out _);
        obj.Value.TryWriteBytes(header[ObjectAt..], bigEndian: true, out _);
    }

    /// <summary>Everything in a header that can be judged without a key; the rest is authenticated by the key wrap.</summary>
    /// <exception cref="TamperedException">It is not the header of this object.</exception>
    internal static void RequireHeaderOf(ReadOnlySpan<byte> header, TeamId team, ObjectId obj)
    {
        if (header.Length != HeaderLength)
        {
            throw Wrong($"its header has {header.Length} bytes instead of {HeaderLength}");
        }

        if (!header.StartsWith(Start)
            || BinaryPrimitives.ReadUInt32BigEndian(header[ChunkSizeAt..]) != ChunkSize
            || header[ReservedAt] != 0)
        {
            throw Wrong("its header does not start as format 1 does");
        }

        if (new Guid(header.Slice(TeamAt, IdLength), bigEndian: true) != team.Value
            || new Guid(header.Slice(ObjectAt, IdLength), bigEndian: true) != obj.Value)
        {
            throw Wrong("its header belongs to another object or team");
        }

        TamperedException Wrong(string what) => new($"Sealed object {obj} of team {team}: {what}.");
    }

    /// <summary>STREAM's nonce: the object's prefix 7 | chunk index, big-endian 4 | 1 for the last chunk, else 0.</summary>
    internal static void WriteNonce(Span<byte> nonce, ReadOnlySpan<byte> header, long index, bool last)
    {
        header.Slice(NoncePrefixAt, NoncePrefixLength).CopyTo(nonce);
        BinaryPrimitives.WriteUInt32BigEndian(nonce[CounterAt..], checked((uint)index));
        nonce[LastAt] = last ? (byte)1 : (byte)0;
    }
}
