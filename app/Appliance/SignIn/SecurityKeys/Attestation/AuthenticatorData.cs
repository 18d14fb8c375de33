using System.Buffers.Binary;

namespace Appliance.SignIn.SecurityKeys.Attestation;

/// <summary>Bits of WebAuthn §6.1; the two reserved ones are ignored, as it says.</summary>
[Flags]
internal enum AuthenticatorFlags
{
    None = 0,
    UserPresent = 1,
    UserVerified = 4,
    BackupEligible = 8,
    BackedUp = 16,
    AttestedCredential = 64,
    Extensions = 128,
}

/// <summary>Authenticator data (WebAuthn §6.1): exactly as long as its flags say, every part in its one valid form.</summary>
internal sealed class AuthenticatorData
{
    private const int MinLength = 37;
    private const int MaxCredentialIdLength = 1023;

    private AuthenticatorData(ReadOnlyMemory<byte> bytes) => Bytes = bytes;

    public ReadOnlyMemory<byte> Bytes { get; }

    public ReadOnlySpan<byte> RpIdHash => Bytes.Span[..32];

    public AuthenticatorFlags Flags => (AuthenticatorFlags)Bytes.Span[32];

    public uint SignCount => BinaryPrimitives.ReadUInt32BigEndian(Bytes.Span[33..]);

    /// <summary>Null in an assertion.</summary>
    public AttestedCredential? Credential { get; private init; }

    /// <exception cref="AttestationException">Not authenticator data.</exception>
    public static AuthenticatorData Parse(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length < MinLength)
        {
            throw new AttestationException("Authenticator data: too short.");
        }
        var flags = (AuthenticatorFlags)bytes.Span[32];
        var rest = bytes[MinLength..];
        AttestedCredential? credential = null;
        if (flags.HasFlag(AuthenticatorFlags.AttestedCredential))
        {
            credential = ParseCredential(ref rest);
        }
        if (flags.HasFlag(AuthenticatorFlags.Extensions))
        {
            rest = rest[StrictCbor.FirstMapLength(rest, "Extensions")..];
        }
        return rest.IsEmpty
            ? new AuthenticatorData(bytes) { Credential = credential }
            : throw new AttestationException("Authenticator data: something follows it.");
    }

    // WebAuthn §6.5.1: AAGUID, length of the credential id, the id, the public key.
    private static AttestedCredential ParseCredential(ref ReadOnlyMemory<byte> rest)
    {
        if (rest.Length < 18)
        {
            throw new AttestationException("Attested credential data: too short.");
        }
        var aaguid = new Guid(rest.Span[..16], bigEndian: true);
        var idLength = BinaryPrimitives.ReadUInt16BigEndian(rest.Span[16..]);
        rest = rest[18..];
        if (idLength is 0 or > MaxCredentialIdLength || idLength > rest.Length)
        {
            throw new AttestationException("Attested credential data: a credential id has 1 to 1023 bytes.");
        }
        var id = rest[..idLength];
        rest = rest[idLength..];
        var keyLength = StrictCbor.FirstMapLength(rest, "Public key");
        var encoded = rest[..keyLength];
        var key = CoseKey.Parse(encoded);
        rest = rest[keyLength..];
        return new AttestedCredential(aaguid, id, key, encoded);
    }
}

/// <summary>The new credential inside authenticator data. The AAGUID is the authenticator's model, nil where it does not say.</summary>
internal sealed record AttestedCredential(Guid Aaguid, ReadOnlyMemory<byte> Id, CoseKey PublicKey, ReadOnlyMemory<byte> EncodedKey);
