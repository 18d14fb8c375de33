using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Appliance.Saml.Tests;

namespace Appliance.Tests.SignIn.Sso;

/// <summary>An identity provider of a test's own, for one team.</summary>
public sealed partial class Provider(SignInHost host, string team, string entityId = "https://idp.example/metadata")
{
    private readonly RSA _key = RSA.Create(2048);

    public string Team => team;

    public string EntityId => entityId;

    public byte[] Certificate => field ??= TestIdp.Certificate(_key, DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddYears(1));

    public string Acs => $"{host.Settings.Origin.GetLeftPart(UriPartial.Authority)}/sso/{team}/acs";

    public string SpEntityId => $"{host.Settings.Origin.GetLeftPart(UriPartial.Authority)}/sso/{team}/metadata";

    public string Metadata(params byte[][] certificates) => MetadataAt("https://idp.example/sso", certificates.Length == 0 ? [Certificate] : certificates);

    public string MetadataAt(string address, params byte[][] certificates) =>
        $"""
        <md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entityId}"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
        {string.Concat(certificates.Select(c => $"<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data><ds:X509Certificate>{Convert.ToBase64String(c)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"))}
        <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{address}"/></md:IDPSSODescriptor></md:EntityDescriptor>
        """;

    /// <summary>What the browser was sent with: the request's id.</summary>
    public static string RequestId(HttpResponseMessage departure)
    {
        var query = System.Web.HttpUtility.ParseQueryString(departure.Headers.Location!.Query);
        using var inflated = new StreamReader(new DeflateStream(new MemoryStream(Convert.FromBase64String(query["SAMLRequest"]!)), CompressionMode.Decompress));
        return Id().Match(inflated.ReadToEnd()).Groups["id"].Value;
    }

    public ResponseSpec Spec(string? requestId, string name, params string[] groups) => new()
    {
        Now = host.Clock.GetUtcNow(),
        ResponseId = "_r" + Guid.NewGuid().ToString("N"),
        AssertionId = "_a" + Guid.NewGuid().ToString("N"),
        Issuer = entityId,
        AssertionIssuer = entityId,
        Destination = Acs,
        Recipient = Acs,
        Audience = SpEntityId,
        InResponseTo = requestId,
        ConfirmationInResponseTo = requestId,
        NameId = name,
        Attributes = $"""<saml:AttributeStatement><saml:Attribute Name="mail"><saml:AttributeValue>{name}</saml:AttributeValue></saml:Attribute><saml:Attribute Name="groups">{string.Concat(groups.Select(g => $"<saml:AttributeValue>{g}</saml:AttributeValue>"))}</saml:Attribute></saml:AttributeStatement>""",
    };

    public string Signed(ResponseSpec spec) => TestIdp.Encode(TestIdp.Signed(spec, new() { Signer = data => TestIdp.RsaSign(_key, "rsa-sha256", data) }));

    public string SignedAndEncrypted(ResponseSpec spec, byte[] to)
    {
        var assertion = TestIdp.Load(TestIdp.AssertionXml(spec));
        TestIdp.Sign(assertion.DocumentElement!, new() { Signer = data => TestIdp.RsaSign(_key, "rsa-sha256", data) });
        return TestIdp.Encode(TestIdp.ResponseXml(spec, TestIdp.EncryptedXml(assertion.OuterXml, to: to)));
    }

    /// <summary>The browser comes back with a response, from another site.</summary>
    public async Task<HttpResponseMessage> ReturnAsync(Visitor visitor, string response)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/sso/{team}/acs") { Content = new FormUrlEncodedContent([new("SAMLResponse", response)]) };
        request.Headers.Accept.ParseAdd("text/html");
        request.Headers.Add("Sec-Fetch-Site", "cross-site");
        request.Headers.Add("Origin", "https://idp.example");
        return await visitor.Client.SendAsync(request);
    }

    /// <summary>The sign-in address and its button; answers the request's id.</summary>
    public async Task<string> StartAsync(Visitor visitor) => RequestId(await visitor.SendAsync($"/sso/{team}"));

    /// <summary>From the sign-in address to what comes after; answers where the browser is led, or the sentence it is shown.</summary>
    public async Task<string> SignInAsync(Visitor visitor, string name, params string[] groups)
    {
        var id = await StartAsync(visitor);
        return await LedToAsync(await ReturnAsync(visitor, Signed(Spec(id, name, groups))));
    }

    public static async Task<string> LedToAsync(HttpResponseMessage answer)
    {
        var html = await answer.Content.ReadAsStringAsync();
        return answer.StatusCode == HttpStatusCode.OK && Refresh().Match(html) is { Success: true } match ? WebUtility.HtmlDecode(match.Groups["to"].Value) : $"{(int)answer.StatusCode}: {WebUtility.HtmlDecode(html)}";
    }

    [GeneratedRegex("ID=\"(?<id>_[0-9a-f]+)\"", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Id();

    [GeneratedRegex("http-equiv=\"refresh\" content=\"0;url=(?<to>[^\"]*)\"", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Refresh();
}
