using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Alerts;
using Appliance.SignIn.ForgottenPassword;
using Appliance.SignIn.LostKey;
using Appliance.SignIn.Policy;
using Appliance.SignIn.RememberedDevices;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.Sms;
using Appliance.SignIn.Totp;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn;

/// <summary>What a half signed-in person can go on with.</summary>
public enum NextFactor
{
    Key,
    App,
    Phone,
    RecoveryCode,

    /// <summary>There is nothing: the first key or app is added now. Nobody gets in with a password alone.</summary>
    Enrol,
}

/// <summary>
/// Password, then security key, authenticator app, text message or recovery code, then a session. Whether an account exists shows neither in the answers nor in the
/// work behind them: the same queries, the same hash, the same rows written.
/// </summary>
public sealed class SignInFlow
{
    private const string Wrong = "Username and password do not match. Check both and try again.";
    private const string TooLate = "That took too long. Sign in again.";
    private const int LongestName = 256;

    private readonly AccountSession _accounts;
    private readonly Attempts _attempts;
    private readonly PasswordHasher _hasher;
    private readonly PasswordGate _gate;
    private readonly Delays _delays;
    private readonly Sessions _sessions;
    private readonly Notices _notices;
    private readonly AccountAlerts _alerts;
    private readonly RecoveryCodes _codes;
    private readonly ISecurityKeyCeremonies _keys;
    private readonly AuthenticatorApps _apps;
    private readonly Phones _phones;
    private readonly DeviceMemory _devices;
    private readonly LostKeys _lostKeys;
    private readonly LostKeyRecovery _recovery;
    private readonly TimeProvider _clock;
    private readonly SignInSettings _settings;

    internal SignInFlow(IServiceProvider services)
    {
        _accounts = services.GetRequiredService<AccountSession>();
        _attempts = services.GetRequiredService<Attempts>();
        _hasher = services.GetRequiredService<PasswordHasher>();
        _gate = services.GetRequiredService<PasswordGate>();
        _delays = services.GetRequiredService<Delays>();
        _sessions = services.GetRequiredService<Sessions>();
        _notices = services.GetRequiredService<Notices>();
        _alerts = services.GetRequiredService<AccountAlerts>();
        _codes = services.GetRequiredService<RecoveryCodes>();
        _keys = services.GetRequiredService<ISecurityKeyCeremonies>();
        _apps = services.GetRequiredService<AuthenticatorApps>();
        _phones = services.GetRequiredService<Phones>();
        _devices = services.GetRequiredService<DeviceMemory>();
        _lostKeys = services.GetRequiredService<LostKeys>();
        _recovery = services.GetRequiredService<LostKeyRecovery>();
        _clock = services.GetRequiredService<TimeProvider>();
        _settings = services.GetRequiredService<SignInSettings>();
    }

    /// <summary>
    /// The first step. Right: the person is half signed in, by a cookie of its own that is good for five minutes; or, in a browser that stands in for the
    /// second factor, wholly.
    /// </summary>
    public async Task<SignInResult> PasswordAsync(string? username, string? password, HttpContext http, CancellationToken ct)
    {
        if (username is not { Length: > 0 and <= LongestName } || !PasswordHasher.IsBounded(password))
        {
            return new SignInResult(Wrong);
        }
        var nameKey = NameKey.Of(username);
        var delay = _delays.For(nameKey, http);
        var charge = await _delays.ChargeAsync(delay, ct);
        if (charge.Wait > TimeSpan.Zero)
        {
            return await _attempts.RefusedAsync(charge, nameKey, http, ct);
        }
        var user = await _attempts.FindAsync(u => u.UsernameKey == nameKey, ct);
        string? better;
        try
        {
            var verdict = await _attempts.CheckAsync(user, password!, ct);
            if (verdict == PasswordVerificationResult.Failed)
            {
                return await WrongAsync(user, nameKey, http, ct);
            }
            better = verdict == PasswordVerificationResult.SuccessRehashNeeded
                ? await _gate.RunAsync(() => Task.Run(() => _hasher.HashPassword(null!, password!), ct), ct)
                : null;
        }
        catch (TooBusyException)
        {
            return await _attempts.BusyAsync(delay, ct);
        }
        return await HalfSignInAsync(user!, better, delay, http, ct) ?? await WrongAsync(user, nameKey, http, ct);
    }

