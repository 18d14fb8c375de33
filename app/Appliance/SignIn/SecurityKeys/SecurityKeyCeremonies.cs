using System.Text.Json;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Policy;
using Appliance.SignIn.RememberedDevices;
using Appliance.SignIn.SecurityKeys.Attestation;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.SignIn.Sms;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Appliance.SignIn.SecurityKeys;

/// <summary>
/// Registration and assertion (WebAuthn Level 3 §7.1, §7.2). ASP.NET Core Identity's handler walks the steps; around it stand what it
/// leaves to its caller: one use of a challenge (<see cref="Ceremonies"/>), sizes and ambiguities (<see cref="CredentialJson"/>), the
/// attestation statement (<see cref="AttestationVerifier"/>) and the counter (<see cref="SignCounter"/>).
/// </summary>
internal sealed class SecurityKeyCeremonies(
    Database database,
    Ceremonies ceremonies,
    AllowedKeyModels models,
    Notices notices,
    IUserStore<User> store,
    IOptions<IdentityOptions> identity,
    IOptionsFactory<IdentityPasskeyOptions> passkeys,
    IServiceProvider services,
    TimeProvider clock) : ISecurityKeyCeremonies
{
    private const string Required = "required", Preferred = "preferred", Discouraged = "discouraged";

    private static readonly User s_nobody = new() { Id = UserId.Appliance, Username = "", UsernameKey = "", SecurityStamp = "", ConcurrencyStamp = "", CreatedAt = DateTimeOffset.UnixEpoch };

    private static readonly string[] TransportWords = ["usb", "nfc", "ble", "smart-card", "hybrid", "internal"];

    private const string TooLate = "That took too long, or was answered already. Please try again.";
    private const string NotAccepted = "The key's answer was not accepted. Nothing was changed. Please try again.";
    private const string InUse = "This key cannot be added: it is in use already.";
    private const string Taken = "The credential is registered already (WebAuthn §7.1 step 26).";
    private const string ModelRule = "The key has not proven to be of a model that is allowed (WebAuthn §7.1 steps 22 to 24).";
    private const string OtherModelNow =
        "This key has not proven to be of a model that is allowed here. Sign in with another key, your app or a recovery code, then add a key of an allowed model.";
    private const string CanBeCopied = "This key can be copied to other devices, and your organisation asks for one that stays on its device. Use another key.";
    private const string MayBeCopied =
        "This key counted backwards, as a copy of it would. It was not accepted and your administrator can see it. Use another key or a recovery code.";

    public async Task<Ceremony> BeginRegistrationAsync(User user, HttpContext http, CancellationToken ct)
    {
        PasskeyCreationOptionsResult made;
        await using (var session = await database.ForApplianceAsync(ct))
        {
            var policy = await session.AppliancePolicyAsync(ct);
            var entity = new PasskeyUserEntity { Id = user.Id.ToString(), Name = user.Username, DisplayName = user.Username };
            // A team's policy only makes it ask: the account is not the team's.
            var verification = policy.Factors.UserVerification ? Required : await VerificationAsync(user, session, ct);
            made = await Handler(Users(user, session), verification, discoverable: policy.PasskeyAlone).MakeCreationOptionsAsync(entity, http);
        }
        return new Ceremony(await ceremonies.KeepAsync(user.Id, CeremonyPurpose.Registration, made.AttestationState!, http, ct), made.CreationOptionsJson);
    }

    public async Task<KeyResult> FinishRegistrationAsync(
        User user, string reference, string credentialJson, string name, HttpContext http, TeamSession session, CancellationToken ct)
    {
        if (!KeyName.TryClean(name, out var cleanName))
        {
            return new KeyResult(false, KeyName.Rule);
        }
        if (await ceremonies.TakeAsync(user.Id, CeremonyPurpose.Registration, reference, http, ct) is not { } state)
        {
            return new KeyResult(false, TooLate);
        }
        UserPasskeyInfo passkey;
        var users = Users(user, session);
        try
        {
            CredentialJson.Parse(credentialJson, CeremonyPurpose.Registration);
            var result = await Handler(users).PerformAttestationAsync(
                new PasskeyAttestationContext { HttpContext = http, CredentialJson = credentialJson, AttestationState = state });
            passkey = result.Succeeded ? result.Passkey : throw new AttestationException(Rule(result.Failure), result.Failure);
            // The policy as it is now, whatever the question said.
            var policy = (await session.AppliancePolicyAsync(ct)).Factors;
            if (policy.UserVerification && !passkey.IsUserVerified)
            {
                throw new AttestationException("The policy asks for user verification.");
            }
            if (policy.DeviceBound && passkey.IsBackupEligible)
            {
                return await RefuseAsync(user, CeremonyPurpose.Registration, "The policy asks for keys that stay on their device.", CanBeCopied, http, ct);
            }
        }
        catch (AttestationException e)
        {
            return users.CredentialIsTaken
                ? await RefuseAsync(user, CeremonyPurpose.Registration, Taken, InUse, http, ct)
                : await RefuseAsync(user, CeremonyPurpose.Registration, e.Message, NotAccepted, http, ct);
        }
        var key = Key(user, passkey, cleanName);
        if (!await models.AllowsAsync(session, key, ct))
        {
            var names = await models.NamesAsync(session, ct);
            return await RefuseAsync(user, CeremonyPurpose.Registration, ModelRule, $"This key cannot be added: only certain models are allowed here, and it has not proven to be one of them. Allowed: {names}.", http, ct);
        }
        await Factors.LockAsync(session, user.Id, ct);
        // Of two transactions that add the same credential, the second waits here and then finds it taken.
        var added = await session.ExecuteAsync(
            $"""
            insert into security_keys (credential_id, reference, user_id, name, public_key, sign_count, transports, aaguid, attestation_format,
                is_user_verified, is_backup_eligible, is_backed_up, attestation_object, client_data_json, created_at)
            values ({key.CredentialId}, {key.Reference}, {key.UserId.Value}, {key.Name}, {key.PublicKey}, {key.SignCount}, {key.Transports}, {key.Aaguid},
                {key.AttestationFormat}, {key.IsUserVerified}, {key.IsBackupEligible}, {key.IsBackedUp}, {key.AttestationObject}, {key.ClientDataJson},
                {key.CreatedAt})
            on conflict (credential_id) do nothing
            """,
            ct);
        if (added == 0)
        {
            return await RefuseAsync(user, CeremonyPurpose.Registration, Taken, InUse, http, ct);
        }
        session.RecordForAppliance(KeyEvents.Added(key), http.Origin());
        await DeviceMemory.ForgetAllAsync(session, user.Id, "security-key.added", http, ct);
        await Phones.RemoveAsync(session, user.Id, http, ct);
        return new KeyResult(true) { Proof = new KeyProof(key.CredentialId, key.IsUserVerified) };
    }

    public async Task<Ceremony> BeginAssertionAsync(User user, HttpContext http, CancellationToken ct, bool verify = false)
    {
        PasskeyRequestOptionsResult made;
        await using (var session = await database.ForApplianceAsync(ct))
        {
            made = await Handler(Users(user, session), verify ? Preferred : await VerificationAsync(user, session, ct)).MakeRequestOptionsAsync(user, http);
        }
        return new Ceremony(await ceremonies.KeepAsync(user.Id, CeremonyPurpose.Assertion, made.AssertionState!, http, ct), made.RequestOptionsJson);
    }

    public Task<KeyResult> FinishAssertionAsync(
        User user, string reference, string credentialJson, HttpContext http, TeamSession session, CancellationToken ct) =>
        AssertAsync(user, CeremonyPurpose.Assertion, reference, credentialJson, http, session, ct);

    public async Task<Ceremony> BeginPasskeyAsync(HttpContext http, CancellationToken ct)
    {
        // No list of credentials: who is asked does not tell who has one.
        await using var session = await database.ForApplianceAsync(ct);
        var made = await Handler(Users(s_nobody, session), Required).MakeRequestOptionsAsync(null, http);
        return new Ceremony(await ceremonies.KeepAsync(UserId.Appliance, CeremonyPurpose.Passkey, made.AssertionState!, http, ct), made.RequestOptionsJson);
    }

    public Task<KeyResult> FinishPasskeyAsync(
        User user, string reference, string credentialJson, HttpContext http, TeamSession session, CancellationToken ct) =>
        AssertAsync(user, CeremonyPurpose.Passkey, reference, credentialJson, http, session, ct);

    private async Task<KeyResult> AssertAsync(
        User user, CeremonyPurpose purpose, string reference, string credentialJson, HttpContext http, TeamSession session, CancellationToken ct)
    {
        if (await ceremonies.TakeAsync(purpose == CeremonyPurpose.Passkey ? UserId.Appliance : user.Id, purpose, reference, http, ct) is not { } state)
        {
            return new KeyResult(false, TooLate);
        }
        CredentialJson credential;
        try
        {
            credential = CredentialJson.Parse(credentialJson, purpose);
            var result = await Handler(Users(user, session), Discouraged).PerformAssertionAsync(
                new PasskeyAssertionContext { HttpContext = http, CredentialJson = credentialJson, AssertionState = state });
            if (!result.Succeeded || result.User.Id != user.Id)
            {
                throw new AttestationException(Rule(result.Failure), result.Failure);
            }
            if (purpose == CeremonyPurpose.Passkey && !credential.AuthenticatorData!.Flags.HasFlag(AuthenticatorFlags.UserVerified))
            {
                throw new AttestationException("A passkey alone verifies its user (WebAuthn §7.2 step 17).");
            }
        }
        catch (AttestationException e)
        {
            return await RefuseAsync(user, purpose, e.Message, NotAccepted, http, ct);
        }
        // Everything else was right: whoever answered holds the credential's private key.
        if (await session.Query<SecurityKey>().AsNoTracking().SingleOrDefaultAsync(k => k.CredentialId == credential.Id && k.UserId == user.Id, ct) is not { } key
            || !await models.AllowsAsync(session, key, ct))
        {
            return await RefuseAsync(user, CeremonyPurpose.Assertion, ModelRule, OtherModelNow, http, ct);
        }
        return await CountAsync(user, credential, http, ct);
    }

    private CeremonyUsers Users(User user, TeamSession session) => new(user, session, store, identity, services);

    private PasskeyHandler<User> Handler(CeremonyUsers users, string verification = Discouraged, bool discoverable = false)
    {
        var options = passkeys.Create(Options.DefaultName);
        options.UserVerificationRequirement = verification;
        options.ResidentKeyRequirement = discoverable ? Preferred : Discouraged;
        return new PasskeyHandler<User>(users, Options.Create(options));
    }

    /// <summary>
    /// Asks for PIN or fingerprint where some policy over the person does. A key that cannot do it answers all the same: what it then opens is for the policy
    /// to say, and without it its person could not even enrol another.
    /// </summary>
    private static async Task<string> VerificationAsync(User user, TeamSession session, CancellationToken ct) =>
        (await session.PoliciesOfAsync(user.Id, ct)).Any(p => p.Policy.UserVerification) ? Preferred : Discouraged;

    private SecurityKey Key(User user, UserPasskeyInfo passkey, string name)
    {
        var attestation = AttestationObject.Parse(passkey.AttestationObject);
        return new SecurityKey
        {
            CredentialId = passkey.CredentialId,
            Reference = Reference.New(),
            UserId = user.Id,
            Name = name,
            PublicKey = passkey.PublicKey,
            SignCount = passkey.SignCount,
            Transports = KnownTransports(passkey.Transports),
            Aaguid = attestation.Data.Credential!.Aaguid,
            AttestationFormat = attestation.Format,
            IsUserVerified = passkey.IsUserVerified,
            IsBackupEligible = passkey.IsBackupEligible,
            IsBackedUp = passkey.IsBackedUp,
            AttestationObject = passkey.AttestationObject,
            ClientDataJson = passkey.ClientDataJson,
            CreatedAt = clock.GetUtcNow(),
        };
    }

    // §5.8.4. A hint from the browser that only goes back to the browser; of anything else than its few words there is no use.
    private static string[] KnownTransports(string[]? transports) => [.. TransportWords.Intersect(transports ?? [], StringComparer.Ordinal)];

    // Committed on its own, so that it stays however the caller's transaction ends.
    private async Task<KeyResult> RefuseAsync(
        User user, CeremonyPurpose purpose, string rule, string reason, HttpContext http, CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        session.RecordForAppliance(KeyEvents.Refused(user.Id, purpose, rule), http.Origin());
        await session.CommitAsync(ct);
        return new KeyResult(false, reason);
    }

    /// <summary>
    /// §7.2 steps 22 and 24, in a transaction of their own: what a key has counted stays counted, and an incident stays, however the
    /// caller's transaction ends.
    /// </summary>
    private async Task<KeyResult> CountAsync(User user, CredentialJson credential, HttpContext http, CancellationToken ct)
    {
        var data = credential.AuthenticatorData!;
        await using (var session = await database.ForApplianceAsync(ct))
        {
            var isUserVerified = data.Flags.HasFlag(AuthenticatorFlags.UserVerified);
            if (await SignCounter.AdvanceAsync(session, credential.Id, data.SignCount, data.Flags.HasFlag(AuthenticatorFlags.BackedUp), isUserVerified, clock.GetUtcNow(), ct))
            {
                await session.CommitAsync(ct);
                return new KeyResult(true) { Proof = new KeyProof(credential.Id, isUserVerified) };
            }
        }
        // In a transaction that is new again: an UPDATE that waited for another one keeps the row, even where it then matches nothing.
        return await ReportAsync(user, credential.Id, data.SignCount, http, ct);
    }

    // §6.1.1: a sign, no proof, of a cloned authenticator. Refused, and told to the operator and to the key's owner.
    private async Task<KeyResult> ReportAsync(User user, byte[] credentialId, uint count, HttpContext http, CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        var key = await session.Query<SecurityKey>().AsNoTracking().SingleOrDefaultAsync(k => k.CredentialId == credentialId && k.UserId == user.Id, ct);
        if (key is null)
        {
            // Removed by its owner a moment ago.
            return new KeyResult(false, NotAccepted);
        }
        notices.Add(session, user.Id, Notice.SecurityKeyMayBeCopied, http);
        session.RecordForAppliance(KeyEvents.CounterRegressed(key, count), http.Origin());
        await session.SaveAsync(ct);
        await session.ExecuteAsync($"update security_keys set counter_regressed_at = {clock.GetUtcNow()} where credential_id = {credentialId}", ct);
        await session.CommitAsync(ct);
        return new KeyResult(false, MayBeCopied);
    }

    // The handler's own words can hold what was sent; what goes to the ledger is ours, or only that it refused.
    private static string Rule(Exception? failure) => failure switch
    {
        null => "Refused.",
        AttestationException ours => ours.Message,
        { InnerException: { } inner } => Rule(inner),
        JsonException => "Credential: not the JSON of a credential.",
        _ => "The ceremony's checks failed.",
    };
}
