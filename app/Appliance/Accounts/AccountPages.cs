using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn;
using Appliance.SignIn.Alerts;
using Appliance.SignIn.Policy;
using Appliance.SignIn.RememberedDevices;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.SignIn.Sms;
using Appliance.SignIn.Totp;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Accounts;

/// <summary>How the person signs in: password, keys, app, recovery codes.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class SecurityPage(Database database, RecoveryCodes codes, KeyRing keys, AllowedKeyModels models, AuthenticatorApps apps, Phones phones) : PageModel
{
    public SecurityKeySection Keys { get; private set; } = null!;

    public AppSection App { get; private set; } = null!;

    /// <summary>The last digits of the phone that text messages go to; null: none do.</summary>
    public string? Phone { get; private set; }

    /// <summary>The policy leaves a second factor to everybody.</summary>
    public bool MayBeWithout { get; private set; }

    public int CodesLeft { get; private set; }

    public DateTimeOffset? PasswordChangedAt { get; private set; }

    public string? Address { get; private set; }

    public bool AddressIsConfirmed { get; private set; }

    public async Task OnGetAsync(CancellationToken ct)
    {
        var id = User.Id();
        await using (var session = await database.ForApplianceAsync(ct))
        {
            CodesLeft = await codes.CountAsync(session, id, ct);
            MayBeWithout = (await session.AppliancePolicyAsync(ct)).Factors.SecondFactor == FactorRule.Optional;
            var user = await session.Query<User>().AsNoTracking().SingleAsync(u => u.Id == id, ct);
            (PasswordChangedAt, Address, AddressIsConfirmed) = (user.PasswordChangedAt, user.Email, user.EmailConfirmedAt is not null);
        }
        var (all, app) = (await keys.ListAsync(id, ct), await apps.FindAsync(id, ct));
        await using (var session = await database.ForApplianceAsync(ct))
        {
            Keys = new SecurityKeySection(all, Removable: all.Count > 1 || app is not null || MayBeWithout, await models.AllowedOfAsync(session, all, ct));
        }
        Phone = await phones.HintAsync(id, ct);
        App = new AppSection(app, Removable: app is not null && (all.Count > 0 || MayBeWithout));
    }
}

