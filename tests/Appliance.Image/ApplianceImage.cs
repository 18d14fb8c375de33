using System.Diagnostics;
using Appliance.Tests.TestServers;
using Xunit;

namespace Appliance.Image;

/// <summary>
/// The image, built from the unmodified Dockerfile by the Docker engine of this machine, which is installed and started where there is none. Where
/// the bases cannot be pulled, they are made here under their names (tests/image/bases.sh): the object store is then a stand-in.
/// </summary>
public sealed class ApplianceImage : IAsyncLifetime
{
    /// <summary>The tag that the tests build and run; <c>APPLIANCE_TEST_IMAGE</c> names another, where several people test on one engine.</summary>
    public static string Name { get; } = Environment.GetEnvironmentVariable("APPLIANCE_TEST_IMAGE") is { Length: > 0 } name ? name : "appliance:test";

    /// <summary>Once for the process, though two collections ask.</summary>
    private static readonly Lazy<Task> s_made = new(MakeAsync);

    public Task InitializeAsync() => s_made.Value;

    public Task DisposeAsync() => Task.CompletedTask;

    private static async Task MakeAsync()
    {
        var said = await ChildProcess.RunAsync("bash", Path.Combine(Repository.Root, "tests/image/engine.sh"));
        if (said.Split('\n').FirstOrDefault(line => line.StartsWith("started ", StringComparison.Ordinal)) is { } started)
        {
            AppDomain.CurrentDomain.ProcessExit += (_, _) => Process.Start("kill", ["-TERM", started["started ".Length..]]).WaitForExit();
        }
        Console.WriteLine(await ChildProcess.RunAsync("bash", Path.Combine(Repository.Root, "tests/image/bases.sh")));
        Console.WriteLine("The object store in these tests is a stand-in with a real S3 server (Ceph RGW) inside; MinIO itself is not run here.");
        await ChildProcess.RunAsync("docker", "build", "--network", "host", "--tag", Name, Repository.Root);
    }
}

/// <summary>The tests that run whole appliances by compose, one after the other.</summary>
[CollectionDefinition(nameof(ImageCollection))]
public sealed class ImageCollection : ICollectionFixture<ApplianceImage>;

/// <summary>Beside those: the tests of single containers.</summary>
[CollectionDefinition(nameof(ContainerCollection))]
public sealed class ContainerCollection : ICollectionFixture<ApplianceImage>;
