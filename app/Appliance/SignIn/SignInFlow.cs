using System.Text;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Vault;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn;

/// <param name="Problem">What went wrong, as a sentence for the person; null: nothing.</param>
/// <param name="Wait">Refused unchecked, because too much went wrong before; for so long.</param>
public sealed record SignInResult(string? Problem = null, TimeSpan Wait = default)
{
    public bool Succeeded => Problem is null;

    public static readonly SignInResult Done = new();
}

/// <summary>What a half signed-in person can go on with.</summary>
public enum NextFactor
{
    Key,
    RecoveryCode,

    /// <summary>There is neither key nor code: the first key is added now. Nobody gets in with a password alone.</summary>
    Enrol,
}

/// <summary>
/// Password, then security key or recovery code, then a session. Whether an account exists shows neither in the answers nor in the
/// work behind them: the same queries, the same hash, the same rows written.
/// </summary>
public sealed class SignInFlow
{
    private const string Wrong = "Username and password do not match. Check both and try again.";
    private const string TooLate = "That took too long. Sign in again.";
    private const int LongestName = 256;
    private static readonly SignInResult Busy = new("Many people are signing in at this moment. Try again in a few seconds.", TimeSpan.FromSeconds(3));

    private readonly AccountSession _accounts;
    private readonly UserManager<User> _users;
    private readonly PasswordHasher _hasher;
    private readonly PasswordGate _gate;
    private readonly Delays _delays;
    private readonly Sessions _sessions;
    private readonly Notices _notices;
    private readonly RecoveryCodes _codes;
    private readonly ISecurityKeyCeremonies _keys;
    private readonly BlobProtector _protector;
    private readonly TimeProvider _clock;
    private readonly SignInSettings _settings;

    internal SignInFlow(IServiceProvider services)
    {
        _accounts = services.GetRequiredService<AccountSession>();
        _users = services.GetRequiredService<UserManager<User>>();
        _hasher = services.GetRequiredService<PasswordHasher>();
        _gate = services.GetRequiredService<PasswordGate>();
        _delays = services.GetRequiredService<Delays>();
        _sessions = services.GetRequiredService<Sessions>();
        _notices = services.GetRequiredService<Notices>();
        _codes = services.GetRequiredService<RecoveryCodes>();
        _keys = services.GetRequiredService<ISecurityKeyCeremonies>();
        _protector = services.GetRequiredService<BlobProtector>();
        _clock = services.GetRequiredService<TimeProvider>();
        _settings = services.GetRequiredService<SignInSettings>();
    }