    /// <summary>
    /// The half signed-in person, what they can go on with best, and all that they may go on with. What is given and is not enough for the policy opens a
    /// session in which the person can only enrol what is (<see cref="SignedInPerson.MustEnrol"/>).
    /// </summary>
    public async Task<(User User, NextFactor Next, Factors Factors)> HalfSignedInAsync(HttpContext http, CancellationToken ct)
    {
        var (signIn, id) = HalfSignedInHandler.Read(http);
        var user = await _attempts.RequireAsync(id, ct);
        var session = await _accounts.OpenAsync(ct);
        var factors = await Factors.ReadAsync(session, user.Id, ct);
        factors = factors with { App = factors.App && (await session.AppliancePolicyAsync(ct)).Factors.TakesApp(factors.Key) };
        var next = await _recovery.IsGivenAsync(session, user.Id, signIn, ct) ? NextFactor.Enrol
            : factors.Key ? NextFactor.Key
            : factors.App ? NextFactor.App
            : factors.Phone && _phones.AreOffered ? NextFactor.Phone
            // A phone that no message can be sent to is no reason to let a password alone enrol.
            : factors.Phone || await _codes.CountAsync(session, user.Id, ct) > 0 ? NextFactor.RecoveryCode
            : NextFactor.Enrol;
        await _accounts.DisposeAsync();
        return (user, next, factors);
    }

    /// <summary>For how long the half signed-in person may have this device remembered; null: they may not.</summary>
    public async Task<TimeSpan?> RememberPeriodAsync(HttpContext http, CancellationToken ct)
    {
        if (await _devices.PeriodAsync(await _accounts.OpenAsync(ct), ct) is not { } period)
        {
            await _accounts.DisposeAsync();
            return null;
        }
        var (signIn, _) = HalfSignedInHandler.Read(http);
        var limited = await (await _accounts.OpenAsync(ct)).Query<PendingSignIn>().AnyAsync(s => s.Id == signIn && s.OnlyTeam != null, ct);
        await _accounts.DisposeAsync();
        return limited ? null : period;
    }

    /// <summary>The second step with a security key.</summary>
    public Task<SignInResult> KeyAsync(string? ceremony, string? credential, HttpContext http, CancellationToken ct, bool remember = false) =>
        SecondAsync("key", http, (user, session) => _keys.FinishAssertionAsync(user, ceremony ?? "", credential ?? "", http, session, ct), ct, remember: remember);

    /// <summary>The second step with a code from the person's app.</summary>
    public Task<SignInResult> AppAsync(string? code, HttpContext http, CancellationToken ct, bool remember = false) =>
        SecondAsync(
            "app",
            http,
            async (user, session) =>
            {
                var refused = await session.AppProblemAsync(user.Id, ct);
                return refused is null ? await _apps.VerifyAsync(user, code, http, ct) : new KeyResult(false, refused);
            },
            ct,
            guessable: true,
            remember);

    /// <summary>The second step with a code that was sent to the person's phone.</summary>
    public Task<SignInResult> PhoneAsync(string? reference, string? code, HttpContext http, CancellationToken ct) =>
        SecondAsync("sms", http, (user, _) => _phones.VerifyAsync(user, reference, code, http, ct), ct, guessable: true);

    /// <summary>The second step with a recovery code, which is used up; the person is told on every page until they dismiss it.</summary>
    public Task<SignInResult> RecoveryCodeAsync(string? code, HttpContext http, CancellationToken ct) =>
        SecondAsync(
            "recovery-code",
            http,
            async (user, session) =>
            {
                if (!await _codes.RedeemAsync(session, user.Id, code ?? "", ct))
                {
                    return new KeyResult(false, "This code did not work. Codes have sixteen letters and digits, and each works once.");
                }
                // A key or phone is lost, and what else with it nobody knows.
                await DeviceMemory.ForgetAllAsync(session, user.Id, "recovery-code", http, ct);
                _notices.Add(session, user.Id, Notice.RecoveryCodeUsed, http);
                session.RecordForAppliance(new LedgerEvent("recovery-code.used", user.Id.ToString()), new Origin(user.Id, http.Address()));
                return new KeyResult(true);
            },
            ct);

    /// <summary>
    /// A code that two owners of the appliance gave, for lost keys. It signs nobody in: this half sign-in may then add a key or an app, which takes the place of
    /// all that there was.
    /// </summary>
    public async Task<SignInResult> LostKeyCodeAsync(string? code, HttpContext http, CancellationToken ct)
    {
        var (signIn, id) = HalfSignedInHandler.Read(http);
        var user = await _attempts.RequireAsync(id, ct);
        return await _attempts.ChargedAsync(
            "lost-key",
            user,
            http,
            async session => await _recovery.GiveAsync(session, user.Id, signIn, code, http, ct) ? new KeyResult(true) : new KeyResult(false, LostKeyRecovery.Wrong),
            _ => Task.FromResult<string?>(null),
            ct);
    }

