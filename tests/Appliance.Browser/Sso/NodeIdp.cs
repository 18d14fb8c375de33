using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Appliance.Tests.TestServers;

namespace Appliance.Browser.Sso;

/// <summary>The npm package saml-idp, installed into a folder of its own by tests/sso/install.sh.</summary>
public sealed class NodeIdp : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-saml-idp-").FullName;
    private readonly Process _node;

    private NodeIdp(int port, string entityId, string acs)
    {
        Origin = new Uri($"https://127.0.0.1:{port}/");
        var (key, certificate, tlsKey, tlsCertificate) = (In("idp.pem"), In("idp.crt"), In("tls.pem"), In("tls.crt"));
        IdpTls.WriteKeyPair(key, certificate);
        IdpTls.WriteTls(tlsKey, tlsCertificate);
        var start = new ProcessStartInfo(
            "node",
            [
                "bin/run.js", "--host", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--issuer", "urn:tests:saml-idp", "--acsUrl", acs, "--audience", entityId,
                "--cert", certificate, "--key", key, "--https", "--httpsPrivateKey", tlsKey, "--httpsCert", tlsCertificate, "--rollSession",
            ])
        {
            WorkingDirectory = Install(),
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        _node = Process.Start(start)!;
        _node.ErrorDataReceived += (_, _) => { };
        _node.OutputDataReceived += (_, _) => { };
        _node.BeginErrorReadLine();
        _node.BeginOutputReadLine();
    }

    public Uri Origin { get; }

    public static NodeIdp Start(string entityId, string acs)
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        return new NodeIdp(port, entityId, acs);
    }

    public Task<string> MetadataAsync() => IdpTls.GetAsync(new Uri(Origin, "metadata"), "EntityDescriptor");

    public async ValueTask DisposeAsync()
    {
        _node.Kill(entireProcessTree: true);
        await _node.WaitForExitAsync();
        _node.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string In(string file) => Path.Combine(_folder, file);

    /// <summary>Answers the folder; takes half a minute the first time on a machine.</summary>
    private static string Install()
    {
        using var script = Process.Start(new ProcessStartInfo(Path.Combine(Repository.Root, "tests/sso/install.sh")) { RedirectStandardOutput = true, UseShellExecute = false })!;
        var folder = script.StandardOutput.ReadToEnd().Trim();
        script.WaitForExit();
        return script.ExitCode == 0 ? folder : throw new InvalidOperationException("saml-idp could not be installed; its messages are above.");
    }
}
