using System.Diagnostics.CodeAnalysis;
using Appliance.Objects;
using Appliance.Objects.S3;
using Appliance.Tests.TestServers;
using Xunit;

namespace Appliance.Tests.Objects;

/// <summary>The contract on a real S3 server.</summary>
[Collection(S3Collection.Name)]
[SuppressMessage("Design", "CA1001", Justification = "xunit calls IAsyncLifetime.DisposeAsync, which the rule does not know")]
public sealed class S3StoreTests(RadosGateway server) : ObjectStoreContract
{
    private readonly S3TestOptions _options = new();

    private protected override IObjectStore OpenStore() => new S3Store(_options.For(server.Plain, "contract"));

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        _options.Dispose();
    }
}

/// <summary>Options for the test server, with key files that live as long as this does.</summary>
public sealed class S3TestOptions : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("s3-keys-").FullName;

    public ObjectStoreOptions For(
        Uri endpoint, string bucket, string accessKey = RadosGateway.AccessKey, string secretKey = RadosGateway.SecretKey) => new()
        {
            Kind = ObjectStoreKind.S3,
            Endpoint = endpoint,
            Bucket = bucket,
            AccessKeyFile = Write(accessKey),
            SecretKeyFile = Write(secretKey),
            PartSize = 5 << 20,
            Timeout = TimeSpan.FromSeconds(20),
        };

    public string Write(string content)
    {
        var file = Path.Combine(_folder, Guid.NewGuid().ToString("N"));
        File.WriteAllText(file, content + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead);
        return file;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
