using System.Security.Cryptography;
using System.Security.Cryptography.Xml;
using System.Xml;

namespace Appliance.Saml;

/// <summary>
/// Verifies one enveloped signature (XML-DSig, in the profile of SAML core section 5.4) and answers what it covers, parsed anew from the very
/// bytes that were digested. SignedXml is not asked: it looks the referenced element up by itself, runs whatever transforms the message names
/// and answers yes or no; which element that yes was about is how signature wrapping is born. Only its canonicalisation is used.
/// </summary>
internal static class XmlSignature
{
    private const int MaxDocument = 512 << 10;

    /// <param name="signed">The element that will be read: <paramref name="signature"/> is its direct child.</param>
    /// <param name="signature">Its ds:Signature.</param>
    /// <param name="keys">The pinned keys. What KeyInfo says is not looked at.</param>
    /// <returns>The element as it was signed, the root of a document of its own.</returns>
    /// <exception cref="SamlRefusedException"><see cref="SamlRefusal.SignatureForm"/>, <see cref="SamlRefusal.Algorithm"/> or <see cref="SamlRefusal.Signature"/>.</exception>
    public static XmlElement Verify(XmlElement signed, XmlElement signature, IReadOnlyList<IdpKey> keys)
    {
        if (signature.ParentNode != signed)
        {
            throw Form("A signature stands outside of what it signs.");
        }
        var parts = StrictXml.Sequence(signature, SamlRefusal.SignatureForm, (Names.Signature, "SignedInfo"), (Names.Signature, "SignatureValue"), (Names.Signature, "KeyInfo"));
        var info = parts.One("SignedInfo", SamlRefusal.SignatureForm);
        var value = Bytes(parts.One("SignatureValue", SamlRefusal.SignatureForm));
        parts.OneOrNone("KeyInfo", SamlRefusal.SignatureForm);

        var inside = StrictXml.Sequence(info, SamlRefusal.SignatureForm, (Names.Signature, "CanonicalizationMethod"), (Names.Signature, "SignatureMethod"), (Names.Signature, "Reference"));
        var infoPrefixes = Prefixes(inside.One("CanonicalizationMethod", SamlRefusal.SignatureForm));
        var method = inside.One("SignatureMethod", SamlRefusal.SignatureForm);
        if (method.HasChildNodes && method.ChildNodes.OfType<XmlElement>().Any())
        {
            throw Form("The signature's method has parameters."); // such as HMACOutputLength
        }
        var algorithm = SignatureAlgorithm.Of(StrictXml.Attribute(method, "Algorithm"));
        var (prefixes, hash, digest) = Reference(signed, inside.One("Reference", SamlRefusal.SignatureForm));

        var covered = Canonical(signed, prefixes, without: signature);
        if (!CryptographicOperations.FixedTimeEquals(CryptographicOperations.HashData(hash, covered), digest))
        {
            throw new SamlRefusedException(SamlRefusal.Signature, "What was signed was changed afterwards.");
        }
        var told = Canonical(info, infoPrefixes, without: null);
        if (!keys.Any(key => algorithm.Verifies(key, told, value)))
        {
            throw new SamlRefusedException(SamlRefusal.Signature, "The signature was made by none of the keys in the identity provider's metadata.");
        }
        return StrictXml.Parse(covered, MaxDocument).DocumentElement!;
    }

    /// <summary>Exactly this: the element by its id, taken without the signature, in exclusive canonical form, hashed with SHA-2.</summary>
    private static (string Prefixes, HashAlgorithmName Hash, byte[] Digest) Reference(XmlElement signed, XmlElement reference)
    {
        if (StrictXml.Attribute(signed, "ID") is not { Length: > 0 } id || StrictXml.Attribute(reference, "URI") != "#" + id)
        {
            throw Form("The signature is about another element than the one that it stands in.");
        }
        var parts = StrictXml.Sequence(
            reference, SamlRefusal.SignatureForm, (Names.Signature, "Transforms"), (Names.Signature, "DigestMethod"), (Names.Signature, "DigestValue"));
        var transforms = StrictXml.Sequence(parts.One("Transforms", SamlRefusal.SignatureForm), SamlRefusal.SignatureForm, (Names.Signature, "Transform"))["Transform"].ToList();
        if (transforms is not [var first, var second] || StrictXml.Attribute(first, "Algorithm") != Names.EnvelopedSignature || first.ChildNodes.OfType<XmlElement>().Any())
        {
            throw Form("The signature's transforms are not the two that SAML names.");
        }
        var digest = parts.One("DigestMethod", SamlRefusal.SignatureForm);
        return (Prefixes(second), SignatureAlgorithm.Digest(StrictXml.Attribute(digest, "Algorithm")), Bytes(parts.One("DigestValue", SamlRefusal.SignatureForm)));
    }

    /// <summary>Of a canonicalisation, which must be the exclusive one without comments: the prefixes that are treated as in the inclusive one.</summary>
    private static string Prefixes(XmlElement method)
    {
        if (StrictXml.Attribute(method, "Algorithm") != Names.ExclusiveC14N)
        {
            throw new SamlRefusedException(SamlRefusal.Algorithm, "The signature's canonical form is not exclusive XML canonicalisation without comments.");
        }
        var list = StrictXml.Sequence(method, SamlRefusal.SignatureForm, (Names.ExclusiveC14N, "InclusiveNamespaces")).OneOrNone("InclusiveNamespaces", SamlRefusal.SignatureForm);
        return list is null ? "" : StrictXml.Attribute(list, "PrefixList") ?? "";
    }

    /// <summary>The canonical bytes (exc-C14N 1.0) of an element in a document of its own, with the namespaces that are in force where it stands.</summary>
    internal static byte[] Canonical(XmlElement element, string prefixes, XmlElement? without)
    {
        var alone = new XmlDocument { PreserveWhitespace = true, XmlResolver = null };
        var root = (XmlElement)alone.AppendChild(alone.ImportNode(element, deep: true))!;
        for (var above = element.ParentNode as XmlElement; above is not null; above = above.ParentNode as XmlElement)
        {
            foreach (XmlAttribute attribute in above.Attributes)
            {
                if (attribute.NamespaceURI == "http://www.w3.org/2000/xmlns/" && !root.HasAttribute(attribute.Name))
                {
                    root.Attributes.Append((XmlAttribute)alone.ImportNode(attribute, deep: true));
                }
            }
        }
        if (without is not null)
        {
            root.RemoveChild(root.ChildNodes[element.ChildNodes.OfType<XmlNode>().TakeWhile(n => n != without).Count()]!);
        }
        var transform = new XmlDsigExcC14NTransform(includeComments: false, prefixes.Length == 0 ? null : prefixes);
        transform.LoadInput(alone);
        using var output = (Stream)transform.GetOutput(typeof(Stream));
        var bytes = new MemoryStream();
        output.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static byte[] Bytes(XmlElement element) => StrictXml.Base64(StrictXml.Text(element, SamlRefusal.SignatureForm)) is { Length: > 0 and <= 2048 } bytes
        ? bytes
        : throw Form($"{element.LocalName} is not base64.");

    private static SamlRefusedException Form(string why) => new(SamlRefusal.SignatureForm, why);
}
