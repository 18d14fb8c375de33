using System.Security.Cryptography;
using System.Text;
using System.Xml;

namespace Appliance.Saml.Tests;

/// <summary>Every other way in which a response can lie, each beside its honest twin.</summary>
[Trait("Requirement", "A12")]
public sealed class ForgeryTests
{
    private const string Dsig = "http://www.w3.org/2000/09/xmldsig#";
    private const string More = "http://www.w3.org/2001/04/xmldsig-more#";
    private const string Enveloped = """<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>""";
    private const string Exclusive = """<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>""";

    [Fact]
    public void An_honest_response_is_read_whole()
    {
        var read = TestIdp.Read(TestIdp.Signed());
        read.NameId.ShouldBe("anna@example.org");
        read.Issuer.ShouldBe(TestIdp.EntityId);
        read.Id.ShouldBe("_assertion");
        read.Attributes["groups"].ShouldBe(["editors", "owners"]);
        read.Attributes["mail"].ShouldBe(["anna@example.org"]);
        read.ValidUntil.ShouldBe(TestIdp.Now.AddMinutes(7));
        TestIdp.Facts(TestIdp.Read(TestIdp.SignedOutside())).ShouldBe(TestIdp.Facts(read));

        // Signed twice, inside first.
        var both = TestIdp.Signed();
        TestIdp.Sign(both.DocumentElement!, new());
        TestIdp.Facts(TestIdp.Read(both)).ShouldBe(TestIdp.Facts(read));
    }

    [Theory]
    [InlineData("rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256")]
    [InlineData("rsa-sha384", "http://www.w3.org/2001/04/xmldsig-more#sha384")]
    [InlineData("rsa-sha512", "http://www.w3.org/2001/04/xmlenc#sha512")]
    [InlineData("ecdsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256")]
    [InlineData("ecdsa-sha384", "http://www.w3.org/2001/04/xmldsig-more#sha384")]
    public void Every_listed_algorithm_is_read(string algorithm, string digest)
    {
        Func<byte[], byte[]>? signer = algorithm switch
        {
            "ecdsa-sha256" => data => TestIdp.P256.SignData(data, HashAlgorithmName.SHA256),
            "ecdsa-sha384" => data => TestIdp.P384.SignData(data, HashAlgorithmName.SHA384),
            _ => null,
        };
        TestIdp.Read(TestIdp.Signed(how: new() { Algorithm = More + algorithm, DigestAlgorithm = digest, Signer = signer })).NameId.ShouldBe("anna@example.org");
    }

