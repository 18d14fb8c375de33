using System.Text.Encodings.Web;
using Appliance.Web;
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

    protected override Task HandleChallengeAsync(AuthenticationProperties properties) =>
        SendAsync("/sign-in", StatusCodes.Status401Unauthorized, "sign-in-required", "Sign in first.");

    protected override async Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        var person = (await HandleAuthenticateOnceSafeAsync()).Principal;
        if (person?.IsLocked() == true)
        {
            await SendAsync("/locked", StatusCodes.Status403Forbidden, "session-locked", "This session is locked. Open it with your security key or your password.");
        }
        else if (person?.IsSteppedUp() == false && AsksForStepUp(Context.GetEndpoint()))
        {
            await SendAsync("/step-up", StatusCodes.Status403Forbidden, "step-up-required", "Touch your security key again before you do this.");
        }
        else
        {
            Response.StatusCode = StatusCodes.Status403Forbidden;
        }
    }

    private static bool AsksForStepUp(Endpoint? endpoint) =>
        endpoint?.Metadata.GetOrderedMetadata<IAuthorizeData>().Any(a => a.Policy == Access.SteppedUp) == true;

    /// <summary>A page that was asked for leads on to another one; everything else hears a problem (RFC 9457).</summary>
    private Task SendAsync(string page, int status, string code, string sentence)
    {
        if (IsNavigation(Request))
        {
            var back = HttpMethods.IsGet(Request.Method) ? Request.PathBase + Request.Path + Request.QueryString.Value : "";
            Response.Redirect(back.Length == 0 ? page : $"{page}?return={Uri.EscapeDataString(back)}");
            return Task.CompletedTask;
        }
        return Results.Problem(statusCode: status, title: sentence, extensions: new Dictionary<string, object?>(StringComparer.Ordinal) { ["code"] = code })
            .ExecuteAsync(Context);
    }

    /// <summary>Fetch metadata tells (W3C Fetch Metadata §2.2); without it, whoever can show HTML and asked no API.</summary>
    private static bool IsNavigation(HttpRequest request) =>
        !request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase)
        && (request.Headers["Sec-Fetch-Mode"].ToString() is { Length: > 0 } mode
            ? mode == "navigate"
            : request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase));
}