    /// <summary>The first step. Right: the person is half signed in, by a cookie of its own that is good for five minutes.</summary>
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
            return await RefusedAsync(charge, nameKey, http, ct);
        }
        var user = await FindAsync(u => u.UsernameKey == nameKey, ct);
        PasswordVerificationResult verdict;
        try
        {
            verdict = await CheckAsync(user, password!, ct);
        }
        catch (TooBusyException)
        {
            await _delays.RefundAsync(await _accounts.OpenAsync(ct), delay, ct);
            await _accounts.CommitAsync(ct);
            return Busy;
        }
        if (verdict == PasswordVerificationResult.Failed)
        {
            await FailedAsync("password", user?.Id.ToString() ?? Unknown(nameKey), user?.Id, http, ct);
            return new SignInResult(Wrong);
        }
        if (verdict == PasswordVerificationResult.SuccessRehashNeeded)
        {
            await RehashAsync(user!.Id, password!, ct);
        }
        await HalfSignInAsync(user!, delay, http, ct);
        return SignInResult.Done;
    }

    /// <summary>The half signed-in person, and what they can go on with.</summary>
    public async Task<(User User, NextFactor Next)> HalfSignedInAsync(HttpContext http, CancellationToken ct)
    {
        var user = await RequireAsync(HalfSignedInHandler.Read(http).User, ct);
        var session = await _accounts.OpenAsync(ct);
        var next = await _keys.HasKeyAsync(user.Id, session, ct) ? NextFactor.Key
            : await _codes.CountAsync(session, user.Id, ct) > 0 ? NextFactor.RecoveryCode
            : NextFactor.Enrol;
        await _accounts.DisposeAsync();
        return (user, next);
    }

    /// <summary>The second step with a security key.</summary>
    public Task<SignInResult> KeyAsync(string? ceremony, string? credential, HttpContext http, CancellationToken ct) =>
        SecondAsync("key", http, (user, session) => _keys.FinishAssertionAsync(user, ceremony ?? "", credential ?? "", http, session, ct), ct);

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
                _notices.Add(session, user.Id, Notice.RecoveryCodeUsed, http);
                session.RecordForAppliance(new LedgerEvent("recovery-code.used", user.Id.ToString()), new Origin(user.Id, http.Address()));
                return new KeyResult(true);
            },
            ct);

    /// <summary>The second step of a person who has no second factor yet: their first key. Answers with their recovery codes.</summary>
    public async Task<(SignInResult Result, IReadOnlyList<string> Codes)> EnrolAsync(
        string? ceremony, string? credential, string? name, HttpContext http, CancellationToken ct)
    {
        var codes = RecoveryCodes.Make();
        if ((await HalfSignedInAsync(http, ct)).Next != NextFactor.Enrol)
        {
            return (new SignInResult("You have a security key or recovery codes already. Use them to sign in."), []);
        }
        var result = await SecondAsync(
            "first-key",
            http,
            async (user, session) =>
            {
                var added = await _keys.FinishRegistrationAsync(user, ceremony ?? "", credential ?? "", KeyName(name), http, session, ct);
                if (added.Succeeded)
                {
                    await _codes.ReplaceAsync(session, user.Id, codes, ct);
                    _notices.Add(session, user.Id, Notice.RecoveryCodesUnconfirmed, http);
                    session.RecordForAppliance(new LedgerEvent("recovery-codes.made", user.Id.ToString()), new Origin(user.Id, http.Address()));
                }
                return added;
            },
            ct);
        return (result, result.Succeeded ? codes : []);
    }

    /// <summary>Opens the request's own locked session with the password.</summary>
    public async Task<SignInResult> UnlockWithPasswordAsync(string? password, HttpContext http, CancellationToken ct)
    {
        var user = await RequireAsync(http.User.Id(), ct);
        if (!PasswordHasher.IsBounded(password))
        {
            return new SignInResult("This is not your password.");
        }
        return await ChargedAsync(
            "unlock",
            user,
            http,
            async session =>
            {
                // No transaction stays open while a password is hashed.
                await _accounts.DisposeAsync();
                return await CheckAsync(user, password!, ct) == PasswordVerificationResult.Failed
                    ? new KeyResult(false, "This is not your password.")
                    : new KeyResult(true);
            },
            session => _sessions.UnlockAsync(session, http, steppedUp: false, ct),
            ct);
    }

    /// <summary>Opens the request's own locked session with a key, which steps up as well.</summary>
    public async Task<SignInResult> UnlockWithKeyAsync(string? ceremony, string? credential, HttpContext http, CancellationToken ct)
    {
        var user = await RequireAsync(http.User.Id(), ct);
        return await ChargedAsync(
            "unlock",
            user,
            http,
            session => _keys.FinishAssertionAsync(user, ceremony ?? "", credential ?? "", http, session, ct),
            session => _sessions.UnlockAsync(session, http, steppedUp: true, ct),
            ct);
    }

    /// <summary>The second factor again, before something sensitive.</summary>
    public async Task<SignInResult> StepUpAsync(string? ceremony, string? credential, HttpContext http, CancellationToken ct)
    {
        var user = await RequireAsync(http.User.Id(), ct);
        return await ChargedAsync(
            "step-up",
            user,
            http,
            session => _keys.FinishAssertionAsync(user, ceremony ?? "", credential ?? "", http, session, ct),
            session => _sessions.StepUpAsync(session, http, ct),
            ct);
    }

    /// <summary>Whether this is the person's password; counted like a sign-in where it is not.</summary>
    public async Task<SignInResult> ConfirmPasswordAsync(string? password, HttpContext http, CancellationToken ct)
    {
        var user = await RequireAsync(http.User.Id(), ct);
        if (!PasswordHasher.IsBounded(password))
        {
            return new SignInResult("This is not your current password.");
        }
        return await ChargedAsync(
            "confirm",
            user,
            http,
            async _ =>
            {
                await _accounts.DisposeAsync();
                return await CheckAsync(user, password!, ct) == PasswordVerificationResult.Failed
                    ? new KeyResult(false, "This is not your current password.")
                    : new KeyResult(true);
            },
            _ => Task.CompletedTask,
            ct);
    }

    internal static string KeyName(string? name) => string.IsNullOrWhiteSpace(name) ? "Security key" : name.Trim();

    private async Task<SignInResult> SecondAsync(string factor, HttpContext http, Func<User, TeamSession, Task<KeyResult>> check, CancellationToken ct)
    {
        var (signIn, id) = HalfSignedInHandler.Read(http);
        var user = await RequireAsync(id, ct);
        var tooLate = false;
        var result = await ChargedAsync(
            factor,
            user,
            http,
            session => check(user, session),
            async session =>
            {
                // Of two answers at once, one makes the session.
                var now = _clock.GetUtcNow();
                if (await session.ExecuteAsync($"delete from sign_ins where id = {signIn} and expires_at > {now}", ct) != 1)
                {
                    tooLate = true;
                    return;
                }
                await _delays.ForgiveAsync(session, _delays.For(user.UsernameKey, http), user.Id, ct);
                await _sessions.StartAsync(session, user, http, ct);
                session.RecordForAppliance(
                    new LedgerEvent("sign-in.succeeded", user.Id.ToString(), new Dictionary<string, string?>(StringComparer.Ordinal) { ["factor"] = factor }),
                    new Origin(user.Id, http.Address()));
                SessionCookie.Delete(http, HalfSignedInHandler.Cookie);
            },
            ct,
            () => !tooLate);
        return tooLate ? new SignInResult(TooLate) : result;
    }

    /// <summary>
    /// Charges an attempt, checks it, and either refunds it and does what it opens, or tells the ledger that it failed: each in one transaction.
    /// </summary>
    private async Task<SignInResult> ChargedAsync(
        string step,
        User user,
        HttpContext http,
        Func<TeamSession, Task<KeyResult>> check,
        Func<TeamSession, Task> open,
        CancellationToken ct,
        Func<bool>? commit = null)
    {
        var delay = _delays.For(user.UsernameKey, http);
        var charge = await _delays.ChargeAsync(delay, ct);
        if (charge.Wait > TimeSpan.Zero)
        {
            return await RefusedAsync(charge, user.UsernameKey, http, ct);
        }
        KeyResult result;
        try
        {
            result = await check(await _accounts.OpenAsync(ct));
        }
        catch (TooBusyException)
        {
            await _delays.RefundAsync(await _accounts.OpenAsync(ct), delay, ct);
            await _accounts.CommitAsync(ct);
            return Busy;
        }
        if (!result.Succeeded)
        {
            // What the check itself wrote (a question that was answered is used up) stays.
            await FailedAsync(step, user.Id.ToString(), user.Id, http, ct);
            return new SignInResult(result.Reason ?? "That did not work. Try again.");
        }
        var session = await _accounts.OpenAsync(ct);
        await _delays.RefundAsync(session, delay, ct);
        await open(session);
        if (commit?.Invoke() ?? true)
        {
            await _accounts.CommitAsync(ct);
        }
        else
        {
            await _accounts.DisposeAsync();
        }
        return SignInResult.Done;
    }

    private async Task HalfSignInAsync(User user, Delays.Keys delay, HttpContext http, CancellationToken ct)
    {
        var now = _clock.GetUtcNow();
        var token = Token.New();
        var session = await _accounts.OpenAsync(ct);
        await _delays.RefundAsync(session, delay, ct);
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
    }

    private Task<PasswordVerificationResult> CheckAsync(User? user, string password, CancellationToken ct) => _gate.RunAsync(
        () => Task.Run(
            () =>
            {
                if (user?.PasswordHash is { } hash)
                {
                    return _hasher.VerifyHashedPassword(user, hash, password);
                }
                _hasher.VerifyNobody(password);
                return PasswordVerificationResult.Failed;
            },
            ct),
        ct);

    /// <summary>The hash is weaker than today's: the one moment at which it can be made anew.</summary>
    private async Task RehashAsync(UserId id, string password, CancellationToken ct)
    {
        var hash = await _gate.RunAsync(() => Task.Run(() => _hasher.HashPassword(null!, password), ct), ct);
        var user = await _users.FindByIdAsync(id.ToString());
        user!.PasswordHash = hash;
        await _users.UpdateAsync(user);
    }

    private async Task FailedAsync(string step, string subject, UserId? actor, HttpContext http, CancellationToken ct)
    {
        // Nobody is known to be the account's person where the password was wrong.
        var who = step == "password" ? null : actor;
        var session = await _accounts.OpenAsync(ct);
        session.RecordForAppliance(
            new LedgerEvent("sign-in.failed", subject, new Dictionary<string, string?>(StringComparer.Ordinal) { ["step"] = step }), new Origin(who, http.Address()));
        await _accounts.CommitAsync(ct);
    }

    /// <summary>Names that nobody has are counted and refused like any other, so the same answer serves both.</summary>
    private async Task<SignInResult> RefusedAsync(Delays.Charge charge, string nameKey, HttpContext http, CancellationToken ct)
    {
        if (charge.First)
        {
            var session = await _accounts.OpenAsync(ct);
            session.RecordForAppliance(new LedgerEvent("sign-in.delayed", Unknown(nameKey)), new Origin(null, http.Address()));
            await _accounts.CommitAsync(ct);
        }
        var seconds = (int)Math.Ceiling(charge.Wait.TotalSeconds);
        return new SignInResult(
            seconds < 60 ? $"Too many attempts went wrong. Try again in {seconds} {(seconds == 1 ? "second" : "seconds")}."
                : $"Too many attempts went wrong. Try again in {(seconds + 59) / 60} {(seconds <= 60 ? "minute" : "minutes")}.",
            charge.Wait);
    }

    /// <summary>A name in the ledger that may be a password typed into the wrong field: a MAC, with which attempts can be told apart.</summary>
    private string Unknown(string nameKey) =>
        "name:" + Convert.ToHexStringLower(_protector.Mac("ledger-username", Encoding.UTF8.GetBytes(nameKey)).AsSpan(0, 16));

    private async Task<User> RequireAsync(UserId id, CancellationToken ct) =>
        await FindAsync(u => u.Id == id, ct) ?? throw new InvalidOperationException("The account is gone.");

    /// <summary>In a transaction of its own, so that none is open while a password is hashed.</summary>
    private async Task<User?> FindAsync(System.Linq.Expressions.Expression<Func<User, bool>> which, CancellationToken ct)
    {
        var session = await _accounts.OpenAsync(ct);
        var user = await session.Query<User>().AsNoTracking().SingleOrDefaultAsync(which, ct);
        await _accounts.DisposeAsync();
        return user;
    }
}