    /// <summary>The second step of a person who has no second factor yet, or lost it: their first key. Answers with their recovery codes.</summary>
    public Task<(SignInResult Result, IReadOnlyList<string> Codes)> EnrolAsync(
        string? ceremony, string? credential, string? name, HttpContext http, CancellationToken ct) => FirstAsync(
        "first-key",
        http,
        (user, session) => _keys.FinishRegistrationAsync(user, ceremony ?? "", credential ?? "", KeyName.OrUsual(name), http, session, ct),
        ct);

    /// <summary>The same with their first app.</summary>
    public Task<(SignInResult Result, IReadOnlyList<string> Codes)> EnrolAppAsync(string? offer, string? code, HttpContext http, CancellationToken ct) =>
        FirstAsync("first-app", http, async (user, session) => await session.OnlyKeysProblemAsync(ct) is { } refused ? new KeyResult(false, refused) : await _apps.AddAsync(session, user, offer, code, http, ct), ct);

    /// <summary>The same with a phone, where the operator named a gateway.</summary>
    public Task<(SignInResult Result, IReadOnlyList<string> Codes)> EnrolPhoneAsync(string? reference, string? code, HttpContext http, CancellationToken ct) =>
        FirstAsync("first-phone", http, async (user, session) => await session.OnlyKeysProblemAsync(ct) is { } refused ? new KeyResult(false, refused) : await _phones.AddAsync(session, user, reference, code, http, ct), ct);

    private async Task<(SignInResult Result, IReadOnlyList<string> Codes)> FirstAsync(
        string factor, HttpContext http, Func<User, TeamSession, Task<KeyResult>> add, CancellationToken ct)
    {
        // A team's identity provider stands for the password in that team alone; what it adds to somebody's own account would open the rest.
        const string NotByProvider = "Your account has a password of its own. Sign in with that, add a security key, then come back.";
        const string NotFirst = "You have a second factor already. Use it to sign in.";
        var codes = RecoveryCodes.Make();
        if ((await HalfSignedInAsync(http, ct)).Next != NextFactor.Enrol)
        {
            return (new SignInResult(NotFirst), []);
        }
        var result = await SecondAsync(
            factor,
            http,
            async (user, session) =>
            {
                // Of two who add the first at once, one does.
                await Factors.LockAsync(session, user.Id, ct);
                var (signIn, _) = HalfSignedInHandler.Read(http);
                if (user.PasswordHash is not null && await session.Query<PendingSignIn>().AnyAsync(s => s.Id == signIn && s.OnlyTeam != null, ct))
                {
                    return new KeyResult(false, NotByProvider);
                }
                var lost = await _recovery.LockAsync(session, user.Id, signIn, ct);
                if (lost is not null && factor == "first-phone")
                {
                    return new KeyResult(false, "A text message takes no lost key’s place. Add a security key or an app.");
                }
                var added = lost is null && (await Factors.ReadAsync(session, user.Id, ct)).Any ? new KeyResult(false, NotFirst) : await add(user, session);
                if (added.Succeeded)
                {
                    if (lost is not null)
                    {
                        await _recovery.FinishAsync(session, lost, user.Username, added.Proof, http, ct);
                    }
                    await _codes.ReplaceAsync(session, user.Id, codes, ct);
                    _notices.Add(session, user.Id, Notice.RecoveryCodesUnconfirmed, http);
                    session.RecordForAppliance(new LedgerEvent("recovery-codes.made", user.Id.ToString()), new Origin(user.Id, http.Address()));
                }
                return added;
            },
            ct);
        return (result, result.Succeeded ? codes : []);
    }

