using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.ForgottenPassword;
using Appliance.SignIn.RememberedDevices;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.RateLimiting;

namespace Appliance.SignIn.Alerts;

/// <summary>
/// "This was not me", from the mail about a sign-in. Whoever has the link reads the person's mail, so they may end what runs, and go on to a new password, which
/// takes the second factor; they get in nowhere by it.
/// </summary>
[AllowAnonymous]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class NotMePage(AccountSession accounts, MailLinks links, Sessions sessions) : SignInPageModel
{
    public bool Works { get; private set; }

    public async Task OnGetAsync(string token, CancellationToken ct)
    {
        Works = await links.FindAsync(await accounts.OpenAsync(ct), Token.HashOf(token), MailLinks.NotMe, ct) is not null;
        Response.StatusCode = Works ? StatusCodes.Status200OK : StatusCodes.Status404NotFound;
        Response.Headers["Referrer-Policy"] = "no-referrer";
    }

    public async Task<IActionResult> OnPostAsync(string token, CancellationToken ct)
    {
        var session = await accounts.OpenAsync(ct);
        if (await links.FindAsync(session, Token.HashOf(token), MailLinks.NotMe, ct) is not { } link || !await links.UseAsync(session, link, ct))
        {
            await accounts.DisposeAsync();
            await OnGetAsync("", ct);
            return Page();
        }
        var user = link.UserId;
        await sessions.EndAllAsync(session, user, HttpContext, ct);
        await DeviceMemory.ForgetAllAsync(session, user, "sign-in.disowned", HttpContext, ct);
        await session.ExecuteAsync($"delete from sign_ins where user_id = {user.Value}", ct);
        // What was made by whoever signed in; older tokens are the person's own.
        var revoked = await session.ExecuteAsync($"delete from api_tokens where user_id = {user.Value} and created_at >= {link.CreatedAt}", ct);
        // The browser and the network are as unknown as before.
        await session.ExecuteAsync($"delete from known_origins where user_id = {user.Value} and last_at >= {link.CreatedAt}", ct);
        session.RecordForAppliance(
            new LedgerEvent("sign-in.disowned", user.ToString(), new Dictionary<string, string?>(StringComparer.Ordinal) { ["tokens-revoked"] = revoked.ToString(System.Globalization.CultureInfo.InvariantCulture) }),
            HttpContext.Origin());
        var next = links.Make(session, user, MailLinks.NewPassword, NewPasswords.Lifetime);
        await accounts.CommitAsync(ct);
        SessionCookie.Delete(HttpContext);
        SessionCookie.Write(HttpContext, next, NewPasswordHandler.Cookie);
        return Redirect("/new-password/choose");
    }
}
