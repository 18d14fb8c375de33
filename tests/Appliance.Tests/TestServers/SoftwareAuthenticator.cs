using System.Buffers.Binary;
using System.Buffers.Text;
using System.Formats.Cbor;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Appliance.Tests.TestServers;

/// <summary>
/// A security key and the browser around it, in test code: answers creation and request options as WebAuthn does, or wrongly on
/// purpose. Change it with <c>with</c>; the private key stays the same.
/// </summary>
public sealed record SoftwareAuthenticator
{
    public const byte UserPresent = 0x01;
    public const byte UserVerified = 0x04;
    public const byte BackupEligible = 0x08;
    public const byte BackedUp = 0x10;
    public const byte Attested = 0x40;
    public const byte HasExtensions = 0x80;

    /// <summary>Where the browser is.</summary>
    public required string Origin { get; init; }

    /// <summary>Null: what the options say.</summary>
    public string? RpId { get; init; }

    public ECDsa Key { get; init; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>Signs instead of <see cref="Key"/> where it is set; <see cref="PublicKey"/> goes with it.</summary>
    public RSA? Rsa { get; init; }

    public byte[] CredentialId { get; init; } = RandomNumberGenerator.GetBytes(32);

    public Guid Aaguid { get; init; } = new("d8522d9f-575b-4866-88a9-ba99fa02f35b");

    /// <summary>Flags besides those that say what follows.</summary>
    public byte Flags { get; init; } = UserPresent;

    public uint Counter { get; init; } = 1;

    /// <summary>none, packed, fido-u2f, or the name of any other format.</summary>
    public string Format { get; init; } = "none";

    /// <summary>Whose certificate vouches for the key; null: packed self attestation.</summary>
    public AttestationMaker? Maker { get; init; }

    /// <summary>The number in packed's alg.</summary>
    public int Algorithm { get; init; } = -7;

    /// <summary>Null: the COSE_Key of <see cref="Key"/>.</summary>
    public byte[]? PublicKey { get; init; }

    /// <summary>Null: none sent, as U2F keys do.</summary>
    public string? UserHandle { get; init; }

    public Action<JsonObject>? ChangeClientData { get; init; }

    /// <summary>Before it is signed, so that the signature is right.</summary>
    public Func<byte[], byte[]>? ChangeAuthenticatorData { get; init; }

    /// <summary>After it is signed, so that the signature is wrong.</summary>
    public Func<byte[], byte[]>? ChangeSigned { get; init; }

    public Func<byte[], byte[]>? ChangeSignature { get; init; }

    public Func<byte[], byte[]>? ChangeAttestationObject { get; init; }

    public Action<JsonObject>? ChangeCredential { get; init; }

    /// <summary>navigator.credentials.create(), as toJSON() gives it.</summary>
    public string Register(string optionsJson)
    {
        var options = JsonNode.Parse(optionsJson)!;
        var clientData = ClientData("webauthn.create", options);
        var data = AuthenticatorData(RpId ?? options["rp"]!["id"]!.GetValue<string>(), AttestedCredential());
        var statement = Statement(data, SHA256.HashData(clientData));
        var attestation = Map(w =>
        {
            w.WriteTextString("fmt");
            w.WriteTextString(Format);
            w.WriteTextString("attStmt");
            w.WriteEncodedValue(statement);
            w.WriteTextString("authData");
            w.WriteByteString(ChangeSigned?.Invoke(data) ?? data);
        }, 3);
        return Credential(new JsonObject
        {
            ["clientDataJSON"] = Text(clientData),
            ["attestationObject"] = Text(ChangeAttestationObject?.Invoke(attestation) ?? attestation),
            ["transports"] = new JsonArray("usb", "nfc"),
        });
    }

    /// <summary>navigator.credentials.get(), as toJSON() gives it.</summary>
    public string Assert(string optionsJson)
    {
        var options = JsonNode.Parse(optionsJson)!;
        var clientData = ClientData("webauthn.get", options);
        var data = AuthenticatorData(RpId ?? options["rpId"]!.GetValue<string>(), []);
        var signature = Sign([.. data, .. SHA256.HashData(clientData)]);
        return Credential(new JsonObject
        {
            ["clientDataJSON"] = Text(clientData),
            ["authenticatorData"] = Text(ChangeSigned?.Invoke(data) ?? data),
            ["signature"] = Text(ChangeSignature?.Invoke(signature) ?? signature),
            ["userHandle"] = UserHandle,
        });
    }

    public static string Text(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);

    /// <summary>A CBOR map in canonical form; the writer refuses what is not.</summary>
    public static byte[] Map(Action<CborWriter> write, int entries)
    {
        // The order is the caller's: wrong orders are sent on purpose.
        var writer = new CborWriter(CborConformanceMode.Lax);
        writer.WriteStartMap(entries);
        write(writer);
        writer.WriteEndMap();
        return writer.Encode();
    }

    public static byte[] CoseKey(ECDsa key)
    {
        var q = key.ExportParameters(includePrivateParameters: false).Q;
        return Map(w =>
        {
            Pair(w, 1, 2);
            Pair(w, 3, -7);
            Pair(w, -1, 1);
            w.WriteInt32(-2);
            w.WriteByteString(q.X!);
            w.WriteInt32(-3);
            w.WriteByteString(q.Y!);
        }, 5);
    }

    public static void Pair(CborWriter writer, int label, int value)
    {
        writer.WriteInt32(label);
        writer.WriteInt32(value);
    }

    private byte[] Sign(byte[] data) => Rsa?.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
        ?? Key.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

    private byte[] ClientData(string type, JsonNode options)
    {
        var data = new JsonObject
        {
            ["type"] = type,
            ["challenge"] = options["challenge"]!.GetValue<string>(),
            ["origin"] = Origin,
            ["crossOrigin"] = false,
        };
        ChangeClientData?.Invoke(data);
        return Encoding.UTF8.GetBytes(data.ToJsonString());
    }

    private byte[] AuthenticatorData(string rpId, byte[] attested)
    {
        var data = new byte[37 + attested.Length];
        SHA256.HashData(Encoding.UTF8.GetBytes(rpId), data);
        data[32] = (byte)(Flags | (attested.Length > 0 ? Attested : 0));
        BinaryPrimitives.WriteUInt32BigEndian(data.AsSpan(33), Counter);
        attested.CopyTo(data, 37);
        return ChangeAuthenticatorData?.Invoke(data) ?? data;
    }

    private byte[] AttestedCredential()
    {
        var length = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)CredentialId.Length);
        return [.. Aaguid.ToByteArray(bigEndian: true), .. length, .. CredentialId, .. PublicKey ?? CoseKey(Key)];
    }

    private byte[] Statement(byte[] data, byte[] clientDataHash)
    {
        byte[] packed = [.. data, .. clientDataHash];
        var q = Key.ExportParameters(includePrivateParameters: false).Q;
        byte[] u2f = [0, .. data.AsSpan(0, Math.Min(32, data.Length)), .. clientDataHash, .. CredentialId, 4, .. q.X!, .. q.Y!];
        return (Format, Maker) switch
        {
            ("none", _) => [0xA0],
            ("packed", null) => Map(w =>
            {
                WriteAlgorithm(w);
                WriteSignature(w, Sign(packed));
            }, 2),
            ("packed", { } maker) => Map(w =>
            {
                WriteAlgorithm(w);
                WriteSignature(w, maker.Sign(packed));
                WriteCertificates(w, maker);
            }, 3),
            ("fido-u2f", { } maker) => Map(w =>
            {
                WriteSignature(w, maker.Sign(u2f));
                WriteCertificates(w, maker);
            }, 2),
            _ => Map(w =>
            {
                w.WriteTextString("ver");
                w.WriteTextString("2.0");
            }, 1),
        };
    }

    private void WriteAlgorithm(CborWriter writer)
    {
        writer.WriteTextString("alg");
        writer.WriteInt32(Algorithm);
    }

    private void WriteSignature(CborWriter writer, byte[] signature)
    {
        writer.WriteTextString("sig");
        writer.WriteByteString(ChangeSignature?.Invoke(signature) ?? signature);
    }

    private static void WriteCertificates(CborWriter writer, AttestationMaker maker)
    {
        writer.WriteTextString("x5c");
        writer.WriteStartArray(maker.Chain.Count);
        foreach (var certificate in maker.Chain)
        {
            writer.WriteByteString(certificate);
        }
        writer.WriteEndArray();
    }

    private string Credential(JsonObject response)
    {
        var credential = new JsonObject
        {
            ["id"] = Text(CredentialId),
            ["rawId"] = Text(CredentialId),
            ["type"] = "public-key",
            ["authenticatorAttachment"] = "cross-platform",
            ["clientExtensionResults"] = new JsonObject(),
            ["response"] = response,
        };
        ChangeCredential?.Invoke(credential);
        return credential.ToJsonString();
    }
}
