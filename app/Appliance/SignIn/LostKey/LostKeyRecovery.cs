using System.Globalization;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Policy;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.Totp;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.LostKey;

/// <summary>
/// What the person does with the code: after their password, it lets this one half sign-in add a key or an app as if they had none. The moment that one is
/// added, everything from before goes. All in the caller's transaction.
/// </summary>
public sealed class LostKeyRecovery(RecoveryCodes codes, LostKeyMails mails, Notices notices, Sessions sessions, SignInSettings settings, TimeProvider clock)
{
    internal const string Wrong = "This code did not work. It has sixteen letters and digits, works once, within an hour, and only after your password.";

    /// <summary>
    /// Uses the code up for this half sign-in, which then has as long as a new one. Both owners have to be owners still. It follows a password alone: not a
    /// mailed link, and not a team's identity provider.
    /// </summary>
    public async Task<bool> GiveAsync(TeamSession session, UserId person, Guid signIn, string? code, HttpContext http, CancellationToken ct)
    {
        // What has not a code's form goes the same way, so that it takes the same time.
        var (now, mac) = (clock.GetUtcNow(), LostKeys.Mac(codes, person, code));
        var end = now + settings.HalfSignedIn;
        // Of two who come with the same code at once, one succeeds: the row's lock decides.
        var given = await session.ExecuteAsync(
            $"""
            update lost_key_requests r set code_mac = null, sign_in = {signIn}, expires_at = {end}
            where r.user_id = {person.Value} and r.code_mac = {mac} and r.expires_at > {now} and r.approved_at <= {now + Sessions.ClockTolerance}
              and exists (select from users where id = r.requested_by and owner) and exists (select from users where id = r.approved_by and owner)
              and exists (select from sign_ins where id = {signIn} and user_id = {person.Value} and only_team is null and new_password is null)
            """, ct);
        if (given != 1)
        {
            return false;
        }
        await session.ExecuteAsync($"update sign_ins set expires_at = {end} where id = {signIn}", ct);
        session.RecordForAppliance(LostKeys.Event("lost-key.code-given", person), new Origin(person, http.Address()));
        return true;
    }

    /// <summary>Whether the code was given in this half sign-in.</summary>
    public Task<bool> IsGivenAsync(TeamSession session, UserId person, Guid signIn, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        return session.Query<LostKeyRequest>().AnyAsync(r => r.UserId == person && r.SignIn == signIn && r.ExpiresAt > now, ct);
    }

    /// <summary>The request that this half sign-in adds a factor by, locked to the end of the transaction: nobody stops it any more. Null: there is none, or an owner of it is none any more.</summary>
    internal async Task<LostKeyRequest?> LockAsync(TeamSession session, UserId person, Guid signIn, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var locked = await session.SqlAsync<Guid>(
            $"""
            select r.user_id as "Value" from lost_key_requests r
            where r.user_id = {person.Value} and r.sign_in = {signIn} and r.expires_at > {now}
              and exists (select from users where id = r.requested_by and owner) and exists (select from users where id = r.approved_by and owner)
            for update of r
            """, ct);
        return locked is [_] ? await session.Query<LostKeyRequest>().AsNoTracking().SingleAsync(r => r.UserId == person, ct) : null;
    }

    /// <summary>The new key (its proof), or an app (no proof), was added in this transaction: whatever else opened the account goes.</summary>
    internal async Task FinishAsync(TeamSession session, LostKeyRequest request, string username, KeyProof? proof, HttpContext http, CancellationToken ct)
    {
        var (person, kept, origin) = (request.UserId, proof?.CredentialId ?? [], new Origin(request.UserId, http.Address()));
        foreach (var key in await session.Query<SecurityKey>().AsNoTracking().Where(k => k.UserId == person && k.CredentialId != kept).ToListAsync(ct))
        {
            session.RecordForAppliance(KeyEvents.Removed(key), origin);
        }
        await session.ExecuteAsync($"delete from security_keys where user_id = {person.Value} and credential_id <> {kept}", ct);
        // An app that was added took the place of the one before.
        if (proof is not null && await session.ExecuteAsync($"delete from authenticator_apps where user_id = {person.Value}", ct) > 0)
        {
            session.RecordForAppliance(AppEvents.Removed(person), origin);
        }
        // Phone and remembered devices went when the factor was added; recovery codes are replaced by the caller.
        await sessions.EndAllAsync(session, person, http, ct);
        await session.ExecuteAsync($"delete from sign_ins where user_id = {person.Value} and id <> {request.SignIn}", ct);
        // Whoever has the lost key may have made tokens with it, and nobody knows since when it is lost.
        var tokens = await session.ExecuteAsync($"delete from api_tokens where user_id = {person.Value}", ct);
        await session.ExecuteAsync($"delete from lost_key_requests where user_id = {person.Value}", ct);
        await LostKeys.ForgetAsync(session, notices, person, ct);
        notices.Add(session, person, Notice.LostKeyUsed, http);
        mails.Used(session, person, [request.RequestedBy, request.ApprovedBy!.Value], username, http);
        session.RecordForAppliance(
            LostKeys.Event(
                "lost-key.used", person, ("requested-by", request.RequestedBy.ToString()), ("approved-by", request.ApprovedBy!.Value.ToString()),
                ("tokens-revoked", tokens.ToString(CultureInfo.InvariantCulture))),
            origin);
    }
}
