using System.Xml;

namespace Appliance.Saml;

/// <summary>Reads an assertion that was verified (SAML core section 2.3, profiles section 4.1.4.2).</summary>
internal static class AssertionReader
{
    private const int LongestId = 256;
    private const int LongestName = 512;
    private const int LongestValue = 4096;
    private const int MostValues = 2000;

    /// <summary>What lives longer would have its id remembered for longer than is any use.</summary>
    private static readonly TimeSpan s_longest = TimeSpan.FromHours(24);

    public static SamlAssertion Read(XmlElement assertion, SamlExpectation expected)
    {
        if (StrictXml.Attribute(assertion, "Version") != "2.0" || StrictXml.Attribute(assertion, "ID") is not { Length: > 0 and <= LongestId } id)
        {
            throw Shape("It is not an assertion of SAML 2.0.");
        }
        var parts = StrictXml.Sequence(
            assertion, SamlRefusal.Shape, (Names.Assertion, "Issuer"), (Names.Signature, "Signature"), (Names.Assertion, "Subject"), (Names.Assertion, "Conditions"),
            (Names.Assertion, "AuthnStatement"), (Names.Assertion, "AttributeStatement"), (Names.Assertion, "AuthnStatement"));
        RequireIssuer(parts.One("Issuer", SamlRefusal.Shape), expected);
        if (StrictXml.Time(assertion, "IssueInstant") is not { } issued || issued > expected.Now + expected.Skew)
        {
            throw Time("The assertion was issued in the future. Set both clocks.");
        }
        var subject = StrictXml.Sequence(
            parts.One("Subject", SamlRefusal.Shape), SamlRefusal.Shape, (Names.Assertion, "NameID"), (Names.Assertion, "SubjectConfirmation"));
        var name = Name(subject.One("NameID", SamlRefusal.Name), expected);
        var until = Confirmed(subject.One("SubjectConfirmation", SamlRefusal.Shape), expected);
        until = Earlier(until, Conditions(parts.One("Conditions", SamlRefusal.Shape), expected));
        var statement = parts.One("AuthnStatement", SamlRefusal.Shape);
        if (StrictXml.Time(statement, "AuthnInstant") is not { } at || at > expected.Now + expected.Skew)
        {
            throw Time("The person signed in in the future. Set both clocks.");
        }
        var ends = StrictXml.Time(statement, "SessionNotOnOrAfter");
        if (ends <= expected.Now - expected.Skew)
        {
            throw Time("The session at the identity provider is over.");
        }
        return new SamlAssertion
        {
            Id = id,
            Issuer = expected.IdpEntityId,
            NameId = name,
            ValidUntil = until + expected.Skew,
            SignedInAt = at,
            SessionEndsAt = ends,
            Context = Context(statement),
            Attributes = Attributes(parts["AttributeStatement"]),
        };
    }

    public static void RequireIssuer(XmlElement issuer, SamlExpectation expected)
    {
        if (StrictXml.Text(issuer) != expected.IdpEntityId || StrictXml.Attribute(issuer, "Format") is not (null or Names.EntityFormat))
        {
            throw new SamlRefusedException(SamlRefusal.Issuer, $"It was issued by another identity provider than {expected.IdpEntityId}.");
        }
    }

    /// <summary>A name that changes at each sign-in could never belong to anybody; one in somebody else's name space is not the provider's to give.</summary>
    private static string Name(XmlElement element, SamlExpectation expected)
    {
        if (StrictXml.Attribute(element, "Format") == Names.TransientFormat)
        {
            throw new SamlRefusedException(SamlRefusal.Name, "The identity provider sends a NameID that changes every time (transient). Set it to persistent or to the e-mail address.");
        }
        if (StrictXml.Attribute(element, "NameQualifier") is { Length: > 0 } by && by != expected.IdpEntityId
            || StrictXml.Attribute(element, "SPNameQualifier") is { Length: > 0 } to && to != expected.SpEntityId)
        {
            throw new SamlRefusedException(SamlRefusal.Name, "The NameID is qualified for somebody else.");
        }
        var name = StrictXml.Text(element, SamlRefusal.Name);
        return name.Length is > 0 and <= LongestName && !name.Any(char.IsControl) && name.Trim().Length == name.Length
            ? name
            : throw new SamlRefusedException(SamlRefusal.Name, $"The NameID is empty, longer than {LongestName} characters, or has spaces around it.");
    }

