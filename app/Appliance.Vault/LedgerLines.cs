using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Appliance.Vault;

/// <summary>
/// The lines of an export and of a proof (docs/ledger-format.md, "Exports"): JSON in one form only. Members stand in a fixed order, without
/// spaces; in texts only <c>"</c>, <c>\</c> and what is below U+0020 is escaped, the latter as <c>\u00xx</c>. What is read is written
/// again and compared, so that nothing in a file is left that nobody vouches for.
/// </summary>
public static class LedgerLines
{
    /// <summary>Bytes of one line at most, its end included.</summary>
    public const int Longest = 1 << 20;

    private const string ExportFormat = "appliance ledger export v1";
    private const string ProofFormat = "appliance ledger proof v1";
    private const string Moment = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";

    private static readonly JsonDocumentOptions s_strict = new() { MaxDepth = 3 };

    /// <summary>Begins an export, or goes on with one: the entries after it start at <paramref name="from"/>.</summary>
    public static string Header(Guid tree, long from) => $$"""{"format":"{{ExportFormat}}","tree":"{{tree:D}}","from":{{Number(from)}}}""" + "\n";

    /// <summary>An entry, with its leaf's hash as it is stored.</summary>
    public static string Entry(LedgerLeaf leaf, ReadOnlySpan<byte> hash)
    {
        ArgumentNullException.ThrowIfNull(leaf);
        return Put(new StringBuilder(320), leaf, hash).Append('\n').ToString();
    }

    /// <summary>Ends an export: what was signed over all entries before it, and the key that signed.</summary>
    public static string Head(SignedHead head, ReadOnlySpan<byte> publicKey)
    {
        ArgumentNullException.ThrowIfNull(head);
        return Put(new StringBuilder("{", 640), head, publicKey).Append("}\n").ToString();
    }

    /// <summary>One entry with what leads from it to a signed head: a file of its own.</summary>
    public static string Proof(LedgerProof proof)
    {
        ArgumentNullException.ThrowIfNull(proof);
        var line = new StringBuilder($$"""{"format":"{{ProofFormat}}","entry":""", 4096);
        Put(line, proof.Leaf, proof.Leaf.Hash()).Append(",\"path\":[").AppendJoin(',', proof.Path.Select(hash => $"\"{Convert.ToHexStringLower(hash)}\"")).Append("],");
        return Put(line, proof.Head, proof.PublicKey.Span).Append("}\n").ToString();
    }

    /// <summary>A line of an export as a <see cref="HeaderLine"/>, <see cref="EntryLine"/> or <see cref="HeadLine"/>.</summary>
    /// <param name="line">With its end.</param>
    /// <param name="tree">The tree that the header named; entries do not repeat it.</param>
    /// <exception cref="FormatException">It is none of them, or not in the one form.</exception>
    internal static object Parse(ReadOnlyMemory<byte> line, Guid tree) => Read<object>(line, root =>
    {
        if (root.TryGetProperty("format", out _))
        {
            var header = new HeaderLine(Id(root, "tree"), root.GetProperty("from").GetInt64());
            return (header, Header(header.Tree, header.From));
        }

        if (root.TryGetProperty("head", out _))
        {
            var head = HeadOf(root);
            return (head, Head(head.Head, head.PublicKey));
        }

        var entry = EntryOf(root, tree);
        return (entry, Entry(entry.Leaf, entry.Hash));
    });

    /// <exception cref="FormatException">It is no proof in the one form.</exception>
    internal static LedgerProof ParseProof(ReadOnlyMemory<byte> line) => Read(line, root =>
    {
        var head = HeadOf(root);
        var proof = new LedgerProof(
            EntryOf(root.GetProperty("entry"), head.Head.Head.Tree).Leaf, [.. root.GetProperty("path").EnumerateArray().Select(hash => Convert.FromHexString(hash.GetString()!))], head.Head, head.PublicKey);
        return (proof, Proof(proof));
    });

