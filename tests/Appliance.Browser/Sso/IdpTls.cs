using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Appliance.Browser.Sso;

/// <summary>The one certificate that the tests' identity providers serve with; Chromium is told its key.</summary>
internal static class IdpTls
{
    private static readonly RSA s_key = RSA.Create(2048);

    private static readonly X509Certificate2 s_made = Make(s_key, "CN=127.0.0.1");

    /// <summary>With its key in the form that servers take.</summary>
    public static X509Certificate2 Certificate { get; } = X509CertificateLoader.LoadPkcs12(s_made.Export(X509ContentType.Pkcs12), null);

    public static string KeyHash { get; } = Convert.ToBase64String(SHA256.HashData(s_made.PublicKey.ExportSubjectPublicKeyInfo()));

    public static void WriteTls(string keyFile, string certificateFile)
    {
        File.WriteAllText(keyFile, s_key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(certificateFile, s_made.ExportCertificatePem());
    }

    /// <summary>A new key to sign with.</summary>
    public static void WriteKeyPair(string keyFile, string certificateFile)
    {
        using var key = RSA.Create(2048);
        using var certificate = Make(key, "CN=identity provider");
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(certificateFile, certificate.ExportCertificatePem());
    }

    /// <summary>Asks until the server is up and the answer holds the words.</summary>
    public static async Task<string> GetAsync(Uri address, string words)
    {
        using var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = IsOurs } };
        using var client = new HttpClient(handler);
        var last = "";
        for (var tries = 0; tries < 120; tries++)
        {
            try
            {
                last = await client.GetStringAsync(address);
                if (last.Contains(words, StringComparison.Ordinal))
                {
                    return last;
                }
            }
            catch (HttpRequestException e)
            {
                last = e.Message;
            }
            await Task.Delay(250);
        }
        throw new InvalidOperationException($"{address} does not answer with {words}: {last}");
    }

    private static bool IsOurs(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) =>
        certificate?.GetCertHashString(HashAlgorithmName.SHA256) == s_made.GetCertHashString(HashAlgorithmName.SHA256);

    private static X509Certificate2 Make(RSA key, string subject)
    {
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
    }
}

/// <summary>TLS in front of a plain server on loopback.</summary>
internal sealed class TlsFront : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private readonly int _to;

    public TlsFront(int to)
    {
        _to = to;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using (client)
            {
                await using var tls = new SslStream(client.GetStream());
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = IdpTls.Certificate }, _stop.Token);
                using var plain = new TcpClient();
                await plain.ConnectAsync(IPAddress.Loopback, _to, _stop.Token);
                await using var behind = plain.GetStream();
                await Task.WhenAny(tls.CopyToAsync(behind, _stop.Token), behind.CopyToAsync(tls, _stop.Token));
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or System.Security.Authentication.AuthenticationException)
        {
            // The browser or the server hung up.
        }
    }
}
