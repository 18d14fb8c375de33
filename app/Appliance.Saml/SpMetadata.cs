using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace Appliance.Saml;

/// <summary>Our metadata (SAML metadata section 2.4.4), for the identity provider to read.</summary>
public static class SpMetadata
{
    /// <param name="entityId">Ours.</param>
    /// <param name="acsUrl">Where responses go.</param>
    /// <param name="keys">Every key that we sign with or may sign with soon; the first one signs the metadata.</param>
    public static byte[] Write(string entityId, string acsUrl, IReadOnlyList<SpKey> keys)
    {
        XNamespace metadata = Names.Metadata, signature = Names.Signature;
        string[] content = ["aes256-gcm", "aes128-gcm"];
        XElement Key(SpKey key, string use, params XElement[] methods) => new(
            metadata + "KeyDescriptor",
            new XAttribute("use", use),
            new XElement(signature + "KeyInfo", new XElement(signature + "X509Data", new XElement(signature + "X509Certificate", Convert.ToBase64String(key.Certificate)))),
            methods);
        XElement Method(string algorithm) => new(metadata + "EncryptionMethod", new XAttribute("Algorithm", algorithm));
        var root = new XElement(
            metadata + "EntityDescriptor",
            new XAttribute("xmlns", Names.Metadata),
            new XAttribute("ID", "_" + Guid.NewGuid().ToString("N")),
            new XAttribute("entityID", entityId),
            new XElement(
                metadata + "SPSSODescriptor",
                new XAttribute("AuthnRequestsSigned", "true"),
                new XAttribute("WantAssertionsSigned", "true"),
                new XAttribute("protocolSupportEnumeration", Names.Protocol),
                keys.Select(key => Key(key, "signing")),
                // Encrypted to the first alone: an identity provider that takes the last it finds must not take one that it will not have tomorrow.
                keys.Take(1).Select(key => Key(key, "encryption", [.. content.Select(c => Method(Names.Encryption11 + c)), Method(Names.Encryption + "rsa-oaep-mgf1p")])),
                new XElement(metadata + "NameIDFormat", Names.PersistentFormat),
                new XElement(metadata + "NameIDFormat", Names.EmailFormat),
                new XElement(
                    metadata + "AssertionConsumerService",
                    new XAttribute("Binding", Names.PostBinding),
                    new XAttribute("Location", acsUrl),
                    new XAttribute("index", "0"),
                    new XAttribute("isDefault", "true"))));
        var document = new XmlDocument { PreserveWhitespace = true, XmlResolver = null };
        using (var reader = root.CreateReader())
        {
            document.Load(reader);
        }
        XmlSigner.Sign(document.DocumentElement!, keys[0], after: null);
        return Encoding.UTF8.GetBytes(document.OuterXml);
    }
}
