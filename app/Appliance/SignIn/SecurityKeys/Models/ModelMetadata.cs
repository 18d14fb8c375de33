using System.Text.Json;

namespace Appliance.SignIn.SecurityKeys.Models;

/// <summary>What a BLOB says of one model (FIDO Metadata Service v3.0 §3.1.1, Metadata Statement v3.0 §4).</summary>
internal sealed record ModelMetadata
{
    /// <summary>Reports after which a model proves nothing any more (§3.1.4), whatever was reported later: which fixed version a key has, it cannot prove.</summary>
    private static readonly string[] s_distrusted =
        ["REVOKED", "ATTESTATION_KEY_COMPROMISE", "USER_KEY_REMOTE_COMPROMISE", "USER_KEY_PHYSICAL_COMPROMISE", "USER_VERIFICATION_BYPASS"];

    private const int LongestDescription = 200;

    /// <summary>
    /// What the model goes by in lists: its AAGUID. A U2F model has none; each of its attestation keys stands for it (<see cref="U2fKey"/>).
    /// </summary>
    public required IReadOnlyList<Guid> Ids { get; init; }

    /// <summary>It knows only U2F, and is told by its attestation key.</summary>
    public required bool IsU2f { get; init; }

    public required string Description { get; init; }

    /// <summary>Trust anchors of this model's attestation certificates, DER.</summary>
    public required IReadOnlyList<byte[]> Roots { get; init; }

    /// <summary>The report for which it is not trusted; null: there is none.</summary>
    public required string? Distrusted { get; init; }

    /// <summary>
    /// A UUID of our own (RFC 9562 §5.8) that stands for a U2F model's attestation key, from the first bytes of that key's identifier.
    /// </summary>
    /// <param name="identifier">RFC 5280 §4.2.1.2 method 1: the SHA-1 of the public key, 20 bytes.</param>
    public static Guid U2fKey(ReadOnlySpan<byte> identifier)
    {
        byte[] bytes = [.. identifier[..16]];
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>Null: an entry of another protocol (UAF), or without a name.</summary>
    public static ModelMetadata? Read(JsonElement entry)
    {
        var isFido2 = Guid.TryParseExact(Text(entry, "aaguid"), "D", out var aaguid) && aaguid != Guid.Empty;
        Guid[] ids = isFido2 ? [aaguid] : [.. Items(entry, "attestationCertificateKeyIdentifiers").Select(i => i.GetString()).OfType<string>()
            .Where(i => i.Length == 40 && i.All(char.IsAsciiHexDigit)).Select(i => U2fKey(Convert.FromHexString(i)))];
        if (ids.Length == 0)
        {
            return null;
        }
        var hasStatement = entry.TryGetProperty("metadataStatement", out var statement) && statement.ValueKind == JsonValueKind.Object;
        return new ModelMetadata
        {
            Ids = ids,
            IsU2f = !isFido2,
            Description = Plain(hasStatement ? Text(statement, "description") : null) ?? ids[0].ToString("D"),
            // An anchor that cannot be decoded leads nowhere; the others count.
            Roots = hasStatement ? [.. Items(statement, "attestationRootCertificates").Select(Der).OfType<byte[]>()] : [],
            Distrusted = Items(entry, "statusReports").Select(r => Text(r, "status")).FirstOrDefault(s => s_distrusted.Contains(s, StringComparer.Ordinal)),
        };
    }

    private static string? Text(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static JsonElement.ArrayEnumerator Items(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : default;

    // Some entries have white space around and within.
    private static byte[]? Der(JsonElement item)
    {
        try
        {
            return item.ValueKind == JsonValueKind.String ? Convert.FromBase64String(item.GetString()!) : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static string? Plain(string? text)
    {
        var plain = string.Concat((text ?? "").Where(c => !char.IsControl(c)).Take(LongestDescription)).Trim();
        return plain.Length > 0 ? plain : null;
    }
}
