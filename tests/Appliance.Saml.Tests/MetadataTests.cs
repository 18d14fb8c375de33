using System.IO.Compression;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Security.Cryptography.Xml;
using System.Text;
using System.Xml;

namespace Appliance.Saml.Tests;

[Trait("Requirement", "A12")]
public sealed class MetadataTests
{
    private static string Key(byte[] certificate, string use = " use=\"signing\"") =>
        $"""<md:KeyDescriptor{use}><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>{Convert.ToBase64String(certificate, Base64FormattingOptions.InsertLineBreaks)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>""";

    private static string Idp(string? keys = null, string attributes = "", string? services = null) =>
        $"""<!-- from the vendor --><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{TestIdp.EntityId}"{attributes}><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{keys ?? Key(TestIdp.RsaCertificate)}{services ?? Service("HTTP-POST", "https://idp.example/post") + Service("HTTP-Redirect", "https://idp.example/sso?x=1")}</md:IDPSSODescriptor></md:EntityDescriptor>""";

    private static string Service(string binding, string location) => $"""<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:{binding}" Location="{location}"/>""";

    private static IdpMetadata Parse(string xml) => IdpMetadata.Parse(Encoding.UTF8.GetBytes(xml), TestIdp.Now);

    private static string Problem(string xml) => Should.Throw<SamlMetadataException>(() => Parse(xml)).Message;

    [Fact]
    public void What_is_needed_is_read()
    {
        var read = Parse(Idp(Key(TestIdp.RsaCertificate) + Key(TestIdp.P256Certificate, "") + Key(TestIdp.AttackerCertificate, " use=\"encryption\"")));
        read.EntityId.ShouldBe(TestIdp.EntityId);
        read.SignOnUrl.ShouldBe("https://idp.example/sso?x=1");
        read.IsRedirect.ShouldBeTrue();
        read.Keys.Select(k => k.Kind).ShouldBe(["RSA 2048", "P-256"]);
        Parse(Idp(services: Service("HTTP-POST", "https://idp.example/post"))).IsRedirect.ShouldBeFalse();
        Parse($"""<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">{Idp()}</md:EntitiesDescriptor>""").EntityId.ShouldBe(TestIdp.EntityId);
    }

    [Fact]
    public void What_cannot_be_used_is_refused_with_the_reason()
    {
        var over = TestIdp.Certificate(TestIdp.Rsa, TestIdp.Now.AddYears(-2), TestIdp.Now.AddDays(-1));
        Problem(Idp(Key(over))).ShouldContain("ended on 2026-11-24");
        Parse(Idp(Key(over) + Key(TestIdp.AttackerCertificate))).Keys.ShouldHaveSingleItem();
        Problem(Idp("")).ShouldContain("no certificate");
        Problem(Idp(Key([1, 2, 3]))).ShouldContain("cannot be read");
        Problem(Idp(Key(TestIdp.RsaCertificate).Replace("MII", "***", StringComparison.Ordinal))).ShouldContain("not base64");
        using (var weak = RSA.Create(1024))
        {
            Problem(Idp(Key(TestIdp.Certificate(weak)))).ShouldContain("1024 bits");
        }
        using (var odd = ECDsa.Create(ECCurve.NamedCurves.nistP521))
        {
            Problem(Idp(Key(TestIdp.Certificate(odd)))).ShouldContain("neither RSA nor ECDSA");
        }
        Problem(Idp(attributes: " validUntil=\"2026-11-25T11:59:59Z\"")).ShouldContain("was valid until");
        Problem(Idp(services: "")).ShouldContain("no sign-on address");
        foreach (var address in new[] { "http://idp.example/sso", "javascript:alert(1)", "https://user@idp.example/", "/sso", "file:///etc/passwd", "" })
        {
            Problem(Idp(services: Service("HTTP-Redirect", address))).ShouldContain("not an https address");
        }
        Problem("<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]><x>&y;</x>").ShouldContain("document type");
        Problem("hello").ShouldContain("not well-formed");
        Problem("<html/>").ShouldContain("not SAML metadata");
        Problem($"""<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">{Idp()}{Idp()}</md:EntitiesDescriptor>""").ShouldContain("more than one");
        Problem(Idp() + new string(' ', IdpMetadata.MaxLength)).ShouldContain("larger than 1024 KiB");
    }

    [Fact]
    public void Our_own_metadata_names_every_key_and_is_signed()
    {
        var next = SpKey.Create("next", TestIdp.Now);
        var document = TestIdp.Load(Encoding.UTF8.GetString(SpMetadata.Write(TestIdp.SpEntityId, TestIdp.Acs, [TestIdp.Own, next])));
        document.GetElementsByTagName("X509Certificate").OfType<XmlElement>().Count(c => c.InnerText == Convert.ToBase64String(next.Certificate)).ShouldBe(1);
        document.DocumentElement!.GetAttribute("entityID").ShouldBe(TestIdp.SpEntityId);
        Verified(document);
    }

    [Fact]
    public void Our_requests_are_signed_in_both_bindings()
    {
        var request = AuthnRequest.Create("https://idp.example/sso?x=1", TestIdp.SpEntityId, TestIdp.Acs, TestIdp.Now);
        var address = request.ToRedirect(TestIdp.Own, "state/ &=");
        address.ShouldStartWith("https://idp.example/sso?x=1&SAMLRequest=");
        var query = address[(address.IndexOf("SAMLRequest=", StringComparison.Ordinal))..];
        var at = query.IndexOf("&Signature=", StringComparison.Ordinal);
        using var certificate = X509CertificateLoader.LoadCertificate(TestIdp.Own.Certificate);
        certificate.GetRSAPublicKey()!.VerifyData(
            Encoding.ASCII.GetBytes(query[..at]), Convert.FromBase64String(Uri.UnescapeDataString(query[(at + 11)..])), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).ShouldBeTrue();
        using var inflated = new StreamReader(new DeflateStream(new MemoryStream(Convert.FromBase64String(Uri.UnescapeDataString(query.Split('&')[0]["SAMLRequest=".Length..]))), CompressionMode.Decompress));
        inflated.ReadToEnd().ShouldContain($"ID=\"{request.Id}\"");

        Verified(TestIdp.Load(Encoding.UTF8.GetString(Convert.FromBase64String(AuthnRequest.Create("https://idp.example/post", TestIdp.SpEntityId, TestIdp.Acs, TestIdp.Now).ToPost(TestIdp.Own)))));
    }

    private static void Verified(XmlDocument document)
    {
        using var certificate = X509CertificateLoader.LoadCertificate(TestIdp.Own.Certificate);
        var signed = new SignedXml(document);
        signed.LoadXml((XmlElement)document.GetElementsByTagName("Signature", "http://www.w3.org/2000/09/xmldsig#")[0]!);
        signed.CheckSignature(certificate.GetRSAPublicKey()!).ShouldBeTrue();
    }
}
