using Appliance.Web;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Appliance.Teams;

public static class TeamsServices
{
    public static IServiceCollection AddTeams(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<TeamAccess>();
        services.AddSingleton<TeamDirectory>();
        services.AddSingleton<Members>();
        services.AddSingleton<Groups.TeamGroups>();
        services.AddSingleton<Offers>();
        services.AddSingleton<Invitations.TeamInvitations>();
        services.AddSingleton<UnusedAccess.TeamAccessList>();
        services.AddSingleton<AccessReview.AccessReviews>();
        services.AddSingleton<AccessRequests.AccessRequestMails>();
        services.AddSingleton<AccessRequests.TeamAccessRequests>();
        services.AddSingleton<BreakGlass.TeamBreakGlass>();
        services.AddSingleton<UnusedAccess.UnusedAccessCare>();
        services.AddHostedService(provider => provider.GetRequiredService<UnusedAccess.UnusedAccessCare>());
        return services;
    }

    /// <summary>The address itself: whoever is signed in begins with their teams, everybody else with signing in.</summary>
    public static void MapTeams(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/", () => TypedResults.LocalRedirect("/teams")).RequireAuthorization(Access.SignedIn);
        AccessReview.AccessExport.MapAccessExport(endpoints);
    }
}