/// <summary>A new password takes the current one and a key. It ends every other session.</summary>
[Authorize(Policy = Access.PasswordDueSteppedUp)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class PasswordPage(
    AccountSession accounts, UnlockFlow flow, SignIn.Sessions sessions, SignInSettings settings, TimeProvider clock, IServiceProvider services) : PageModel
{
    public string? CurrentProblem { get; private set; }

    public string? Problem { get; private set; }

    public int PasswordLength => settings.PasswordLength;

    public bool Due => User.IsPasswordDue();

    public void OnGet() => Response.Headers.CacheControl = "no-cache, no-store";

    public async Task<IActionResult> OnPostAsync(string? current, string? password, CancellationToken ct)
    {
        Response.Headers.CacheControl = "no-cache, no-store";
        var confirmed = await flow.ConfirmPasswordAsync(current, HttpContext, ct);
        if (!confirmed.Succeeded)
        {
            CurrentProblem = confirmed.Problem;
            Response.StatusCode = confirmed.Wait > TimeSpan.Zero ? StatusCodes.Status429TooManyRequests : StatusCodes.Status200OK;
            return Page();
        }
        if (Due && password == current)
        {
            Problem = "The new password is the old one. Choose another.";
            return Page();
        }
        var users = services.GetRequiredService<UserManager<User>>();
        var user = await users.FindByIdAsync(User.Id().ToString()) ?? throw new InvalidOperationException("The account is gone.");
        var verdict = await services.GetRequiredService<PasswordPolicy>().CheckAsync(password ?? "", user, ct);
        if (!verdict.Ok)
        {
            Problem = "This password does not meet every rule: " + string.Join("; ", verdict.Reasons.Where(r => !r.Ok).Select(r => r.Text)) + ".";
            return Page();
        }
        await accounts.DisposeAsync();
        await ChangeAsync(users, password!, ct);
        return Redirect("/account/security");
    }

    private async Task ChangeAsync(UserManager<User> users, string password, CancellationToken ct)
    {
        // Hashed before the transaction begins, which then is short.
        var hash = await services.GetRequiredService<PasswordGate>().RunAsync(
            () => Task.Run(() => services.GetRequiredService<PasswordHasher>().HashPassword(null!, password), ct), ct);
        var session = await accounts.OpenAsync(ct);
        var user = await users.FindByIdAsync(User.Id().ToString()) ?? throw new InvalidOperationException("The account is gone.");
        (user.PasswordHash, user.PasswordChangedAt) = (hash, clock.GetUtcNow());
        await users.UpdateSecurityStampAsync(user);
        // Who knows the password but has not come further yet starts again. First, so that whoever comes further in this moment is seen below.
        await session.ExecuteAsync($"delete from sign_ins where user_id = {user.Id.Value}", ct);
        await sessions.EndOthersAsync(session, user.Id, HttpContext, ct);
        await sessions.RenewIdentifierAsync(session, HttpContext, ct);
        services.GetRequiredService<AccountAlerts>().Tell(session, user.Id, Happening.PasswordChanged, HttpContext);
        await DeviceMemory.ForgetAllAsync(session, user.Id, "password.changed", HttpContext, ct);
        session.RecordForAppliance(new LedgerEvent("password.changed", user.Id.ToString()), HttpContext.Origin());
        await accounts.CommitAsync(ct);
    }
}

/// <summary>Ten new recovery codes, which void the old ones and are shown once.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class RecoveryCodesPage(AccountSession accounts, Database database, RecoveryCodes recoveryCodes, Notices notices, AccountAlerts alerts, SignIn.Sessions sessions) : FactorPage(database)
{
    public NewCodes? Codes { get; private set; }

    public void OnGet()
    {
    }

    public async Task OnPostAsync(CancellationToken ct)
    {
        Response.Headers.CacheControl = "no-cache, no-store";
        var codes = RecoveryCodes.Make();
        var session = await accounts.OpenAsync(ct);
        await recoveryCodes.ReplaceAsync(session, User.Id(), codes, ct);
        await notices.DismissAsync(session, User.Id(), Notice.RecoveryCodesUnconfirmed, ct);
        notices.Add(session, User.Id(), Notice.RecoveryCodesUnconfirmed, HttpContext);
        alerts.Tell(session, User.Id(), Happening.RecoveryCodesMade, HttpContext);
        session.RecordForAppliance(new LedgerEvent("recovery-codes.made", User.Id().ToString()), HttpContext.Origin());
        await sessions.RenewIdentifierAsync(session, HttpContext, ct);
        await accounts.CommitAsync(ct);
        Codes = new NewCodes(codes, User.Identity!.Name!, "/account/security");
    }
}

/// <summary>Where the person is signed in.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class SessionsPage(AccountSession accounts, SignIn.Sessions sessions, DeviceMemory devices) : PageModel
{
    public IReadOnlyList<Session> Sessions { get; private set; } = [];

    public IReadOnlyList<RememberedDevice> Devices { get; private set; } = [];

    public Guid Current => User.SessionId();

    public async Task OnGetAsync(CancellationToken ct) =>
        (Sessions, Devices) = (await sessions.ListAsync(User.Id(), ct), await devices.ListAsync(await accounts.OpenAsync(ct), User.Id(), ct));

    public async Task<IActionResult> OnPostEndAsync(string? reference, CancellationToken ct)
    {
        if (!await sessions.EndAsync(await accounts.OpenAsync(ct), User.Id(), reference ?? "", HttpContext, ct))
        {
            return NotFound();
        }
        await accounts.CommitAsync(ct);
        return Redirect("/account/sessions");
    }

    public async Task<IActionResult> OnPostEndOthersAsync(CancellationToken ct)
    {
        var session = await accounts.OpenAsync(ct);
        await sessions.EndOthersAsync(session, User.Id(), HttpContext, ct);
        await DeviceMemory.ForgetAllAsync(session, User.Id(), "sessions.ended", HttpContext, ct);
        await accounts.CommitAsync(ct);
        return Redirect("/account/sessions");
    }

    public async Task<IActionResult> OnPostForgetAsync(string? reference, CancellationToken ct)
    {
        if (!await DeviceMemory.ForgetAsync(await accounts.OpenAsync(ct), User.Id(), reference ?? "", HttpContext, ct))
        {
            return NotFound();
        }
        await accounts.CommitAsync(ct);
        return Redirect("/account/sessions");
    }
}
