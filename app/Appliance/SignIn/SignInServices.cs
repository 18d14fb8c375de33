using Appliance.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Appliance.SignIn;

public static class SignInServices
{
    /// <summary>Sessions, and the policies of <see cref="Access"/>.</summary>
    public static IServiceCollection AddSignIn(this IServiceCollection services, SignInSettings? settings = null)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(settings ?? new SignInSettings());
        services.AddSingleton<Sessions>();
        services.AddAuthentication(SessionAuthenticationHandler.Scheme)
            .AddScheme<AuthenticationSchemeOptions, SessionAuthenticationHandler>(SessionAuthenticationHandler.Scheme, null);
        services.AddAuthorizationBuilder()
            .AddPolicy(Access.SignedIn, p => Open(p))
            .AddPolicy(Access.SteppedUp, p => Open(p).RequireClaim(SignedInPerson.SteppedUpClaim, "true"))
            .AddPolicy(Access.Locked, p => p.AddAuthenticationSchemes(SessionAuthenticationHandler.Scheme).RequireAuthenticatedUser());
        return services;
    }

    private static AuthorizationPolicyBuilder Open(AuthorizationPolicyBuilder policy) => policy
        .AddAuthenticationSchemes(SessionAuthenticationHandler.Scheme)
        .RequireAuthenticatedUser()
        .RequireClaim(SignedInPerson.StateClaim, SignedInPerson.Open);
}
