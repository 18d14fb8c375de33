using System.Security.Claims;
using System.Text.Encodings.Web;
using Appliance.Data;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace Appliance.Admin;

/// <summary>Tells which operator's key a connection proved. It is looked up for each request, so that a line that was removed ends what is open.</summary>
internal sealed class OperatorKeyHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logs, UrlEncoder encoder, OperatorWork work)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logs, encoder)
{
    public new const string Scheme = "operator-key";

    /// <summary>Its value is the key's fingerprint.</summary>
    public const string KeyClaim = "operator-key";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(Context.Operator() is { } key
        ? AuthenticateResult.Success(new AuthenticationTicket(
            new ClaimsPrincipal(new ClaimsIdentity([new Claim(KeyClaim, key.Fingerprint), new Claim(ClaimTypes.Name, key.Name)], Scheme)), Scheme))
        : AuthenticateResult.NoResult());

    /// <summary>Not allowed any more: nothing is answered.</summary>
    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Context.Abort();
        return Task.CompletedTask;
    }

    protected override async Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        var action = Context.GetEndpoint()?.Metadata.GetMetadata<AdminActionAttribute>()?.Name ?? "none";
        try
        {
            await work.RecordAsync(Context, new Ledger.LedgerEvent("operator.refused", null, new Dictionary<string, string?> { ["action"] = action }));
        }
        catch (Exception e) when (DatabaseErrors.Translate(e) is DatabaseUnavailableException)
        {
            // Refused all the same; the log has the request.
        }
        Response.StatusCode = StatusCodes.Status403Forbidden;
        Context.Features.Set(new ErrorDetail($"This key may not do '{action}'. Its line in the list of keys says what it may do.", "action-not-permitted"));
    }
}
