using System.Text.Json;
using System.Text.Json.Serialization;

namespace Appliance.Vault;

/// <summary>A tree head with its signature, as it stands in the database and in copies kept elsewhere (docs/ledger-format.md, "Heads").</summary>
public sealed record SignedHead(TreeHead Head, string KeyId, ReadOnlyMemory<byte> Signature)
{
    /// <summary>One JSON object on one line, without the line break.</summary>
    public string ToJson() => JsonSerializer.Serialize(
        new Line(Head.Tree, Head.Size, Convert.ToHexStringLower(Head.Root.Span), Head.SignedAt, KeyId, Signature.ToArray()), HeadJson.Default.Line);

    /// <exception cref="FormatException">The line is not a head in this form.</exception>
    public static SignedHead Parse(string line)
    {
        try
        {
            var read = JsonSerializer.Deserialize(line, HeadJson.Default.Line) ?? throw new FormatException("The line is not a tree head.");
            return new SignedHead(new TreeHead(read.Tree, read.Size, Convert.FromHexString(read.Root), read.SignedAt), read.Key, read.Signature);
        }
        catch (Exception e) when (e is JsonException or ArgumentException or FormatException)
        {
            throw new FormatException("The line is not a tree head.", e);
        }
    }

    internal sealed record Line(
        [property: JsonRequired] Guid Tree,
        [property: JsonRequired] long Size,
        [property: JsonRequired] string Root,
        [property: JsonRequired] DateTimeOffset SignedAt,
        [property: JsonRequired] string Key,
        [property: JsonRequired] byte[] Signature);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SignedHead.Line))]
internal sealed partial class HeadJson : JsonSerializerContext;
