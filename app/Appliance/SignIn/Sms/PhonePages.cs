using Appliance.Accounts;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.RateLimiting;

namespace Appliance.SignIn.Sms;

/// <summary>What <c>_PhoneForm.cshtml</c> shows: first a form that sends a code, then one that takes it.</summary>
public sealed record PhoneForm
{
    /// <summary>Comes back with the code; null: none was sent yet.</summary>
    public string? Reference { get; init; }

    /// <summary>Where the number is known: its last digits. Null: it is asked for.</summary>
    public string? Hint { get; init; }

    /// <summary>What was entered.</summary>
    public string? Number { get; init; }

    public required string Button { get; init; }

    public string? Problem { get; init; }

    public required IReadOnlyDictionary<string, string> Fields { get; init; }
}

/// <summary>A page that sends a code and takes it. Looking at it sends nothing.</summary>
public abstract class PhonePage : SignInPageModel
{
    public PhoneForm Form { get; private set; } = null!;

    public NewCodes? Codes { get; protected set; }

    protected PageResult Show(SmsSent sent, string button, string? number = null, string? hint = null)
    {
        Form = new PhoneForm { Reference = sent.Reference, Number = number, Hint = hint, Button = button, Problem = sent.Problem, Fields = ReturnField };
        return Page();
    }
}

/// <summary>The second step with a code by text message.</summary>
[Authorize(Policy = Access.HalfSignedIn)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class SignInPhonePage(SignInFlow flow, Phones phones) : PhonePage
{
    private const string Button = "Sign in";

    public async Task<IActionResult> OnGetAsync(CancellationToken ct) =>
        await HintAsync(ct) is { } hint ? Show(new SmsSent(null), Button, hint: hint) : To("/sign-in/key");

    public async Task<IActionResult> OnPostSendAsync(CancellationToken ct)
    {
        var (user, _, _) = await flow.HalfSignedInAsync(HttpContext, ct);
        return await HintAsync(ct) is { } hint ? Show(await phones.SendAsync(user, HttpContext, ct), Button, hint: hint) : To("/sign-in/key");
    }

    public async Task<IActionResult> OnPostAsync(string? reference, string? code, CancellationToken ct)
    {
        var result = await flow.PhoneAsync(reference, code, HttpContext, ct);
        if (result.Succeeded)
        {
            return Redirect(Return);
        }
        Again(result);
        return await HintAsync(ct) is { } hint ? Show(new SmsSent(reference, Problem), Button, hint: hint) : To("/sign-in/key");
    }

    private async Task<string?> HintAsync(CancellationToken ct) => await phones.HintAsync((await flow.HalfSignedInAsync(HttpContext, ct)).User.Id, ct);
}

/// <summary>The first factor of somebody who has nothing, where the operator allows it.</summary>
[Authorize(Policy = Access.HalfSignedIn)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class EnrolPhonePage(SignInFlow flow, Phones phones) : PhonePage
{
    private const string Button = "Add phone";

    public async Task<IActionResult> OnGetAsync(CancellationToken ct) =>
        await PersonAsync(ct) is null ? To("/sign-in/key") : Show(new SmsSent(null), Button);

    public async Task<IActionResult> OnPostSendAsync(string? number, CancellationToken ct) =>
        await PersonAsync(ct) is { } user ? Show(await phones.SendToNewAsync(user, number, HttpContext, ct), Button, number) : To("/sign-in/key");

    public async Task<IActionResult> OnPostAsync(string? reference, string? code, string? number, CancellationToken ct)
    {
        var (result, codes) = await flow.EnrolPhoneAsync(reference, code, HttpContext, ct);
        if (result.Succeeded)
        {
            Codes = new NewCodes(codes, User.Identity!.Name!, Return);
            return Page();
        }
        Again(result);
        return await PersonAsync(ct) is null ? To("/sign-in/key") : Show(new SmsSent(reference, Problem), Button, number);
    }

    private async Task<User?> PersonAsync(CancellationToken ct)
    {
        var (user, next, _) = await flow.HalfSignedInAsync(HttpContext, ct);
        return phones.AreOffered && next == NextFactor.Enrol ? user : null;
    }
}

/// <summary>The first factor of a new account, where the operator allows it.</summary>
[Authorize(Policy = Access.SettingUp)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class SetUpPhonePage(SetUpFlow flow, Phones phones) : PhonePage
{
    private const string Button = "Add phone";

    public async Task<IActionResult> OnGetAsync(CancellationToken ct) =>
        await PersonAsync(ct) is null ? Redirect("/set-up/key") : Show(new SmsSent(null), Button);

    public async Task<IActionResult> OnPostSendAsync(string? number, CancellationToken ct) =>
        await PersonAsync(ct) is { } user ? Show(await phones.SendToNewAsync(user, number, HttpContext, ct), Button, number) : Redirect("/set-up/key");

    public async Task<IActionResult> OnPostAsync(string? reference, string? code, string? number, CancellationToken ct)
    {
        var (result, codes) = await flow.FinishWithPhoneAsync(reference, code, HttpContext, ct);
        if (result.Succeeded)
        {
            Codes = new NewCodes(codes, User.Identity!.Name!, "/");
            return Page();
        }
        Again(result);
        return await PersonAsync(ct) is null ? Redirect("/set-up/key") : Show(new SmsSent(reference, Problem), Button, number);
    }

    private async Task<User?> PersonAsync(CancellationToken ct) => phones.AreOffered ? await flow.DraftAsync(HttpContext, ct) : null;
}
