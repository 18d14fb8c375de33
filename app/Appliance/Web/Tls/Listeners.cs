using System.Net.Security;
using System.Security.Authentication;
using Appliance.Admin;
using Appliance.Web.Proxy;
using Appliance.Web.Tls;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Appliance.Web;

/// <summary>The only sockets there are: the service's and the metrics', which speak TLS 1.2 or 1.3 and nothing else, and the operators' (<see cref="OperatorListener"/>).</summary>
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

    /// <summary>A scraper or two; the listener is not for anybody else.</summary>
    private const int MetricsConnections = 32;

    public static void AddListeners(this WebApplicationBuilder builder, Settings settings)
    {
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<ServerCertificate>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<ServerCertificate>());
        builder.Services.AddSingleton<ProxyProtocol>();
        builder.WebHost.UseKestrelCore();
        builder.Services.AddSingleton<ConnectionMemory>();
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>>(provider => provider.GetRequiredService<ConnectionMemory>()); // after Kestrel's own
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            Bound(kestrel.Limits, settings.Limits);
            var certificate = kestrel.ApplicationServices.GetRequiredService<ServerCertificate>();
            var memory = kestrel.ApplicationServices.GetRequiredService<ConnectionMemory>();
            kestrel.Listen(settings.Listen, listener =>
            {
                var connections = new ConnectionLimiter(settings.Limits.Connections, settings.Limits.ConnectionsPerAddress);
                Tell(kestrel.ApplicationServices.GetRequiredService<ApplianceMetrics>(), connections);
                // First, so that everything below sees the client's own address.
                var proxies = kestrel.ApplicationServices.GetRequiredService<ProxyProtocol>();
                listener.Use(next => connection => proxies.RunAsync(connection, next));
                listener.Use(next => connection => connections.RunAsync(connection, next));
                listener.Use(next => connection => memory.RunAsync(connection, next));
                Secure(listener, certificate, settings);
            });
            kestrel.Listen(settings.MetricsListen, listener =>
            {
                var connections = new ConnectionLimiter(MetricsConnections, MetricsConnections);
                listener.Use(next => connection => connections.RunAsync(connection, next));
                listener.Use(next => connection => MarkAsMetrics(connection, next));
                listener.Use(next => connection => memory.RunAsync(connection, next));
                Secure(listener, certificate, settings);
            });
            kestrel.ListenForOperators(settings);
        });
    }

    /// <summary>Whether this request came in by the metrics' listener.</summary>
    internal static bool IsOnMetricsListener(this HttpContext context) => context.Features.Get<MetricsConnection>() is not null;

    private static void Bound(KestrelServerLimits kestrel, LimitSettings limits)
    {
        kestrel.MaxRequestBodySize = limits.Body;
        kestrel.MaxRequestHeadersTotalSize = limits.HeaderBytes;
        kestrel.MaxRequestHeaderCount = limits.HeaderCount;
        kestrel.MaxRequestLineSize = limits.RequestLine;
        kestrel.RequestHeadersTimeout = limits.HeaderTimeout;
        kestrel.KeepAliveTimeout = limits.KeepAlive;
        kestrel.MinRequestBodyDataRate = new MinDataRate(limits.BytesPerSecond, TimeSpan.FromSeconds(5));
        kestrel.MinResponseDataRate = new MinDataRate(limits.BytesPerSecond, TimeSpan.FromSeconds(5));
        // What has come in and nobody has taken yet, per connection.
        kestrel.MaxRequestBufferSize = 128 << 10;
        // What waits for a slow client, per connection: enough that encrypting the next piece never waits for the socket to take this one.
        kestrel.MaxResponseBufferSize = 512 << 10;
        kestrel.MaxConcurrentUpgradedConnections = 0; // nothing here speaks anything but HTTP
        kestrel.Http2.MaxStreamsPerConnection = 100;
        kestrel.Http2.MaxRequestHeaderFieldSize = limits.HeaderBytes;
        // A megabyte in flight for each stream, so that uploads fill a distant connection.
        kestrel.Http2.InitialStreamWindowSize = 1 << 20;
        kestrel.Http2.InitialConnectionWindowSize = 2 << 20;
        kestrel.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        kestrel.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
    }

    private static void Tell(ApplianceMetrics metrics, ConnectionLimiter connections)
    {
        metrics.Meter.CreateObservableUpDownCounter("appliance.connections", () => connections.Count, description: "Connections that are open now.");
        metrics.Meter.CreateObservableCounter("appliance.connections.shed", () => connections.Shed,
            description: "Connections closed or refused to make room for others.");
    }

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
