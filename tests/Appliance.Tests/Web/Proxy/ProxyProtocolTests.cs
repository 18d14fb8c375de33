using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Appliance.Tests.TestServers;
using Appliance.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Appliance.Tests.Web.Proxy;

/// <summary>The listener behind a proxy at 127.0.0.2, which alone is believed.</summary>
[Trait("Requirement", "W5")]
public sealed class ProxyProtocolTests : IAsyncLifetime
{
    private static readonly IPAddress s_proxy = IPAddress.Parse("127.0.0.2");

    private ApplianceHost _host = null!;

    public async Task InitializeAsync() => _host = await ApplianceHost.StartAsync(
        settings => settings with
        {
            ProxyProtocolFrom = [IPNetwork.Parse("127.0.0.2/32")],
            ProxyHeaderTimeout = TimeSpan.FromSeconds(2),
            HandshakeTimeout = TimeSpan.FromSeconds(5),
            Limits = settings.Limits with { Anonymous = new RequestRate(3, 0.1), ConnectionsPerAddress = 8 },
        },
        map: endpoints => endpoints.MapGet("/probe/address", (HttpContext context) => context.Connection.RemoteIpAddress!.ToString()).AllowAnonymous());

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task The_clients_address_survives_and_limits_count_by_it()
    {
        foreach (var last in new byte[] { 7, 8 })
        {
            for (var i = 0; i < 3; i++)
            {
                (await AskAsync(s_proxy, Client(last))).ShouldEndWith($"203.0.113.{last}");
            }
            (await AskAsync(s_proxy, Client(last))).ShouldStartWith("HTTP/1.1 429 ");
        }
    }

    [Fact]
    public async Task Connections_are_counted_by_the_clients_address_not_the_proxys()
    {
        var held = new List<SslStream>();
        for (byte i = 1; i <= 30; i++)
        {
            held.Add(await ConnectAsync(s_proxy, Client(i)));
        }
        (await RequestAsync(held[0])).ShouldEndWith("203.0.113.1"); // with 8 for each address, the proxy's own would have been cut off
        held.ForEach(connection => connection.Dispose());
    }

    [Fact]
    public async Task The_proxys_own_questions_come_from_its_own_address() =>
        (await AskAsync(s_proxy, ProxyHeaderTests.Header(0x20, 0x00))).ShouldEndWith("127.0.0.2");

    [Fact]
    public async Task A_header_in_pieces_is_read_and_one_that_dribbles_is_cut_off()
    {
        var header = Client(7);
        using (var socket = await SocketAsync(s_proxy))
        {
            foreach (var b in header)
            {
                await socket.SendAsync(new[] { b });
                await Task.Delay(5);
            }
            (await RequestAsync(await HandshakeAsync(socket))).ShouldEndWith("203.0.113.7");
        }
        using var slow = await SocketAsync(s_proxy);
        await slow.SendAsync(header[..20]);
        var began = DateTime.UtcNow;
        (await Probes.ReadToEndAsync(new NetworkStream(slow))).ShouldBeEmpty();
        (DateTime.UtcNow - began).ShouldBeLessThan(TimeSpan.FromSeconds(20));
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("nothing but a handshake")]
    [InlineData("version 1")]
    [InlineData("cut short")]
    [InlineData("two headers")]
    public async Task From_the_proxy_nothing_passes_without_one_right_header(string what)
    {
        using var socket = await SocketAsync(s_proxy);
        await socket.SendAsync(what switch
        {
            "garbage" => [.. Enumerable.Range(0, 200).Select(i => (byte)(i * 7))],
            "version 1" => "PROXY TCP4 203.0.113.7 192.0.2.1 12345 8443\r\n"u8.ToArray(),
            "cut short" => Client(7)[..27],
            "two headers" => [.. Client(7), .. Client(8)],
            _ => [],
        });
        if (what == "cut short")
        {
            await using var stream = new NetworkStream(socket); // no longer to be had once the server has closed too
            socket.Shutdown(SocketShutdown.Send);
            (await Probes.ReadToEndAsync(stream)).ShouldBeEmpty();
            return;
        }
        await IsRefusedAsync(socket);
    }

    [Fact]
    public async Task Who_is_not_the_proxy_cannot_claim_an_address_and_needs_no_header()
    {
        using (var socket = await SocketAsync(IPAddress.Loopback))
        {
            await socket.SendAsync(Client(7));
            await IsRefusedAsync(socket);
        }
        (await AskAsync(IPAddress.Loopback, [])).ShouldEndWith("127.0.0.1");
    }

    [Fact]
    public async Task Without_the_setting_nobody_is_believed()
    {
        await using var plain = await ApplianceHost.StartAsync();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(plain.Settings.Listen);
        await socket.SendAsync(Client(7));
        await IsRefusedAsync(socket);
    }

    /// <summary>Cut off, or told by an alert: no TLS comes about.</summary>
    private static async Task IsRefusedAsync(Socket socket) =>
        (await Should.ThrowAsync<Exception>(() => HandshakeAsync(socket))).GetType()
            .ShouldBeOneOf(typeof(IOException), typeof(System.Security.Authentication.AuthenticationException));

    private static byte[] Client(byte last) => ProxyHeaderTests.Header(0x21, 0x11, [203, 0, 113, last, 127, 0, 0, 1, 0x30, 0x39, 0x20, 0xFB]);

    private async Task<string> AskAsync(IPAddress from, byte[] header) => await RequestAsync(await ConnectAsync(from, header));

    private async Task<string> RequestAsync(SslStream tls)
    {
        using (tls)
        {
            return (await Probes.SendAsync(tls, $"GET /probe/address HTTP/1.1\r\nHost: localhost:{_host.Settings.Listen.Port}\r\nConnection: close\r\n\r\n"))
                .TrimEnd('\r', '\n', '0').TrimEnd('\r', '\n');
        }
    }

    private async Task<SslStream> ConnectAsync(IPAddress from, byte[] header)
    {
        var socket = await SocketAsync(from);
        await socket.SendAsync(header);
        return await HandshakeAsync(socket);
    }

    private async Task<Socket> SocketAsync(IPAddress from)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(from, 0));
        await socket.ConnectAsync(_host.Settings.Listen);
        return socket;
    }

    private static async Task<SslStream> HandshakeAsync(Socket socket)
    {
        var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null, // who it is, is not the question here
        });
        return tls;
    }
}
