namespace Appliance.Saml;

/// <summary>Who signed in, as the identity provider says: everything here was covered by its signature.</summary>
public sealed record SamlAssertion
{
    /// <summary>To be accepted once. At most 256 characters.</summary>
    public required string Id { get; init; }

    public required string Issuer { get; init; }

    /// <summary>The person's name at the identity provider; with <see cref="Issuer"/>, their identity. 1 to 512 characters.</summary>
    public required string NameId { get; init; }

    /// <summary>From here on it is not valid, whatever clock tells so: until then its id must be remembered.</summary>
    public required DateTimeOffset ValidUntil { get; init; }

    public required DateTimeOffset SignedInAt { get; init; }

    /// <summary>When the identity provider wants the session to end; null: it does not say.</summary>
    public DateTimeOffset? SessionEndsAt { get; init; }

    /// <summary>How the person proved who they are, in the identity provider's words (AuthnContextClassRef).</summary>
    public string? Context { get; init; }

    /// <summary>By name, each with its values that are text.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<string>> Attributes { get; init; }
}
