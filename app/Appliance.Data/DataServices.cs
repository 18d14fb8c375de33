using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Appliance.Data;

/// <summary>Where PostgreSQL listens, and as which role to come. There is no password: the server decides by the peer's account or certificate.</summary>
public sealed record DatabaseOptions
{
    /// <summary>The folder of the Unix socket, or a host name.</summary>
    public required string Host { get; init; }

    public int Port { get; init; } = 5432;

    public string Name { get; init; } = "appliance";

    /// <summary><c>appliance_app</c> to serve, <c>appliance_operator</c> to serve the operators' port, <c>appliance_owner</c> to migrate.</summary>
    public string Role { get; init; } = "appliance_app";

    public int MaxConnections { get; init; } = 40;

    /// <summary>For a server across a network, and always there; null: the Unix socket, where the kernel says who is at the other end.</summary>
    public DatabaseTls? Tls { get; init; }

    /// <summary>A folder of this machine, not a host.</summary>
    public static bool IsSocket(string host) => host.StartsWith('/');

    /// <exception cref="InvalidOperationException">A host without TLS, or a socket with it: nothing is ever sent in clear across a network.</exception>
    internal string ConnectionString => IsSocket(Host) != Tls is null
        ? throw new InvalidOperationException($"The database's host is '{Host}', which {(Tls is null ? "needs" : "does not take")} TLS.")
        : new NpgsqlConnectionStringBuilder
    {
        Host = Host,
        Port = Port,
        Database = Name,
        Username = Role,
        SslMode = Tls is null ? SslMode.Disable : SslMode.VerifyFull,
        GssEncryptionMode = GssEncryptionMode.Disable,
        ApplicationName = "appliance",
        MaxPoolSize = MaxConnections,
        Timeout = 5,
        CommandTimeout = 30,
        // A connection whose server went away is noticed by the query that uses it, not minutes later.
        KeepAlive = 30,
        CancellationTimeout = 2000,
        // What is asked again and again is parsed once for each connection.
        MaxAutoPrepare = 60,
        // Team and user are set for a transaction alone and end with it, and nothing else is ever set: no connection needs to be reset.
        NoResetOnClose = true,
        IncludeErrorDetail = false,
    }.ConnectionString;
}

public static class DataServices
{
    /// <summary>Registers <see cref="Database"/> and <see cref="OperatorDatabase"/>; <paramref name="capabilities"/> are the assemblies with the entities' configurations.</summary>
    public static IServiceCollection AddDatabase(this IServiceCollection services, DatabaseOptions options, params Assembly[] capabilities)
    {
        ApplianceContext.UseCapabilities(capabilities);
        services.AddSingleton(provider => Open(options, provider.GetService<ILoggerFactory>()));
        services.AddSingleton(provider => OperatorDatabase.Open(options, provider.GetService<ILoggerFactory>()));
        return services;
    }

    /// <summary>Brings the schema up to this version, as the owner role. Waits for another process that is doing so.</summary>
    /// <exception cref="DatabaseUnavailableException">The database does not answer.</exception>
    /// <exception cref="NewerSchemaException">The data was written by a newer version.</exception>
    public static async Task MigrateAsync(DatabaseOptions options, CancellationToken cancellationToken, params Assembly[] capabilities)
    {
        ApplianceContext.UseCapabilities(capabilities);
        await using var source = Source(options with { Role = "appliance_owner" });
        await using var context = new ApplianceContext(ContextOptions(source, null));
        await MigrateAsync(context, cancellationToken).Translated();
    }

    private static async Task MigrateAsync(ApplianceContext context, CancellationToken cancellationToken)
    {
        var known = context.Database.GetMigrations().ToList();
        var applied = (await context.Database.GetAppliedMigrationsAsync(cancellationToken)).ToList();
        if (applied.FirstOrDefault(id => !known.Contains(id, StringComparer.Ordinal)) is { } unknown)
        {
            throw new NewerSchemaException(unknown, await SchemaMark.NeededAsync(context, cancellationToken));
        }
        await context.Database.MigrateAsync(cancellationToken);
        await SchemaMark.WriteAsync(context, known[^1], cancellationToken);
    }

    /// <summary>Whether the schema is the one that this program was written for. For the serving process, which cannot migrate.</summary>
    /// <exception cref="NewerSchemaException">The data was written by a newer version.</exception>
    /// <exception cref="OlderSchemaException">The schema has not been brought up to this version.</exception>
    public static async Task CheckSchemaAsync(this Database database, CancellationToken cancellationToken)
    {
        List<string> wanted;
        await using (var context = database.CreateContext())
        {
            wanted = [.. context.Database.GetMigrations()];
        }
        SchemaMark.Check(wanted, await SchemaMark.ReadAsync(database, cancellationToken));
    }

    internal static Database Open(DatabaseOptions options, ILoggerFactory? logs)
    {
        var source = Source(options);
        return new Database(source, ContextOptions(source, logs));
    }

    private static NpgsqlDataSource Source(DatabaseOptions options)
    {
        var builder = new NpgsqlDataSourceBuilder(options.ConnectionString);
        options.Tls?.Apply(builder);
        return builder.Build();
    }

    private static DbContextOptions<ApplianceContext> ContextOptions(NpgsqlDataSource source, ILoggerFactory? logs)
    {
        var builder = new DbContextOptionsBuilder<ApplianceContext>()
            .UseNpgsql(source)
            .AddInterceptors(SessionIdentityInterceptor.Instance)
            // There are no generated snapshots to compare with: a test compares the schema itself with the model.
            .ConfigureWarnings(w => w.Ignore(RelationalEventId.PendingModelChangesWarning)
                // The caller decides how loud a failed command is; the driver's text can hold a file's name.
                .Ignore(RelationalEventId.CommandError, CoreEventId.SaveChangesFailed, CoreEventId.QueryIterationFailed, RelationalEventId.CommandExecuted));
        if (logs is not null)
        {
            builder.UseLoggerFactory(logs);
        }
        return builder.Options;
    }
}

