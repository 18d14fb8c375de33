using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.LostKey;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.SecurityKeys.Attestation;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.Policy;

/// <summary>
/// Signing in with a passkey and nothing else, where the policy allows it: it is held (the signature) and its user was verified (UV), which are two factors
/// (NIST SP 800-63B §5.1.9). Whoever answers, the answers to what is wrong are the same.
/// </summary>
public sealed class PasskeySignIn
{
    private const string Wrong = "This passkey does not sign in here. Use your username and password.";

    private readonly AccountSession _accounts;
    private readonly Attempts _attempts;
    private readonly Delays _delays;
    private readonly Sessions _sessions;
    private readonly ISecurityKeyCeremonies _keys;
    private readonly LostKeys _lostKeys;

    internal PasskeySignIn(IServiceProvider services)
    {
        _accounts = services.GetRequiredService<AccountSession>();
        _attempts = services.GetRequiredService<Attempts>();
        _delays = services.GetRequiredService<Delays>();
        _sessions = services.GetRequiredService<Sessions>();
        _keys = services.GetRequiredService<ISecurityKeyCeremonies>();
        _lostKeys = services.GetRequiredService<LostKeys>();
    }

    public async Task<SignInResult> SignInAsync(string? reference, string? credentialJson, HttpContext http, CancellationToken ct)
    {
        var id = CredentialId(credentialJson);
        if (await FindAsync(id, ct) is not { } user)
        {
            // Counted and told like any other, under what was sent.
            var name = "passkey " + Convert.ToHexString(id);
            var charge = await _delays.ChargeAsync(_delays.For(name, http), ct);
            if (charge.Wait > TimeSpan.Zero)
            {
                return await _attempts.RefusedAsync(charge, name, http, ct);
            }
            await _attempts.FailedAsync("passkey", _attempts.Unknown(name), null, http, ct);
            return new SignInResult(Wrong);
        }
        KeyProof? proof = null;
        return await _attempts.ChargedAsync(
            "passkey",
            user,
            http,
            async session =>
            {
                var result = await _keys.FinishPasskeyAsync(user, reference ?? "", credentialJson ?? "", http, session, ct);
                proof = result.Proof;
                return result.Succeeded ? result : new KeyResult(false, Wrong);
            },
            async session =>
            {
                // Waits for a new key that is just taking this one's place; the key is looked at after that.
                await _lostKeys.SignedInAsync(session, user.Id, http, ct);
                // The policy and the key as they are now.
                if (!(await session.AppliancePolicyAsync(ct)).PasskeyAlone || !await session.Query<SecurityKey>().AnyAsync(k => k.CredentialId == id && k.UserId == user.Id, ct))
                {
                    return Wrong;
                }
                await _delays.ForgiveAsync(session, _delays.For(user.UsernameKey, http), user.Id, ct);
                await _sessions.StartAsync(session, user, http, null, steppedUp: true, new SessionFactor(SessionFactor.Key, proof), ct);
                session.RecordForAppliance(
                    new LedgerEvent("sign-in.succeeded", user.Id.ToString(), new Dictionary<string, string?>(StringComparer.Ordinal) { ["factor"] = "passkey" }),
                    new Origin(user.Id, http.Address()));
                return null;
            },
            ct);
    }

    /// <summary>Whose it is. An account without a password belongs to a team's identity provider, which alone signs in to it.</summary>
    private async Task<User?> FindAsync(byte[] credentialId, CancellationToken ct)
    {
        var session = await _accounts.OpenAsync(ct);
        var found = await session.Query<SecurityKey>().AsNoTracking().Where(k => k.CredentialId == credentialId)
            .Join(session.Query<User>().AsNoTracking().Where(u => u.PasswordHash != null), k => k.UserId, u => u.Id, (_, u) => u).SingleOrDefaultAsync(ct);
        await _accounts.DisposeAsync();
        return found;
    }

    private static byte[] CredentialId(string? json)
    {
        try
        {
            return CredentialJson.Parse(json ?? "", CeremonyPurpose.Passkey).Id;
        }
        catch (AttestationException)
        {
            return [];
        }
    }
}

/// <summary>The page of it. Where the policy does not allow it, there is none.</summary>
[AllowAnonymous]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class PasskeyPage(PasskeySignIn flow, ISecurityKeyCeremonies keys, Policies policies) : SignInPageModel
{
    public KeyPrompt Prompt { get; private set; } = null!;

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        if (!(await policies.ApplianceAsync(ct)).PasskeyAlone)
        {
            return NotFound();
        }
        Prompt = new KeyPrompt
        {
            Ceremony = await keys.BeginPasskeyAsync(HttpContext, ct),
            Button = "Use passkey",
            Starts = true,
            Error = Problem,
            Fields = ReturnField,
        };
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(string? reference, string? credential, CancellationToken ct)
    {
        if (!(await policies.ApplianceAsync(ct)).PasskeyAlone)
        {
            return NotFound();
        }
        var result = await flow.SignInAsync(reference, credential, HttpContext, ct);
        if (result.Succeeded)
        {
            return Redirect(Return);
        }
        Again(result);
        return await OnGetAsync(ct);
    }
}
