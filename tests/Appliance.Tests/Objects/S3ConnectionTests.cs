using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Objects;
using Appliance.Objects.S3;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Objects;

/// <summary>Whom we talk to, whom we trust, and what we say when it is refused.</summary>
[Collection(S3Collection.Name)]
public sealed class S3ConnectionTests(RadosGateway server) : IDisposable
{
    private readonly S3TestOptions _options = new();

    [Fact, Trait("Requirement", "F8")]
    public async Task A_server_with_a_certificate_of_the_pinned_authority_is_used()
    {
        var options = _options.For(server.Secure, "secure");
        options.CertificateAuthorityFile = server.CertificateAuthorityFile;
        using var store = new S3Store(options);
        await store.PrepareAsync(default);

        var key = new ObjectKey(TeamId.New(), ObjectId.New());
        var content = RandomNumberGenerator.GetBytes((5 << 20) + 1000);
        await using (var write = await store.BeginWriteAsync(key, default))
        {
            await write.WriteAsync(content, default);
            await write.CompleteAsync(default);
        }
        var read = new byte[content.Length];
        await using var stream = (await store.ReadAsync(key, 0, content.Length, default)).Content;
        await stream.ReadExactlyAsync(read);
        read.AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Theory, Trait("Requirement", "F8")]
    [InlineData("the system's authorities")]
    [InlineData("another authority")]
    [InlineData("another name")]
    public async Task A_server_that_cannot_prove_itself_is_refused(string why)
    {
        var options = _options.For(why == "another name" ? new Uri($"https://127.0.0.1:{server.Secure.Port}") : server.Secure, "secure");
        options.CertificateAuthorityFile = why switch
        {
            "another authority" => _options.Write(AnotherAuthority()),
            "another name" => server.CertificateAuthorityFile,
            _ => null,
        };
        using var store = new S3Store(options);
        (await Should.ThrowAsync<StoreMisconfiguredException>(() => store.PrepareAsync(default))).Message.ShouldContain("CertificateAuthorityFile");
    }

    [Theory, Trait("Requirement", "F8")]
    [InlineData(RadosGateway.AccessKey, "wrong-secret")]
    [InlineData("wrong-access", RadosGateway.SecretKey)]
    public async Task Wrong_credentials_stop_the_start_and_are_not_repeated(string accessKey, string secretKey)
    {
        using var store = new S3Store(_options.For(server.Plain, "contract", accessKey, secretKey));
        var error = await Should.ThrowAsync<StoreMisconfiguredException>(() => store.PrepareAsync(default));
        error.Message.ShouldContain("SecretKeyFile");
        error.ToString().ShouldNotContain(secretKey);
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task A_missing_bucket_that_we_may_not_create_stops_the_start_and_is_named()
    {
        using var store = new S3Store(_options.For(server.Plain, "never-made", RadosGateway.OtherAccessKey, RadosGateway.OtherSecretKey));
        var error = await Should.ThrowAsync<StoreMisconfiguredException>(() => store.PrepareAsync(default));
        error.Message.ShouldContain("'never-made'");
        error.Message.ShouldContain("Create the bucket");
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task The_checksums_of_newer_servers_can_be_switched_on_for_answers()
    {
        var options = _options.For(server.Plain, "contract");
        options.ResponseChecksum = ChecksumUse.WhenSupported;
        using var store = new S3Store(options);
        await store.PrepareAsync(default);
        S3Connection.Configure(options).ResponseChecksumValidation.ShouldBe(Amazon.Runtime.ResponseChecksumValidation.WHEN_SUPPORTED);
        options.RequestChecksum = ChecksumUse.WhenSupported;
        S3Connection.Configure(options).RequestChecksumCalculation.ShouldBe(Amazon.Runtime.RequestChecksumCalculation.WHEN_SUPPORTED);
    }

    [Fact]
    public async Task A_redirect_to_another_host_is_not_followed()
    {
        using var elsewhere = new Listener(_ => null);
        using var redirecting = new Listener(_ =>
            $"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{elsewhere.Port}/contract\r\nContent-Length: 0\r\n\r\n");
        using var store = new S3Store(_options.For(new Uri($"http://127.0.0.1:{redirecting.Port}"), "contract"));

        await Should.ThrowAsync<StoreUnavailableException>(() => store.PrepareAsync(default));
        redirecting.Connections.ShouldBeGreaterThan(0);
        elsewhere.Connections.ShouldBe(0);
    }

    [Fact]
    public async Task Nothing_in_the_environment_sends_us_elsewhere()
    {
        using var elsewhere = new Listener(_ => null);
        var url = $"http://127.0.0.1:{elsewhere.Port}";
        var profile = _options.Write($"[default]\nendpoint_url = {url}\naws_access_key_id = wrong\naws_secret_access_key = wrong\nregion = nowhere-1\n");
        string[] names = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
        try
        {
            Array.ForEach(names, name => Environment.SetEnvironmentVariable(name, url));
            Environment.SetEnvironmentVariable("AWS_REGION", "nowhere-1");
            Environment.SetEnvironmentVariable("AWS_CONFIG_FILE", profile);
            Environment.SetEnvironmentVariable("AWS_SHARED_CREDENTIALS_FILE", profile);
            Environment.SetEnvironmentVariable("AWS_DEFAULTS_MODE", "auto"); // asks the instance metadata for its region

            using var store = new S3Store(_options.For(server.Plain, "made-in-a-strange-environment"));
            await store.PrepareAsync(default);
        }
        finally
        {
            Array.ForEach([.. names, "AWS_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_DEFAULTS_MODE"], name => Environment.SetEnvironmentVariable(name, null));
        }
        elsewhere.Connections.ShouldBe(0);
    }

    [Fact]
    public async Task A_server_that_never_answers_is_given_up_and_the_caller_can_give_up_sooner()
    {
        using var silent = new Listener(_ => null);
        var options = _options.For(new Uri($"http://127.0.0.1:{silent.Port}"), "contract");
        options.Timeout = TimeSpan.FromSeconds(1);
        using var store = new S3Store(options);
        await Should.ThrowAsync<StoreUnavailableException>(() => store.PrepareAsync(default));
        silent.Connections.ShouldBeInRange(1, 2, "a request that took its whole time is not made four times");

        using var caller = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await Should.ThrowAsync<OperationCanceledException>(() => store.PrepareAsync(caller.Token));
    }

    public void Dispose() => _options.Dispose();

    private static string AnotherAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Test authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return certificate.ExportCertificatePem();
    }

    /// <summary>Takes connections, counts them, and gives every request one answer, or none.</summary>
    private sealed class Listener : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private int _connections;

        public Listener(Func<string, string?> answer)
        {
            _listener.Start();
            _ = AcceptAsync(answer);
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public int Connections => Volatile.Read(ref _connections);

        public void Dispose() => _listener.Dispose();

        private async Task AcceptAsync(Func<string, string?> answer)
        {
            try
            {
                while (true)
                {
                    var client = await _listener.AcceptTcpClientAsync();
                    Interlocked.Increment(ref _connections);
                    _ = AnswerAsync(client, answer);
                }
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
            }
        }

        private static async Task AnswerAsync(TcpClient client, Func<string, string?> answer)
        {
            using (client)
            {
                var buffer = new byte[16 << 10];
                try
                {
                    for (int read; (read = await client.GetStream().ReadAsync(buffer)) > 0;)
                    {
                        if (answer(Encoding.ASCII.GetString(buffer, 0, read)) is { } text)
                        {
                            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(text));
                        }
                    }
                }
                catch (IOException)
                {
                }
            }
        }
    }
}
