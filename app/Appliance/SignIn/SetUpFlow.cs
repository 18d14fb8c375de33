using Appliance.Accounts;
using Appliance.Accounts.Address;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.SignIn.Policy;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.Sms;
using Appliance.SignIn.Totp;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn;

/// <summary>
/// From a set-up link to an account: names and password, then the first key or app, which makes account, factor, recovery codes and session in one
/// transaction. A set-up that was left half way has made nothing: the link goes on where it was, or runs out.
/// </summary>
public sealed class SetUpFlow
{
    private const string Without = "none";

    private readonly AccountSession _accounts;
    private readonly SetUpLinks _links;
    private readonly PasswordPolicy _policy;
    private readonly PasswordHasher _hasher;
    private readonly PasswordGate _gate;
    private readonly RecoveryCodes _codes;
    private readonly Notices _notices;
    private readonly Sessions _sessions;
    private readonly ISecurityKeyCeremonies _keys;
    private readonly AuthenticatorApps _apps;
    private readonly Phones _phones;
    private readonly Addresses _addresses;
    private readonly MailQueue _mails;
    private readonly TimeProvider _clock;

    internal SetUpFlow(IServiceProvider services)
    {
        _accounts = services.GetRequiredService<AccountSession>();
        _links = services.GetRequiredService<SetUpLinks>();
        _policy = services.GetRequiredService<PasswordPolicy>();
        _hasher = services.GetRequiredService<PasswordHasher>();
        _gate = services.GetRequiredService<PasswordGate>();
        _codes = services.GetRequiredService<RecoveryCodes>();
        _notices = services.GetRequiredService<Notices>();
        _sessions = services.GetRequiredService<Sessions>();
        _keys = services.GetRequiredService<ISecurityKeyCeremonies>();
        _apps = services.GetRequiredService<AuthenticatorApps>();
        _phones = services.GetRequiredService<Phones>();
        _addresses = services.GetRequiredService<Addresses>();
        _mails = services.GetRequiredService<MailQueue>();
        _clock = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>The request's link; null: it stopped working meanwhile.</summary>
    public async Task<SetUpLink?> LinkAsync(HttpContext http, CancellationToken ct) =>
        await _links.FindAsync(await _accounts.OpenAsync(ct), SessionCookie.Read(http, SetUpHandler.Cookie), ct);

    /// <summary>The account as the link has it so far, for its first key; null: not entered yet.</summary>
    public async Task<User?> DraftAsync(HttpContext http, CancellationToken ct) => (await LinkAsync(http, ct))?.ToUser(_clock.GetUtcNow());

    /// <summary>Keeps what was entered with the link. Answers what is wrong with it, by field; empty: nothing.</summary>
    public async Task<IReadOnlyDictionary<string, string>> AccountAsync(
        string? username, string? email, string? password, HttpContext http, CancellationToken ct)
    {
        var problems = new Dictionary<string, string>(StringComparer.Ordinal);
        var name = username?.Trim() ?? "";
        var mail = string.IsNullOrWhiteSpace(email) ? null : email.Trim();
        if (NameKey.UsernameProblem(name) is { } nameProblem)
        {
            problems["Username"] = nameProblem;
        }
        if (await LinkAsync(http, ct) is { BoundEmail: { } bound })
        {
            // The mailed link is for this address; what the form says beside it does not count.
            mail = bound;
        }
        if (mail is not null && NameKey.EmailProblem(mail) is { } mailProblem)
        {
            problems["Email"] = mailProblem;
        }
        var verdict = _policy.Check(password ?? "", [name, mail]);
        if (!verdict.Ok)
        {
            problems["Password"] = "This password does not meet every rule: " + string.Join("; ", verdict.Reasons.Where(r => !r.Ok).Select(r => r.Text)) + ".";
        }
        if (problems.Count > 0)
        {
            return problems;
        }
        var nameKey = NameKey.Of(name);
        if (await (await _accounts.OpenAsync(ct)).Query<User>().AnyAsync(u => u.UsernameKey == nameKey, ct))
        {
            problems["Username"] = "This username is taken. Choose another one.";
            return problems;
        }
        await _accounts.DisposeAsync();
        var hash = await _gate.RunAsync(() => Task.Run(() => _hasher.HashPassword(null!, password!), ct), ct);
        if (await LinkAsync(http, ct) is not { } link)
        {
            problems["Username"] = "This link does not work any more.";
            return problems;
        }
        (link.Username, link.UsernameKey, link.PasswordHash) = (name, nameKey, hash);
        (link.Email, link.EmailKey) = (mail, mail is null ? null : NameKey.Of(mail));
        await _accounts.CommitAsync(ct);
        return problems;
    }

    /// <summary>Makes the account with its first key, signs the person in and answers with their recovery codes.</summary>
    public Task<(SignInResult Result, IReadOnlyList<string> Codes)> FinishAsync(
        string? ceremony, string? credential, string? keyName, HttpContext http, CancellationToken ct) => FinishAsync(
        "first-key",
        http,
        (user, session) => _keys.FinishRegistrationAsync(user, ceremony ?? "", credential ?? "", KeyName.OrUsual(keyName), http, session, ct),
        ct);

    /// <summary>The same with its first app.</summary>
    public Task<(SignInResult Result, IReadOnlyList<string> Codes)> FinishWithAppAsync(string? offer, string? code, HttpContext http, CancellationToken ct) =>
        FinishAsync("first-app", http, async (user, session) => await session.OnlyKeysProblemAsync(ct) is { } refused ? new KeyResult(false, refused) : await _apps.AddAsync(session, user, offer, code, http, ct), ct);

    /// <summary>The same with a phone, where the operator named a gateway.</summary>
    public Task<(SignInResult Result, IReadOnlyList<string> Codes)> FinishWithPhoneAsync(string? reference, string? code, HttpContext http, CancellationToken ct) =>
        FinishAsync("first-phone", http, async (user, session) => await session.OnlyKeysProblemAsync(ct) is { } refused ? new KeyResult(false, refused) : await _phones.AddAsync(session, user, reference, code, http, ct), ct);

    /// <summary>The same with nothing beside the password, where the policy leaves that to everybody.</summary>
    public Task<(SignInResult Result, IReadOnlyList<string> Codes)> FinishWithoutAsync(HttpContext http, CancellationToken ct) => FinishAsync(
        Without,
        http,
        async (_, session) => (await session.AppliancePolicyAsync(ct)).Factors.SecondFactor == FactorRule.Optional
            ? new KeyResult(true)
            : new KeyResult(false, "A second factor is required here. Add a security key."),
        ct);

    /// <summary>What the appliance asks for.</summary>
    public async Task<FactorPolicy> PolicyAsync(CancellationToken ct) => (await (await _accounts.OpenAsync(ct)).AppliancePolicyAsync(ct)).Factors;

    private async Task<(SignInResult Result, IReadOnlyList<string> Codes)> FinishAsync(
        string factor, HttpContext http, Func<User, TeamSession, Task<KeyResult>> addFirst, CancellationToken ct)
    {
        var link = await LinkAsync(http, ct);
        if (link?.ToUser(_clock.GetUtcNow()) is not { } user)
        {
            return (new SignInResult("This link does not work any more."), []);
        }
        var session = await _accounts.OpenAsync(ct);
        if (!await _links.UseAsync(session, link, ct))
        {
            return (new SignInResult("This link was used meanwhile."), []);
        }
        try
        {
            session.Add(user);
            await session.SaveAsync(ct);
        }
        catch (DuplicateException)
        {
            await _accounts.DisposeAsync();
            return (new SignInResult("Somebody took this username meanwhile. Go back and choose another one."), []);
        }
        var added = await addFirst(user, session);
        if (!added.Succeeded)
        {
            // Nothing was made, and the link still works.
            await _accounts.DisposeAsync();
            return (new SignInResult(added.Reason ?? "That did not work. Try again."), []);
        }
        var origin = new Origin(user.Id, http.Address());
        IReadOnlyList<string> codes = factor == Without ? [] : RecoveryCodes.Make();
        session.RecordForAppliance(
            new LedgerEvent("account.created", user.Id.ToString(), new Dictionary<string, string?>(StringComparer.Ordinal) { ["username"] = user.Username, ["owner"] = user.Owner ? "true" : "false" }), origin);
        if (codes.Count > 0)
        {
            await _codes.ReplaceAsync(session, user.Id, codes, ct);
            _notices.Add(session, user.Id, Notice.RecoveryCodesUnconfirmed, http);
            session.RecordForAppliance(new LedgerEvent("recovery-codes.made", user.Id.ToString()), origin);
        }
        var given = SessionFactor.Of(added.Proof, factor switch { "first-app" => SessionFactor.App, "first-phone" => SessionFactor.Phone, _ => SessionFactor.Password });
        await _sessions.StartAsync(session, user, http, null, steppedUp: true, given, ct);
        session.RecordForAppliance(
            new LedgerEvent("sign-in.succeeded", user.Id.ToString(), new Dictionary<string, string?>(StringComparer.Ordinal) { ["factor"] = factor }), origin);
        await WelcomeAsync(session, user, ct);
        await session.ExecuteAsync($"update set_up_links set username = null, username_key = null, email = null, email_key = null, password_hash = null where id = {link.Id}", ct);
        await _accounts.CommitAsync(ct);
        SessionCookie.Delete(http, SetUpHandler.Cookie);
        return (SignInResult.Done, codes);
    }

    private async Task WelcomeAsync(TeamSession session, User user, CancellationToken ct)
    {
        if (user.EmailConfirmedAt is not null)
        {
            _mails.ToPerson(session, user.Id, new MailContent(
                "welcome",
                "Welcome",
                ["Your account was made, with your second factor. Keep the recovery codes where you find them without your key or phone.", "Below is your phrase. You can choose another one on “Messages we sent you”."]));
        }
        else if (user.Email is not null)
        {
            await _addresses.AskAsync(session, user, user.Email, welcome: true, ct);
        }
    }
}
