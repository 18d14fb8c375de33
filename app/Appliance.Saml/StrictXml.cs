using System.Globalization;
using System.Text;
using System.Xml;

namespace Appliance.Saml;

/// <summary>
/// XML from strangers: bounded before it is parsed, and with nothing in it that a SAML message does not need. Whitespace is kept, because
/// signatures cover it; comments and processing instructions are refused, so that no text can be cut in two by one.
/// </summary>
internal static class StrictXml
{
    private const int MaxDepth = 40;
    private const int MaxNodes = 40_000;
    private const int MaxAttributes = 64;

    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <exception cref="SamlRefusedException"><see cref="SamlRefusal.Malformed"/>.</exception>
    public static XmlDocument Parse(ReadOnlySpan<byte> bytes, int longest) => Parse(bytes, longest, mayHaveComments: false);

    /// <summary>The same for metadata, which people edit: comments may stand in it and are dropped. No signature of it is believed.</summary>
    public static XmlDocument ParseMetadata(ReadOnlySpan<byte> bytes, int longest) => Parse(bytes, longest, mayHaveComments: true);

    private static XmlDocument Parse(ReadOnlySpan<byte> bytes, int longest, bool mayHaveComments)
    {
        if (bytes.Length > longest)
        {
            throw Malformed($"It is larger than {longest / 1024} KiB.");
        }
        string text;
        try
        {
            text = s_utf8.GetString(bytes.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? bytes[3..] : bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Malformed("It is not UTF-8.");
        }
        try
        {
            Survey(text, mayHaveComments);
            var document = new XmlDocument { PreserveWhitespace = true, XmlResolver = null };
            using var reader = Reader(text, mayHaveComments);
            document.Load(reader);
            return document;
        }
        catch (XmlException e)
        {
            throw Malformed(e.Message.Contains("DTD", StringComparison.Ordinal) ? "It holds a document type, which no SAML message may." : "It is not well-formed XML.");
        }
    }

    /// <summary>Looks at every node once, without keeping any: what comes after works recursively.</summary>
    private static void Survey(string text, bool mayHaveComments)
    {
        using var reader = Reader(text, mayHaveComments);
        for (var nodes = 0; reader.Read(); nodes++)
        {
            if (reader.NodeType is XmlNodeType.Comment or XmlNodeType.ProcessingInstruction)
            {
                throw Malformed("It holds a comment or a processing instruction, which no SAML message needs.");
            }
            if (nodes > MaxNodes || reader.Depth > MaxDepth || reader.AttributeCount > MaxAttributes)
            {
                throw Malformed("It is deeper, or has more parts, than any SAML message.");
            }
        }
    }

    private static XmlReader Reader(string text, bool dropComments) => XmlReader.Create(new StringReader(text), new XmlReaderSettings
    {
        DtdProcessing = DtdProcessing.Prohibit,
        XmlResolver = null,
        MaxCharactersFromEntities = 1024,
        MaxCharactersInDocument = text.Length + 1,
        CheckCharacters = true,
        IgnoreComments = dropComments,
        IgnoreProcessingInstructions = dropComments,
        ConformanceLevel = ConformanceLevel.Document,
    });

    /// <summary>
    /// No id names two elements, however the attribute is spelt: a signature's reference means one element and no other.
    /// </summary>
    public static void RefuseRepeatedIds(XmlDocument document)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var element in Descendants(document.DocumentElement!))
        {
            foreach (XmlAttribute attribute in element.Attributes)
            {
                if (attribute.LocalName.Equals("id", StringComparison.OrdinalIgnoreCase) && attribute.Prefix != "xmlns" && !seen.Add(attribute.Value))
                {
                    throw new SamlRefusedException(SamlRefusal.RepeatedId, "Two of its elements have the same id.");
                }
            }
        }
    }

    /// <summary>The element itself and everything below it.</summary>
    public static IEnumerable<XmlElement> Descendants(XmlElement root)
    {
        yield return root;
        foreach (var child in root.ChildNodes.OfType<XmlElement>())
        {
            foreach (var below in Descendants(child))
            {
                yield return below;
            }
        }
    }

    public static bool Is(this XmlNode node, string space, string name) => node is XmlElement && node.NamespaceURI == space && node.LocalName == name;

    public static int Count(XmlElement root, string space, string name) => Descendants(root).Count(e => e.Is(space, name));

    /// <summary>
    /// The child elements by name, which must come in the order of <paramref name="order"/> and be nothing else; text between them is
    /// whitespace.
    /// </summary>
    public static ILookup<string, XmlElement> Sequence(XmlElement parent, SamlRefusal refusal, params (string Space, string Name)[] order)
    {
        var (found, place) = (new List<XmlElement>(), 0);
        foreach (XmlNode node in parent.ChildNodes)
        {
            if (node is XmlElement child)
            {
                var at = Array.FindIndex(order, place, o => child.Is(o.Space, o.Name));
                place = at >= 0 ? at : throw new SamlRefusedException(refusal, $"{parent.LocalName} holds {Shown(child.LocalName)} where it may not.");
                found.Add(child);
            }
            else if (!string.IsNullOrWhiteSpace(node.Value))
            {
                throw new SamlRefusedException(refusal, $"{parent.LocalName} holds text where it may not.");
            }
        }
        return found.ToLookup(e => e.LocalName, StringComparer.Ordinal);
    }

    public static XmlElement One(this ILookup<string, XmlElement> children, string name, SamlRefusal refusal) =>
        children[name].Take(2).ToList() is [var one] ? one : throw new SamlRefusedException(refusal, $"There is not exactly one {name}.");

    public static XmlElement? OneOrNone(this ILookup<string, XmlElement> children, string name, SamlRefusal refusal) =>
        children[name].Take(2).ToList() switch
        {
            [] => null,
            [var one] => one,
            _ => throw new SamlRefusedException(refusal, $"There is more than one {name}."),
        };

    /// <summary>The whole text of an element that holds nothing else.</summary>
    public static string Text(XmlElement element, SamlRefusal refusal = SamlRefusal.Shape) =>
        TextOrNull(element) ?? throw new SamlRefusedException(refusal, $"{element.LocalName} holds something other than text.");

    public static string? TextOrNull(XmlElement element)
    {
        var text = new StringBuilder();
        foreach (XmlNode node in element.ChildNodes)
        {
            if (node is not (XmlText or XmlCDataSection or XmlWhitespace or XmlSignificantWhitespace))
            {
                return null;
            }
            text.Append(node.Value);
        }
        return text.ToString();
    }

    /// <summary>An attribute without a namespace; null where there is none.</summary>
    public static string? Attribute(XmlElement element, string name) => element.GetAttributeNode(name) is { NamespaceURI: "" } attribute ? attribute.Value : null;

    /// <summary>xs:dateTime in UTC, as SAML core section 1.3.3 has it: <c>2026-11-25T14:00:00.123Z</c>.</summary>
    public static DateTimeOffset? Time(XmlElement element, string name)
    {
        if (Attribute(element, name) is not { } text)
        {
            return null;
        }
        string[] forms = ["yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'"];
        return DateTimeOffset.TryParseExact(Shorten(text), forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? time
            : throw new SamlRefusedException(SamlRefusal.Time, $"{name} of {element.LocalName} is not a time in UTC.");
    }

    /// <summary>What is finer than 100 nanoseconds is cut off: some providers tell more digits than there are.</summary>
    private static string Shorten(string time) => time.Length > 28 && time.Length < 48 && time[^1] == 'Z' && time[..^1].All(c => char.IsAsciiDigit(c) || c is '-' or 'T' or ':' or '.') ? time[..27] + "Z" : time;

    /// <summary>Base64 with line breaks; null where it is none.</summary>
    public static byte[]? Base64(string text)
    {
        var bytes = new byte[(text.Length / 4 + 1) * 3];
        return Convert.TryFromBase64String(text, bytes, out var written) ? bytes[..written] : null;
    }

    /// <summary>A stranger's word in a sentence of ours: short, and nothing that could be more than a word.</summary>
    public static string Shown(string text)
    {
        var clean = string.Concat(text.Where(c => !char.IsControl(c)).Take(200));
        return clean.Length < text.Length ? clean + "…" : clean;
    }

    private static SamlRefusedException Malformed(string why) => new(SamlRefusal.Malformed, "The message cannot be read. " + why);
}
