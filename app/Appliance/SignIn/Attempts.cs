using System.Linq.Expressions;
using System.Text;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Vault;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn;

/// <summary>
/// Attempts at a secret, whichever page they come from: counted before they are checked, refused during a delay, told to the ledger where they fail.
/// </summary>
internal sealed class Attempts(AccountSession accounts, PasswordHasher hasher, PasswordGate gate, Delays delays, Notices notices, BlobProtector protector)
{
    private static readonly SignInResult Busy = new("Many people are signing in at this moment. Try again in a few seconds.", TimeSpan.FromSeconds(3));

    /// <summary>
    /// Charges an attempt, checks it, and either refunds it and does what it opens, or tells the ledger that it failed: each in one
    /// transaction. Where <paramref name="open"/> answers a problem, what it did is forgotten and the charge stays. What is
    /// <paramref name="guessable"/>, a code of six digits, is charged more, and who is guessed at is told.
    /// </summary>
    public async Task<SignInResult> ChargedAsync(
        string step, User user, HttpContext http, Func<TeamSession, Task<KeyResult>> check, Func<TeamSession, Task<string?>> open, CancellationToken ct,
        bool guessable = false)
    {
        var delay = delays.For(user.UsernameKey, http, guessable);
        var charge = await delays.ChargeAsync(delay, ct);
        if (charge.Wait > TimeSpan.Zero)
        {
            return await RefusedAsync(charge, user.UsernameKey, http, ct);
        }
        KeyResult result;
        try
        {
            result = await check(await accounts.OpenAsync(ct));
        }
        catch (TooBusyException)
        {
            return await BusyAsync(delay, ct);
        }
        if (!result.Succeeded)
        {
            // What the check itself wrote (a question that was answered is used up) stays.
            if (charge.IsGuessing)
            {
                notices.Add(await accounts.OpenAsync(ct), user.Id, Notice.CodesGuessed, http);
            }
            await FailedAsync(step, user.Id.ToString(), user.Id, http, ct);
            return new SignInResult(result.Reason ?? "That did not work. Try again.");
        }
        var session = await accounts.OpenAsync(ct);
        await delays.RefundAsync(session, delay, ct);
        if (await open(session) is { } problem)
        {
            await accounts.DisposeAsync();
            return new SignInResult(problem);
        }
        await accounts.CommitAsync(ct);
        return SignInResult.Done;
    }

    /// <summary>Whether this is the password, for a <see cref="ChargedAsync"/> of a person who is known already.</summary>
    public async Task<KeyResult> PasswordAsync(User user, string password, string wrong, CancellationToken ct)
    {
        // No transaction stays open while a password is hashed.
        await accounts.DisposeAsync();
        return await CheckAsync(user, password, ct) == PasswordVerificationResult.Failed ? new KeyResult(false, wrong) : new KeyResult(true);
    }

    /// <summary>The same work whether there is such a person or not.</summary>
    /// <exception cref="TooBusyException">Too many wait already.</exception>
    public Task<PasswordVerificationResult> CheckAsync(User? user, string password, CancellationToken ct) => gate.RunAsync(
        () => Task.Run(
            () =>
            {
                if (user?.PasswordHash is { } hash)
                {
                    return hasher.VerifyHashedPassword(user, hash, password);
                }
                hasher.VerifyNobody(password);
                return PasswordVerificationResult.Failed;
            },
            ct),
        ct);

    /// <summary>Nothing was checked, so nothing is counted.</summary>
    public async Task<SignInResult> BusyAsync(Delays.Keys delay, CancellationToken ct)
    {
        await delays.RefundAsync(await accounts.OpenAsync(ct), delay, ct);
        await accounts.CommitAsync(ct);
        return Busy;
    }

    /// <summary>Tells the ledger. The subject is the account's id, or <see cref="Unknown"/>.</summary>
    public async Task FailedAsync(string step, string subject, UserId? actor, HttpContext http, CancellationToken ct)
    {
        // Nobody is known to be the account's person where the password was wrong.
        var who = step == "password" ? null : actor;
        var session = await accounts.OpenAsync(ct);
        session.RecordForAppliance(
            new LedgerEvent("sign-in.failed", subject, new Dictionary<string, string?>(StringComparer.Ordinal) { ["step"] = step }), new Origin(who, http.Address()));
        await accounts.CommitAsync(ct);
    }

    /// <summary>Names that nobody has are counted and refused like any other, so the same answer serves both.</summary>
    public async Task<SignInResult> RefusedAsync(Delays.Charge charge, string nameKey, HttpContext http, CancellationToken ct)
    {
        if (charge.First)
        {
            var session = await accounts.OpenAsync(ct);
            session.RecordForAppliance(new LedgerEvent("sign-in.delayed", Unknown(nameKey)), new Origin(null, http.Address()));
            await accounts.CommitAsync(ct);
        }
        var seconds = (int)Math.Ceiling(charge.Wait.TotalSeconds);
        return new SignInResult(
            seconds < 60 ? $"Too many attempts went wrong. Try again in {seconds} {(seconds == 1 ? "second" : "seconds")}."
                : $"Too many attempts went wrong. Try again in {(seconds + 59) / 60} {(seconds <= 60 ? "minute" : "minutes")}.",
            charge.Wait);
    }

    /// <summary>A name in the ledger that may be a password typed into the wrong field: a MAC, with which attempts can be told apart.</summary>
    public string Unknown(string nameKey) =>
        "name:" + Convert.ToHexStringLower(protector.Mac("ledger-username", Encoding.UTF8.GetBytes(nameKey)).AsSpan(0, 16));

    public async Task<User> RequireAsync(UserId id, CancellationToken ct) =>
        await FindAsync(u => u.Id == id, ct) ?? throw new InvalidOperationException("The account is gone.");

    /// <summary>In a transaction of its own, so that none is open while a password is hashed.</summary>
    public async Task<User?> FindAsync(Expression<Func<User, bool>> which, CancellationToken ct)
    {
        var session = await accounts.OpenAsync(ct);
        var user = await session.Query<User>().AsNoTracking().SingleOrDefaultAsync(which, ct);
        await accounts.DisposeAsync();
        return user;
    }
}
