using System.Security.Cryptography;

namespace Appliance.Saml.Tests;

[Trait("Requirement", "A12")]
public sealed class EncryptionTests
{
    private const string Xenc = "http://www.w3.org/2001/04/xmlenc#";
    private const string Xenc11 = "http://www.w3.org/2009/xmlenc11#";

    private static string SignedAssertion(ResponseSpec? spec = null)
    {
        var document = TestIdp.Signed(spec);
        var alone = TestIdp.Load(document.Assertion().OuterXml);
        return alone.OuterXml;
    }

    private static string Response(string encrypted) => TestIdp.Encode(TestIdp.ResponseXml(new(), encrypted));

    [Theory]
    [InlineData("aes128-gcm")]
    [InlineData("aes256-gcm")]
    public void A_signed_assertion_that_is_encrypted_to_us_is_read(string content) =>
        TestIdp.Read(Response(TestIdp.EncryptedXml(SignedAssertion(), Xenc11 + content))).NameId.ShouldBe("anna@example.org");

    [Fact]
    public void OAEP_is_read_with_SHA_1_and_SHA_256_and_to_any_key_of_ours()
    {
        var sha256 = $"""<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="{Xenc}sha256"/><xenc11:MGF xmlns:xenc11="{Xenc11}" Algorithm="{Xenc11}mgf1sha256"/>""";
        TestIdp.Read(Response(TestIdp.EncryptedXml(SignedAssertion(), transport: Xenc11 + "rsa-oaep", padding: RSAEncryptionPadding.OaepSHA256, transportExtra: sha256))).NameId.ShouldBe("anna@example.org");
        var older = SpKey.Create("older", TestIdp.Now);
        var toOlder = Response(TestIdp.EncryptedXml(SignedAssertion(), to: older.Certificate));
        TestIdp.Read(toOlder, TestIdp.Expected with { OwnKeys = [TestIdp.Own, older] }).NameId.ShouldBe("anna@example.org");
        TestIdp.Refused(toOlder, SamlRefusal.Decryption);
    }

    [Fact]
    public void Encryption_makes_nothing_true()
    {
        // Anybody can encrypt to us: what is inside must be signed all the same.
        TestIdp.Refused(Response(TestIdp.EncryptedXml(TestIdp.AssertionXml(new()))), SamlRefusal.Unsigned);
        TestIdp.Refused(Response(TestIdp.EncryptedXml(SignedAssertion().Replace(">anna@example.org</saml:NameID>", ">eve@example.org</saml:NameID>", StringComparison.Ordinal))), SamlRefusal.Signature);
        TestIdp.Refused(Response(TestIdp.EncryptedXml(SignedAssertion(new() { Audience = "https://other.example" }))), SamlRefusal.Audience);
        TestIdp.Refused(Response(TestIdp.EncryptedXml("<x/>")), SamlRefusal.Shape);
        TestIdp.Refused(Response(TestIdp.EncryptedXml("no xml")), SamlRefusal.Malformed);
        TestIdp.Refused(Response(TestIdp.EncryptedXml("<!DOCTYPE x>" + SignedAssertion())), SamlRefusal.Malformed);
        TestIdp.Refused(Response(TestIdp.EncryptedXml(SignedAssertion()) + SignedAssertion(new() { AssertionId = "_b" })), SamlRefusal.Shape);

        // A signed response around it is enough: what is encrypted is then part of what is signed.
        var outside = TestIdp.Load(TestIdp.ResponseXml(new(), TestIdp.EncryptedXml(TestIdp.AssertionXml(new()))));
        TestIdp.Sign(outside.DocumentElement!, new());
        TestIdp.Read(outside).NameId.ShouldBe("anna@example.org");
        var swapped = TestIdp.Load(outside.OuterXml);
        swapped.DocumentElement!.ReplaceChild(
            swapped.ReadNode(System.Xml.XmlReader.Create(new StringReader(TestIdp.EncryptedXml(TestIdp.AssertionXml(new() { NameId = "eve" })))))!, swapped.DocumentElement.LastChild!);
        TestIdp.Refused(swapped, SamlRefusal.Signature);
    }

    [Theory]
    [InlineData("aes128-cbc")]
    [InlineData("aes256-cbc")]
    public void CBC_is_opened_where_the_response_around_it_is_signed_and_nowhere_else(string content)
    {
        TestIdp.Refused(Response(TestIdp.EncryptedXml(SignedAssertion(), Xenc + content)), SamlRefusal.Algorithm);
        var outside = TestIdp.Load(TestIdp.ResponseXml(new(), TestIdp.EncryptedXml(SignedAssertion(), Xenc + content)));
        TestIdp.Sign(outside.DocumentElement!, new());
        TestIdp.Read(outside).NameId.ShouldBe("anna@example.org");

        // Somebody who changes the cipher text to see whether it opens sees the signature fail, whatever was changed.
        var cipher = Convert.FromBase64String(outside.GetElementsByTagName("xenc:CipherValue")[1]!.InnerText);
        foreach (var at in new[] { 0, 15, 16, cipher.Length - 17, cipher.Length - 1 })
        {
            var changed = TestIdp.Load(outside.OuterXml);
            var bytes = (byte[])cipher.Clone();
            bytes[at] ^= 1;
            changed.GetElementsByTagName("xenc:CipherValue")[1]!.InnerText = Convert.ToBase64String(bytes);
            TestIdp.Refused(changed, SamlRefusal.Signature);
        }

        // The provider's own mistakes.
        foreach (var length in new[] { 0, 15, 16, 31, 33 })
        {
            var broken = TestIdp.Load(outside.OuterXml);
            broken.DocumentElement!.RemoveChild(broken.DocumentElement.ChildNodes.OfType<System.Xml.XmlElement>().Single(e => e.LocalName == "Signature"));
            broken.GetElementsByTagName("xenc:CipherValue")[1]!.InnerText = Convert.ToBase64String(cipher.AsSpan(0, length));
            TestIdp.Sign(broken.DocumentElement, new());
            TestIdp.Refused(broken, SamlRefusal.Decryption, SamlRefusal.Shape);
        }
    }

    [Fact]
    public void PKCS_1_is_not_opened()
    {
        TestIdp.Refused(Response(TestIdp.EncryptedXml(SignedAssertion(), transport: Xenc + "rsa-1_5", padding: RSAEncryptionPadding.Pkcs1)), SamlRefusal.Algorithm);
        // Under the right name, it does not open.
        TestIdp.Refused(Response(TestIdp.EncryptedXml(SignedAssertion(), padding: RSAEncryptionPadding.Pkcs1)), SamlRefusal.Decryption);
    }

    [Fact]
    public void Every_way_of_not_opening_looks_the_same()
    {
        var good = TestIdp.EncryptedXml(SignedAssertion());
        var messages = new HashSet<string>(StringComparer.Ordinal);
        var document = TestIdp.Load(TestIdp.ResponseXml(new(), good));
        foreach (System.Xml.XmlElement value in document.GetElementsByTagName("xenc:CipherValue"))
        {
            var (text, bytes) = (value.InnerText, Convert.FromBase64String(value.InnerText));
            bytes[^1] ^= 1;
            value.InnerText = Convert.ToBase64String(bytes);
            messages.Add(Should.Throw<SamlRefusedException>(() => TestIdp.Read(document)).Message);
            value.InnerText = text;
        }
        TestIdp.Read(document).NameId.ShouldBe("anna@example.org");
        messages.Count.ShouldBe(1);
    }
}
