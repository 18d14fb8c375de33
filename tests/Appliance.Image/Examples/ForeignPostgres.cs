using Appliance.Tests.TestServers;

namespace Appliance.Image.Examples;

/// <summary>
/// Somebody's PostgreSQL 17 across a network: the one in the image, with a configuration that is not the appliance's (TCP, TLS, certificates). It makes the
/// network that the appliance's container then comes through.
/// </summary>
internal sealed class ForeignPostgres : IAsyncDisposable
{
    public const string Host = "postgres.example.test";

    private const string Run = """
        set -eu
        data=/tmp/data
        initdb --pgdata=$data --username=postgres --auth=peer --encoding=UTF8 --locale=C.UTF-8 >/dev/null
        cp /given/ca.pem /given/server.pem /given/server.key $data/
        chmod 0600 $data/server.key
        cat >>$data/postgresql.conf <<CONF
        listen_addresses = '*'
        unix_socket_directories = '/tmp'
        ssl = $SSL
        ssl_ca_file = 'ca.pem'
        ssl_cert_file = 'server.pem'
        ssl_key_file = 'server.key'
        CONF
        printf '%s\n' 'local all postgres peer map=here' "$HBA" >$data/pg_hba.conf
        echo 'here appliance-database postgres' >$data/pg_ident.conf
        postgres -D $data & pid=$!
        until pg_isready -q -h /tmp; do sleep 0.2; done
        psql -qX -h /tmp -U postgres -d postgres -v database=appliance -f /usr/lib/appliance/roles.sql
        touch /tmp/there
        wait $pid
        """;

    private readonly Secrets _given = new();

    private ForeignPostgres()
    {
    }

    public TestAuthority Authority { get; } = new("The organisation's own");

    public string Name { get; } = $"test-pg-{Guid.NewGuid():N}"[..17];

    public static async Task<ForeignPostgres> StartAsync(bool tls = true)
    {
        var postgres = new ForeignPostgres();
        try
        {
            var (pem, key) = postgres.Authority.Issue("postgres", Host);
            await postgres._given.PutAsync("ca.pem", postgres.Authority.Pem, 10002, secret: false);
            await postgres._given.PutAsync("server.pem", pem, 10002, secret: false);
            await postgres._given.PutAsync("server.key", key, 10002);
            await ChildProcess.RunAsync("docker", "network", "create", postgres.Name);
            await ChildProcess.RunAsync(
                "docker", "run", "--detach", "--name", postgres.Name, "--network", postgres.Name, "--network-alias", Host, "--network-alias", "other.example.test",
                "--user", "10002:10002", "--cap-drop", "ALL", "--read-only", "--tmpfs", "/tmp:uid=10002,gid=10002,mode=0700", "--no-healthcheck",
                "--volume", $"{postgres._given.Folder}:/given:ro", "--env", $"SSL={(tls ? "on" : "off")}",
                "--env", "HBA=" + (tls ? "hostssl appliance appliance_app,appliance_owner 0.0.0.0/0 cert" : "host all all 0.0.0.0/0 trust"),
                "--entrypoint", "bash", ApplianceImage.Name, "-c", Run);
            for (var left = 200; (await ChildProcess.TryRunAsync("docker", "exec", postgres.Name, "test", "-e", "/tmp/there")).Code != 0; left--)
            {
                if (left == 0)
                {
                    throw new TimeoutException("PostgreSQL did not start:\n" + (await ChildProcess.TryRunAsync("docker", "logs", postgres.Name)).Output);
                }
                await Task.Delay(300);
            }
            return postgres;
        }
        catch
        {
            await postgres.DisposeAsync();
            throw;
        }
    }

    public async Task<string> SqlAsync(string sql) =>
        (await ChildProcess.RunAsync("docker", "exec", Name, "psql", "-qtAX", "-h", "/tmp", "-U", "postgres", "-d", "appliance", "-c", sql)).Trim();

    /// <summary>The files that the example asks for; <paramref name="authority"/> is the one that the appliance is told to believe, and signs its certificates.</summary>
    public static async Task<Secrets> FilesAsync(TestAuthority authority, TestAuthority clients)
    {
        var files = new Secrets();
        await files.PutAsync("authority.pem", authority.Pem, 10001, secret: false);
        foreach (var (name, role, account) in new[] { ("app", "appliance_app", 10001), ("owner", "appliance_owner", 10002) })
        {
            var (pem, key) = clients.Issue(role);
            await files.PutAsync(name + ".pem", pem, account, secret: false);
            await files.PutAsync(name + ".key", key, account);
        }
        return files;
    }

    public async ValueTask DisposeAsync()
    {
        await ChildProcess.TryRunAsync("docker", "rm", "--force", "--volumes", Name);
        await ChildProcess.TryRunAsync("docker", "network", "rm", Name);
        _given.Dispose();
    }
}
