using Appliance.Objects.Disk;
using Appliance.Objects.S3;
using Appliance.Vault;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Appliance.Objects;

public static partial class SealedObjectsRegistration
{
    /// <summary>
    /// Adds <see cref="SealedObjects"/>; <see cref="ObjectSealer"/> must be added too. The host's start prepares the store: a store that is
    /// misconfigured stops the start, one that is merely away does not (readiness tells).
    /// </summary>
    /// <exception cref="StoreMisconfiguredException">The options cannot work; the message names each setting and the fix.</exception>
    public static IServiceCollection AddSealedObjects(this IServiceCollection services, ObjectStoreOptions options)
    {
        if (options.Problems().ToList() is { Count: > 0 } problems)
        {
            throw new StoreMisconfiguredException("The object store's settings cannot work. " + string.Join(' ', problems));
        }
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<IObjectStore>(_ => options.Kind == ObjectStoreKind.Disk ? new DiskStore(options.Folder!) : new S3Store(options));
        services.AddSingleton(provider => new SealedObjects(
            provider.GetRequiredService<IObjectStore>(), provider.GetRequiredService<ObjectSealer>(), provider.GetRequiredService<TimeProvider>()));
        services.AddHostedService<PrepareAtStart>();
        return services;
    }

    sealed partial class PrepareAtStart(SealedObjects objects, ILogger<SealedObjects> logger) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken)
        {
            try
            {
                await objects.PrepareAsync(cancellationToken);
            }
            catch (StoreUnavailableException error) when (error is not StoreMisconfiguredException)
            {
                LogAway(logger, error);
            }
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        [LoggerMessage(EventId = 3001, Level = LogLevel.Warning, Message = "The object store is away; uploads and downloads fail until it is back.")]
        static partial void LogAway(ILogger logger, Exception error);
    }
}
