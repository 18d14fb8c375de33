using System.Buffers;
using System.Security.Cryptography;

namespace Appliance.Files;

/// <summary>The checksum that a client sent with a request's body, and the one that its bytes have.</summary>
public sealed class BodyChecksum : IDisposable
{
    private readonly IncrementalHash _hash;
    private readonly byte[] _expected;

    private BodyChecksum(HashAlgorithmName algorithm, byte[] expected)
    {
        _hash = IncrementalHash.CreateHash(algorithm);
        _expected = expected;
    }

    /// <summary>As clients name them. SHA-1 is the one that tus requires; against accidents, not attackers, it is enough.</summary>
    public static IReadOnlyList<string> Algorithms { get; } = ["sha256", "sha1"];

    /// <summary>Null for an algorithm that is not one of <see cref="Algorithms"/>, or a value of another length than its.</summary>
    public static BodyChecksum? Create(string algorithm, byte[] expected) => (algorithm, expected.Length) switch
    {
        ("sha256", SHA256.HashSizeInBytes) => new BodyChecksum(HashAlgorithmName.SHA256, expected),
        ("sha1", SHA1.HashSizeInBytes) => new BodyChecksum(HashAlgorithmName.SHA1, expected),
        _ => null,
    };

    public void Append(in ReadOnlySequence<byte> bytes)
    {
        foreach (var part in bytes)
        {
            _hash.AppendData(part.Span);
        }
    }

    /// <summary>Whether the bytes so far are those that were meant. Once.</summary>
    public bool Matches() => CryptographicOperations.FixedTimeEquals(_hash.GetHashAndReset(), _expected);

    public void Dispose() => _hash.Dispose();
}
