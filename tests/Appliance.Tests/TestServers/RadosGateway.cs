using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Xunit;

namespace Appliance.Tests.TestServers;

/// <summary>
/// A real S3 server, Ceph's RADOS Gateway, private to this test run (tests/s3/radosgw.sh says how). It is reached at
/// <see cref="Plain"/> and, with a certificate of <see cref="CertificateAuthorityFile"/>, at <see cref="Secure"/>.
/// </summary>
public sealed class RadosGateway : IAsyncLifetime
{
    public const string AccessKey = "test-access-key", SecretKey = "test-secret-key";

    /// <summary>A user who may not create buckets.</summary>
    public const string OtherAccessKey = "other-access-key", OtherSecretKey = "other-secret-key";

    private readonly string _keys = Directory.CreateTempSubdirectory("radosgw-keys-").FullName;
    private Process? _process;

    public Uri Plain { get; private set; } = null!;
    public Uri Secure { get; private set; } = null!;

    /// <summary>Everything of the server; it goes with the server.</summary>
    public string Folder { get; private set; } = "";

    public string CertificateAuthorityFile => Path.Combine(_keys, "ca.pem");

    public async Task InitializeAsync()
    {
        WriteCertificates();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await StartAsync();
                return;
            }
            catch (InvalidOperationException) when (attempt < 3)
            {
                // Another process took one of the ports between our look and the server's.
            }
        }
    }

    /// <summary>Kills the gateway, as a power cut would. What it has acknowledged stays.</summary>
    public Task StopAsync() => CommandAsync("stop-gateway", "stopped");

    public Task StartAgainAsync() => CommandAsync("start-gateway", "ready");

    public async Task DisposeAsync()
    {
        if (_process is not null)
        {
            _process.StandardInput.Close();
            await _process.WaitForExitAsync();
            _process.Dispose();
        }
        Directory.Delete(_keys, recursive: true);
    }

    private async Task StartAsync()
    {
        var ports = new[] { Ports.Free(), Ports.Free(), Ports.Free() };
        Folder = Path.Combine(Path.GetTempPath(), "radosgw-" + Guid.NewGuid().ToString("N")[..12]);
        _process = Process.Start(new ProcessStartInfo("bash")
        {
            ArgumentList =
            {
                Script(), "start", Folder, $"{ports[0]}", $"{ports[1]}", $"{ports[2]}", Path.Combine(_keys, "server.pem"), Path.Combine(_keys, "server.key"),
            },
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = _process.StandardError.ReadToEndAsync();
        if (await _process.StandardOutput.ReadLineAsync() != "ready")
        {
            throw new InvalidOperationException("The S3 test server did not start: " + await errors);
        }
        Plain = new Uri($"http://127.0.0.1:{ports[1]}");
        Secure = new Uri($"https://localhost:{ports[2]}");
    }

    private async Task CommandAsync(string command, string answer)
    {
        await _process!.StandardInput.WriteLineAsync(command);
        await _process.StandardInput.FlushAsync();
        if (await _process.StandardOutput.ReadLineAsync() is var line && line != answer)
        {
            throw new InvalidOperationException($"The S3 test server answered {command} with '{line}'.");
        }
    }

    private void WriteCertificates()
    {
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = new CertificateRequest("CN=Test authority", authorityKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        authority.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        using var root = authority.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(2));

        using var serverKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var server = new CertificateRequest("CN=localhost", serverKey, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        server.CertificateExtensions.Add(names.Build());
        using var leaf = server.Create(root, DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1), RandomNumberGenerator.GetBytes(8));

        File.WriteAllText(CertificateAuthorityFile, root.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_keys, "server.pem"), leaf.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_keys, "server.key"), serverKey.ExportPkcs8PrivateKeyPem());
    }

    private static string Script()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Path.Combine(folder.FullName, "tests", "s3", "radosgw.sh") is var script && File.Exists(script))
            {
                return script;
            }
        }
        throw new FileNotFoundException("tests/s3/radosgw.sh is not above the test's folder.");
    }
}

[CollectionDefinition(Name)]
public sealed class S3Collection : ICollectionFixture<RadosGateway>
{
    public const string Name = "S3";
}