    public static TheoryData<string> BadAlgorithms => ["http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2000/09/xmldsig#dsa-sha1", "http://www.w3.org/2000/09/xmldsig#hmac-sha1", More + "hmac-sha256", More + "rsa-md5", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", ""];

    [Theory]
    [MemberData(nameof(BadAlgorithms))]
    public void No_other_signature_algorithm_is_read(string algorithm) =>
        TestIdp.Refused(TestIdp.Signed(how: new() { Algorithm = algorithm, Signer = data => TestIdp.RsaSign(TestIdp.Rsa, algorithm, data) }), SamlRefusal.Algorithm);

    [Fact]
    public void A_digest_with_SHA_1_is_not_read() => TestIdp.Refused(TestIdp.Signed(how: new() { DigestAlgorithm = Dsig + "sha1" }), SamlRefusal.Algorithm);

    [Fact]
    public void The_public_key_is_not_the_secret_of_a_MAC()
    {
        foreach (var secret in new[] { TestIdp.Rsa.ExportSubjectPublicKeyInfo(), TestIdp.RsaCertificate, Encoding.ASCII.GetBytes(TestIdp.Rsa.ExportSubjectPublicKeyInfoPem()) })
        {
            TestIdp.Refused(TestIdp.Signed(how: new() { Algorithm = More + "hmac-sha256", Signer = data => HMACSHA256.HashData(secret, data) }), SamlRefusal.Algorithm);
            // The same under the name of an algorithm that is read.
            TestIdp.Refused(TestIdp.Signed(how: new() { Signer = data => HMACSHA256.HashData(secret, data) }), SamlRefusal.Signature);
        }
    }

    [Fact]
    public void A_key_that_the_message_brings_along_is_not_believed()
    {
        var brought = $"""<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{Convert.ToBase64String(TestIdp.AttackerCertificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>""";
        TestIdp.Refused(TestIdp.Signed(how: new() { KeyInfo = brought, Signer = data => TestIdp.RsaSign(TestIdp.Attacker, "rsa-sha256", data) }), SamlRefusal.Signature);
        var value = TestIdp.Attacker.ExportParameters(false);
        var raw = $"""<ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{Convert.ToBase64String(value.Modulus!)}</ds:Modulus><ds:Exponent>{Convert.ToBase64String(value.Exponent!)}</ds:Exponent></ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>""";
        TestIdp.Refused(TestIdp.Signed(how: new() { KeyInfo = raw, Signer = data => TestIdp.RsaSign(TestIdp.Attacker, "rsa-sha256", data) }), SamlRefusal.Signature);
        // The twin: the same KeyInfo, the right key. What it says does not matter.
        TestIdp.Read(TestIdp.Signed(how: new() { KeyInfo = brought })).NameId.ShouldBe("anna@example.org");
    }

    [Fact]
    public void Of_several_keys_each_is_good_and_one_that_was_taken_out_is_not()
    {
        var response = TestIdp.Encode(TestIdp.Signed());
        TestIdp.Read(response, TestIdp.Expected with { IdpKeys = [IdpKey.Load(TestIdp.AttackerCertificate), IdpKey.Load(TestIdp.RsaCertificate)] }).NameId.ShouldBe("anna@example.org");
        Should.Throw<SamlRefusedException>(() => TestIdp.Read(response, TestIdp.Expected with { IdpKeys = [IdpKey.Load(TestIdp.AttackerCertificate)] })).Refusal.ShouldBe(SamlRefusal.Signature);
        Should.Throw<SamlRefusedException>(() => TestIdp.Read(response, TestIdp.Expected with { IdpKeys = [] })).Refusal.ShouldBe(SamlRefusal.Signature);
    }

    public static TheoryData<string> BadTransforms =>
    [
        "", Exclusive, Enveloped, Exclusive + Enveloped, Enveloped + Exclusive + Exclusive, Enveloped + Enveloped,
        Enveloped + """<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:template match="/"><x/></xsl:template></xsl:stylesheet></ds:Transform>""",
        Enveloped + """<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>ancestor-or-self::x</ds:XPath></ds:Transform>""",
        Enveloped + """<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/>""",
        Enveloped + """<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2"/>""",
        Enveloped + """<ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>""",
        Enveloped + """<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#WithComments"/>""",
        """<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"><ds:XPath>x</ds:XPath></ds:Transform>""" + Exclusive,
    ];

    [Theory]
    [MemberData(nameof(BadTransforms))]
    public void No_other_transforms_are_run(string transforms) =>
        TestIdp.Refused(TestIdp.Signed(how: new() { Transforms = transforms }), SamlRefusal.SignatureForm, SamlRefusal.Algorithm);

    [Fact]
    public void A_signature_covers_the_element_that_it_stands_in_and_says_so()
    {
        foreach (var uri in new[] { "", "#", "#_response", "#_nobody", "#xpointer(/)", "#xpointer(id('_assertion'))", "http://evil.example/x", "_assertion", "#_assertion#" })
        {
            TestIdp.Refused(TestIdp.Signed(how: new() { Uri = uri }), SamlRefusal.SignatureForm);
        }
        // Two references, one of them right.
        var second = $"""<ds:Reference URI="#_response"><ds:Transforms>{Enveloped}{Exclusive}</ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>""";
        TestIdp.Refused(TestIdp.Signed(how: new() { Extra = second }), SamlRefusal.SignatureForm);
        TestIdp.Refused(TestIdp.Signed(how: new() { C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" }), SamlRefusal.Algorithm);
        TestIdp.Refused(TestIdp.Signed(how: new() { C14N = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments" }), SamlRefusal.Algorithm);
    }

    [Fact]
    public void A_signature_in_another_place_counts_for_nothing()
    {
        // Taken from the assertion and put beside it, into Status, and into the subject.
        foreach (var place in new[] { "samlp:Response", "samlp:Status", "saml:Subject" })
        {
            var moved = TestIdp.Signed();
            var signature = moved.GetElementsByTagName("ds:Signature")[0]!;
            moved.GetElementsByTagName(place)[0]!.AppendChild(signature);
            TestIdp.Refused(moved, SamlRefusal.Shape, SamlRefusal.SignatureForm, SamlRefusal.Unsigned);
        }
        var twice = TestIdp.Signed();
        var again = twice.GetElementsByTagName("ds:Signature")[0]!;
        again.ParentNode!.InsertAfter(again.CloneNode(true), again);
        TestIdp.Refused(twice, SamlRefusal.SignatureForm, SamlRefusal.Shape);
    }

    [Fact]
    public void What_is_not_signed_is_not_believed()
    {
        TestIdp.Refused(TestIdp.ResponseEncoded(), SamlRefusal.Unsigned);
        var emptied = TestIdp.Signed();
        emptied.GetElementsByTagName("ds:SignatureValue")[0]!.InnerText = "";
        TestIdp.Refused(emptied, SamlRefusal.SignatureForm);
        var noInfo = TestIdp.Signed();
        var info = noInfo.GetElementsByTagName("ds:SignedInfo")[0]!;
        info.ParentNode!.RemoveChild(info);
        TestIdp.Refused(noInfo, SamlRefusal.SignatureForm);
        // The response's signature is good, the assertion's is somebody else's; and the reverse.
        var inside = TestIdp.Signed(how: new() { Signer = data => TestIdp.RsaSign(TestIdp.Attacker, "rsa-sha256", data) });
        TestIdp.Sign(inside.DocumentElement!, new());
        TestIdp.Refused(inside, SamlRefusal.Signature);
        var outside = TestIdp.Signed();
        TestIdp.Sign(outside.DocumentElement!, new() { Signer = data => TestIdp.RsaSign(TestIdp.Attacker, "rsa-sha256", data) });
        TestIdp.Refused(outside, SamlRefusal.Signature);
    }

    [Fact]
    public void Whatever_is_changed_after_signing_is_noticed()
    {
        foreach (var signed in new[] { TestIdp.Signed(), TestIdp.SignedOutside() })
        {
            TestIdp.Refused(TestIdp.Encode(signed.OuterXml.Replace("anna@example.org</saml:NameID>", "berta@example.org</saml:NameID>", StringComparison.Ordinal)), SamlRefusal.Signature);
            TestIdp.Refused(TestIdp.Encode(signed.OuterXml.Replace(">editors<", ">admins<", StringComparison.Ordinal)), SamlRefusal.Signature);
            TestIdp.Refused(TestIdp.Encode(signed.OuterXml.Replace("<saml:Subject>", "<saml:Subject> ", StringComparison.Ordinal)), SamlRefusal.Signature);
        }
        TestIdp.Read(TestIdp.Encode(TestIdp.Signed().OuterXml.Replace("Version", "  Version", StringComparison.Ordinal))).NameId.ShouldBe("anna@example.org");
    }

    [Fact]
    public void A_comment_cuts_no_name_in_two()
    {
        // Somebody who may call themselves anna@example.org.evil.example cuts their name down to anna@example.org.
        var spec = new ResponseSpec { NameId = "anna@example.org.evil.example" };
        TestIdp.Read(TestIdp.Signed(spec)).NameId.ShouldBe("anna@example.org.evil.example");
        foreach (var inserted in new[] { "<!---->", "<!-- x -->", "<?x?>", "<?xml-stylesheet href=\"x\"?>", "<x/>", "<![CDATA[]]>" })
        {
            var cut = TestIdp.Signed(spec).OuterXml.Replace("anna@example.org.evil", "anna@example.org" + inserted + ".evil", StringComparison.Ordinal);
            try
            {
                // CDATA is text in canonical form too: the whole name or nothing.
                TestIdp.Read(TestIdp.Encode(cut)).NameId.ShouldBe("anna@example.org.evil.example", inserted);
                inserted.ShouldBe("<![CDATA[]]>");
            }
            catch (SamlRefusedException e)
            {
                e.Refusal.ShouldBeOneOf(SamlRefusal.Malformed, SamlRefusal.Signature);
            }
        }
    }

    [Fact]
    public void Namespaces_do_not_change_what_a_name_means()
    {
        var xml = TestIdp.Signed().OuterXml;
        // The prefixes swapped to another namespace; a default namespace put over everything; an assertion of another namespace beside the right one.
        TestIdp.Refused(TestIdp.Encode(xml.Replace("urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:1.0:assertion", StringComparison.Ordinal)), SamlRefusal.Shape, SamlRefusal.Signature);
        TestIdp.Refused(TestIdp.Encode(xml.Replace("<samlp:Status>", "<Assertion xmlns=\"urn:x\" ID=\"_x\"/><samlp:Status>", StringComparison.Ordinal)), SamlRefusal.Shape);
        TestIdp.Refused(TestIdp.Encode(xml.Replace("xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"", "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig\"", StringComparison.Ordinal)), SamlRefusal.Shape, SamlRefusal.Unsigned);
        TestIdp.Read(TestIdp.Encode(xml.Replace("<samlp:Response ", "<samlp:Response xmlns=\"urn:x\" xmlns:y=\"urn:y\" ", StringComparison.Ordinal))).NameId.ShouldBe("anna@example.org");
        // An inclusive prefix that is declared outside of the assertion: part of what was signed.
        var outer = TestIdp.Load(TestIdp.ResponseXml(new()).Replace("<samlp:Response ", "<samlp:Response xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" ", StringComparison.Ordinal));
        TestIdp.Sign(outer.Assertion(), new()
        {
            Prefixes = "xs",
            Transforms = Enveloped + """<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xs"/></ds:Transform>""",
        });
        TestIdp.Read(outer).NameId.ShouldBe("anna@example.org");
        TestIdp.Refused(TestIdp.Encode(outer.OuterXml.Replace("xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" ID", "xmlns:xs=\"urn:z\" ID", StringComparison.Ordinal).Replace("<samlp:Response xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"", "<samlp:Response xmlns:xs=\"urn:z\"", StringComparison.Ordinal)), SamlRefusal.Signature);
    }

    public static TheoryData<string, SamlRefusal> Lies => new()
    {
        { "issuer", SamlRefusal.Issuer }, { "assertion issuer", SamlRefusal.Issuer }, { "destination", SamlRefusal.Destination }, { "empty destination", SamlRefusal.Destination },
        { "recipient", SamlRefusal.Recipient }, { "audience", SamlRefusal.Audience }, { "no audience", SamlRefusal.Audience }, { "second audience restriction", SamlRefusal.Audience },
        { "request", SamlRefusal.InResponseTo }, { "no request", SamlRefusal.InResponseTo }, { "confirmation request", SamlRefusal.InResponseTo }, { "no confirmation request", SamlRefusal.InResponseTo },
        { "expired", SamlRefusal.Time }, { "expired confirmation", SamlRefusal.Time }, { "not yet", SamlRefusal.Time }, { "confirmation not before", SamlRefusal.Time }, { "too long", SamlRefusal.Time },
        { "session over", SamlRefusal.Time }, { "signed in tomorrow", SamlRefusal.Time },
        { "status", SamlRefusal.Status }, { "transient", SamlRefusal.Name }, { "no name", SamlRefusal.Name }, { "spaces", SamlRefusal.Name }, { "other qualifier", SamlRefusal.Name },
        { "holder of key", SamlRefusal.Shape }, { "no statement", SamlRefusal.Shape }, { "two statements", SamlRefusal.Shape }, { "advice", SamlRefusal.Shape },
        { "unknown condition", SamlRefusal.Condition }, { "encrypted attribute", SamlRefusal.Shape }, { "second assertion", SamlRefusal.Shape },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public void A_response_that_is_signed_and_meant_for_something_else_is_refused(string lie, SamlRefusal because)
    {
        var s = new ResponseSpec();
        s = lie switch
        {
            "issuer" => s with { Issuer = "https://evil.example" },
            "assertion issuer" => s with { AssertionIssuer = TestIdp.EntityId + "/" },
            "destination" => s with { Destination = "https://appliance.example/sso/other/acs" },
            "empty destination" => s with { Destination = "" },
            "recipient" => s with { Recipient = "https://other.example/acs" },
            "audience" => s with { Audience = "https://other.example" },
            "no audience" => s with { Audience = "" },
            "second audience restriction" => s with { ConditionsExtra = "<saml:AudienceRestriction><saml:Audience>https://other.example</saml:Audience></saml:AudienceRestriction>" },
            "request" => s with { InResponseTo = "_another" },
            "no request" => s with { InResponseTo = null, ConfirmationInResponseTo = null },
            "confirmation request" => s with { ConfirmationInResponseTo = "_another" },
            "no confirmation request" => s with { ConfirmationInResponseTo = null },
            "expired" => s with { NotOnOrAfter = TimeSpan.FromMinutes(-2) },
            "expired confirmation" => s with { ConfirmationNotOnOrAfter = TimeSpan.FromMinutes(-2) },
            "not yet" => s with { NotBefore = TimeSpan.FromSeconds(121) },
            "confirmation not before" => s with { ConfirmationExtra = "NotBefore=\"2026-11-25T11:00:00Z\"" },
            "too long" => s with { ConfirmationNotOnOrAfter = TimeSpan.FromHours(25) },
            "session over" => s with { Statement = s.Statement.Replace("SessionIndex", "SessionNotOnOrAfter=\"2026-11-25T11:00:00Z\" SessionIndex", StringComparison.Ordinal) },
            "signed in tomorrow" => s with { Statement = s.Statement.Replace("{now}", "2026-11-26T12:00:00Z", StringComparison.Ordinal) },
            "status" => s with { Status = "urn:oasis:names:tc:SAML:2.0:status:Responder" },
            "transient" => s with { NameIdAttributes = "Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:transient\"" },
            "no name" => s with { NameId = "" },
            "spaces" => s with { NameId = " anna" },
            "other qualifier" => s with { NameIdAttributes = "SPNameQualifier=\"https://other.example\"" },
            "holder of key" => s with { Method = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key" },
            "no statement" => s with { Statement = "" },
            "two statements" => s with { Statement = s.Statement + s.Statement },
            "advice" => s with { Statement = "<saml:Advice/>" + s.Statement },
            "unknown condition" => s with { ConditionsExtra = "<saml:Condition xmlns:x=\"urn:x\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"x:Odd\"/>" },
            "encrypted attribute" => s with { Attributes = "<saml:AttributeStatement><saml:EncryptedAttribute/></saml:AttributeStatement>" },
            "second assertion" => s with { ResponseExtra = TestIdp.AssertionXml(s with { AssertionId = "_second" }) },
            _ => throw new ArgumentOutOfRangeException(nameof(lie)),
        };
        TestIdp.Read(TestIdp.Signed()).NameId.ShouldBe("anna@example.org");
        TestIdp.Refused(TestIdp.Signed(s), because);
        TestIdp.Refused(TestIdp.SignedOutside(s), because);
    }

    [Fact]
    public void Clocks_may_be_apart_by_what_is_set_and_no_more()
    {
        TestIdp.Read(TestIdp.Signed(new() { NotBefore = TimeSpan.FromSeconds(119) })).NameId.ShouldBe("anna@example.org");
        TestIdp.Read(TestIdp.Signed(new() { NotOnOrAfter = TimeSpan.FromSeconds(-119) })).NameId.ShouldBe("anna@example.org");
        Should.Throw<SamlRefusedException>(() => TestIdp.Read(TestIdp.Signed(new() { NotBefore = TimeSpan.FromSeconds(1) }), TestIdp.Expected with { Skew = TimeSpan.Zero })).Refusal.ShouldBe(SamlRefusal.Time);
        foreach (var time in new[] { "2026-11-25T13:10:00+01:00", "2026-11-25T12:10:00", "tomorrow", "2026-11-25", "" })
        {
            var odd = TestIdp.Load(TestIdp.ResponseXml(new()).Replace("NotOnOrAfter=\"2026-11-25T12:05:00Z\"", $"NotOnOrAfter=\"{time}\"", StringComparison.Ordinal));
            TestIdp.Sign(odd.Assertion(), new());
            TestIdp.Refused(odd, SamlRefusal.Time);
        }
    }

    [Fact]
    public void An_answer_to_nothing_is_read_only_where_nothing_was_asked()
    {
        var unsolicited = TestIdp.Encode(TestIdp.Signed(new() { InResponseTo = null, ConfirmationInResponseTo = null }));
        TestIdp.Refused(unsolicited, SamlRefusal.InResponseTo);
        TestIdp.Read(unsolicited, TestIdp.Expected with { RequestId = null }).NameId.ShouldBe("anna@example.org");
        Should.Throw<SamlRefusedException>(() => TestIdp.Read(TestIdp.Signed(), TestIdp.Expected with { RequestId = null })).Refusal.ShouldBe(SamlRefusal.InResponseTo);
        // Half of it: the outside, which nobody signed, says otherwise.
        Should.Throw<SamlRefusedException>(() => TestIdp.Read(TestIdp.Signed(new() { InResponseTo = null }), TestIdp.Expected with { RequestId = null })).Refusal.ShouldBe(SamlRefusal.InResponseTo);
    }

    [Fact]
    public void An_id_names_one_element()
    {
        TestIdp.Refused(TestIdp.Signed(new() { ResponseId = "_assertion" }), SamlRefusal.RepeatedId);
        foreach (var spelling in new[] { "ID", "Id", "id", "xml:id" })
        {
            TestIdp.Refused(TestIdp.Encode(TestIdp.Signed().OuterXml.Replace("<samlp:Status>", $"<samlp:Status {spelling}=\"_assertion\">", StringComparison.Ordinal)), SamlRefusal.RepeatedId);
        }
    }

    public static TheoryData<string> NotMessages => new()
    {
        { "" }, { "x" }, { "!!!!" }, { TestIdp.Encode("") }, { TestIdp.Encode("hello") }, { TestIdp.Encode("<a>") }, { TestIdp.Encode("<a/>") }, { TestIdp.Encode("<samlp:Response/>") },
        { TestIdp.Encode("<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">]><r>&b;</r>") },
        { TestIdp.Encode("<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>") },
        { TestIdp.Encode("<!DOCTYPE r [<!ENTITY x SYSTEM \"http://127.0.0.1:1/x\">]><r>&x;</r>") },
        { TestIdp.Encode("<?xml-stylesheet type=\"text/xsl\" href=\"http://127.0.0.1:1/x\"?>" + TestIdp.ResponseXml(new())) },
        { TestIdp.Encode(string.Concat(Enumerable.Repeat("<a>", 50_000)) + string.Concat(Enumerable.Repeat("</a>", 50_000))) },
        { TestIdp.Encode("<a>" + string.Concat(Enumerable.Repeat("<b/>", 45_000)) + "</a>") },
        { TestIdp.Encode("<a " + string.Concat(Enumerable.Range(0, 5000).Select(i => $"a{i}=\"\" ")) + "/>") },
        { Convert.ToBase64String(Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes(TestIdp.ResponseXml(new()))).ToArray()) },
        { Convert.ToBase64String([0x3C, 0x61, 0x3E, 0xFF, 0xFE, 0x3C, 0x2F, 0x61, 0x3E]) },
        { new string('A', SamlResponse.MaxEncodedLength + 4) },
    };

    [Theory]
    [MemberData(nameof(NotMessages))]
    public void What_is_no_message_is_refused_at_once(string encoded)
    {
        var started = System.Diagnostics.Stopwatch.StartNew();
        TestIdp.Refused(encoded, SamlRefusal.Malformed, SamlRefusal.Shape);
        started.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void A_document_type_in_an_otherwise_good_response_is_refused_and_so_is_an_inclusion()
    {
        var xml = TestIdp.Signed().OuterXml;
        TestIdp.Refused(TestIdp.Encode("<!DOCTYPE Response [<!ATTLIST Response x CDATA \"y\">]>" + xml), SamlRefusal.Malformed);
        TestIdp.Refused(TestIdp.Encode("<!DOCTYPE Response>" + xml), SamlRefusal.Malformed);
        TestIdp.Refused(TestIdp.Encode(xml.Replace("<samlp:Status>", "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\"/><samlp:Status>", StringComparison.Ordinal)), SamlRefusal.Shape);
        TestIdp.Read(TestIdp.Encode("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + xml)).NameId.ShouldBe("anna@example.org");
    }
}
