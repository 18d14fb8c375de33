using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Security.Cryptography.Xml;
using System.Text;
using System.Xml;

namespace Appliance.Saml.Tests;

/// <summary>What a response of the tests' own identity provider says; everything is right unless a test says otherwise.</summary>
public sealed record ResponseSpec
{
    public DateTimeOffset Now { get; init; } = TestIdp.Now;
    public string ResponseId { get; init; } = "_response";
    public string AssertionId { get; init; } = "_assertion";
    public string? Issuer { get; init; } = TestIdp.EntityId;
    public string AssertionIssuer { get; init; } = TestIdp.EntityId;
    public string? Destination { get; init; } = TestIdp.Acs;
    public string? InResponseTo { get; init; } = TestIdp.RequestId;
    public string? ConfirmationInResponseTo { get; init; } = TestIdp.RequestId;
    public string Recipient { get; init; } = TestIdp.Acs;
    public string Audience { get; init; } = TestIdp.SpEntityId;
    public string NameId { get; init; } = "anna@example.org";
    public string NameIdAttributes { get; init; } = "Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\"";
    public string Method { get; init; } = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
    public string Status { get; init; } = "urn:oasis:names:tc:SAML:2.0:status:Success";
    public TimeSpan NotBefore { get; init; } = TimeSpan.FromMinutes(-1);
    public TimeSpan NotOnOrAfter { get; init; } = TimeSpan.FromMinutes(5);
    public TimeSpan ConfirmationNotOnOrAfter { get; init; } = TimeSpan.FromMinutes(5);
    public string ConfirmationExtra { get; init; } = "";
    public string ConditionsExtra { get; init; } = "";
    public string AssertionExtra { get; init; } = "";
    public string ResponseExtra { get; init; } = "";
    public string Statement { get; init; } = """<saml:AuthnStatement AuthnInstant="{now}" SessionIndex="_s"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>""";
    public string Attributes { get; init; } = """<saml:AttributeStatement><saml:Attribute Name="mail"><saml:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">anna@example.org</saml:AttributeValue></saml:Attribute><saml:Attribute Name="groups"><saml:AttributeValue>editors</saml:AttributeValue><saml:AttributeValue>owners</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>""";
}

/// <summary>How a signature is made; the defaults are right.</summary>
public sealed record SignatureSpec
{
    public string Algorithm { get; init; } = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    public string DigestAlgorithm { get; init; } = "http://www.w3.org/2001/04/xmlenc#sha256";
    public string C14N { get; init; } = "http://www.w3.org/2001/10/xml-exc-c14n#";
    public string? Uri { get; init; }
    public string Transforms { get; init; } = """<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>""";
    public string? Prefixes { get; init; }
    public string KeyInfo { get; init; } = "";
    public string Extra { get; init; } = "";
    public Func<byte[], byte[]>? Signer { get; init; }
    public Func<byte[], byte[]>? Digester { get; init; }
    public Func<XmlElement, byte[]>? Covered { get; init; }
}

/// <summary>The tests' own identity provider, honest or not.</summary>
public static class TestIdp
{
    public const string EntityId = "https://idp.example/metadata";
    public const string SpEntityId = "https://appliance.example/sso/team/metadata";
    public const string Acs = "https://appliance.example/sso/team/acs";
    public const string RequestId = "_0123456789abcdef";

