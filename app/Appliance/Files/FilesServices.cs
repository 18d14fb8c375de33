using Appliance.Web;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Appliance.Files;

public static class FilesServices
{
    public static IServiceCollection AddFiles(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(provider => new FileLimits { MaxFileBytes = (long)provider.GetRequiredService<Settings>().MaxFileGibibytes << 30 });
        services.AddSingleton<Folders>();
        services.AddSingleton<ArchiveSlots>();
        services.AddSingleton<Quota>();
        services.AddSingleton<Uploads>();
        services.AddSingleton<UploadRemoval>();
        services.AddSingleton<DirectUploads>();
        services.AddSingleton<EntryChanges>();
        services.AddSingleton<Purge>();
        services.AddSingleton<Trash>();
        services.AddSingleton<Versions>();
        services.AddSingleton<FilesCare>();
        services.AddHostedService(provider => provider.GetRequiredService<FilesCare>());
        return services;
    }
}
