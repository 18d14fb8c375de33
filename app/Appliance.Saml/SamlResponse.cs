using System.Xml;

namespace Appliance.Saml;

/// <summary>What a response is held against.</summary>
public sealed record SamlExpectation
{
    /// <summary>The identity provider's entity id.</summary>
    public required string IdpEntityId { get; init; }

    /// <summary>Every key that it may sign with now.</summary>
    public required IReadOnlyList<IdpKey> IdpKeys { get; init; }

    /// <summary>Ours.</summary>
    public required string SpEntityId { get; init; }

    /// <summary>Where the response was received.</summary>
    public required string AcsUrl { get; init; }

    /// <summary>The id of the request that it must answer; null: nothing was asked, and it must not claim so.</summary>
    public required string? RequestId { get; init; }

    public required DateTimeOffset Now { get; init; }

    /// <summary>How far the two clocks may be apart.</summary>
    public TimeSpan Skew { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Our keys, for assertions that are encrypted to us.</summary>
    public required IReadOnlyList<SpKey> OwnKeys { get; init; }
}

/// <summary>
/// A response by HTTP POST (SAML bindings section 3.5), in the one shape that is read: docs/saml.md. Nothing of it is to be believed before
/// <see cref="Verify"/> has answered.
/// </summary>
public sealed class SamlResponse
{
    /// <summary>Characters of base64, about 192 KiB of XML.</summary>
    public const int MaxEncodedLength = 256 << 10;

    private const int MaxLength = 192 << 10;

    private readonly XmlElement _root;

    private SamlResponse(XmlElement root) => _root = root;

    /// <summary>Which request the response says that it answers: good for looking the request up, and for nothing else.</summary>
    public string? ClaimedInResponseTo => StrictXml.Attribute(_root, "InResponseTo") is { Length: > 0 and <= 128 } id ? id : null;

    /// <exception cref="SamlRefusedException"><see cref="SamlRefusal.Malformed"/>, <see cref="SamlRefusal.Shape"/> or <see cref="SamlRefusal.RepeatedId"/>.</exception>
    public static SamlResponse Parse(string? encoded)
    {
        if (encoded is not { Length: > 0 and <= MaxEncodedLength } || StrictXml.Base64(encoded) is not { Length: > 0 } bytes)
        {
            throw new SamlRefusedException(SamlRefusal.Malformed, $"The response is missing, longer than {MaxEncodedLength / 1024} KiB, or not base64.");
        }
        var document = StrictXml.Parse(bytes, MaxLength);
        var root = document.DocumentElement!;
        if (!root.Is(Names.Protocol, "Response") || StrictXml.Attribute(root, "Version") != "2.0" || string.IsNullOrEmpty(StrictXml.Attribute(root, "ID")))
        {
            throw new SamlRefusedException(SamlRefusal.Shape, "It is not a SAML 2.0 response.");
        }
        StrictXml.RefuseRepeatedIds(document);
        return new SamlResponse(root);
    }

    /// <summary>Who signed in, if every rule of docs/saml.md holds. Whether the assertion was seen before is left to the caller.</summary>
    /// <exception cref="SamlRefusedException">One does not.</exception>
    public SamlAssertion Verify(SamlExpectation expected)
    {
        ArgumentNullException.ThrowIfNull(expected);
        var parts = Parts(_root);
        RequireSuccess(parts);
        var signature = parts.OneOrNone("Signature", SamlRefusal.SignatureForm);
        var (assertion, encrypted) = Assertion(_root, parts, signature);

        // From here on, what is signed is read from the bytes that the signature was verified over.
        var response = signature is null ? _root : XmlSignature.Verify(_root, signature, expected.IdpKeys);
        CheckResponse(response, isSigned: signature is not null, expected);
        if (encrypted is not null)
        {
            var opened = Opened(signature is null ? encrypted : Parts(response).One("EncryptedAssertion", SamlRefusal.Shape), isSigned: signature is not null, expected);
            return AssertionReader.Read(Verified(opened, isCovered: signature is not null, expected), expected);
        }
        if (AssertionSignature(assertion!) is not null || signature is null)
        {
            return AssertionReader.Read(Verified(assertion!, isCovered: false, expected), expected);
        }
        return AssertionReader.Read(Parts(response).One("Assertion", SamlRefusal.Shape), expected);
    }

    /// <summary>The assertion as it was signed. One without a signature of its own is believed only where the response's covers it.</summary>
    private static XmlElement Verified(XmlElement assertion, bool isCovered, SamlExpectation expected) => AssertionSignature(assertion) switch
    {
        { } own => XmlSignature.Verify(assertion, own, expected.IdpKeys),
        null when isCovered => assertion,
        null => throw new SamlRefusedException(SamlRefusal.Unsigned, "Neither the response nor the assertion in it is signed. Switch signing on at the identity provider."),
    };

