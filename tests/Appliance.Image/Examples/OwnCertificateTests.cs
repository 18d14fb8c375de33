using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Appliance.Image.Examples;

/// <summary>compose/own-certificate.yaml.</summary>
[Collection(nameof(ImageCollection))]
[Trait("Requirement", "O3")]
[Trait("Proven", "no")]
public sealed class OwnCertificateTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_certificate_of_ones_own_is_served_replaced_within_seconds_and_a_broken_one_is_refused_loudly()
    {
        var authority = new TestAuthority("The organisation's own");
        using var files = new Secrets();
        var first = await PutAsync(files, authority);
        await using var appliance = Composed.Prepare(Composed.Example("own-certificate.yaml"));
        appliance.Variables["APPLIANCE_CERTIFICATE_FILES"] = files.Folder;
        await appliance.ComposeAsync("up", "--detach", "--wait", "--wait-timeout", "240");
        using var open = await ConnectAsync(appliance.Origin);
        Shown(open).ShouldBe(first);

        var second = await PutAsync(files, authority);
        await WithinAsync(15, async () => await ShownAsync(appliance.Origin) == second, "the new certificate is served");
        (await AskAsync(open, appliance.Origin)).ShouldStartWith("HTTP/1.1 200", customMessage: "a connection that was open lives on");

        // Broken, in each way: a key that is another's, no certificate at all, the files gone.
        await files.PutAsync("tls.key", authority.Issue("localhost", "localhost").Key, 10001);
        await WithinAsync(15, async () => await RefusalsAsync(appliance) >= 1, "a broken one is said in the log");
        await files.PutAsync("tls.pem", "nonsense", 10001, secret: false);
        await Task.Delay(6000);
        File.Delete(Path.Combine(files.Folder, "tls.pem"));
        await Task.Delay(6000);
        (await ShownAsync(appliance.Origin)).ShouldBe(second, "the one before stays");
        (await AskAsync(open, appliance.Origin)).ShouldStartWith("HTTP/1.1 200");
        await Task.Delay(35_000); // three health checks and more
        (await Composed.LookAsync(await appliance.ContainerAsync("web"), "{{.State.Health.Status}}")).ShouldBe("healthy", "what serves well is not declared ill for a file that is not in use");

        var third = await PutAsync(files, authority);
        await WithinAsync(15, async () => await ShownAsync(appliance.Origin) == third, "a good one after that is served");
        (await Composed.LookAsync(await appliance.ContainerAsync("web"), "{{.RestartCount}}")).ShouldBe("0");
        await ExampleChecks.ControlsHoldAsync(appliance, output, "web objects database");
    }

    private static async Task<string> PutAsync(Secrets files, TestAuthority authority)
    {
        var (pem, key) = authority.Issue("localhost", "localhost");
        await files.PutAsync("tls.pem", pem, 10001, secret: false);
        await files.PutAsync("tls.key", key, 10001);
        using var certificate = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(pem);
        return certificate.SerialNumber;
    }

    private static async Task<int> RefusalsAsync(Composed appliance) =>
        (await appliance.LogsAsync("web")).Split('\n').Count(line => line.Contains("The new TLS certificate cannot be used", StringComparison.Ordinal) && line.Contains("\"Error\"", StringComparison.Ordinal));

    private static async Task<SslStream> ConnectAsync(Uri origin)
    {
        var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", origin.Port);
        var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null, // which one is shown is the question here
        });
        return tls;
    }

    private static string Shown(SslStream tls) => tls.RemoteCertificate!.GetSerialNumberString();

    private static async Task<string> ShownAsync(Uri origin)
    {
        using var tls = await ConnectAsync(origin);
        return Shown(tls);
    }

    private static async Task<string> AskAsync(SslStream tls, Uri origin)
    {
        await tls.WriteAsync(Encoding.Latin1.GetBytes($"GET /health/live HTTP/1.1\r\nHost: {origin.Authority}\r\n\r\n"));
        var buffer = new byte[16 << 10];
        return Encoding.Latin1.GetString(buffer, 0, await tls.ReadAsync(buffer));
    }

    private static async Task WithinAsync(int seconds, Func<Task<bool>> condition, string what)
    {
        for (var until = DateTime.UtcNow.AddSeconds(seconds); !await condition(); await Task.Delay(300))
        {
            DateTime.UtcNow.ShouldBeLessThan(until, what);
        }
    }
}
