using System.Net.Security;
using System.Security.Authentication;
using Appliance.Web.Tls;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Appliance.Web;

/// <summary>The only sockets there are: the service's, and the metrics'. Both speak TLS 1.2 or 1.3 and nothing else.</summary>
public static class Listeners
{
    /// <summary>
    /// TLS 1.3's three AEAD suites, and for TLS 1.2 those with ephemeral keys and AEAD (RFC 9325 section 4.2, BSI TR-02102-2).
    /// </summary>
    internal static readonly TlsCipherSuite[] Suites =
    [
        TlsCipherSuite.TLS_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256,
        TlsCipherSuite.TLS_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ];

    public static void AddListeners(this WebApplicationBuilder builder, Settings settings)
    {
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<ServerCertificate>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<ServerCertificate>());
        builder.WebHost.UseKestrelCore();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            var certificate = kestrel.ApplicationServices.GetRequiredService<ServerCertificate>();
            kestrel.Listen(settings.Listen, listener => Secure(listener, certificate, settings));
            kestrel.Listen(settings.MetricsListen, listener =>
            {
                listener.Use(next => connection => MarkAsMetrics(connection, next));
                Secure(listener, certificate, settings);
            });
        });
    }

    /// <summary>Whether this request came in by the metrics' listener.</summary>
    internal static bool IsOnMetricsListener(this HttpContext context) => context.Features.Get<MetricsConnection>() is not null;

    private static void Secure(ListenOptions listener, ServerCertificate certificate, Settings settings)
    {
        listener.Protocols = HttpProtocols.Http1AndHttp2;
        var suites = new CipherSuitesPolicy(Suites);
        listener.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = settings.HandshakeTimeout,
            OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
            {
                ServerCertificateContext = certificate.Current,
                // Named on purpose: the machine's own configuration may allow older ones.
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                CipherSuitesPolicy = suites,
                AllowRenegotiation = false,
                ClientCertificateRequired = false,
            }),
        });
    }

    private static Task MarkAsMetrics(ConnectionContext connection, ConnectionDelegate next)
    {
        connection.Features.Set(new MetricsConnection());
        return next(connection);
    }

    private sealed class MetricsConnection;
}
