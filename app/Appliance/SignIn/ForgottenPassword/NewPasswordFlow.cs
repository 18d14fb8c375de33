using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Alerts;
using Appliance.SignIn.RememberedDevices;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.ForgottenPassword;

/// <summary>
/// From a mailed link to a new password. The link takes the old password's place and no more: the person is half signed in by it, gives their second factor as
/// anybody does, and only then is the password changed, every session ended, and they are told.
/// </summary>
public sealed class NewPasswordFlow
{
    private const string Over = "This link does not work any more. Ask for another one.";

    private readonly AccountSession _accounts;
    private readonly MailLinks _links;
    private readonly PasswordPolicy _policy;
    private readonly PasswordHasher _hasher;
    private readonly PasswordGate _gate;
    private readonly TimeProvider _clock;
    private readonly SignInSettings _settings;

    internal NewPasswordFlow(IServiceProvider services)
    {
        _accounts = services.GetRequiredService<AccountSession>();
        _links = services.GetRequiredService<MailLinks>();
        _policy = services.GetRequiredService<PasswordPolicy>();
        _hasher = services.GetRequiredService<PasswordHasher>();
        _gate = services.GetRequiredService<PasswordGate>();
        _clock = services.GetRequiredService<TimeProvider>();
        _settings = services.GetRequiredService<SignInSettings>();
    }

    /// <summary>Whose link it is; null: it stopped working meanwhile.</summary>
    public async Task<User?> PersonAsync(HttpContext http, CancellationToken ct)
    {
        var session = await _accounts.OpenAsync(ct);
        var link = await LinkAsync(session, http, ct);
        var user = link is null ? null : await session.Query<User>().AsNoTracking().SingleOrDefaultAsync(u => u.Id == link.UserId, ct);
        await _accounts.DisposeAsync();
        return user;
    }

    /// <summary>Keeps the new password with the link and lets the person on to their second factor.</summary>
    public async Task<SignInResult> ChooseAsync(string? password, HttpContext http, CancellationToken ct)
    {
        if (await PersonAsync(http, ct) is not { } user)
        {
            return new SignInResult(Over);
        }
        var verdict = await _policy.CheckAsync(password ?? "", user, ct);
        if (!verdict.Ok)
        {
            return new SignInResult("This password does not meet every rule: " + string.Join("; ", verdict.Reasons.Where(r => !r.Ok).Select(r => r.Text)) + ".");
        }
        await _accounts.DisposeAsync();
        string hash;
        try
        {
            hash = await _gate.RunAsync(() => Task.Run(() => _hasher.HashPassword(null!, password!), ct), ct);
        }
        catch (TooBusyException)
        {
            return new SignInResult("Many people are signing in at this moment. Try again in a few seconds.", TimeSpan.FromSeconds(3));
        }
        var session = await _accounts.OpenAsync(ct);
        // Read again: it may have been used while the password was hashed.
        if (await LinkAsync(session, http, ct) is not { } link)
        {
            await _accounts.DisposeAsync();
            return new SignInResult(Over);
        }
        await session.ExecuteAsync($"update mail_links set password_hash = {hash} where id = {link.Id} and used_at is null", ct);
        var (now, token) = (_clock.GetUtcNow(), Token.New());
        session.Add(new PendingSignIn
        {
            Id = Guid.CreateVersion7(now),
            TokenHash = Token.Hash(token),
            UserId = user.Id,
            CreatedAt = now,
            ExpiresAt = now + _settings.HalfSignedIn,
            NewPassword = link.Id,
        });
        await _accounts.CommitAsync(ct);
        SessionCookie.Write(http, token, HalfSignedInHandler.Cookie);
        return SignInResult.Done;
    }

    private Task<MailLink?> LinkAsync(TeamSession session, HttpContext http, CancellationToken ct) =>
        _links.FindAsync(session, SessionCookie.Read(http, NewPasswordHandler.Cookie), MailLinks.NewPassword, ct);

    /// <summary>
    /// The second factor was given: the password is changed and every session ends, in the caller's transaction. Answers a problem, with which nothing is kept.
    /// </summary>
    internal static async Task<string?> FinishAsync(
        TeamSession session, Guid linkId, UserId user, Sessions sessions, AccountAlerts alerts, DateTimeOffset now, HttpContext http, CancellationToken ct)
    {
        // Of two that finish at once, the second finds it used. The hash is looked at under the link's lock.
        var used = await session.SqlAsync<string>(
            $"""
            update mail_links set used_at = {now} where id = {linkId} and user_id = {user.Value} and purpose = {MailLinks.NewPassword} and used_at is null and expires_at > {now}
               and password_hash is not null
            returning password_hash as "Value"
            """,
            ct);
        if (used is not [var hash])
        {
            return Over;
        }
        await session.ExecuteAsync(
            $"update users set password_hash = {hash}, password_changed_at = {now}, security_stamp = {Reference.New()}, concurrency_stamp = {Reference.New()} where id = {user.Value}", ct);
        await session.ExecuteAsync($"update mail_links set password_hash = null where id = {linkId}", ct);
        // Other links and half sign-ins go with the old password.
        await session.ExecuteAsync($"delete from mail_links where user_id = {user.Value} and purpose = {MailLinks.NewPassword} and id <> {linkId} and used_at is null", ct);
        await session.ExecuteAsync($"delete from sign_ins where user_id = {user.Value}", ct);
        await sessions.EndAllAsync(session, user, http, ct);
        await DeviceMemory.ForgetAllAsync(session, user, "password.recovered", http, ct);
        session.RecordForAppliance(new LedgerEvent("password.recovered", user.ToString()), new Origin(user, http.Address()));
        alerts.Tell(session, user, Happening.PasswordRecovered, http);
        SessionCookie.Delete(http, NewPasswordHandler.Cookie);
        return null;
    }
}
