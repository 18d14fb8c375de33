using System.Globalization;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Image;

/// <summary>What is wrong with a volume, a secret or an account is said in a sentence that names it and the fix; nothing half-made stays behind.</summary>
[Collection(nameof(ContainerCollection))]
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
    [InlineData(0, "missing")]
    public async Task A_credential_that_others_can_read_or_that_is_empty_or_missing_is_refused_by_name(int mode, string how)
    {
        foreach (var name in new[] { "user", "password", "authority.pem" })
        {
            var file = Path.Combine(_folder.FullName, name);
            await File.WriteAllTextAsync(file, how == "empty" && name == "password" ? "" : "aaaaaaaaaaaaaaaa");
            File.SetUnixFileMode(file, mode == 0 ? UnixFileMode.UserRead : (UnixFileMode)mode);
        }
        if (how == "missing")
        {
            File.Delete(Path.Combine(_folder.FullName, "password"));
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

    [Theory, Trait("Requirement", "O2")]
    [InlineData("0400", "", "is empty")]
    [InlineData("0444", "aaaaaaaaaaaaaaaa", "is open to others")]
    public async Task The_S3_servers_own_credential_empty_or_open_to_others_is_refused_by_name(string mode, string content, string said)
    {
        var secrets = _folder.CreateSubdirectory("secrets");
        var file = Path.Combine(secrets.FullName, "password");
        await File.WriteAllTextAsync(file, content);
        await ChildProcess.RunAsync("chmod", mode, file);
        await ChildProcess.RunAsync("chmod", "0700", secrets.FullName, _folder.FullName);
        await ChildProcess.RunAsync("chown", "-R", "10003:10003", _folder.FullName);
        var (code, output) = await RunAsync(10003, $"{_folder.FullName}:/var/lib/appliance/objects", "objects", "--tmpfs", "/run/appliance/objects:uid=10003,gid=10003,mode=2750");
        code.ShouldNotBe(0);
        output.ShouldContain("/var/lib/appliance/objects/secrets/password");
        output.ShouldContain(said);
        output.ShouldNotContain("aaaaaaaa");
    }

    [Fact, Trait("Requirement", "O9")]
    public async Task The_image_has_its_labels_its_size_and_no_default_root()
    {
        var image = ApplianceImage.Name;
        (long.Parse(await Composed.LookAsync(image, "{{.Size}}"), CultureInfo.InvariantCulture) / 1_000_000).ShouldBeLessThanOrEqualTo(450, "MB, uncompressed");
        (await Composed.LookAsync(image, "{{.Config.User}}")).ShouldBe("10001:10001");
        (await Composed.LookAsync(image, "{{index .Config.Labels \"org.opencontainers.image.version\"}}")).ShouldBe(typeof(ApplianceProgram).Assembly.GetName().Version!.ToString(3), "the Dockerfile's VERSION and the program's");
        (await Composed.LookAsync(image, "{{index .Config.Labels \"org.opencontainers.image.licenses\"}}")).ShouldContain("AGPL-3.0-or-later");
        var (_, licences) = await ChildProcess.TryRunAsync("docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", "cat /usr/share/doc/appliance/copyright; ls /usr/share/doc/*/copyright");
        licences.ShouldContain("Apache License");
        foreach (var package in new[] { "postgresql-17", "pgbackrest", "s6", "libargon2-1", "libc6" })
        {
            licences.ShouldContain($"/usr/share/doc/{package}/copyright");
        }
    }

    /// <summary>arm64 cannot be run here: what can be seen is that the Dockerfile and what it copies name one architecture nowhere but where they choose between the two.</summary>
    [Fact, Trait("Requirement", "O9")]
    public async Task Nothing_in_the_Dockerfile_is_for_one_architecture_alone()
    {
        string[] files = [Path.Combine(Repository.Root, "Dockerfile"), Path.Combine(Repository.Root, "compose/compose.yaml"), .. Directory.GetFiles(Path.Combine(Repository.Root, "image/libexec"))];
        foreach (var file in files)
        {
            foreach (var line in (await File.ReadAllLinesAsync(file)).Where(line => !line.StartsWith('#')))
            {
                var (intel, arm) = (Names(line, "amd64", "x86_64", "x86-64", "linux-x64"), Names(line, "arm64", "aarch64", "linux-arm64"));
                intel.ShouldBe(arm, $"{file}: {line}");
            }
        }

        static bool Names(string line, params string[] words) => words.Any(word => line.Contains(word, StringComparison.OrdinalIgnoreCase));
    }

    [Fact, Trait("Requirement", "O9")]
    public async Task Without_a_command_it_says_what_it_can_be()
    {
        var (code, said) = await ChildProcess.TryRunAsync("docker", "run", "--rm", "--network", "none", ApplianceImage.Name);
        code.ShouldBe(64);
        said.ShouldContain("compose/compose.yaml");
    }

    private static Task<(int Code, string Output)> RunAsync(int account, string volume, string service, params string[] more) => ChildProcess.TryRunAsync(
        "docker", ["run", "--rm", "--network", "none", "--user", $"{account}:{account}", "--cap-drop", "ALL", "--read-only", "--tmpfs", "/tmp", "--volume", volume, .. more, ApplianceImage.Name, service]);
}
