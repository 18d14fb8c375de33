using Appliance.Admin;
using Appliance.Data;
using Appliance.Files;
using Appliance.Files.Api;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.Rekeying;
using Appliance.Sharing;
using Appliance.SignIn;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.SignIn.Sso;
using Appliance.Teams;
using Appliance.Tus;
using Appliance.Web;
using Appliance.Web.Api;
using Appliance.Web.Metrics;

namespace Appliance;

/// <summary>The table of contents: a line for each capability, in the order in which a request meets them.</summary>
public static class ApplianceProgram
{
    /// <summary>Runs a verb (<c>serve</c>, <c>migrate</c>, <c>initialise</c>); answers the exit code.</summary>
    public static Task<int> RunAsync(string[] args) => CommandLine.RunAsync(args);

    /// <summary>
    /// The whole service, ready to start. For tests, <paramref name="adapt"/> sees the services before the host is built, and
    /// <paramref name="map"/> adds endpoints of theirs, held to the same rules as ours.
    /// </summary>
    public static WebApplication Build(
        Settings settings, string[] args, Action<WebApplicationBuilder>? adapt = null, Action<IEndpointRouteBuilder>? map = null)
    {
        // Empty: no configuration file or ASPNETCORE_ variable can open a plain listener or change what is said here.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            Args = args,
            ApplicationName = typeof(ApplianceProgram).Assembly.GetName().Name,
            EnvironmentName = Environments.Production,
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.Logging.AddLogs();
        builder.AddListeners(settings);
        builder.Services.AddSingleton(settings);
        builder.Services.AddDatabase(settings.Database, typeof(ApplianceProgram).Assembly);
        builder.Services.AddVault(settings);
        builder.Services.AddWeb(settings);
        builder.Services.AddLedger(settings);
        builder.Services.AddMail();
        builder.Services.AddSignIn(settings.SignIn);
        builder.Services.AddSecurityKeys();
        builder.Services.AddSso();
        builder.Services.AddTeams();
        builder.Services.AddFiles();
        builder.Services.AddSharing();
        builder.Services.AddRekeying();
        builder.Services.AddAdmin();
        adapt?.Invoke(builder);

        var app = builder.Build();
        app.UseWeb();
        app.MapPages();
        app.MapAssets();
        app.MapSignIn();
        app.MapKeyModels();
        app.MapSso();
        app.MapTeams();
        app.MapLedgerDownloads();
        app.MapTeamsApi();
        app.MapFilesApi();
        app.MapDownloads();
        app.MapPreviews();
        app.MapArchives();
        app.MapFormUploads();
        app.MapSelection();
        app.MapSharing();
        app.MapTus();
        app.MapApiDescription();
        app.MapHealth();
        app.MapMetrics();
        app.MapAdmin();
        map?.Invoke(app);
        return app;
    }
}
