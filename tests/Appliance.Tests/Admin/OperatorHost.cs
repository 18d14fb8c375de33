using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.Admin;
using Appliance.Tests.TestServers;
using Appliance.Web;

namespace Appliance.Tests.Admin;

/// <summary>The whole service with an operators' port; ada may do everything.</summary>
public class OperatorHost : ApplianceHost
{
    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-operators-").FullName;

    public OperatorHost()
        : this(null)
    {
    }

    protected OperatorHost(PostgresCluster? cluster)
        : base(cluster, null, null)
    {
        ChildProcess.RemoveAtTheEnd(_folder);
        WriteKeys(Ada.Line("actions=all"));
    }

    public TestOperator Ada { get; } = new("ada");

    public string KeysFile => Path.Combine(_folder, "operators");

    public Uri AdminOrigin => new($"https://localhost:{Settings.Admin!.Listen.Port}");

    /// <summary>The authority's certificate, for the CLI.</summary>
    public string AuthorityFile => Path.Combine(Settings.CertificateFolder, "authority.pem");

    public void WriteKeys(params string[] lines)
    {
        File.WriteAllLines(KeysFile + ".new", lines);
        File.SetUnixFileMode(KeysFile + ".new", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(KeysFile + ".new", KeysFile, overwrite: true);
    }

    /// <summary>Waits until the list is as it was written.</summary>
    public async Task AllowAsync(params string[] lines)
    {
        WriteKeys(lines);
        await Task.Delay(500);
    }

    public HttpClient Operator(TestOperator operators, Version? http = null) => Operator(operators.Certificate, http);

    public HttpClient Operator(X509Certificate2? certificate, Version? http = null, bool cookies = true)
    {
        var handler = Handler();
        handler.UseCookies = cookies;
        if (certificate is not null)
        {
            handler.SslOptions.ClientCertificates = [certificate];
            handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        }
        return new HttpClient(handler) { BaseAddress = AdminOrigin, DefaultRequestVersion = http ?? HttpVersion.Version20, Timeout = TimeSpan.FromSeconds(60) };
    }

    protected override Settings Change(Settings settings) => settings with
    {
        Admin = new AdminSettings { Listen = new IPEndPoint(IPAddress.Loopback, Ports.Free()), KeysFile = KeysFile, CheckInterval = TimeSpan.FromMilliseconds(100) },
    };
}

/// <summary>An operator with a key and a certificate around it.</summary>
public sealed class TestOperator
{
    public TestOperator(string name, ECDsa? key = null, string? subject = null, X509Extension? extension = null)
    {
        Name = name;
        Key = key ?? ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject ?? $"CN={name}", Key, HashAlgorithmName.SHA256);
        if (extension is not null)
        {
            request.CertificateExtensions.Add(extension);
        }
        Certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    public string Name { get; }

    public ECDsa Key { get; }

    public X509Certificate2 Certificate { get; }

    public string Fingerprint => OperatorKey.FingerprintOf(Key.ExportSubjectPublicKeyInfo());

    public string Line(string actions = "") => $"{Name} ecdsa-p256 {Convert.ToBase64String(Key.ExportSubjectPublicKeyInfo())} {actions}".TrimEnd();
}
