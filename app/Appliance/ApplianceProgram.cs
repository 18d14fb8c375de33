using Appliance.Data;
using Appliance.SignIn;
using Appliance.Web;

namespace Appliance;

/// <summary>The table of contents: a line for each capability, in the order in which a request meets them.</summary>
public static class ApplianceProgram
{
    public static async Task<int> RunAsync(string[] args)
    {
        await using var app = Build(new Settings { DataFolder = "data", DatabaseHost = "/tmp" }, args);
        await app.RunAsync();
        return 0;
    }

    /// <summary>The whole service, ready to start.</summary>
    public static WebApplication Build(Settings settings, string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        builder.Services.AddSingleton(settings);
        builder.Services.AddDatabase(
            new DatabaseOptions { Host = settings.DatabaseHost, Port = settings.DatabasePort, Name = settings.DatabaseName },
            typeof(ApplianceProgram).Assembly);
        builder.Services.AddSignIn();
        return builder.Build();
    }
}
