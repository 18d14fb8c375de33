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

    private int? _engine;

    public async Task InitializeAsync()
    {
        var said = await ChildProcess.RunAsync("bash", Path.Combine(Repository.Root, "tests/image/engine.sh"));
        if (said.Split('\n').FirstOrDefault(line => line.StartsWith("started ", StringComparison.Ordinal)) is { } started)
        {
            _engine = int.Parse(started["started ".Length..], System.Globalization.CultureInfo.InvariantCulture);
        }
        Console.WriteLine(await ChildProcess.RunAsync("bash", Path.Combine(Repository.Root, "tests/image/bases.sh")));
        Console.WriteLine("The object store in these tests is a stand-in with a real S3 server (Ceph RGW) inside; MinIO itself is not run here.");
        await ChildProcess.RunAsync("docker", "build", "--network", "host", "--tag", Name, Repository.Root);
    }

    public async Task DisposeAsync()
    {
        if (_engine is { } engine)
        {
            await ChildProcess.TryRunAsync("kill", "-TERM", engine.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }
}

/// <summary>One image for all of them, and one after the other: each runs a whole appliance.</summary>
[CollectionDefinition(nameof(ImageCollection), DisableParallelization = true)]
public sealed class ImageCollection : ICollectionFixture<ApplianceImage>;