    private async Task<SignInResult> SecondAsync(
        string factor, HttpContext http, Func<User, TeamSession, Task<KeyResult>> check, CancellationToken ct, bool guessable = false, bool remember = false)
    {
        var (signIn, id) = HalfSignedInHandler.Read(http);
        var user = await _attempts.RequireAsync(id, ct);
        KeyProof? proof = null;
        return await _attempts.ChargedAsync(
            factor,
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
                // Of two answers at once, one makes the session.
                var now = _clock.GetUtcNow();
                var pending = await session.Query<PendingSignIn>().AsNoTracking().SingleOrDefaultAsync(s => s.Id == signIn, ct);
                if (await session.ExecuteAsync($"delete from sign_ins where id = {signIn} and expires_at > {now}", ct) != 1 || pending is null)
                {
                    return TooLate;
                }
                if (pending.NewPassword is { } link
                    && await NewPasswordFlow.FinishAsync(session, link, user.Id, _sessions, _alerts, now, http, ct) is { } problem)
                {
                    return problem;
                }
                await _delays.ForgiveAsync(session, _delays.For(user.UsernameKey, http), user.Id, ct);
                if (remember && pending.Limit is null)
                {
                    await _devices.RememberAsync(session, user, http, ct);
                }
                await _lostKeys.SignedInAsync(session, user.Id, http, ct);
                await StartAsync(session, user, factor, SessionFactor.Of(proof, Given(factor)), pending.Limit, steppedUp: true, http, ct);
                SessionCookie.Delete(http, HalfSignedInHandler.Cookie);
                return null;
            },
            ct,
            guessable);
    }

    private async Task StartAsync(
        TeamSession session, User user, string step, SessionFactor given, SessionLimit? limit, bool steppedUp, HttpContext http, CancellationToken ct)
    {
        await _sessions.StartAsync(session, user, http, limit, steppedUp, given, ct);
        session.RecordForAppliance(
            new LedgerEvent("sign-in.succeeded", user.Id.ToString(), new Dictionary<string, string?>(StringComparer.Ordinal) { ["factor"] = step }),
            new Origin(user.Id, http.Address()));
    }

    private static string Given(string step) => step switch
    {
        "app" or "first-app" => SessionFactor.App,
        "sms" or "first-phone" => SessionFactor.Phone,
        "recovery-code" => SessionFactor.RecoveryCode,
        _ => SessionFactor.Key,
    };

    private async Task<SignInResult> WrongAsync(User? user, string nameKey, HttpContext http, CancellationToken ct)
    {
        await _attempts.FailedAsync("password", user?.Id.ToString() ?? _attempts.Unknown(nameKey), user?.Id, http, ct);
        return new SignInResult(Wrong);
    }

    /// <summary>
    /// Null: the password was changed while it was being checked, so it is not the person's any more. Where its hash is weaker than
    /// today's, <paramref name="better"/> replaces it: this is the one moment at which that can be done. Who has nothing else is signed in, where the
    /// policy leaves a second factor to everybody.
    /// </summary>
    private async Task<SignInResult?> HalfSignInAsync(User user, string? better, Delays.Keys delay, HttpContext http, CancellationToken ct)
    {
        var session = await _accounts.OpenAsync(ct);
        await _delays.RefundAsync(session, delay, ct);
        // The row stays locked to the commit: a change of the password waits for it, and then ends what is made here.
        var same = await session.SqlAsync<int>($"""select 1 as "Value" from users where id = {user.Id.Value} and password_hash = {user.PasswordHash} for update""", ct);
        if (same.Count == 0)
        {
            await _accounts.DisposeAsync();
            return null;
        }
        if (better is not null)
        {
            await session.ExecuteAsync($"update users set password_hash = {better} where id = {user.Id.Value}", ct);
        }
        var policy = (await session.AppliancePolicyAsync(ct)).Factors;
        if (await _devices.UseAsync(session, user, http, ct))
        {
            await _delays.ForgiveAsync(session, delay, user.Id, ct);
            // Nobody touched a key just now: whatever is sensitive still asks for one.
            await StartAsync(session, user, "remembered-device", new SessionFactor(SessionFactor.Device), null, steppedUp: false, http, ct);
            await _accounts.CommitAsync(ct);
            return new SignInResult { IsComplete = true };
        }
        if (policy.SecondFactor == FactorRule.Optional && !(await Factors.ReadAsync(session, user.Id, ct)).Any && await _codes.CountAsync(session, user.Id, ct) == 0)
        {
            await _delays.ForgiveAsync(session, delay, user.Id, ct);
            await StartAsync(session, user, "none", new SessionFactor(SessionFactor.Password), null, steppedUp: true, http, ct);
            await _accounts.CommitAsync(ct);
            return new SignInResult { IsComplete = true };
        }
        var now = _clock.GetUtcNow();
        var token = Token.New();
        session.Add(new PendingSignIn
        {
            Id = Guid.CreateVersion7(now),
            TokenHash = Token.Hash(token),
            UserId = user.Id,
            CreatedAt = now,
            ExpiresAt = now + _settings.HalfSignedIn,
        });
        await _accounts.CommitAsync(ct);
        SessionCookie.Write(http, token, HalfSignedInHandler.Cookie);
        return SignInResult.Done;
    }
}
