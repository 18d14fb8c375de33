using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn.Policy;
using System.Text.Json.Serialization;

namespace Appliance.SignIn;

/// <summary>A question to a security key that waits for its answer.</summary>
/// <param name="Reference">Comes back with the answer; works once.</param>
/// <param name="OptionsJson">What <c>navigator.credentials</c> is given, as JSON (W3C WebAuthn level 3 §5.4, §5.5).</param>
public sealed record Ceremony(string Reference, string OptionsJson);

/// <param name="Succeeded">The answer was right.</param>
/// <param name="Reason">Where it was not: a sentence for the person, without details that help an attacker.</param>
public sealed record KeyResult(bool Succeeded, string? Reason = null)
{
    /// <summary>Where a key answered: which one, and how. Never leaves the process.</summary>
    [JsonIgnore]
    public KeyProof? Proof { get; init; }
}

/// <summary>
/// Security keys as the second factor (W3C WebAuthn level 3 §7.1, §7.2). The methods that finish work inside the caller's
/// transaction, so that the key, what it opens and the ledger entry become true together. They do not commit.
/// </summary>
public interface ISecurityKeyCeremonies
{
    /// <summary>
    /// Asks for a new key. <paramref name="user"/> need not be in the database yet (a set-up link makes the account together
    /// with its first key): only id and names are used.
    /// </summary>
    Task<Ceremony> BeginRegistrationAsync(User user, HttpContext http, CancellationToken ct);

    /// <summary>Checks the answer and adds the key. The user's row is in the session by now.</summary>
    Task<KeyResult> FinishRegistrationAsync(
        User user, string reference, string credentialJson, string name, HttpContext http, TeamSession session, CancellationToken ct);

    /// <summary>Asks for a touch of one of the person's keys; where <paramref name="verify"/>, or some policy over the person, says so, for PIN or fingerprint too.</summary>
    Task<Ceremony> BeginAssertionAsync(User user, HttpContext http, CancellationToken ct, bool verify = false);

    Task<KeyResult> FinishAssertionAsync(
        User user, string reference, string credentialJson, HttpContext http, TeamSession session, CancellationToken ct);

    /// <summary>Asks for a passkey that the device itself finds and that verifies its user, before anybody is known.</summary>
    Task<Ceremony> BeginPasskeyAsync(HttpContext http, CancellationToken ct);

    /// <summary>Checks the answer of a passkey that is, as it says, one of <paramref name="user"/>'s.</summary>
    Task<KeyResult> FinishPasskeyAsync(
        User user, string reference, string credentialJson, HttpContext http, TeamSession session, CancellationToken ct);
}
