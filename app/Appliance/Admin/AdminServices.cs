using Appliance.Admin.BreakGlass;
using Appliance.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Admin;

/// <summary>The operators' port: mutual TLS, a list of keys, and what each may do (docs/operators.md).</summary>
internal static class AdminServices
{
    /// <summary>The largest thing that an operator sends is a limit.</summary>
    private const int BodyBytes = 16 << 10;

    public static IServiceCollection AddAdmin(this IServiceCollection services)
    {
        services.AddSingleton<OperatorKeys>();
        services.AddHostedService(provider => provider.GetRequiredService<OperatorKeys>());
        services.AddSingleton<OperatorWork>().AddSingleton<ConfigCheck>().AddSingleton<LedgerCheck>().AddSingleton<OperatorErrors>().AddSingleton<OperatorStatus>();
        services.AddBreakGlass();
        services.AddAuthentication().AddScheme<AuthenticationSchemeOptions, OperatorKeyHandler>(OperatorKeyHandler.Scheme, null);
        services.AddAuthorizationBuilder().AddPolicy(Access.Operator, policy => policy
            .AddAuthenticationSchemes(OperatorKeyHandler.Scheme).RequireAuthenticatedUser().AddRequirements(new AdminActionRequirement()));
        return services;
    }

    /// <summary>Where no keys are configured there is nothing.</summary>
    public static void MapAdmin(this WebApplication app)
    {
        if (app.Services.GetRequiredService<Settings>().Admin is null)
        {
            return;
        }
        var admin = app.MapAdminGroup();
        admin.MapStatus();
        admin.MapTeamSizes();
        admin.MapPeople();
        admin.MapConfig();
        admin.MapLedger();
        admin.MapErrors();
        admin.MapBreakGlass();
        admin.MapKeys();
    }

    /// <summary>
    /// The group of everything under <c>/admin/v1</c>. Each endpoint in it names its action (<see cref="AdminActionAttribute"/>). No antiforgery token: nothing
    /// here is a browser's form, and <see cref="OperatorGate"/> refuses what another site sends.
    /// </summary>
    public static RouteGroupBuilder MapAdminGroup(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup(OperatorGate.Prefix + "/v1");
        group.RequireAuthorization(Access.Operator).DisableAntiforgery().WithMetadata(new RequestSizeLimitAttribute(BodyBytes));
        return group;
    }

    public static TBuilder Does<TBuilder>(this TBuilder endpoint, string action) where TBuilder : IEndpointConventionBuilder =>
        endpoint.WithMetadata(new AdminActionAttribute(action));
}
