using Appliance.Mail;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.TestServers;

/// <summary>For tests of a part of the service by itself: what tells people by mail, with no server to send it, and an appliance key of its own.</summary>
internal static class MailParts
{
    public static IServiceCollection AddMailParts(this IServiceCollection services, Settings settings)
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("appliance-key-").FullName, "appliance.key");
        FileKeyProvider.Create(file);
        var key = FileKeyProvider.Open(file);
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        return services.AddSingleton(settings).AddSingleton<IKeyProvider>(key).AddSingleton<BlobProtector>().AddSingleton<MailQueue>();
    }
}
