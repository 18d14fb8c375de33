using System.Diagnostics;
using System.Globalization;
using Appliance.Data;
using Npgsql;

namespace Appliance.Tests.TestServers;

/// <summary>
/// A real PostgreSQL cluster of this test run's own: on a Unix socket only, peer authentication, row-level security as in production.
/// Each test class gets a database of its own, copied from one that was migrated once.
/// </summary>
public sealed class PostgresCluster
{
    private static readonly Lazy<Task<PostgresCluster>> Shared = new(() => StartAsync(), LazyThreadSafetyMode.ExecutionAndPublication);
    private static int _databases;

    private readonly string _folder;
    private Process? _server;

    private PostgresCluster(string folder) => _folder = folder;

    /// <summary>The folder of the Unix socket.</summary>
    public string Socket => Path.Combine(_folder, "run");

    public string Log => Path.Combine(_folder, "postgres.log");

    public string Data => Path.Combine(_folder, "data");

    public static string Binaries => Directory.GetDirectories("/usr/lib/postgresql").Order(StringComparer.Ordinal).Last() + "/bin";

    /// <summary>The cluster that all test classes of this run share.</summary>
    public static Task<PostgresCluster> SharedAsync() => Shared.Value;

    /// <summary>A cluster of its own, for tests that kill it.</summary>
    public static async Task<PostgresCluster> StartAsync()
    {
        var cluster = new PostgresCluster(Directory.CreateTempSubdirectory("appliance-pg-").FullName);
        ChildProcess.RemoveAtTheEnd(cluster._folder);
        await cluster.InitialiseAsync();
        await cluster.StartServerAsync();
        await ChildProcess.RunAsync("psql", "-qX", "-h", cluster.Socket, "-U", "postgres", "-v", "database=migrated",
            "-f", Path.Combine(Repository.Root, "app/Appliance.Data/roles.sql"));
        await DataServices.MigrateAsync(cluster.Options("migrated"), default, typeof(ApplianceProgram).Assembly);
        return cluster;
    }

    public DatabaseOptions Options(string database) => new() { Host = Socket, Name = database, MaxConnections = 20 };

    /// <summary>A fresh, migrated database; answers its name.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"test_{Interlocked.Increment(ref _databases)}");
        await SuperuserAsync("postgres", $"create database {name} template migrated owner appliance_owner");
        await SuperuserAsync("postgres", $"revoke all on database {name} from public; grant connect on database {name} to appliance_app, appliance_operator");
        return name;
    }

    /// <summary>What an attacker with the superuser's rights would do.</summary>
    public async Task<object?> SuperuserAsync(string database, string sql)
    {
        await using var connection = new NpgsqlConnection($"Host={Socket};Username=postgres;Database={database};Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>kill -9 of the postmaster and every backend.</summary>
    public async Task KillAsync()
    {
        var pid = (await File.ReadAllLinesAsync(Path.Combine(Data, "postmaster.pid")))[0];
        // Stopped first: a postmaster whose children die starts new ones, which would outlive it and hold its shared memory.
        await ChildProcess.TryRunAsync("kill", "-STOP", pid);
        await ChildProcess.TryRunAsync("pkill", "-KILL", "-P", pid);
        await ChildProcess.TryRunAsync("kill", "-KILL", pid);
        _server?.StandardInput.Close();
        if (_server is not null)
        {
            await _server.WaitForExitAsync();
        }
    }

    public async Task StartServerAsync()
    {
        // A killed postmaster leaves its pid file; the number may be another process by now.
        File.Delete(Path.Combine(Data, "postmaster.pid"));
        _server = ChildProcess.StartPostgres(Log, As("postgres")[0], [.. As("postgres")[1..], Binaries + "/postgres", "-D", Data]);
        for (var i = 0; i < 300; i++)
        {
            var (code, _) = await ChildProcess.TryRunAsync(Binaries + "/pg_isready", "-q", "-h", Socket);
            if (code == 0)
            {
                return;
            }
            await Task.Delay(100);
        }
        throw new InvalidOperationException("PostgreSQL did not start: " + await File.ReadAllTextAsync(Log));
    }

    private async Task InitialiseAsync()
    {
        Directory.CreateDirectory(Socket);
        await File.WriteAllTextAsync(Log, "");
        if (Environment.IsPrivilegedProcess)
        {
            await ChildProcess.RunAsync("chown", "-R", "postgres:postgres", _folder);
            await ChildProcess.RunAsync("chmod", "0711", _folder);
        }
        await ChildProcess.RunAsync(As("postgres")[0], [.. As("postgres")[1..], Binaries + "/initdb", "-D", Data, "-U", "postgres",
            "-A", "peer", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-sync"]);
        await File.AppendAllTextAsync(Path.Combine(Data, "postgresql.conf"),
            $"\nlisten_addresses = ''\nunix_socket_directories = '{Socket}'\nmax_connections = 200\nshared_buffers = 128MB\nlog_min_messages = warning\n");
        await File.WriteAllTextAsync(Path.Combine(Data, "pg_hba.conf"), "local all all peer map=tests\n");
        await File.WriteAllTextAsync(Path.Combine(Data, "pg_ident.conf"), $"tests {Environment.UserName} all\n"
            + string.Concat(new[] { "postgres", "appliance_owner", "appliance_app", "appliance_operator" }.Select(role => $"tests {Environment.UserName} {role}\n")));
    }

    private static string[] As(string account) => Environment.IsPrivilegedProcess
        ? ["setpriv", $"--reuid={account}", $"--regid={account}", "--clear-groups"]
        : ["env"];
}

/// <summary>Where the sources are, found from the test assembly upwards.</summary>
public static class Repository
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    private static string Find(string folder) => File.Exists(Path.Combine(folder, "Appliance.sln"))
        ? folder
        : Find(Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("Appliance.sln is nowhere above the tests."));
}
