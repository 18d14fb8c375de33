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
        services.AddSingleton<Offers>();
        return services;
    }
}
