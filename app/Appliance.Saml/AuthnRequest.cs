using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace Appliance.Saml;

/// <summary>A signed request to sign somebody in (SAML core section 3.4.1).</summary>
public sealed class AuthnRequest
{
    private readonly XmlDocument _document;
    private readonly string _destination;

    private AuthnRequest(string id, XmlDocument document, string destination) => (Id, _document, _destination) = (id, document, destination);

    /// <summary>160 random bits: what the response must answer to.</summary>
    public string Id { get; }

    /// <param name="destination">The identity provider's sign-on address.</param>
    /// <param name="spEntityId">Ours.</param>
    /// <param name="acsUrl">Where the response is to go.</param>
    /// <param name="now">The time.</param>
    public static AuthnRequest Create(string destination, string spEntityId, string acsUrl, DateTimeOffset now)
    {
        // An xs:ID begins with a letter or an underscore.
        var id = "_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(20));
        XNamespace protocol = Names.Protocol, assertion = Names.Assertion;
        var request = new XElement(
            protocol + "AuthnRequest",
            new XAttribute(XNamespace.Xmlns + "samlp", Names.Protocol),
            new XAttribute(XNamespace.Xmlns + "saml", Names.Assertion),
            new XAttribute("ID", id),
            new XAttribute("Version", "2.0"),
            new XAttribute("IssueInstant", now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)),
            new XAttribute("Destination", destination),
            new XAttribute("ProtocolBinding", Names.PostBinding),
            new XAttribute("AssertionConsumerServiceURL", acsUrl),
            new XElement(assertion + "Issuer", spEntityId),
            new XElement(protocol + "NameIDPolicy", new XAttribute("AllowCreate", "true")));
        var document = new XmlDocument { PreserveWhitespace = true, XmlResolver = null };
        using (var reader = request.CreateReader())
        {
            document.Load(reader);
        }
        return new AuthnRequest(id, document, destination);
    }

    /// <summary>The address to send the browser to: the request deflated, its signature beside it (bindings section 3.4.4.1).</summary>
    public string ToRedirect(SpKey key, string? relayState)
    {
        var deflated = new MemoryStream();
        using (var deflate = new DeflateStream(deflated, CompressionLevel.Optimal, leaveOpen: true))
        {
            deflate.Write(Encoding.UTF8.GetBytes(_document.OuterXml));
        }
        var query = "SAMLRequest=" + Uri.EscapeDataString(Convert.ToBase64String(deflated.ToArray()))
            + (relayState is null ? "" : "&RelayState=" + Uri.EscapeDataString(relayState))
            + "&SigAlg=" + Uri.EscapeDataString(Names.RsaSha256);
        var signature = key.Rsa.SignData(Encoding.ASCII.GetBytes(query), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return _destination + (_destination.Contains('?', StringComparison.Ordinal) ? '&' : '?') + query + "&Signature=" + Uri.EscapeDataString(Convert.ToBase64String(signature));
    }

    /// <summary>The value of the form field <c>SAMLRequest</c>: signed within, base64 (bindings section 3.5.4).</summary>
    public string ToPost(SpKey key)
    {
        var root = _document.DocumentElement!;
        XmlSigner.Sign(root, key, after: root.ChildNodes.OfType<XmlElement>().First());
        return Convert.ToBase64String(Encoding.UTF8.GetBytes(_document.OuterXml));
    }
}