    private static XmlElement? AssertionSignature(XmlElement assertion) =>
        assertion.ChildNodes.OfType<XmlElement>().Where(e => e.Is(Names.Signature, "Signature")).Take(2).ToList() switch
        {
            [] => null,
            [var one] => one,
            _ => throw new SamlRefusedException(SamlRefusal.SignatureForm, "The assertion is signed twice."),
        };

    private static ILookup<string, XmlElement> Parts(XmlElement response) => StrictXml.Sequence(
        response, SamlRefusal.Shape, (Names.Assertion, "Issuer"), (Names.Signature, "Signature"), (Names.Protocol, "Extensions"), (Names.Protocol, "Status"),
        (Names.Assertion, "Assertion"), (Names.Assertion, "EncryptedAssertion"));

    /// <summary>
    /// Exactly one assertion in the whole document, in its place, and no signature anywhere but in the two places that are read: so there is
    /// nothing that a signature could be about but what is read.
    /// </summary>
    private static (XmlElement? Clear, XmlElement? Encrypted) Assertion(XmlElement root, ILookup<string, XmlElement> parts, XmlElement? signature)
    {
        if (StrictXml.Count(root, Names.Assertion, "Assertion") + StrictXml.Count(root, Names.Assertion, "EncryptedAssertion") != 1
            || StrictXml.Count(root, Names.Protocol, "Response") != 1)
        {
            throw new SamlRefusedException(SamlRefusal.Shape, "There is not exactly one assertion in the response.");
        }
        var (clear, encrypted) = (parts.OneOrNone("Assertion", SamlRefusal.Shape), parts.OneOrNone("EncryptedAssertion", SamlRefusal.Shape));
        if (clear is null && encrypted is null)
        {
            throw new SamlRefusedException(SamlRefusal.Shape, "The assertion is not where it belongs.");
        }
        var expectedSignatures = (signature is null ? 0 : 1) + (clear is not null && AssertionSignature(clear) is not null ? 1 : 0);
        return StrictXml.Count(root, Names.Signature, "Signature") == expectedSignatures
            ? (clear, encrypted)
            : throw new SamlRefusedException(SamlRefusal.SignatureForm, "There is a signature where none belongs.");
    }

    /// <summary>A document of its own, under the rules of the outer one.</summary>
    private static XmlElement Opened(XmlElement encrypted, bool isSigned, SamlExpectation expected)
    {
        var document = StrictXml.Parse(EncryptedAssertion.Open(encrypted, expected.OwnKeys, isSigned), MaxLength);
        StrictXml.RefuseRepeatedIds(document);
        var root = document.DocumentElement!;
        if (!root.Is(Names.Assertion, "Assertion") || StrictXml.Count(root, Names.Assertion, "Assertion") != 1)
        {
            throw new SamlRefusedException(SamlRefusal.Shape, "What was encrypted is not one assertion.");
        }
        return StrictXml.Count(root, Names.Signature, "Signature") == (AssertionSignature(root) is null ? 0 : 1)
            ? root
            : throw new SamlRefusedException(SamlRefusal.SignatureForm, "There is a signature where none belongs.");
    }

    private static void RequireSuccess(ILookup<string, XmlElement> parts)
    {
        var status = parts.One("Status", SamlRefusal.Shape);
        var code = StrictXml.Sequence(status, SamlRefusal.Shape, (Names.Protocol, "StatusCode"), (Names.Protocol, "StatusMessage"), (Names.Protocol, "StatusDetail"))
            .One("StatusCode", SamlRefusal.Shape);
        if (StrictXml.Attribute(code, "Value") != Names.Success)
        {
            var words = StrictXml.Descendants(status).Where(e => e.LocalName == "StatusCode").Select(e => StrictXml.Attribute(e, "Value")?.Split(':')[^1]);
            throw new SamlRefusedException(SamlRefusal.Status, $"The identity provider did not sign anybody in; it said {StrictXml.Shown(string.Join(", ", words))}.");
        }
    }

    /// <summary>SAML profiles section 4.1.4.2 and bindings section 3.5.5.2: what is signed and sent by a browser names where it is to go.</summary>
    private static void CheckResponse(XmlElement response, bool isSigned, SamlExpectation expected)
    {
        if (StrictXml.Attribute(response, "Destination") is { } destination ? destination != expected.AcsUrl : isSigned)
        {
            throw new SamlRefusedException(SamlRefusal.Destination, $"The response is meant for another address than {expected.AcsUrl}.");
        }
        if (Parts(response).OneOrNone("Issuer", SamlRefusal.Shape) is { } issuer)
        {
            AssertionReader.RequireIssuer(issuer, expected);
        }
        else if (isSigned)
        {
            throw new SamlRefusedException(SamlRefusal.Issuer, "The signed response does not say who issued it.");
        }
        if (StrictXml.Attribute(response, "InResponseTo") != expected.RequestId)
        {
            throw new SamlRefusedException(SamlRefusal.InResponseTo, "The response does not answer the request that this browser was sent with.");
        }
    }
}
