using System.Security.Cryptography;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Appliance.Image.Examples;

/// <summary>compose/external-s3.yaml with a real S3 server elsewhere (Ceph RGW, out of the stand-in), under an authority of its own.</summary>
[Collection(nameof(ImageCollection))]
[Trait("Requirement", "O7")]
[Trait("Proven", "no")]
public sealed class ExternalS3Tests(ITestOutputHelper output) : IAsyncLifetime, IDisposable
{
    private const string Host = "s3.example.test";
    private const string AccessKey = "harbour-access";
    private const string SecretKey = "harbour-secret-0123456789";

    private readonly string _name = $"test-s3-{Guid.NewGuid():N}"[..17];
    private readonly Secrets _server = new();
    private readonly Secrets _files = new();
    private readonly TestAuthority _authority = new("The organisation's own");

    public async Task InitializeAsync()
    {
        var (pem, key) = _authority.Issue("s3", Host);
        await _server.PutAsync("public.crt", pem, 10003, secret: false);
        await _server.PutAsync("private.key", key, 10003);
        await _server.PutAsync("user", AccessKey, 10003);
        await _server.PutAsync("password", SecretKey, 10003);
        await _server.PutAsync("network.yaml", $"networks: {{outside: {{external: true, name: {_name}}}}}\n", 0);
        await _files.PutAsync("authority.pem", _authority.Pem, 10001, secret: false);
        await _files.PutAsync("access-key", AccessKey + "\n", 10001);
        await _files.PutAsync("secret-key", SecretKey + "\n", 10001);
        await ChildProcess.RunAsync("docker", "network", "create", _name);
        await ChildProcess.RunAsync(
            "docker", "run", "--detach", "--name", _name, "--network", _name, "--network-alias", Host, "--user", "10003:10003", "--cap-drop", "ALL", "--no-healthcheck",
            "--volume", $"{_server.Folder}:/given:ro", "--env", "MINIO_ROOT_USER_FILE=/given/user", "--env", "MINIO_ROOT_PASSWORD_FILE=/given/password",
            "--entrypoint", "minio", ApplianceImage.Name, "server", "--address", ":9000", "--certs-dir", "/given", "/var/lib/appliance/objects");
    }

    public async Task DisposeAsync()
    {
        await ChildProcess.TryRunAsync("docker", "rm", "--force", "--volumes", _name);
        await ChildProcess.TryRunAsync("docker", "network", "rm", _name);
    }

    public void Dispose()
    {
        _server.Dispose();
        _files.Dispose();
    }

    [Fact]
    public async Task It_stores_in_an_s3_elsewhere_whose_authority_alone_it_believes()
    {
        await using var appliance = Composed.Prepare(Composed.Example("external-s3.yaml"), Path.Combine(_server.Folder, "network.yaml"));
        appliance.Variables["APPLIANCE_S3_ENDPOINT"] = $"https://{Host}:9000";
        appliance.Variables["APPLIANCE_S3_FILES"] = _files.Folder;
        await appliance.ComposeAsync("up", "--detach");
        await ExampleChecks.HealthyAsync(appliance, "database", "web");
        (await appliance.ComposeAsync("ps", "--all", "--services")).Split('\n').ShouldNotContain("objects");

        using var owner = await appliance.PersonAsync();
        await owner.SetUpAsync((await appliance.LinkAsync())!);
        var team = await owner.TeamAsync("Harbour");
        var content = RandomNumberGenerator.GetBytes(3_000_000);
        var file = await owner.UploadAsync(team, "tides.bin", content);
        (await owner.DownloadAsync(team, file)).ShouldBe(content);

        await ExampleChecks.ControlsHoldAsync(appliance, output, "web database");

        // Another authority: the same server is not believed, nothing is stored there, and what stood is not lost.
        await _files.PutAsync("authority.pem", new TestAuthority("Somebody else").Pem, 10001, secret: false);
        await appliance.ComposeAsync("up", "--detach", "--force-recreate", "--no-deps", "web");
        await appliance.WaitAsync(async () => (await appliance.LogsAsync("web")).Contains("Not ready: object store", StringComparison.Ordinal), "the web application says that its store is away");
        var refused = await Should.ThrowAsync<HttpRequestException>(() => owner.UploadAsync(team, "more.bin", content));
        refused.StatusCode.ShouldBe(System.Net.HttpStatusCode.ServiceUnavailable);
        await _files.PutAsync("authority.pem", _authority.Pem, 10001, secret: false);
        await appliance.ComposeAsync("up", "--detach", "--force-recreate", "--no-deps", "web");
        await ExampleChecks.HealthyAsync(appliance, "web");
        (await owner.DownloadAsync(team, file)).ShouldBe(content);

        // Plain HTTP is refused by name.
        appliance.Variables["APPLIANCE_S3_ENDPOINT"] = $"http://{Host}:9000";
        await appliance.ComposeAsync("up", "--detach", "--no-deps", "web");
        await appliance.WaitAsync(async () => (await appliance.LogsAsync("web")).Contains("must begin with https://", StringComparison.Ordinal), "plain HTTP is refused");
    }
}
