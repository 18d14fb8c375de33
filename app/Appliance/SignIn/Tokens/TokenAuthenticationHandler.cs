using System.Text.Encodings.Web;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Appliance.SignIn.Tokens;

/// <summary>Tells who the token or the app password of the header <c>Authorization</c> belongs to.</summary>
internal sealed class TokenAuthenticationHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logs, UrlEncoder encoder, ApiTokens tokens)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logs, encoder)
{
    public new const string Scheme = "token";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync() =>
        AuthorizationHeader.Read(Request.Headers.Authorization) is { } sent
        && await tokens.LookUpAsync(sent.Hash, sent.Kind, sent.Username, Context.Address(), TeamDoor.TeamOf(Context) ?? "", AlongRead.For(Context), Context.RequestAborted) is { } person
            ? AuthenticateResult.Success(new AuthenticationTicket(person, Scheme))
            : AuthenticateResult.Fail("No token that works.");

    /// <summary>The same whatever is wrong with it: nobody learns that a token once was one.</summary>
    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.StatusCode = StatusCodes.Status401Unauthorized;
        Challenge(Context, "Bearer realm=\"appliance\", error=\"invalid_token\"");
        Context.Features.Set(new ErrorDetail("This token or app password does not work: it was revoked, has expired, or is mistyped. Make another one on your account page.", "token-invalid"));
        return Task.CompletedTask;
    }

    /// <summary>RFC 6750 section 3.1.</summary>
    protected override Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        Response.StatusCode = StatusCodes.Status403Forbidden;
        if (TeamDoor.WhyClosed(Context) is not null)
        {
            Context.Features.Set(TeamDoor.Closed.PolicyUnmet);
            return Task.CompletedTask;
        }
        Response.Headers.WWWAuthenticate = "Bearer realm=\"appliance\", error=\"insufficient_scope\"";
        Context.Features.Set(new ErrorDetail("This token may only read. Make one that may write on your account page.", "token-may-not-write"));
        return Task.CompletedTask;
    }

    /// <summary>
    /// RFC 9110 section 15.5.2: a 401 says what would be taken. A browser is not told of Basic: it would ask the person for a password in a window
    /// of its own, and from then on send it along by itself.
    /// </summary>
    internal static void Challenge(HttpContext context, string bearer = "Bearer realm=\"appliance\"") =>
        context.Response.Headers.WWWAuthenticate = context.Request.Headers.ContainsKey("Sec-Fetch-Mode")
            ? bearer
            : new StringValues([bearer, "Basic realm=\"appliance\", charset=\"UTF-8\""]);
}