    public static readonly DateTimeOffset Now = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);
    public static readonly RSA Rsa = RSA.Create(2048);
    public static readonly ECDsa P256 = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    public static readonly ECDsa P384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
    public static readonly RSA Attacker = RSA.Create(2048);
    public static readonly byte[] RsaCertificate = Certificate(Rsa);
    public static readonly byte[] AttackerCertificate = Certificate(Attacker);
    public static readonly byte[] P256Certificate = Certificate(P256);
    public static readonly byte[] P384Certificate = Certificate(P384);
    public static readonly SpKey Own = SpKey.Create("appliance", Now);

    public static SamlExpectation Expected => new()
    {
        IdpEntityId = EntityId,
        IdpKeys = [IdpKey.Load(RsaCertificate), IdpKey.Load(P256Certificate), IdpKey.Load(P384Certificate)],
        SpEntityId = SpEntityId,
        AcsUrl = Acs,
        RequestId = RequestId,
        Now = Now,
        OwnKeys = [Own],
    };

    public static byte[] Certificate(RSA key, DateTimeOffset? from = null, DateTimeOffset? to = null)
    {
        using var made = new CertificateRequest("CN=idp", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSelfSigned(from ?? Now.AddYears(-1), to ?? Now.AddYears(1));
        return made.RawData;
    }

    public static byte[] Certificate(ECDsa key)
    {
        using var made = new CertificateRequest("CN=idp", key, HashAlgorithmName.SHA256).CreateSelfSigned(Now.AddYears(-1), Now.AddYears(1));
        return made.RawData;
    }

    private static string At(DateTimeOffset now, TimeSpan offset) => (now + offset).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static string AssertionXml(ResponseSpec s) =>
        $"""
        <saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{s.AssertionId}" Version="2.0" IssueInstant="{At(s.Now, default)}"><saml:Issuer>{s.AssertionIssuer}</saml:Issuer>
          <saml:Subject><saml:NameID {s.NameIdAttributes}>{s.NameId}</saml:NameID><saml:SubjectConfirmation Method="{s.Method}"><saml:SubjectConfirmationData NotOnOrAfter="{At(s.Now, s.ConfirmationNotOnOrAfter)}" Recipient="{s.Recipient}"{Attribute("InResponseTo", s.ConfirmationInResponseTo)} {s.ConfirmationExtra}/></saml:SubjectConfirmation></saml:Subject>
          <saml:Conditions NotBefore="{At(s.Now, s.NotBefore)}" NotOnOrAfter="{At(s.Now, s.NotOnOrAfter)}">{(s.Audience.Length == 0 ? "" : $"<saml:AudienceRestriction><saml:Audience>{s.Audience}</saml:Audience></saml:AudienceRestriction>")}{s.ConditionsExtra}</saml:Conditions>
          {s.Statement.Replace("{now}", At(s.Now, TimeSpan.FromMinutes(-1)), StringComparison.Ordinal)}
          {s.Attributes}{s.AssertionExtra}
        </saml:Assertion>
        """;

    public static string ResponseXml(ResponseSpec s, string? assertion = null) =>
        $"""<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{s.ResponseId}" Version="2.0" IssueInstant="{At(s.Now, default)}"{Attribute("Destination", s.Destination)}{Attribute("InResponseTo", s.InResponseTo)}>{(s.Issuer is null ? "" : $"<saml:Issuer>{s.Issuer}</saml:Issuer>")}<samlp:Status><samlp:StatusCode Value="{s.Status}"/></samlp:Status>{assertion ?? AssertionXml(s)}{s.ResponseExtra}</samlp:Response>""";

    private static string Attribute(string name, string? value) => value is null ? "" : $" {name}=\"{value}\"";

    public static XmlDocument Load(string xml)
    {
        var document = new XmlDocument { PreserveWhitespace = true, XmlResolver = null };
        document.LoadXml(xml);
        return document;
    }

    public static XmlElement Assertion(this XmlDocument document) => (XmlElement)document.GetElementsByTagName("Assertion", "urn:oasis:names:tc:SAML:2.0:assertion")[0]!;

    /// <summary>A response whose assertion is signed.</summary>
    public static XmlDocument Signed(ResponseSpec? spec = null, SignatureSpec? how = null)
    {
        var document = Load(ResponseXml(spec ?? new()));
        Sign(document.Assertion(), how ?? new());
        return document;
    }

    /// <summary>A response that is signed itself, its assertion not.</summary>
    public static XmlDocument SignedOutside(ResponseSpec? spec = null, SignatureSpec? how = null)
    {
        var document = Load(ResponseXml(spec ?? new()));
        Sign(document.DocumentElement!, how ?? new());
        return document;
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5350", Justification = "Forgeries are made with SHA-1, to be refused.")]
    public static XmlElement Sign(XmlElement target, SignatureSpec how)
    {
        var document = target.OwnerDocument;
        var covered = how.Covered?.Invoke(target) ?? Canonical(target, how.Prefixes);
        var digest = (how.Digester ?? (data => how.DigestAlgorithm switch
        {
            "http://www.w3.org/2000/09/xmldsig#sha1" => SHA1.HashData(data),
            "http://www.w3.org/2001/04/xmldsig-more#sha384" => SHA384.HashData(data),
            "http://www.w3.org/2001/04/xmlenc#sha512" => SHA512.HashData(data),
            _ => SHA256.HashData(data),
        }))(covered);
        var uri = how.Uri ?? "#" + target.GetAttribute("ID");
        var signature = (XmlElement)document.ReadNode(XmlReader.Create(new StringReader(
            $"""<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{how.C14N}"/><ds:SignatureMethod Algorithm="{how.Algorithm}"/><ds:Reference URI="{uri}"><ds:Transforms>{how.Transforms}</ds:Transforms><ds:DigestMethod Algorithm="{how.DigestAlgorithm}"/><ds:DigestValue>{Convert.ToBase64String(digest)}</ds:DigestValue></ds:Reference>{how.Extra}</ds:SignedInfo><ds:SignatureValue/>{how.KeyInfo}</ds:Signature>""")))!;
        target.InsertAfter(signature, target.ChildNodes.OfType<XmlElement>().FirstOrDefault(e => e.LocalName == "Issuer"));
        var info = Canonical((XmlElement)signature.FirstChild!, null);
        ((XmlElement)signature.ChildNodes[1]!).InnerText = Convert.ToBase64String((how.Signer ?? (data => RsaSign(Rsa, how.Algorithm, data)))(info));
        return signature;
    }

    public static byte[] RsaSign(RSA key, string algorithm, byte[] data) => key.SignData(data, Hash(algorithm), RSASignaturePadding.Pkcs1);

    public static HashAlgorithmName Hash(string algorithm) =>
        algorithm.EndsWith("sha384", StringComparison.Ordinal) ? HashAlgorithmName.SHA384
        : algorithm.EndsWith("sha512", StringComparison.Ordinal) ? HashAlgorithmName.SHA512
        : algorithm.EndsWith("sha1", StringComparison.Ordinal) ? HashAlgorithmName.SHA1
        : HashAlgorithmName.SHA256;

    public static byte[] Canonical(XmlElement element, string? prefixes)
    {
        var alone = new XmlDocument { PreserveWhitespace = true };
        alone.AppendChild(alone.ImportNode(element, true));
        foreach (var prefix in (prefixes ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (element.GetNamespaceOfPrefix(prefix) is { Length: > 0 } space)
            {
                alone.DocumentElement!.SetAttribute("xmlns:" + prefix, space);
            }
        }
        var transform = new XmlDsigExcC14NTransform(false, prefixes);
        transform.LoadInput(alone);
        using var output = (Stream)transform.GetOutput(typeof(Stream));
        using var bytes = new MemoryStream();
        output.CopyTo(bytes);
        return bytes.ToArray();
    }

    public static string Encode(string xml) => Convert.ToBase64String(Encoding.UTF8.GetBytes(xml));

    public static string ResponseEncoded() => Encode(ResponseXml(new()));

    public static string Encode(XmlDocument document) => Encode(document.OuterXml);

    public static SamlAssertion Read(string encoded, SamlExpectation? expected = null) => SamlResponse.Parse(encoded).Verify(expected ?? Expected);

    public static SamlAssertion Read(XmlDocument document, SamlExpectation? expected = null) => Read(Encode(document), expected);

    /// <summary>Everything that was read, to compare.</summary>
    public static string Facts(SamlAssertion read) =>
        $"{read.Id}|{read.Issuer}|{read.NameId}|{read.ValidUntil:O}|{read.SignedInAt:O}|{read.Context}|" + string.Join(';', read.Attributes.Select(a => a.Key + "=" + string.Join(',', a.Value)));

    public static void Refused(string encoded, params SamlRefusal[] because)
    {
        var refusal = Should.Throw<SamlRefusedException>(() => Read(encoded)).Refusal;
        because.ShouldContain(refusal);
    }

    public static void Refused(XmlDocument document, params SamlRefusal[] because) => Refused(Encode(document), because);

    /// <summary>Encrypts an assertion's XML to one of the appliance's keys.</summary>
    public static string EncryptedXml(
        string assertion, string content = "http://www.w3.org/2009/xmlenc11#aes256-gcm", string transport = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
        RSAEncryptionPadding? padding = null, string transportExtra = "", byte[]? to = null)
    {
        var key = RandomNumberGenerator.GetBytes(content.Contains("128", StringComparison.Ordinal) ? 16 : 32);
        var clear = Encoding.UTF8.GetBytes(assertion);
        byte[] cipher;
        if (content.EndsWith("gcm", StringComparison.Ordinal))
        {
            var (nonce, data, tag) = (RandomNumberGenerator.GetBytes(12), new byte[clear.Length], new byte[16]);
            using var aes = new AesGcm(key, 16);
            aes.Encrypt(nonce, clear, data, tag);
            cipher = [.. nonce, .. data, .. tag];
        }
        else
        {
            using var aes = Aes.Create();
            aes.Key = key;
            cipher = [.. aes.IV, .. aes.EncryptCbc(clear, aes.IV)];
        }
        using var certificate = X509CertificateLoader.LoadCertificate(to ?? Own.Certificate);
        var wrapped = certificate.GetRSAPublicKey()!.Encrypt(key, padding ?? RSAEncryptionPadding.OaepSHA1);
        return $"""<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:EncryptionMethod Algorithm="{content}"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{transport}">{transportExtra}</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>{Convert.ToBase64String(wrapped)}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>{Convert.ToBase64String(cipher)}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>""";
    }
}
