using System.Text.Encodings.Web;
using Appliance.SignIn.Tokens;
using Appliance.Web;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;

namespace Appliance.SignIn;

/// <summary>Tells who the session cookie's token belongs to, and sends who may not enter where they can change that.</summary>
internal sealed class SessionAuthenticationHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logs, UrlEncoder encoder, Sessions sessions)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logs, encoder)
{
    public new const string Scheme = "session";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (SessionCookie.Read(Context) is not { } hash)
        {
            return AuthenticateResult.NoResult();
        }
        return await sessions.LookUpAsync(hash, Context, Context.RequestAborted) is { } person
            ? AuthenticateResult.Success(new AuthenticationTicket(person, Scheme))
            : AuthenticateResult.Fail("The session is over.");
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties) => CameFromElsewhere(Request)
        ? TryAgainFromHereAsync()
        : SendAsync("/sign-in", StatusCodes.Status401Unauthorized, "sign-in-required", "Sign in first.");

    protected override async Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        var person = (await HandleAuthenticateOnceSafeAsync()).Principal;
        if (person?.IsLocked() == true)
        {
            await SendAsync("/locked", StatusCodes.Status403Forbidden, "session-locked", "This session is locked. Open it with your security key or your password.");
        }
        else if (person?.IsToEnrol() == true && !AsksFor(Context.GetEndpoint(), Access.Enrol, Access.EnrolSteppedUp, Access.SteppingUp))
        {
            await SendAsync("/account/enrol", StatusCodes.Status403Forbidden, "policy-unmet", "The appliance's policy asks for more than you signed in with. Open its pages, which say what.");
        }
        else if (TeamDoor.WhyClosed(Context) is { } closed)
        {
            await closed.AnswerAsync(Context, IsNavigation(Request));
        }
        else if (person?.IsPasswordDue() == true && !AsksFor(Context.GetEndpoint(), Access.PasswordDueSteppedUp))
        {
            await SendAsync("/account/password", StatusCodes.Status403Forbidden, "password-due", "Your password is due for renewal. Change it first.");
        }
        else if (person?.IsSteppedUp() == false && AsksFor(Context.GetEndpoint(), Access.SteppedUp, Access.PasswordDueSteppedUp, Access.EnrolSteppedUp))
        {
            await SendAsync("/step-up", StatusCodes.Status403Forbidden, "step-up-required", "Touch your security key again before you do this.");
        }
        else
        {
            Response.StatusCode = StatusCodes.Status403Forbidden;
        }
    }

    private static bool AsksFor(Endpoint? endpoint, params string[] policies) =>
        endpoint?.Metadata.GetOrderedMetadata<IAuthorizeData>().Any(a => policies.Contains(a.Policy)) == true;

    /// <summary>A browser that follows another site's link holds back SameSite=Strict cookies, though the person may well be signed in.</summary>
    private static bool CameFromElsewhere(HttpRequest request) =>
        HttpMethods.IsGet(request.Method) && IsNavigation(request) && request.Headers["Sec-Fetch-Site"] == "cross-site";

    /// <summary>Lets the browser ask again, this time from our own page, with its cookies.</summary>
    private Task TryAgainFromHereAsync()
    {
        return Results.Content(
            $"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={HtmlEncoder.Default.Encode(Here(Request))}"><title>Appliance</title></head><body></body></html>""",
            "text/html; charset=utf-8").ExecuteAsync(Context);
    }

    /// <summary>A page that was asked for leads on to another one; everything else hears a problem, and in a header which one.</summary>
    private Task SendAsync(string page, int status, string code, string sentence)
    {
        if (IsNavigation(Request))
        {
            var back = HttpMethods.IsGet(Request.Method) ? Here(Request) : "";
            Response.Redirect(back.Length == 0 ? page : $"{page}?return={Uri.EscapeDataString(back)}");
            return Task.CompletedTask;
        }
        Response.StatusCode = status;
        Response.Headers["Appliance-Reason"] = code;
        if (status == StatusCodes.Status401Unauthorized)
        {
            TokenAuthenticationHandler.Challenge(Context);
        }
        Context.Features.Set(new ErrorDetail(sentence, code));
        return Task.CompletedTask;
    }

    /// <summary>The address as it was asked for, still encoded; always a local path.</summary>
    private static string Here(HttpRequest request) => ReturnPath.Local($"{request.PathBase}{request.Path}{request.QueryString}");

    /// <summary>Fetch metadata tells (W3C Fetch Metadata §2.2); without it, whoever can show HTML and asked no API.</summary>
    private static bool IsNavigation(HttpRequest request) =>
        !request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase)
        && (request.Headers["Sec-Fetch-Mode"].ToString() is { Length: > 0 } mode
            ? mode == "navigate"
            : request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase));
}
