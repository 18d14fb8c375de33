using System.Net.Sockets;
using Appliance.Container;
using Appliance.Data;
using Appliance.Files;
using Appliance.Ledger;
using Appliance.Objects;
using Appliance.Vault;
using Appliance.Web.Tls;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;

namespace Appliance.Web;

/// <summary>The verbs of the program. What an operator can mend is said in a sentence on standard error, without a stack trace.</summary>
internal static class CommandLine
{
    private const int CannotStart = 1;
    private const int Misused = 2;

    private static readonly TimeSpan s_databasePatience = TimeSpan.FromSeconds(60);

    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            return args switch
            {
                [] or ["serve"] => await ServeAsync(Settings.FromEnvironment()),
                ["migrate"] => await MigrateAsync(Settings.FromEnvironment()),
                ["objects", "check"] => await ObjectsCheck.RunAsync(Settings.FromEnvironment()),
                ["objects", "prepare", var secrets, var certificates, var access] => Prepare(secrets, certificates, access),
                ["initialise"] => await InitialiseAsync(Settings.FromEnvironment()),
                ["quota", .. var rest] => await QuotaCommand.RunAsync(rest, Settings.FromEnvironment(), Console.Out, Console.Error, CancellationToken.None),
                ["ledger", .. var rest] => await LedgerCommands.RunAsync(rest, Settings.FromEnvironment(), Console.Out, Console.Error, CancellationToken.None),
                _ => Usage(),
            };
        }
        catch (Exception e) when (Understood(e) is { } message)
        {
            await Console.Error.WriteLineAsync("The appliance does not start. " + message);
            return CannotStart;
        }
    }

    private static async Task<int> ServeAsync(Settings settings)
    {
        await WaitForDatabaseAsync(() => FirstStart.PrepareAsync(settings, CancellationToken.None));
        await using var app = ApplianceProgram.Build(settings, []);
        await app.RunAsync();
        return 0;
    }

    /// <summary>As the role that owns the tables, which the serving process cannot become.</summary>
    private static async Task<int> MigrateAsync(Settings settings)
    {
        await WaitForDatabaseAsync(() => DataServices.MigrateAsync(settings.Database, CancellationToken.None, typeof(ApplianceProgram).Assembly));
        Console.WriteLine("The database is up to date.");
        return 0;
    }

    /// <summary>Makes the keys and certificates of a new appliance, or checks those of an old one, and ends.</summary>
    private static async Task<int> InitialiseAsync(Settings settings)
    {
        await WaitForDatabaseAsync(() => FirstStart.PrepareAsync(settings, CancellationToken.None));
        using var certificate = new ServerCertificate(settings, TimeProvider.System, NullLogger<ServerCertificate>.Instance);
        Console.WriteLine($"Keys and certificates are in place. Keep a copy of '{settings.KeyFolder}' apart from the data: without it nothing can be read again.");
        return 0;
    }

    private static int Prepare(string secrets, string certificates, string access)
    {
        ObjectServer.Prepare(secrets, certificates, access);
        return 0;
    }

    /// <summary>The database may be starting beside us.</summary>
    private static async Task WaitForDatabaseAsync(Func<Task> work)
    {
        var until = DateTimeOffset.UtcNow + s_databasePatience;
        while (true)
        {
            try
            {
                await work();
                return;
            }
            catch (DatabaseUnavailableException e) when (e is not DatabaseRefusedException && DateTimeOffset.UtcNow < until)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(500));
            }
        }
    }

    private static string? Understood(Exception e) => e switch
    {
        DatabaseRefusedException refused =>
            $"PostgreSQL is not believed, or does not let this account in: {refused.Reason} Check pg_hba.conf and pg_ident.conf and, where it is across a network, its certificate and APPLIANCE_DATABASE_CA_FILE, APPLIANCE_DATABASE_HOST and APPLIANCE_DATABASE_CERTIFICATE_FILE.",
        KeyFileException or SettingsException or CertificateFileException or NewerSchemaException or OlderSchemaException or UndeclaredAccessException or StoreUnavailableException => e.Message,
        DatabaseUnavailableException => $"PostgreSQL did not answer for {s_databasePatience.TotalSeconds} seconds. Check APPLIANCE_DATABASE_HOST and that the server runs.",
        ForbiddenByDatabaseException => "The database does not let this account in as the role it needs. Check pg_ident.conf and pg_hba.conf.",
        IOException { InnerException: AddressInUseException } or AddressInUseException =>
            "Another program uses the port already. Stop it, or choose other addresses in APPLIANCE_LISTEN, APPLIANCE_METRICS_LISTEN and APPLIANCE_ADMIN_LISTEN (and APPLIANCE_ORIGIN).",
        SocketException { SocketErrorCode: SocketError.AccessDenied or SocketError.AddressNotAvailable } =>
            "The address in APPLIANCE_LISTEN, APPLIANCE_METRICS_LISTEN or APPLIANCE_ADMIN_LISTEN is not of this machine, or its port needs a privilege.",
        _ => null,
    };

    private static int Usage()
    {
        Console.Error.WriteLine("""
            Usage: Appliance [serve | migrate | initialise | objects … | quota … | ledger …]
              serve          runs the appliance (the default)
              migrate        brings the database's schema up to date, as its owner
              initialise     makes keys and certificates where there are none, and ends
              objects check  lists objects that are missing, damaged or orphaned; ends with 1 where something is lost
              objects prepare SECRETS CERTIFICATES ACCESS
                             makes what the image's own S3 server starts with
              quota          says or changes what a team may store ("quota" alone says how)
              ledger         verifies the ledger, or prints its signed heads ("ledger" alone says how)
            """);
        return Misused;
    }
}
