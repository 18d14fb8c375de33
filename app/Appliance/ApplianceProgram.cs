using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn;
using Appliance.SignIn.SecurityKeys;
using Appliance.Web;

namespace Appliance;

/// <summary>The table of contents: a line for each capability, in the order in which a request meets them.</summary>
public static class ApplianceProgram
{
    public static async Task<int> RunAsync(string[] args)
    {
        var settings = new Settings { DataFolder = Path.GetFullPath("data"), DatabaseHost = "/tmp" };
        if (args is ["ledger", .. var rest])
        {
            return await LedgerCommands.RunAsync(rest, settings, Console.Out, Console.Error, CancellationToken.None);
        }
        await FirstStart.PrepareAsync(settings, CancellationToken.None);
        await using var app = Build(settings, args);
        await app.RunAsync();
        return 0;
    }

    /// <summary>The whole service, ready to start. <paramref name="adapt"/> is for tests: it sees the services before the host is built.</summary>
    public static WebApplication Build(Settings settings, string[] args, Action<WebApplicationBuilder>? adapt = null)
    {
        // Empty: no configuration file or ASPNETCORE_ variable can open a plain listener or change what is said here.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            Args = args,
            ApplicationName = typeof(ApplianceProgram).Assembly.GetName().Name,
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.AddListeners(settings);
        builder.Services.AddSingleton(settings);
        builder.Services.AddDatabase(settings.Database, typeof(ApplianceProgram).Assembly);
        builder.Services.AddVault(settings);
        builder.Services.AddWeb(settings);
        builder.Services.AddLedger(settings);
        builder.Services.AddSignIn();
        builder.Services.AddSecurityKeys();
        adapt?.Invoke(builder);

        var app = builder.Build();
        app.UseWeb();
        app.MapRazorPages();
        app.MapAssets();
        app.MapSignIn();
        return app;
    }
}
