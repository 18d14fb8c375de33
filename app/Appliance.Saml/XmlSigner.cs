using System.Security.Cryptography.Xml;
using System.Xml;

namespace Appliance.Saml;

/// <summary>Signs what we send, enveloped, in the form that <see cref="XmlSignature"/> reads.</summary>
internal static class XmlSigner
{
    /// <param name="root">A document's root with an <c>ID</c>.</param>
    /// <param name="key">Ours.</param>
    /// <param name="after">The child after which the signature belongs; null: it is the first.</param>
    public static void Sign(XmlElement root, SpKey key, XmlElement? after)
    {
        var signer = new SignedXml(root.OwnerDocument) { SigningKey = key.Rsa };
        signer.SignedInfo!.CanonicalizationMethod = Names.ExclusiveC14N;
        signer.SignedInfo.SignatureMethod = Names.RsaSha256;
        var reference = new Reference("#" + root.GetAttribute("ID")) { DigestMethod = Names.Sha256 };
        reference.AddTransform(new XmlDsigEnvelopedSignatureTransform());
        reference.AddTransform(new XmlDsigExcC14NTransform());
        signer.AddReference(reference);
        var info = new KeyInfo();
        info.AddClause(new KeyInfoX509Data(key.Certificate));
        signer.KeyInfo = info;
        signer.ComputeSignature();
        root.InsertAfter(root.OwnerDocument.ImportNode(signer.GetXml(), deep: true), after);
    }
}
