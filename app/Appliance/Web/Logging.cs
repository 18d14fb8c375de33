namespace Appliance.Web;

/// <summary>
/// JSON lines on standard output, times in UTC. What the framework would tell of a request (its path, its query, its SQL) holds
/// names and tokens, so those categories are quiet; one line of ours tells the route instead (Errors/ErrorHandling).
/// </summary>
internal static class Logging
{
    public static void AddLogs(this ILoggingBuilder logging)
    {
        logging.AddJsonConsole(options =>
        {
            options.UseUtcTimestamp = true;
            options.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";
            options.IncludeScopes = false; // the framework's scopes hold the request's path
        });
        AddFilters(logging);
    }

    /// <summary>Apart, because it holds for every provider, the tests' included.</summary>
    public static void AddFilters(ILoggingBuilder logging)
    {
        logging.SetMinimumLevel(LogLevel.Information);
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Information);
        logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        logging.AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Error);
        logging.AddFilter("Npgsql", LogLevel.Error);
        // Its warning about keys in memory or in clear would be wrong here: ours are in the database, sealed.
        logging.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);
    }
}
