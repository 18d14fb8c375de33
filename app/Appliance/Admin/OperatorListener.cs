using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Appliance.Web;
using Appliance.Web.Tls;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Appliance.Admin;

/// <summary>The operators' socket: TLS 1.3 alone, and a client certificate whose key is on the list, or no connection at all.</summary>
internal static class OperatorListener
{
    /// <summary>A few operators with a browser and what watches for them.</summary>
    private const int Connections = 64;

    /// <summary>TLS 1.3's suites among ours.</summary>
    private static readonly TlsCipherSuite[] s_suites =
        [TlsCipherSuite.TLS_AES_256_GCM_SHA384, TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256, TlsCipherSuite.TLS_AES_128_GCM_SHA256];

    public static void ListenForOperators(this KestrelServerOptions kestrel, Settings settings)
    {
        if (settings.Admin is not { } admin)
        {
            return;
        }
        var keys = kestrel.ApplicationServices.GetRequiredService<OperatorKeys>();
        var certificate = kestrel.ApplicationServices.GetRequiredService<ServerCertificate>();
        var memory = kestrel.ApplicationServices.GetRequiredService<ConnectionMemory>();
        kestrel.Listen(admin.Listen, listener =>
        {
            var connections = new ConnectionLimiter(Connections, Connections);
            listener.Use(next => connection => connections.RunAsync(connection, next));
            listener.Use(next => connection => memory.RunAsync(connection, next));
            listener.Protocols = HttpProtocols.Http1AndHttp2;
            var suites = new CipherSuitesPolicy(s_suites);
            listener.UseHttps(new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = settings.HandshakeTimeout,
                OnConnection = handshake => ValueTask.FromResult(new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = certificate.Current,
                    EnabledSslProtocols = SslProtocols.Tls13,
                    CipherSuitesPolicy = suites,
                    AllowRenegotiation = false,
                    // Each connection proves its key anew: a ticket would be a second secret, which nobody can take off the list.
                    AllowTlsResume = false,
                    ClientCertificateRequired = true,
                    RemoteCertificateValidationCallback = (_, shown, _, _) => keys.IsAllowed(shown, handshake.Connection.RemoteEndPoint),
                    // Who signed the certificate does not matter, and nothing is fetched to find out: a stranger's certificate names the addresses (invariant 5).
                    CertificateChainPolicy = new X509ChainPolicy
                    {
                        RevocationMode = X509RevocationMode.NoCheck,
                        DisableCertificateDownloads = true,
                        TrustMode = X509ChainTrustMode.CustomRootTrust,
                    },
                }),
            });
            listener.Use(next => connection => keys.RunAsync(connection, next));
        });
    }
}
