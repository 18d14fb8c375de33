using System.Security.Cryptography;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Appliance.Image.Examples;

/// <summary>compose/external-postgres.yaml with a real PostgreSQL 17 elsewhere.</summary>
[Collection(nameof(ImageCollection))]
[Trait("Requirement", "O7")]
[Trait("Proven", "no")]
public sealed class ExternalPostgresTests(ITestOutputHelper output)
{
    [Fact]
    public async Task It_runs_on_a_postgres_elsewhere_by_certificates_alone()
    {
        await using var postgres = await ForeignPostgres.StartAsync();
        using var files = await ForeignPostgres.FilesAsync(postgres.Authority, postgres.Authority);
        using var through = new Secrets();
        await through.PutAsync("network.yaml", $"networks: {{outside: {{external: true, name: {postgres.Name}}}}}\n", 0);
        await using var appliance = Composed.Prepare(Composed.Example("external-postgres.yaml"), Path.Combine(through.Folder, "network.yaml"));
        appliance.Variables["APPLIANCE_DATABASE_HOST"] = ForeignPostgres.Host;
        appliance.Variables["APPLIANCE_DATABASE_FILES"] = files.Folder;
        await appliance.ComposeAsync("up", "--detach");
        await ExampleChecks.HealthyAsync(appliance, "objects", "web");
        (await appliance.ComposeAsync("ps", "--all", "--services")).Split('\n').ShouldNotContain("database");

        using var owner = await appliance.PersonAsync();
        await owner.SetUpAsync((await appliance.LinkAsync())!);
        var team = await owner.TeamAsync("Harbour");
        var content = RandomNumberGenerator.GetBytes(200_000);
        var file = await owner.UploadAsync(team, "tides.bin", content);
        (await owner.DownloadAsync(team, file)).ShouldBe(content);
        (await postgres.SqlAsync("select count(*) from entries")).ShouldBe("1");
        (await postgres.SqlAsync("select count(*) > 0, bool_and(ssl), bool_and(client_dn = '/CN=appliance_app') from pg_stat_ssl s join pg_stat_activity a using (pid) where a.usename = 'appliance_app'"))
            .ShouldBe("t|t|t", "every connection by TLS, with the application's certificate");

        // What the web application holds opens nothing but its own role, and nothing without the certificate.
        const string As = "psql -qtAX -c 'select 1' 'host=postgres.example.test dbname=appliance sslrootcert=/run/secrets/database-authority.pem";
        const string Own = "sslcert=/run/secrets/database-app.pem sslkey=/run/secrets/database-app.key";
        (await appliance.InsideAsync("web", $"{As} user=appliance_app sslmode=verify-full {Own}'")).Trim().ShouldBe("1");
        foreach (var (how, why) in new[]
        {
            ($"user=appliance_app sslmode=verify-full sslcert=/nonexistent", "requires a valid client certificate"),
            ($"user=appliance_app sslmode=disable", "no encryption"),
            ($"user=appliance_owner sslmode=verify-full {Own}", "certificate authentication failed"),
            ($"user=postgres sslmode=verify-full {Own}", "no pg_hba.conf entry"),
        })
        {
            var (code, said) = await appliance.TryComposeAsync("exec", "-T", "web", "sh", "-c", $"{As} {how}'");
            code.ShouldNotBe(0, how);
            said.ShouldContain(why, Case.Sensitive, how);
        }
        (await appliance.TryComposeAsync("exec", "-T", "web", "ls", "/run/secrets")).Output.ShouldNotContain("owner");

        await ExampleChecks.ControlsHoldAsync(appliance, output, "web objects");
    }

    [Fact]
    public async Task What_is_not_verified_on_both_sides_is_refused_with_the_reason()
    {
        await using var postgres = await ForeignPostgres.StartAsync();
        var other = new TestAuthority("Somebody else");
        using var right = await ForeignPostgres.FilesAsync(postgres.Authority, postgres.Authority);
        using var notBelieved = await ForeignPostgres.FilesAsync(other, postgres.Authority);
        using var stranger = await ForeignPostgres.FilesAsync(postgres.Authority, other);

        (await MigrateAsync(postgres, right)).Code.ShouldBe(0);
        var (code, said) = await MigrateAsync(postgres, notBelieved);
        code.ShouldBe(1);
        said.ShouldContain("PostgreSQL is not believed");
        (code, said) = await MigrateAsync(postgres, right, ["--env", "APPLIANCE_DATABASE_HOST=other.example.test"]);
        code.ShouldBe(1);
        said.ShouldContain("PostgreSQL is not believed");
        (code, _) = await MigrateAsync(postgres, stranger);
        code.ShouldBe(1);
        // Somebody else's name in a certificate of the right authority.
        (code, said) = await MigrateAsync(postgres, right,
            ["--env", "APPLIANCE_DATABASE_CERTIFICATE_FILE=/files/app.pem", "--env", "APPLIANCE_DATABASE_KEY_FILE=/files/app.key", "--user", "10001:10001"]);
        code.ShouldBe(1);
        said.ShouldContain("certificate authentication failed");
        // Neither is it tried without.
        (code, said) = await MigrateAsync(postgres, right, ["--env", "APPLIANCE_DATABASE_CA_FILE="]);
        code.ShouldBe(1);
        said.ShouldContain("APPLIANCE_DATABASE_CA_FILE is missing");
        (code, said) = await MigrateAsync(postgres, right,
            ["--env", "APPLIANCE_DATABASE_CA_FILE=", "--env", "APPLIANCE_DATABASE_CERTIFICATE_FILE=", "--env", "APPLIANCE_DATABASE_KEY_FILE="]);
        code.ShouldBe(1);
        said.ShouldContain("by TLS with certificates alone");

        await using var plain = await ForeignPostgres.StartAsync(tls: false);
        (code, _) = await MigrateAsync(plain, right);
        code.ShouldBe(1);
        (await plain.SqlAsync("select count(*) from pg_tables where schemaname = 'public'")).ShouldBe("0", "a server that would let anybody in without TLS is told nothing");
    }

    private static Task<(int Code, string Output)> MigrateAsync(ForeignPostgres postgres, Secrets files, params string[] more) => ChildProcess.TryRunAsync("docker",
    [
        "run", "--rm", "--network", postgres.Name, "--cap-drop", "ALL", "--read-only", "--tmpfs", "/tmp", "--no-healthcheck", "--volume", $"{files.Folder}:/files:ro", "--user", "10002:10002",
        "--env", "APPLIANCE_DATA=/tmp", "--env", $"APPLIANCE_DATABASE_HOST={ForeignPostgres.Host}", "--env", "APPLIANCE_DATABASE_CA_FILE=/files/authority.pem",
        "--env", "APPLIANCE_DATABASE_CERTIFICATE_FILE=/files/owner.pem", "--env", "APPLIANCE_DATABASE_KEY_FILE=/files/owner.key", .. more, ApplianceImage.Name, "migrate",
    ]);
}
