using Appliance.SignIn.SecurityKeys.Models;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Appliance.SignIn.SecurityKeys;

public static class SecurityKeyServices
{
    /// <summary>Security keys as the second factor. Needs the database, the settings and Identity's user store.</summary>
    public static IServiceCollection AddSecurityKeys(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<IConfigureOptions<IdentityPasskeyOptions>, SecurityKeyOptions>();
        services.AddSingleton<Ceremonies>();
        services.AddSingleton<KeyModelStore>();
        services.AddHostedService(provider => provider.GetRequiredService<KeyModelStore>());
        services.AddSingleton(provider => new AllowedKeyModels(provider.GetRequiredService<KeyModelStore>(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<KeyRing>();
        services.AddScoped<ISecurityKeyCeremonies, SecurityKeyCeremonies>();
        return services;
    }
}