    /// <summary>A bearer's confirmation: for this address, in answer to this request, not for long.</summary>
    private static DateTimeOffset Confirmed(XmlElement confirmation, SamlExpectation expected)
    {
        var parts = StrictXml.Sequence(confirmation, SamlRefusal.Shape, (Names.Assertion, "SubjectConfirmationData"));
        if (StrictXml.Attribute(confirmation, "Method") != Names.Bearer)
        {
            throw Shape("The subject is not confirmed as the bearer's.");
        }
        var data = parts.One("SubjectConfirmationData", SamlRefusal.Shape);
        if (StrictXml.Attribute(data, "Recipient") != expected.AcsUrl)
        {
            throw new SamlRefusedException(SamlRefusal.Recipient, $"The assertion is meant for another address than {expected.AcsUrl}.");
        }
        if (StrictXml.Attribute(data, "InResponseTo") != expected.RequestId)
        {
            throw new SamlRefusedException(SamlRefusal.InResponseTo, "The assertion does not answer the request that this browser was sent with.");
        }
        if (StrictXml.Attribute(data, "NotBefore") is not null || StrictXml.Time(data, "NotOnOrAfter") is not { } until)
        {
            throw Time("A bearer's confirmation ends, and does not begin later (SAML profiles section 4.1.4.2).");
        }
        RequireNotOver(until, expected);
        return until;
    }

    private static DateTimeOffset? Conditions(XmlElement conditions, SamlExpectation expected)
    {
        if (StrictXml.Time(conditions, "NotBefore") > expected.Now + expected.Skew)
        {
            throw Time("The assertion is not valid yet. Set both clocks.");
        }
        var until = StrictXml.Time(conditions, "NotOnOrAfter");
        if (until is { } end)
        {
            RequireNotOver(end, expected);
        }
        var restrictions = 0;
        foreach (var condition in conditions.ChildNodes.OfType<XmlElement>())
        {
            if (condition.Is(Names.Assertion, "AudienceRestriction"))
            {
                restrictions++;
                var audiences = StrictXml.Sequence(condition, SamlRefusal.Shape, (Names.Assertion, "Audience"))["Audience"];
                if (!audiences.Any(a => StrictXml.Text(a) == expected.SpEntityId))
                {
                    throw new SamlRefusedException(SamlRefusal.Audience, $"The assertion is for others than {expected.SpEntityId}.");
                }
            }
            else if (!condition.Is(Names.Assertion, "OneTimeUse") && !condition.Is(Names.Assertion, "ProxyRestriction"))
            {
                throw new SamlRefusedException(SamlRefusal.Condition, $"The condition {StrictXml.Shown(condition.LocalName)} is not understood, so the assertion is not valid (SAML core section 2.5.1).");
            }
        }
        return restrictions > 0 ? until : throw new SamlRefusedException(SamlRefusal.Audience, "The assertion does not say whom it is for.");
    }

    private static void RequireNotOver(DateTimeOffset until, SamlExpectation expected)
    {
        if (until <= expected.Now - expected.Skew)
        {
            throw Time("The assertion is not valid any more. Start again; if that does not help, set both clocks.");
        }
        if (until > expected.Now + s_longest)
        {
            throw Time("The assertion is valid for more than a day.");
        }
    }

    private static string? Context(XmlElement statement) =>
        StrictXml.Descendants(statement).FirstOrDefault(e => e.Is(Names.Assertion, "AuthnContextClassRef")) is { } context ? StrictXml.Shown(StrictXml.Text(context)) : null;

    private static Dictionary<string, IReadOnlyList<string>> Attributes(IEnumerable<XmlElement> statements)
    {
        var (found, count) = (new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal), 0);
        foreach (var attribute in statements.SelectMany(s => StrictXml.Sequence(s, SamlRefusal.Shape, (Names.Assertion, "Attribute"))["Attribute"]))
        {
            if (StrictXml.Attribute(attribute, "Name") is not { Length: > 0 and <= LongestName } name)
            {
                throw Shape("An attribute has no name.");
            }
            var values = StrictXml.Sequence(attribute, SamlRefusal.Shape, (Names.Assertion, "AttributeValue"))["AttributeValue"]
                .Select(StrictXml.TextOrNull).OfType<string>().Where(v => v.Length is > 0 and <= LongestValue).ToList();
            count += values.Count + 1;
            found[name] = found.TryGetValue(name, out var before) ? [.. before, .. values] : values;
            if (count > MostValues)
            {
                throw Shape("The assertion has more attributes than are read.");
            }
        }
        return found;
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset? other) => other < one ? other.Value : one;

    private static SamlRefusedException Shape(string why) => new(SamlRefusal.Shape, why);

    private static SamlRefusedException Time(string why) => new(SamlRefusal.Time, why);
}
