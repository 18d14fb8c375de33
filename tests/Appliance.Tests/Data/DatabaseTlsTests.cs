using Appliance.Data;
using Appliance.Tests.TestServers;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.Data;

/// <summary>A PostgreSQL across a network: TLS with both sides verified, or nothing.</summary>
[Trait("Requirement", "O7")]
public sealed class DatabaseTlsTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-db-tls-").FullName;
    private readonly TestAuthority _authority = new();
    private PostgresCluster _cluster = null!;
    private string _database = null!;

    /// <summary>Addresses of this machine that nobody else listens on; the server's certificate is for the first.</summary>
    private readonly string[] _hosts = [.. Enumerable.Range(1, 2).Select(i => $"127.{Random.Shared.Next(1, 250)}.{Random.Shared.Next(250)}.{i}")];

    public async Task InitializeAsync()
    {
        _cluster = await PostgresCluster.StartAsync();
        _database = await _cluster.CreateDatabaseAsync();
        await ServeAsync("on");
        Client(_authority, "appliance_app", "app");
    }

    public async Task DisposeAsync()
    {
        await _cluster.KillAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task The_servers_certificate_and_ours_are_verified_and_nothing_else_is_needed()
    {
        using var database = Open(_hosts[0], "app");
        await database.CheckReachableAsync(default);
        // As the role of the certificate, and encrypted.
        await using var session = await database.ForApplianceAsync(default);
        (await session.SqlAsync<string>($"""select session_user || ' ' || ssl as "Value" from pg_stat_ssl where pid = pg_backend_pid()""", default)).ShouldBe(["appliance_app true"]);
    }

    [Fact]
    public async Task A_server_of_another_authority_or_another_name_is_not_believed()
    {
        var other = new TestAuthority("Somebody else");
        await File.WriteAllTextAsync(PathOf("other-ca"), other.Pem);
        using (var database = Open(_hosts[0], "app", authority: "other-ca"))
        {
            (await Should.ThrowAsync<DatabaseRefusedException>(() => database.CheckReachableAsync(default))).Reason.ShouldContain("certificate");
        }
        using (var database = Open(_hosts[1], "app")) // not among the certificate's names
        {
            await Should.ThrowAsync<DatabaseRefusedException>(() => database.CheckReachableAsync(default));
        }
    }

    [Fact]
    public async Task A_client_of_another_authority_or_another_name_is_not_let_in()
    {
        var other = new TestAuthority("Somebody else");
        Client(other, "appliance_app", "stranger");
        Client(_authority, "appliance_owner", "owner"); // a certificate for another role
        foreach (var client in new[] { "stranger", "owner" })
        {
            using var database = Open(_hosts[0], client);
            await Should.ThrowAsync<DatabaseUnavailableException>(() => database.CheckReachableAsync(default));
        }
    }

    [Fact]
    public async Task A_server_without_tls_is_not_spoken_to()
    {
        await ServeAsync("off");
        using var database = Open(_hosts[0], "app");
        await Should.ThrowAsync<DatabaseUnavailableException>(() => database.CheckReachableAsync(default));
    }

    [Fact]
    public void A_host_without_tls_makes_no_connection() =>
        Should.Throw<InvalidOperationException>(() => DataServices.Open(new DatabaseOptions { Host = _hosts[0], Name = _database }, null));

    [Fact]
    public async Task A_file_that_cannot_be_used_is_named_before_anybody_is_asked()
    {
        Tls("app").Problems().ShouldBeEmpty();
        await File.WriteAllTextAsync(PathOf("empty"), "");
        await File.WriteAllTextAsync(PathOf("large"), new string('a', 2 << 20));
        foreach (var file in new[] { "empty", "large", "missing" })
        {
            Tls("app", authority: file).Problems().ShouldHaveSingleItem().ShouldContain(PathOf(file));
        }
        File.Copy(PathOf("ca"), PathOf("no-key"));
        File.SetUnixFileMode(PathOf("no-key"), UnixFileMode.UserRead);
        (Tls("app") with { KeyFile = PathOf("no-key") }).Problems().ShouldHaveSingleItem().ShouldContain("PEM");
        File.SetUnixFileMode(PathOf("app.key"), (UnixFileMode)0b110_100_100);
        Tls("app").Problems().ShouldHaveSingleItem().ShouldContain("chmod o=");
    }

    private Database Open(string host, string client, string authority = "ca") =>
        DataServices.Open(new DatabaseOptions { Host = host, Name = _database, Tls = Tls(client, authority) }, null);

    private DatabaseTls Tls(string client, string authority = "ca") => new(PathOf(authority), PathOf(client + ".pem"), PathOf(client + ".key"));

    private string PathOf(string name) => Path.Combine(_folder, name);

    private void Client(TestAuthority authority, string role, string name)
    {
        var (pem, key) = authority.Issue(role);
        File.WriteAllText(PathOf(name + ".pem"), pem);
        File.WriteAllText(PathOf(name + ".key"), key);
        File.SetUnixFileMode(PathOf(name + ".key"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    /// <summary>The cluster again, on TCP, for certificates alone.</summary>
    private async Task ServeAsync(string ssl)
    {
        var (pem, key) = _authority.Issue("postgres", _hosts[0]);
        await File.WriteAllTextAsync(PathOf("ca"), _authority.Pem);
        foreach (var (name, content) in new[] { ("ca.pem", _authority.Pem), ("server.pem", pem), ("server.key", key) })
        {
            var file = Path.Combine(_cluster.Data, name);
            await File.WriteAllTextAsync(file, content);
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            if (Environment.IsPrivilegedProcess)
            {
                await ChildProcess.RunAsync("chown", "postgres:postgres", file);
            }
        }
        await File.AppendAllTextAsync(Path.Combine(_cluster.Data, "postgresql.conf"),
            $"\nlisten_addresses = '{string.Join(',', _hosts)}'\nssl = {ssl}\nssl_ca_file = 'ca.pem'\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n");
        await File.WriteAllTextAsync(Path.Combine(_cluster.Data, "pg_hba.conf"), ssl == "on" ? "hostssl all all all cert\n" : "host all all all trust\n");
        await _cluster.KillAsync();
        await _cluster.StartServerAsync();
    }
}
