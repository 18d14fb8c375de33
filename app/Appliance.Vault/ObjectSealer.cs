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
        Span<byte> objectKey = stackalloc byte[KeyWrap.KeyLength];
        try
        {
            Unwrap(team, obj, header, objectKey);
            return new OpeningSession(new AesGcm(objectKey, KeyWrap.TagLength), header[..SealedFormat.ImmutableLength].ToArray(), obj);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(objectKey);
        }
    }

    /// <summary>
    /// The header with its key wrapped by the newest generation of the team's key; null: it is that already. Nothing else in the object changes, so the new header
    /// goes with the old chunks.
    /// </summary>
    /// <inheritdoc cref="Open" path="/param"/>
    /// <inheritdoc cref="Open" path="/exception"/>
    public byte[]? Rewrap(TeamId team, ObjectId obj, ReadOnlySpan<byte> header)
    {
        RequireNamed(obj);
        SealedFormat.RequireHeaderOf(header, team, obj);
        Span<byte> objectKey = stackalloc byte[KeyWrap.KeyLength];
        Span<byte> teamKey = stackalloc byte[KeyWrap.KeyLength];
        try
        {
            if (Unwrap(team, obj, header, objectKey) == 0)
            {
                return null;
            }

            var rewrapped = header.ToArray();
            keys.CopyKey(team, teamKey);
            KeyWrap.Wrap(teamKey, objectKey, rewrapped.AsSpan(0, SealedFormat.ImmutableLength), rewrapped.AsSpan(SealedFormat.WrapAt), RandomNumberGenerator.Fill);
            return rewrapped;
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

    /// <summary>Answers which generation of the team's key wrapped it, 0 being the newest. A wrap has no room for saying it: its tag tells.</summary>
    private int Unwrap(TeamId team, ObjectId obj, ReadOnlySpan<byte> header, Span<byte> objectKey)
    {
        Span<byte> teamKeys = stackalloc byte[TeamKeyFile.MostGenerations * KeyWrap.KeyLength];
        try
        {
            var count = keys.CopyKeys(team, teamKeys);
            for (var generation = 0; generation < count; generation++)
            {
                if (KeyWrap.TryUnwrap(
                    teamKeys.Slice(generation * KeyWrap.KeyLength, KeyWrap.KeyLength), header[SealedFormat.WrapAt..], header[..SealedFormat.ImmutableLength], objectKey))
                {
                    return generation;
                }
            }

            throw new TamperedException($"Sealed object {obj} of team {team}: its header was altered, or sealed under another team key.");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(teamKeys);
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
