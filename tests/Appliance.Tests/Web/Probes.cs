using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Appliance.Data;
using Appliance.Tests.TestServers;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Appliance.Tests.Web;

/// <summary>The service with a few endpoints of the tests' own, which do what the product's never should.</summary>
public sealed class ProbedHost : ApplianceHost
{
    protected override void Map(IEndpointRouteBuilder endpoints) => Probes.Map(endpoints);
}

internal static class Probes
{
    public const string Secret = "marker-of-an-exception";

    public static void Map(IEndpointRouteBuilder endpoints)
    {
        var probes = endpoints.MapGroup("").AllowAnonymous();
        probes.MapGet("/probe/throw", Throw);
        probes.MapGet("/api/probe/throw", Throw);
        probes.MapGet("/probe/token", (IAntiforgery antiforgery, HttpContext context) => antiforgery.GetAndStoreTokens(context).RequestToken);
        probes.MapGet("/probe/database", async (Database database) =>
        {
            await using var session = await database.ForApplianceAsync(default);
            return (await session.SqlAsync<int>($"""select 1 as "Value" """, default)).Single();
        });
        probes.MapPost("/probe/body", async (HttpContext context) =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            return "read";
        });
    }

    /// <summary>A TLS connection below HTTP, for what no HTTP client would send.</summary>
    public static async Task<SslStream> ConnectAsync(ApplianceHost host, IPAddress? from = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        if (from is not null)
        {
            socket.Bind(new IPEndPoint(from, 0));
        }
        await socket.ConnectAsync(host.Settings.Listen);
        var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            CertificateChainPolicy = host.Handler().SslOptions.CertificateChainPolicy,
        });
        return tls;
    }

    public static async Task<string> SendAsync(Stream connection, string head)
    {
        await connection.WriteAsync(Encoding.Latin1.GetBytes(head));
        return await ReadToEndAsync(connection);
    }

    /// <summary>What comes until the other side closes or cuts the connection.</summary>
    public static async Task<string> ReadToEndAsync(Stream connection)
    {
        using var all = new MemoryStream();
        try
        {
            await connection.CopyToAsync(all);
        }
        catch (IOException)
        {
            // cut: what came before counts
        }
        return Encoding.Latin1.GetString(all.ToArray());
    }

    private static string Throw() => throw new InvalidOperationException(Secret);
}
