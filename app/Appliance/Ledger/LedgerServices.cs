using Appliance.Web;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Appliance.Ledger;

public static class LedgerServices
{
    /// <summary>The sealer, as a hosted service, and <see cref="LedgerVerification"/>. Needs the database and the ledger's key file.</summary>
    public static IServiceCollection AddLedger(this IServiceCollection services, Settings settings)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(_ => LedgerKeys.Open(settings.LedgerKeyFile));
        services.AddSingleton<LedgerVerification>();
        services.AddSingleton<LedgerList>();
        services.AddSingleton<LedgerExporter>();
        services.AddSingleton<LedgerSealer>();
        services.AddHostedService(provider => provider.GetRequiredService<LedgerSealer>());
        return services;
    }
}
