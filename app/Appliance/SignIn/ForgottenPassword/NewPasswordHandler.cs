using System.Security.Claims;
using System.Text.Encodings.Web;
using Appliance.Data;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace Appliance.SignIn.ForgottenPassword;

/// <summary>Tells who holds a link for a new password that works. The token is in a cookie by then, out of the address.</summary>
internal sealed class NewPasswordHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logs, UrlEncoder encoder, Database database, MailLinks links)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logs, encoder)
{
    public new const string Scheme = "new-password";
    public const string Cookie = "__Host-appliance-new-password";
    public const string UserClaim = "new-password-user";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (SessionCookie.Read(Context, Cookie) is not { } hash)
        {
            return AuthenticateResult.NoResult();
        }
        await using var session = await database.ForApplianceAsync(Context.RequestAborted);
        if (await links.FindAsync(session, hash, MailLinks.NewPassword, Context.RequestAborted) is not { } link)
        {
            return AuthenticateResult.Fail("The link does not work.");
        }
        var identity = new ClaimsIdentity(Scheme);
        identity.AddClaim(new Claim(UserClaim, link.UserId.ToString()));
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (Response.StatusCode == StatusCodes.Status200OK)
        {
            Response.Redirect("/new-password");
        }
        return Task.CompletedTask;
    }
}
