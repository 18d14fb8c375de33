using Appliance.SignIn.SecurityKeys.Attestation;
using Appliance.Web;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;

namespace Appliance.SignIn.SecurityKeys;

/// <summary>Identity's passkey handler, set for a second factor: any key that proves presence will do, also one that knows only U2F.</summary>
internal sealed class SecurityKeyOptions(Settings settings) : IConfigureOptions<IdentityPasskeyOptions>
{
    public void Configure(IdentityPasskeyOptions options)
    {
        // The RP ID is what the operator says, never what a request's Host header says.
        options.ServerDomain = settings.Origin.IdnHost;
        options.ChallengeSize = 32;
        options.AuthenticatorTimeout = TimeSpan.FromMinutes(2);
        // The password is what the person knows; the key is what they have. U2F keys can neither verify nor hold a user.
        options.UserVerificationRequirement = "discouraged";
        options.ResidentKeyRequirement = "discouraged";
        options.AttestationConveyancePreference = "direct";
        options.IsAllowedAlgorithm = CoseAlgorithm.IsAllowedForKeys;
        options.ValidateOrigin = context => ValueTask.FromResult(IsOurs(context));
        options.VerifyAttestationStatement = context =>
        {
            // Throws with the rule that was broken; the handler makes that a failure and keeps the reason.
            AttestationVerifier.Verify(context.AttestationObject, context.ClientDataHash.Span, settings.Attestation);
            return ValueTask.FromResult(true);
        };
    }

    // WebAuthn §7.1 steps 9–11, §7.2 steps 12–14: the one origin, and never inside another site's page.
    private bool IsOurs(PasskeyOriginValidationContext context) =>
        string.Equals(context.Origin, settings.Origin.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal)
        && !context.CrossOrigin
        && context.TopOrigin is null;
}
