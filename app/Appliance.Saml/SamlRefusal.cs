namespace Appliance.Saml;

/// <summary>Which rule of docs/saml.md a message broke. The names are in ledgers: none is ever renamed.</summary>
public enum SamlRefusal
{
    /// <summary>Too large, not base64, not UTF-8, not XML, or XML with what no message needs: DTD, comments, processing instructions, depth.</summary>
    Malformed,

    /// <summary>XML, but not the one shape of a response that is read.</summary>
    Shape,

    /// <summary>Two elements with one id.</summary>
    RepeatedId,

    /// <summary>The identity provider answered that it did not sign anybody in.</summary>
    Status,

    /// <summary>Neither the response nor the assertion is signed.</summary>
    Unsigned,

    /// <summary>A signature in a place or of a form other than the one that is read.</summary>
    SignatureForm,

    /// <summary>An algorithm that is not on the list.</summary>
    Algorithm,

    /// <summary>A signature that none of the known keys made, or made over something else.</summary>
    Signature,

    /// <summary>An encrypted assertion that none of our keys opens.</summary>
    Decryption,

    Issuer,
    Destination,
    Recipient,
    Audience,
    InResponseTo,

    /// <summary>Not valid yet, not valid any more, or valid for too long.</summary>
    Time,

    /// <summary>No name that stays the same, or one that is not the identity provider's own.</summary>
    Name,

    /// <summary>A condition that is not understood (SAML core section 2.5.1).</summary>
    Condition,

    /// <summary>Seen before. Told by whoever keeps the ids.</summary>
    Replay,
}

/// <summary>A message is not believed. The message of the exception says why, in a sentence for the people who configure; it holds nothing secret.</summary>
public sealed class SamlRefusedException(SamlRefusal refusal, string message) : Exception(message)
{
    public SamlRefusal Refusal { get; } = refusal;
}

/// <summary>Metadata cannot be used. The message says why, for people.</summary>
public sealed class SamlMetadataException(string message) : Exception(message);
