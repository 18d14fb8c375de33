using System.Formats.Cbor;

namespace Appliance.SignIn.SecurityKeys.Attestation;

/// <summary>
/// An attestation object (WebAuthn §6.5.4): a map of exactly fmt, attStmt and authData. The statement is kept encoded: its format
/// says what it holds.
/// </summary>
internal sealed record AttestationObject(string Format, ReadOnlyMemory<byte> Statement, AuthenticatorData Data)
{
    /// <summary>Far more than any authenticator sends: a TPM's statement with its certificates is the largest, below 10 KiB.</summary>
    public const int MaxBytes = 32 * 1024;

    /// <exception cref="AttestationException">Not an attestation object, or one without a credential.</exception>
    public static AttestationObject Parse(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length > MaxBytes)
        {
            throw new AttestationException("Attestation object: too large.");
        }
        var parsed = StrictCbor.ReadAll(bytes, "Attestation object", reader =>
        {
            var entries = reader.ReadStartMap();
            // The canonical order: shorter keys first.
            var format = Named(reader, "fmt").ReadTextString();
            var statement = Named(reader, "attStmt").ReadEncodedValue();
            var data = Named(reader, "authData").ReadByteString();
            reader.ReadEndMap();
            return entries == 3 ? (format, statement, data) : throw new AttestationException("Attestation object: unknown entries.");
        });
        var data = AuthenticatorData.Parse(parsed.data);
        return data.Credential is null
            ? throw new AttestationException("Attestation object: no credential in it.")
            : new AttestationObject(parsed.format, parsed.statement, data);
    }

    private static CborReader Named(CborReader reader, string name) => reader.ReadTextString() == name
        ? reader
        : throw new AttestationException("Attestation object: an entry is missing or out of order.");
}

/// <summary>The entries that the formats here know: alg, sig, x5c. Anything else in a statement is refused.</summary>
internal sealed record AttestationStatement(int? Algorithm, ReadOnlyMemory<byte> Signature, IReadOnlyList<byte[]>? Certificates)
{
    private const int MaxCertificates = 8;

    public static AttestationStatement Parse(ReadOnlyMemory<byte> bytes) => StrictCbor.ReadAll(bytes, "Attestation statement", reader =>
    {
        int? algorithm = null;
        byte[] signature = [];
        List<byte[]>? certificates = null;
        for (var left = reader.ReadStartMap(); left > 0; left--)
        {
            switch (reader.ReadTextString())
            {
                case "alg": algorithm = reader.ReadInt32(); break;
                case "sig": signature = reader.ReadByteString(); break;
                case "x5c": certificates = ReadCertificates(reader); break;
                default: throw new AttestationException("Attestation statement: an entry that its format does not know.");
            }
        }
        reader.ReadEndMap();
        return new AttestationStatement(algorithm, signature, certificates);
    });

    private static List<byte[]> ReadCertificates(CborReader reader)
    {
        var certificates = new List<byte[]>();
        for (var left = reader.ReadStartArray(); left > 0; left--)
        {
            certificates.Add(certificates.Count < MaxCertificates
                ? reader.ReadByteString()
                : throw new AttestationException("Attestation statement: too many certificates."));
        }
        reader.ReadEndArray();
        return certificates;
    }
}
