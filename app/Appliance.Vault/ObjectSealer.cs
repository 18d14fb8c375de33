using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>
/// Seals and opens objects: each under its own random 256-bit key, wrapped by the team's key, in AES-256-GCM chunks by the
/// STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
/// Misuse-Resistance", CRYPTO 2015). Safe for use by many threads; each session belongs to one.
/// </summary>
public sealed class ObjectSealer(TeamKeys keys)
{
    /// <summary>Starts a new sealed object. An object id is sealed once: another version is another object.</summary>
    /// <exception cref="TeamKeyMissingException">The team's key was never made, or was destroyed.</exception>
    /// <exception cref="TamperedException">The team's key file was altered.</exception>
    /// <exception cref="ArgumentException">An id is all zero.</exception>
    public SealingSession Seal(TeamId team, ObjectId obj) => Seal(team, obj, RandomNumberGenerator.Fill, firstChunk: 0);

    /// <summary>Opens the header of a sealed object; the session then opens its chunks in any order.</summary>
    /// <param name="team">The team that the caller knows the object to belong to.</param>
    /// <param name="obj">The object that the caller asked the store for.</param>
    /// <param name="header">Its first <see cref="SealedFormat.HeaderLength"/> bytes.</param>
    /// <exception cref="TamperedException">Not the header of this object of this team, or altered.</exception>
    /// <exception cref="TeamKeyMissingException">The team's key was never made, or was destroyed.</exception>
    public OpeningSession Open(TeamId team, ObjectId obj, ReadOnlySpan<byte> header)
    {
        RequireNamed(obj);
        SealedFormat.RequireHeaderOf(header, team, obj);
        Span<byte> teamKey = stackalloc byte[KeyWrap.KeyLength];
        Span<byte> objectKey = stackalloc byte[KeyWrap.KeyLength];
        try
        {
            keys.CopyKey(team, teamKey);
            var immutable = header[..SealedFormat.ImmutableLength];
            return KeyWrap.TryUnwrap(teamKey, header[SealedFormat.WrapAt..], immutable, objectKey)
                ? new OpeningSession(new AesGcm(objectKey, KeyWrap.TagLength), immutable.ToArray(), obj)
                : throw new TamperedException($"Sealed object {obj} of team {team}: its header was altered, or sealed under another team key.");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(teamKey);
            CryptographicOperations.ZeroMemory(objectKey);
        }
    }

    /// <summary>The seam for test vectors: random bytes in the order object key 32, nonce prefix 7, wrap nonce 12.</summary>
    internal SealingSession Seal(TeamId team, ObjectId obj, RandomFill random, long firstChunk)
    {
        RequireNamed(obj);
        var header = new byte[SealedFormat.HeaderLength];
        Span<byte> noncePrefix = stackalloc byte[SealedFormat.NoncePrefixLength];
        Span<byte> teamKey = stackalloc byte[KeyWrap.KeyLength];
        Span<byte> objectKey = stackalloc byte[KeyWrap.KeyLength];
        try
        {
            keys.CopyKey(team, teamKey);
            random(objectKey);
            random(noncePrefix);
            SealedFormat.WriteImmutable(header, team, obj, noncePrefix);
            KeyWrap.Wrap(teamKey, objectKey, header.AsSpan(0, SealedFormat.ImmutableLength), header.AsSpan(SealedFormat.WrapAt), random);
            return new SealingSession(new AesGcm(objectKey, KeyWrap.TagLength), header, firstChunk);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(teamKey);
            CryptographicOperations.ZeroMemory(objectKey);
        }
    }

    private static void RequireNamed(ObjectId obj)
    {
        if (obj.Value == Guid.Empty)
        {
            throw new ArgumentException("The all-zero id names no object.", nameof(obj));
        }
    }
}
