using System.Globalization;
using Appliance.SignIn.Policy;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.Sms;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.RateLimiting;

namespace Appliance.SignIn;

/// <summary>What the pages of signing in share: where to go afterwards, and what went wrong.</summary>
public abstract class SignInPageModel : PageModel
{
    /// <summary>A local path.</summary>
    public string Return { get; private set; } = "/";

    public string? Problem { get; protected set; }

    public override void OnPageHandlerSelected(Microsoft.AspNetCore.Mvc.Filters.PageHandlerSelectedContext context)
    {
        // From the form where one was sent: what the page put there, not what a link says.
        Return = ReturnPath.Local(Request.HasFormContentType ? Request.Form["return"].ToString() : Request.Query["return"].ToString());
        Response.Headers.CacheControl = "no-cache, no-store";
    }

    /// <summary>Shows the page again with what went wrong; 429 (RFC 6585 §4) where the attempt was refused unchecked.</summary>
    protected PageResult Again(SignInResult result)
    {
        Problem = result.Problem;
        if (result.Wait > TimeSpan.Zero)
        {
            Response.StatusCode = StatusCodes.Status429TooManyRequests;
            Response.Headers.RetryAfter = Math.Ceiling(result.Wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        }
        return Page();
    }

    protected RedirectResult To(string page) => Redirect(Return == "/" ? page : $"{page}?return={Uri.EscapeDataString(Return)}");

    protected Dictionary<string, string> ReturnField => new(StringComparer.Ordinal) { ["return"] = Return };
}

[AllowAnonymous]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class SignInPage(SignInFlow flow, Policies policies) : SignInPageModel
{
    public string? Username { get; private set; }

    /// <summary>A passkey may sign in without the password.</summary>
    public bool PasskeyOffered { get; private set; }

    public async Task OnGetAsync(CancellationToken ct) => PasskeyOffered = await policies.OffersPasskeyAsync(ct);

    public async Task<IActionResult> OnPostAsync(string? username, string? password, CancellationToken ct)
    {
        var result = await flow.PasswordAsync(username?.Trim(), password, HttpContext, ct);
        Username = username;
        if (!result.Succeeded)
        {
            await OnGetAsync(ct);
            return Again(result);
        }
        return result.IsComplete ? Redirect(Return) : To("/sign-in/key");
    }
}

[Authorize(Policy = Access.HalfSignedIn)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class SignInKeyPage(SignInFlow flow, ISecurityKeyCeremonies keys) : SignInPageModel
{
    public string Username { get; private set; } = "";

    public bool HasApp { get; private set; }

    public KeyPrompt Prompt { get; private set; } = null!;

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        var (user, next, factors) = await flow.HalfSignedInAsync(HttpContext, ct);
        if (next != NextFactor.Key)
        {
            return To(next switch { NextFactor.App => "/sign-in/app", NextFactor.Phone => "/sign-in/phone", NextFactor.RecoveryCode => "/sign-in/recovery", _ => "/sign-in/enrol" });
        }
        (Username, HasApp) = (user.Username, factors.App);
        Prompt = new KeyPrompt
        {
            Ceremony = await keys.BeginAssertionAsync(user, HttpContext, ct),
            Starts = true,
            Error = Problem,
            Fields = ReturnField,
            Remember = await flow.RememberPeriodAsync(HttpContext, ct),
        };
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(string? reference, string? credential, bool remember, CancellationToken ct)
    {
        var result = await flow.KeyAsync(reference, credential, HttpContext, ct, remember);
        if (result.Succeeded)
        {
            return Redirect(Return);
        }
        Again(result);
        return await OnGetAsync(ct);
    }
}

[Authorize(Policy = Access.HalfSignedIn)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class RecoveryPage(SignInFlow flow) : SignInPageModel
{
    public void OnGet()
    {
    }

    public async Task<IActionResult> OnPostAsync(string? code, CancellationToken ct)
    {
        var result = await flow.RecoveryCodeAsync(code, HttpContext, ct);
        return result.Succeeded ? Redirect(Return) : Again(result);
    }
}

/// <summary>The first key of somebody who has neither key nor codes: the only thing that their password opens.</summary>
[Authorize(Policy = Access.HalfSignedIn)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class EnrolPage(SignInFlow flow, ISecurityKeyCeremonies keys, Phones phones, Policies policies) : SignInPageModel
{
    public bool PhonesOffered => phones.AreOffered && !Replaces;

    /// <summary>The person lost what they had, and owners of the appliance let them add this in its place.</summary>
    public bool Replaces { get; private set; }

    /// <summary>The policy takes nothing else.</summary>
    public bool OnlyKeys { get; private set; }

    public KeyPrompt Prompt { get; private set; } = null!;

    public NewCodes? Codes { get; private set; }

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        var (user, next, factors) = await flow.HalfSignedInAsync(HttpContext, ct);
        if (next != NextFactor.Enrol)
        {
            return To("/sign-in/key");
        }
        Replaces = factors.Any;
        OnlyKeys = (await policies.ApplianceAsync(ct)).Factors.SecondFactor == FactorRule.Key;
        Prompt = new KeyPrompt
        {
            Ceremony = await keys.BeginRegistrationAsync(user, HttpContext, ct),
            Adds = true,
            Button = "Add security key",
            Name = "Security key",
            Error = Problem,
            Fields = ReturnField,
        };
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(string? reference, string? credential, string? name, CancellationToken ct)
    {
        var (result, codes) = await flow.EnrolAsync(reference, credential, name, HttpContext, ct);
        if (!result.Succeeded)
        {
            Again(result);
            return await OnGetAsync(ct);
        }
        Codes = new NewCodes(codes, User.Identity!.Name!, Return);
        return Page();
    }
}

/// <summary>A locked session: open to nothing but a key, a code from the app, the password, or signing out.</summary>
[Authorize(Policy = Access.Locked)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class LockedPage(UnlockFlow flow, ISecurityKeyCeremonies keys, SignInPeople people, Policies policies) : ProveAgainPage(keys, people)
{
    public string Username => User.Identity!.Name!;

    public int Minutes { get; private set; }

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        if (!User.IsLocked())
        {
            return Redirect(Return);
        }
        Minutes = (int)(await policies.IdleLockAsync(ct)).TotalMinutes;
        await AskAsync("Unlock with key", "?handler=Key", "Unlock with code", starts: false, ct);
        return Page();
    }

    public async Task<IActionResult> OnPostKeyAsync(string? reference, string? credential, CancellationToken ct) =>
        await DoneAsync(Proof.Key, await flow.UnlockWithKeyAsync(reference, credential, HttpContext, ct), ct);

    public async Task<IActionResult> OnPostAppAsync(string? code, CancellationToken ct) =>
        await DoneAsync(Proof.App, await flow.UnlockWithAppAsync(code, HttpContext, ct), ct);

    public async Task<IActionResult> OnPostPasswordAsync(string? password, CancellationToken ct) =>
        await DoneAsync(Proof.Password, await flow.UnlockWithPasswordAsync(password, HttpContext, ct), ct);

    private async Task<IActionResult> DoneAsync(Proof proof, SignInResult result, CancellationToken ct)
    {
        if (result.Succeeded)
        {
            return Redirect(Return);
        }
        Failed(proof, result);
        return await OnGetAsync(ct);
    }
}

/// <summary>The second factor again, before something sensitive.</summary>
[Authorize(Policy = Access.SteppingUp)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class StepUpPage(UnlockFlow flow, ISecurityKeyCeremonies keys, SignInPeople people) : ProveAgainPage(keys, people)
{
    /// <summary>The key is to ask for PIN or fingerprint, though no policy does (yet).</summary>
    [BindProperty(SupportsGet = true)]
    public bool Verify { get; set; }

    public Task OnGetAsync(CancellationToken ct) => AskAsync("Use security key", null, "Go on", starts: true, ct, Verify);

    public async Task<IActionResult> OnPostAsync(string? reference, string? credential, CancellationToken ct) =>
        await DoneAsync(Proof.Key, await flow.StepUpAsync(reference, credential, HttpContext, ct), ct);

    public async Task<IActionResult> OnPostAppAsync(string? code, CancellationToken ct) =>
        await DoneAsync(Proof.App, await flow.StepUpWithAppAsync(code, HttpContext, ct), ct);

    private async Task<IActionResult> DoneAsync(Proof proof, SignInResult result, CancellationToken ct)
    {
        if (result.Succeeded)
        {
            return Redirect(Return);
        }
        Failed(proof, result);
        await OnGetAsync(ct);
        return Page();
    }
}
