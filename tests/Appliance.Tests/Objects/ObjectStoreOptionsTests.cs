using Appliance.Objects;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Objects;

/// <summary>Settings are judged before anything is served, in sentences that say what to change.</summary>
public sealed class ObjectStoreOptionsTests : IDisposable
{
    private readonly S3TestOptions _files = new();
    private readonly TestVault _vault = new();

    [Theory]
    [InlineData("https://objects.internal:9000")]
    [InlineData("http://127.0.0.1:9000")]
    [InlineData("http://[::1]:9000")]
    [InlineData("http://localhost:9000")]
    public void A_good_endpoint_is_taken(string endpoint) => _files.For(new Uri(endpoint), "bucket").Problems().ShouldBeEmpty();

    [Theory, Trait("Requirement", "F8")]
    [InlineData("http://objects.internal:9000")]
    [InlineData("http://10.0.0.1:9000")]
    [InlineData("http://localhost.example.org")]
    [InlineData("http://127.0.0.1.example.org")]
    public void Without_TLS_only_this_machine_is_spoken_to(string endpoint)
    {
        var error = Should.Throw<StoreMisconfiguredException>(() => new ServiceCollection().AddSealedObjects(_files.For(new Uri(endpoint), "bucket")));
        error.Message.ShouldContain("Endpoint must begin with https://");
    }

    [Fact]
    public void Every_problem_names_its_setting()
    {
        var options = new ObjectStoreOptions
        {
            Kind = ObjectStoreKind.S3,
            Endpoint = new Uri("https://user:password@objects.internal"),
            AccessKeyFile = "/nowhere",
            ClientKeyFile = _files.Write("x"),
            PartSize = 1000,
            Timeout = TimeSpan.Zero,
        };
        var problems = options.Problems().ToList();
        foreach (var setting in new[] { "Endpoint", "Bucket", "AccessKeyFile", "SecretKeyFile", "ClientCertificateFile", "PartSize", "Timeout" })
        {
            problems.ShouldContain(problem => problem.StartsWith(setting + " ", StringComparison.Ordinal), setting);
        }
        string.Join(' ', problems).ShouldNotContain("password");
        new ObjectStoreOptions { Folder = "relative" }.Problems().ShouldHaveSingleItem().ShouldStartWith("Folder must be the absolute path");
        new ObjectStoreOptions().Problems().ShouldHaveSingleItem().ShouldStartWith("Folder must be the absolute path");
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task A_store_that_is_away_does_not_stop_the_start_but_a_wrong_folder_does()
    {
        using var away = Build(_files.For(new Uri("http://127.0.0.1:1"), "bucket"));
        await StartAsync(away);
        await Should.ThrowAsync<StoreUnavailableException>(() => away.GetRequiredService<SealedObjects>().CheckReachableAsync(default));

        using var wrong = Build(new ObjectStoreOptions { Folder = "/proc/objects" });
        await Should.ThrowAsync<StoreMisconfiguredException>(() => StartAsync(wrong));
    }

    [Theory, Trait("Requirement", "O6")]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.OtherWrite)]
    public void A_secret_that_every_account_can_reach_is_refused_and_an_authority_is_not(UnixFileMode mode)
    {
        var options = _files.For(new Uri("http://127.0.0.1:1"), "bucket");
        options.CertificateAuthorityFile = _files.Write("an authority is no secret");
        File.SetUnixFileMode(options.CertificateAuthorityFile, mode);
        options.Problems().ShouldBeEmpty();
        File.SetUnixFileMode(options.SecretKeyFile!, mode);
        options.Problems().ShouldHaveSingleItem().ShouldContain($"chmod o= '{options.SecretKeyFile}'");
    }

    [Fact, Trait("Requirement", "F8")]
    public void Empty_credentials_are_refused_with_the_name_of_the_file()
    {
        var options = _files.For(new Uri("http://127.0.0.1:1"), "bucket");
        options.SecretKeyFile = _files.Write("");
        using var services = Build(options);
        Should.Throw<StoreMisconfiguredException>(() => services.GetRequiredService<SealedObjects>()).Message.ShouldContain(options.SecretKeyFile);
    }

    public void Dispose()
    {
        _files.Dispose();
        _vault.Dispose();
    }

    private ServiceProvider Build(ObjectStoreOptions options) =>
        new ServiceCollection().AddLogging().AddSingleton(_vault.Sealer).AddSealedObjects(options).BuildServiceProvider();

    private static async Task StartAsync(ServiceProvider services)
    {
        foreach (var service in services.GetServices<IHostedService>())
        {
            await service.StartAsync(default);
        }
    }
}
