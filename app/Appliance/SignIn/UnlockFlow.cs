using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn.Policy;
using Appliance.SignIn.Totp;

namespace Appliance.SignIn;

/// <summary>What a person who is signed in proves again: to open a locked session, or before something sensitive.</summary>
public sealed class UnlockFlow
{
    private readonly Attempts _attempts;
    private readonly Sessions _sessions;
    private readonly ISecurityKeyCeremonies _keys;
    private readonly AuthenticatorApps _apps;

    internal UnlockFlow(IServiceProvider services)
    {
        _attempts = services.GetRequiredService<Attempts>();
        _sessions = services.GetRequiredService<Sessions>();
        _keys = services.GetRequiredService<ISecurityKeyCeremonies>();
        _apps = services.GetRequiredService<AuthenticatorApps>();
    }

    /// <summary>Opens the request's own locked session with the password.</summary>
    public async Task<SignInResult> UnlockWithPasswordAsync(string? password, HttpContext http, CancellationToken ct)
    {
        const string Wrong = "This is not your password.";
        if (!PasswordHasher.IsBounded(password))
        {
            return new SignInResult(Wrong);
        }
        var user = await _attempts.RequireAsync(http.User.Id(), ct);
        return await _attempts.ChargedAsync(
            "unlock",
            user,
            http,
            _ => _attempts.PasswordAsync(user, password!, Wrong, ct),
            async session =>
            {
                await _sessions.UnlockAsync(session, http, new SessionFactor(SessionFactor.Password), ct);
                return null;
            },
            ct);
    }

    /// <summary>Opens the request's own locked session with a key, which steps up as well.</summary>
    public Task<SignInResult> UnlockWithKeyAsync(string? ceremony, string? credential, HttpContext http, CancellationToken ct) =>
        UnlockAsync(http, Key(ceremony, credential, http, ct), guessable: false, ct);

    /// <summary>The same with a code from the person's app.</summary>
    public Task<SignInResult> UnlockWithAppAsync(string? code, HttpContext http, CancellationToken ct) =>
        UnlockAsync(http, App(code, http, ct), guessable: true, ct);

    /// <summary>The second factor again, before something sensitive: a key.</summary>
    public Task<SignInResult> StepUpAsync(string? ceremony, string? credential, HttpContext http, CancellationToken ct) =>
        StepUpAsync(http, Key(ceremony, credential, http, ct), guessable: false, ct);

    /// <summary>The same with a code from the person's app.</summary>
    public Task<SignInResult> StepUpWithAppAsync(string? code, HttpContext http, CancellationToken ct) =>
        StepUpAsync(http, App(code, http, ct), guessable: true, ct);

    /// <summary>Whether this is the person's password; counted like a sign-in where it is not.</summary>
    public async Task<SignInResult> ConfirmPasswordAsync(string? password, HttpContext http, CancellationToken ct)
    {
        const string Wrong = "This is not your current password.";
        if (!PasswordHasher.IsBounded(password))
        {
            return new SignInResult(Wrong);
        }
        var user = await _attempts.RequireAsync(http.User.Id(), ct);
        return await _attempts.ChargedAsync(
            "confirm", user, http, _ => _attempts.PasswordAsync(user, password!, Wrong, ct), _ => Task.FromResult<string?>(null), ct);
    }

    private Func<User, TeamSession, Task<KeyResult>> Key(string? ceremony, string? credential, HttpContext http, CancellationToken ct) =>
        (user, session) => _keys.FinishAssertionAsync(user, ceremony ?? "", credential ?? "", http, session, ct);

    private Func<User, TeamSession, Task<KeyResult>> App(string? code, HttpContext http, CancellationToken ct) => async (user, session) =>
        await session.AppProblemAsync(user.Id, ct) is { } refused ? new KeyResult(false, refused) : await _apps.VerifyAsync(user, code, http, ct);

    private Task<SignInResult> UnlockAsync(HttpContext http, Func<User, TeamSession, Task<KeyResult>> check, bool guessable, CancellationToken ct) =>
        AgainAsync("unlock", http, check, (session, factor) => _sessions.UnlockAsync(session, http, factor, ct), guessable, ct);

    private Task<SignInResult> StepUpAsync(HttpContext http, Func<User, TeamSession, Task<KeyResult>> check, bool guessable, CancellationToken ct) =>
        AgainAsync("step-up", http, check, (session, factor) => _sessions.StepUpAsync(session, http, factor, ct), guessable, ct);

    private async Task<SignInResult> AgainAsync(
        string step, HttpContext http, Func<User, TeamSession, Task<KeyResult>> check, Func<TeamSession, SessionFactor, Task> open, bool guessable, CancellationToken ct)
    {
        var user = await _attempts.RequireAsync(http.User.Id(), ct);
        KeyProof? proof = null;
        return await _attempts.ChargedAsync(
            step,
            user,
            http,
            async session =>
            {
                var result = await check(user, session);
                proof = result.Proof;
                return result;
            },
            async session =>
            {
                await open(session, SessionFactor.Of(proof, SessionFactor.App));
                return null;
            },
            ct,
            guessable);
    }
}