    private static T Read<T>(ReadOnlyMemory<byte> line, Func<JsonElement, (T Read, string Again)> read)
    {
        try
        {
            using var document = JsonDocument.Parse(line, s_strict);
            var (found, again) = read(document.RootElement);
            return line.Span.SequenceEqual(Encoding.UTF8.GetBytes(again)) ? found : throw new FormatException("The line is not in the one form.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or ArgumentException or FormatException)
        {
            throw new FormatException("The line is not what it should be.", e);
        }
    }

    private static EntryLine EntryOf(JsonElement of, Guid tree) => new(
        new LedgerLeaf(
            tree, of.GetProperty("index").GetInt64(), Id(of, "id"), Time(of, "at"), of.GetProperty("actor").ValueKind == JsonValueKind.Null ? null : Id(of, "actor"),
            Text(of, "action"), of.GetProperty("subject").GetString(), of.GetProperty("address").GetString(), Text(of, "details")),
        Convert.FromHexString(Text(of, "leaf")));

    private static HeadLine HeadOf(JsonElement of)
    {
        var head = of.GetProperty("head");
        return new HeadLine(
            new SignedHead(
                new TreeHead(Id(head, "tree"), head.GetProperty("size").GetInt64(), Convert.FromHexString(Text(head, "root")), Time(head, "signedAt")),
                Text(head, "key"), head.GetProperty("signature").GetBytesFromBase64()),
            of.GetProperty("publicKey").GetBytesFromBase64());
    }

    private static Guid Id(JsonElement of, string name) => Guid.ParseExact(Text(of, name), "D");

    private static string Text(JsonElement of, string name) => of.GetProperty(name).GetString() ?? throw new FormatException("A text is missing.");

    private static DateTimeOffset Time(JsonElement of, string name) =>
        DateTimeOffset.ParseExact(Text(of, name), Moment, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);

    private static StringBuilder Put(StringBuilder line, LedgerLeaf leaf, ReadOnlySpan<byte> hash)
    {
        line.Append("{\"index\":").Append(Number(leaf.Index));
        Put(line, "id", leaf.Id.ToString("D"));
        Put(line, "at", Written(leaf.At));
        Put(line, "actor", leaf.Actor?.ToString("D"));
        Put(line, "action", leaf.Action);
        Put(line, "subject", leaf.Subject);
        Put(line, "address", leaf.Address);
        Put(line, "details", leaf.Details);
        Put(line, "leaf", Convert.ToHexStringLower(hash));
        return line.Append('}');
    }

    private static StringBuilder Put(StringBuilder line, SignedHead head, ReadOnlySpan<byte> publicKey)
    {
        line.Append("\"head\":{\"tree\":\"").Append(head.Head.Tree.ToString("D")).Append("\",\"size\":").Append(Number(head.Head.Size));
        Put(line, "root", Convert.ToHexStringLower(head.Head.Root.Span));
        Put(line, "signedAt", Written(head.Head.SignedAt));
        Put(line, "key", head.KeyId);
        Put(line, "signature", Convert.ToBase64String(head.Signature.Span));
        line.Append('}');
        Put(line, "publicKey", Convert.ToBase64String(publicKey));
        return line;
    }

    private static void Put(StringBuilder line, string name, string? value)
    {
        line.Append(",\"").Append(name).Append("\":");
        if (value is null)
        {
            line.Append("null");
            return;
        }

        line.Append('"');
        foreach (var c in value)
        {
            _ = c switch
            {
                '"' or '\\' => line.Append('\\').Append(c),
                < ' ' => line.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => line.Append(c),
            };
        }

        line.Append('"');
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Written(DateTimeOffset at) => at.UtcDateTime.ToString(Moment, CultureInfo.InvariantCulture);
}

internal sealed record HeaderLine(Guid Tree, long From);

internal sealed record EntryLine(LedgerLeaf Leaf, byte[] Hash);

internal sealed record HeadLine(SignedHead Head, byte[] PublicKey);

/// <summary>An entry, the inclusion proof (RFC 9162 section 2.1.3) from it to a signed head, and the key that signed (SubjectPublicKeyInfo, DER).</summary>
public sealed record LedgerProof(LedgerLeaf Leaf, IReadOnlyList<byte[]> Path, SignedHead Head, ReadOnlyMemory<byte> PublicKey);
