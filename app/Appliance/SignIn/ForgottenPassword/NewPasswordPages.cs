using Appliance.Accounts;
using Appliance.Data;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.RateLimiting;

namespace Appliance.SignIn.ForgottenPassword;

/// <summary>Asks for a link. The answer is the same, and as quick, whether anybody has that name or not.</summary>
[AllowAnonymous]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class ForgottenPage(NewPasswords passwords) : SignInPageModel
{
    public bool Offered => passwords.AreOffered;

    public bool Asked { get; private set; }

    public void OnGet()
    {
    }

    public async Task<IActionResult> OnPostAsync(string? name, CancellationToken ct)
    {
        var text = name?.Trim() ?? "";
        if (!Offered)
        {
            return Page();
        }
        if (text.Length is 0 or > NameKey.LongestEmail)
        {
            Problem = "Enter your username or your e-mail address.";
            return Page();
        }
        Asked = await passwords.AskAsync(text, HttpContext, ct);
        return Asked ? Page() : Again(new SignInResult("Many people ask at this moment. Try again in a minute.", TimeSpan.FromMinutes(1)));
    }
}

/// <summary>Where the mailed link leads. Looking changes nothing; going on takes the token out of the address.</summary>
[AllowAnonymous]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class NewPasswordLinkPage(Database database, MailLinks links) : SignInPageModel
{
    public bool Works { get; private set; }

    public async Task OnGetAsync(string token, CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        Works = await links.FindAsync(session, Token.HashOf(token), MailLinks.NewPassword, ct) is not null;
        Response.StatusCode = Works ? StatusCodes.Status200OK : StatusCodes.Status404NotFound;
        Response.Headers["Referrer-Policy"] = "no-referrer";
    }

    public async Task<IActionResult> OnPostAsync(string token, CancellationToken ct)
    {
        await OnGetAsync(token, ct);
        if (!Works)
        {
            return Page();
        }
        SessionCookie.Write(HttpContext, token, NewPasswordHandler.Cookie);
        return Redirect("/new-password/choose");
    }
}

/// <summary>Chooses the password. It becomes the person's when they have given their second factor, on the pages of signing in.</summary>
[Authorize(Policy = Access.NewPassword)]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class ChoosePasswordPage(NewPasswordFlow flow, SignInSettings settings) : SignInPageModel
{
    public string Username { get; private set; } = "";

    public int PasswordLength => settings.PasswordLength;

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        if (await flow.PersonAsync(HttpContext, ct) is not { } person)
        {
            return Redirect("/new-password");
        }
        Username = person.Username;
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(string? password, CancellationToken ct)
    {
        var result = await flow.ChooseAsync(password, HttpContext, ct);
        if (result.Succeeded)
        {
            return Redirect("/sign-in/key");
        }
        Again(result);
        return await OnGetAsync(ct);
    }
}
