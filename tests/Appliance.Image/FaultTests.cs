using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Image;

/// <summary>What is wrong with a volume, a secret or an account is said in a sentence that names it and the fix; nothing half-made stays behind.</summary>
[Collection(nameof(ImageCollection))]
public sealed class FaultTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fault");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory, Trait("Requirement", "O6")]
    [InlineData("web", 10001)]
    [InlineData("database", 10002)]
    [InlineData("objects", 10003)]
    public async Task A_volume_of_another_owner_is_named_with_the_fix(string service, int account)
    {
        await ChildProcess.RunAsync("chown", "0:0", _folder.FullName);
        await ChildProcess.RunAsync("chmod", "0755", _folder.FullName);
        var (code, said) = await RunAsync(account, $"{_folder.FullName}:/var/lib/appliance/{service}", service);
        code.ShouldNotBe(0);
        said.ShouldContain($"/var/lib/appliance/{service}");
        said.ShouldContain($"chown {account}:{account}");
    }

    [Theory, Trait("Requirement", "O6")]
    [InlineData("web", 10001)]
    [InlineData("database", 10002)]
    [InlineData("objects", 10003)]
    public async Task A_volume_that_is_read_only_is_named(string service, int account)
    {
        await ChildProcess.RunAsync("chown", $"{account}:{account}", _folder.FullName);
        var (code, said) = await RunAsync(account, $"{_folder.FullName}:/var/lib/appliance/{service}:ro", service);
        code.ShouldNotBe(0);
        said.ShouldContain($"/var/lib/appliance/{service} does not take writes");
    }

    [Theory, Trait("Requirement", "O6")]
    [InlineData("web")]
    [InlineData("database")]
    [InlineData("objects")]
    public async Task A_service_does_not_run_as_root_or_as_anybody_else(string service)
    {
        foreach (var account in new[] { 0, 10009 })
        {
            var (code, said) = await ChildProcess.TryRunAsync("docker", "run", "--rm", "--network", "none", "--user", $"{account}:{account}", "--cap-drop", "ALL", ApplianceImage.Name, service);
            code.ShouldBe(77);
            said.ShouldContain("--user 1000");
        }
    }

    [Theory, Trait("Requirement", "O2")]
    [InlineData(0b100_100_100, "world-readable")]
    [InlineData(0, "empty")]
    public async Task A_credential_that_others_can_read_or_that_is_empty_is_refused_by_name(int mode, string how)
    {
        foreach (var name in new[] { "user", "password", "authority.pem" })
        {
            var file = Path.Combine(_folder.FullName, name);
            await File.WriteAllTextAsync(file, how == "empty" && name == "password" ? "" : "aaaaaaaaaaaaaaaa");
            File.SetUnixFileMode(file, mode == 0 ? UnixFileMode.UserRead : (UnixFileMode)mode);
        }
        await ChildProcess.RunAsync("chown", "-R", "10001:10001", _folder.FullName);
        var (code, said) = await ChildProcess.TryRunAsync(
            "docker", "run", "--rm", "--network", "none", "--cap-drop", "ALL", "--volume", $"{_folder.FullName}:/run/appliance/objects:ro",
            "--env", "APPLIANCE_DATABASE_HOST=/run/appliance/database", "--env", "APPLIANCE_OBJECTS=s3", "--env", "APPLIANCE_S3_ENDPOINT=https://objects:9000",
            "--env", "APPLIANCE_S3_BUCKET=appliance", "--env", "APPLIANCE_S3_ACCESS_KEY_FILE=/run/appliance/objects/user",
            "--env", "APPLIANCE_S3_SECRET_KEY_FILE=/run/appliance/objects/password", ApplianceImage.Name, "web");
        code.ShouldNotBe(0);
        said.ShouldContain("SecretKeyFile");
        said.ShouldContain("/run/appliance/objects/password");
        said.ShouldNotContain("aaaaaaaaaaaaaaaa");
    }

    [Fact, Trait("Requirement", "O9")]
    public async Task Without_a_command_it_says_what_it_can_be()
    {
        var (code, said) = await ChildProcess.TryRunAsync("docker", "run", "--rm", "--network", "none", ApplianceImage.Name);
        code.ShouldBe(64);
        said.ShouldContain("compose/compose.yaml");
    }

    private static Task<(int Code, string Output)> RunAsync(int account, string volume, string service) => ChildProcess.TryRunAsync(
        "docker", "run", "--rm", "--network", "none", "--user", $"{account}:{account}", "--cap-drop", "ALL", "--read-only", "--tmpfs", "/tmp", "--volume", volume, ApplianceImage.Name, service);
}
