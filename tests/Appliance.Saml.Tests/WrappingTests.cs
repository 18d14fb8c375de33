using System.Security.Cryptography.Xml;
using System.Text;
using System.Xml;

namespace Appliance.Saml.Tests;

/// <summary>
/// Signature wrapping: what was signed stays in the document, valid, and something else stands where it is read. The eight shapes of Somorovsky et al.,
/// "On Breaking SAML" (USENIX Security 2012), each with and without the id of the original.
/// </summary>
[Trait("Requirement", "A12")]
public sealed class WrappingTests
{
    private const string Evil = "mallory@evil.example";

    public static TheoryData<int, bool> Shapes
    {
        get
        {
            var all = new TheoryData<int, bool>();
            for (var shape = 1; shape <= 8; shape++)
            {
                all.Add(shape, false);
                all.Add(shape, true);
            }
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_wrapped_signature_signs_nobody_in(int shape, bool sameId)
    {
        var original = shape <= 2 ? TestIdp.SignedOutside() : TestIdp.Signed();
        TestIdp.Read(original).NameId.ShouldBe("anna@example.org");
        TestIdp.Refused(
            Wrap(original, shape, sameId), SamlRefusal.Shape, SamlRefusal.SignatureForm, SamlRefusal.RepeatedId, SamlRefusal.Unsigned, SamlRefusal.Signature);
    }

    [Fact]
    public void The_shapes_are_real_a_reader_that_asks_SignedXml_and_then_takes_the_first_assertion_believes_them()
    {
        var believed = Enumerable.Range(1, 8).Where(shape => Naive(Wrap(shape <= 2 ? TestIdp.SignedOutside() : TestIdp.Signed(), shape, sameId: false)) == Evil).ToList();
        // Today's SignedXml itself refuses what stands inside the signature (1, 6 and 8); the others pass.
        believed.ShouldBe([2, 3, 4, 5, 7]);
        Naive(TestIdp.Signed()).ShouldBe("anna@example.org");
    }

    /// <summary>The mistake as it was made many times.</summary>
    private static string? Naive(XmlDocument document)
    {
        document = TestIdp.Load(document.OuterXml);
        var signature = (XmlElement)document.GetElementsByTagName("Signature", "http://www.w3.org/2000/09/xmldsig#")[0]!;
        var signed = new SignedXml(document);
        try
        {
            signed.LoadXml(signature);
        }
        catch (System.Security.Cryptography.CryptographicException)
        {
            return null;
        }
        return signed.CheckSignature(TestIdp.Rsa)
            ? document.Assertion().GetElementsByTagName("NameID", "urn:oasis:names:tc:SAML:2.0:assertion")[0]!.InnerText
            : null;
    }

    public static XmlDocument Wrap(XmlDocument original, int shape, bool sameId)
    {
        var document = TestIdp.Load(original.OuterXml);
        return shape <= 2 ? WrapResponse(document, shape, sameId) : WrapAssertion(document, shape, sameId);
    }

    private static XmlDocument WrapResponse(XmlDocument document, int shape, bool sameId)
    {
        // The original, without its signature, hides; around it stands a response of the attacker's with the signature.
        var response = document.DocumentElement!;
        var hidden = (XmlElement)response.CloneNode(true);
        hidden.RemoveChild(Child(hidden, "Signature"));
        if (!sameId)
        {
            response.SetAttribute("ID", "_evil");
        }
        Poison(response);
        var signature = Child(response, "Signature");
        if (shape == 1)
        {
            signature.AppendChild(InObject(document, hidden));
        }
        else
        {
            response.InsertBefore(hidden, signature);
            // The reader takes the first assertion it finds; here that is the attacker's only if it stands first.
            var evil = Child(response, "Assertion");
            response.InsertBefore(evil, hidden);
        }
        return document;
    }

    private static XmlDocument WrapAssertion(XmlDocument document, int shape, bool sameId)
    {
        var response = document.DocumentElement!;
        var original = document.Assertion();
        var evil = (XmlElement)original.CloneNode(true);
        if (!sameId)
        {
            evil.SetAttribute("ID", "_evil");
        }
        Poison(evil);
        switch (shape)
        {
            case 3: // beside it, first
                evil.RemoveChild(Child(evil, "Signature"));
                response.InsertBefore(evil, original);
                break;
            case 4: // around it
                evil.RemoveChild(Child(evil, "Signature"));
                response.ReplaceChild(evil, original);
                evil.AppendChild(original);
                break;
            case 5: // the signature moved to the attacker's, the original at the end
                original.RemoveChild(Child(original, "Signature"));
                response.InsertBefore(evil, original);
                break;
            case 6: // the original inside the signature
                original.RemoveChild(Child(original, "Signature"));
                response.ReplaceChild(evil, original);
                Child(evil, "Signature").AppendChild(original);
                break;
            case 7: // the attacker's in Extensions
                evil.RemoveChild(Child(evil, "Signature"));
                var extensions = document.CreateElement("samlp", "Extensions", "urn:oasis:names:tc:SAML:2.0:protocol");
                extensions.AppendChild(evil);
                response.InsertBefore(extensions, Child(response, "Status"));
                break;
            default: // the original in an Object
                original.RemoveChild(Child(original, "Signature"));
                response.ReplaceChild(evil, original);
                Child(evil, "Signature").AppendChild(InObject(document, original));
                break;
        }
        return document;
    }

    private static XmlElement InObject(XmlDocument document, XmlElement what)
    {
        var container = document.CreateElement("ds", "Object", "http://www.w3.org/2000/09/xmldsig#");
        container.AppendChild(what);
        return container;
    }

    private static XmlElement Child(XmlElement parent, string name) => parent.ChildNodes.OfType<XmlElement>().First(e => e.LocalName == name);

    private static void Poison(XmlElement element) => element.GetElementsByTagName("NameID", "urn:oasis:names:tc:SAML:2.0:assertion")[0]!.InnerText = Evil;
}
