using Appliance.Admin;
using Appliance.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;

namespace Appliance.SignIn.Tokens;

/// <summary>Who may call the API: a token where the request carries the header <c>Authorization</c>, the session otherwise. Never both, merged.</summary>
internal static class ApiSignIn
{
    public const string Scheme = "api";

    /// <summary>What the pipeline asks for every request: <see cref="Scheme"/> where the endpoint is one of the API's, the key on the operators' port, the session everywhere else.</summary>
    public const string ByEndpoint = "by-endpoint";

    public static AuthenticationBuilder AddApiSignIn(this AuthenticationBuilder schemes) => schemes
        .AddScheme<AuthenticationSchemeOptions, TokenAuthenticationHandler>(TokenAuthenticationHandler.Scheme, null)
        .AddPolicyScheme(Scheme, null, options => options.ForwardDefaultSelector = ByHeader)
        .AddPolicyScheme(ByEndpoint, null, options => options.ForwardDefaultSelector = context => context.IsOnOperatorListener() ? OperatorKeyHandler.Scheme : TakesTokens(context.GetEndpoint()) ? ByHeader(context) : SessionAuthenticationHandler.Scheme);

    public static AuthorizationBuilder AddApiPolicies(this AuthorizationBuilder policies) => policies
        .AddPolicy(Access.ApiRead, p => p.AddAuthenticationSchemes(Scheme).RequireAuthenticatedUser().RequireAssertion(c => c.User.MayRead()).AddRequirements(new TeamDoor.Requirement()))
        .AddPolicy(Access.ApiWrite, p => p.AddAuthenticationSchemes(Scheme).RequireAuthenticatedUser().RequireAssertion(c => c.User.MayWrite()).AddRequirements(new TeamDoor.Requirement()));

    /// <summary>Whether the endpoint asks for one of the two policies, and so for nothing that a token must not open.</summary>
    internal static bool TakesTokens(Endpoint? endpoint) =>
        endpoint?.Metadata.GetOrderedMetadata<IAuthorizeData>() is { Count: > 0 } asked && asked.All(a => a.Policy is Access.ApiRead or Access.ApiWrite);

    private static string ByHeader(HttpContext context) =>
        context.Request.Headers.ContainsKey("Authorization") ? TokenAuthenticationHandler.Scheme : SessionAuthenticationHandler.Scheme;
}
