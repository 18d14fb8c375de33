using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Appliance.SignIn.SecurityKeys.Attestation;

namespace Appliance.SignIn.SecurityKeys;

/// <summary>
/// What the browser posts: RegistrationResponseJSON or AuthenticationResponseJSON (WebAuthn §5.1). Read here before Identity's
/// handler reads it, for what that leaves open: sizes, duplicate members (two readers could see two answers), base64url in
/// its one form, rawId beside id, authenticator data that is exactly what its flags say (null in a registration: the
/// attestation object holds it).
/// </summary>
internal sealed record CredentialJson(byte[] Id, AuthenticatorData? AuthenticatorData)
{
    /// <summary>UTF-16 code units.</summary>
    public const int MaxLength = 64 * 1024;

    private const int MaxIdBytes = 1023;
    private const int MaxClientDataBytes = 4 * 1024;
    private const int MaxAuthenticatorDataBytes = 4 * 1024;
    private const int MaxSignatureBytes = 1024;
    private const int MaxUserHandleBytes = 64;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <exception cref="AttestationException">Not such JSON.</exception>
    public static CredentialJson Parse(string json, CeremonyPurpose purpose)
    {
        if (json.Length > MaxLength)
        {
            throw new AttestationException("Credential: too large.");
        }
        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            return Read(document.RootElement, purpose);
        }
        // InvalidOperationException: a member is of another kind; KeyNotFoundException: it is missing.
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or ArgumentException)
        {
            throw new AttestationException("Credential: not the JSON of a credential.", e);
        }
    }

    private static CredentialJson Read(JsonElement root, CeremonyPurpose purpose)
    {
        var id = Bytes(root, "id", MaxIdBytes);
        var response = root.GetProperty("response");
        var clientData = Bytes(response, "clientDataJSON", MaxClientDataBytes);
        if (root.GetProperty("rawId").GetString() != root.GetProperty("id").GetString() || id.Length == 0)
        {
            throw new AttestationException("Credential: id and rawId are the same.");
        }
        RequireOneMeaning(clientData);
        if (purpose == CeremonyPurpose.Registration)
        {
            _ = Bytes(response, "attestationObject", AttestationObject.MaxBytes);
            return new CredentialJson(id, null);
        }
        var data = AuthenticatorData.Parse(Bytes(response, "authenticatorData", MaxAuthenticatorDataBytes));
        _ = Bytes(response, "signature", MaxSignatureBytes);
        if (response.TryGetProperty("userHandle", out var handle) && handle.ValueKind != JsonValueKind.Null)
        {
            _ = Bytes(response, "userHandle", MaxUserHandleBytes);
        }
        // §6.1: an assertion carries no attested credential data.
        return data.Credential is null
            ? new CredentialJson(id, data)
            : throw new AttestationException("Assertion: it has a credential in it.");
    }

    // §7.1 step 5 and §7.2 step 8: UTF-8, then JSON. A repeated member would leave open which one counts.
    private static void RequireOneMeaning(byte[] clientData)
    {
        using var document = JsonDocument.Parse(StrictUtf8.GetString(clientData), Strict);
        var root = document.RootElement;
        if (root.GetProperty("challenge").GetString() is not { Length: > 0 } || root.GetProperty("origin").GetString() is not { Length: > 0 })
        {
            throw new AttestationException("Client data: challenge and origin are texts.");
        }
    }

    private static byte[] Bytes(JsonElement parent, string name, int max)
    {
        var text = parent.GetProperty(name).GetString() ?? throw new AttestationException($"Credential: {name} is missing.");
        if (text.Length > Base64Url.GetEncodedLength(max))
        {
            throw new AttestationException($"Credential: {name} is too large.");
        }
        var bytes = Base64Url.DecodeFromChars(text);
        // Unpadded, without spaces, unused bits zero (RFC 4648 §3.5, §5): one text for one value.
        return Base64Url.EncodeToString(bytes) == text ? bytes : throw new AttestationException($"Credential: {name} is not base64url.");
    }
}
