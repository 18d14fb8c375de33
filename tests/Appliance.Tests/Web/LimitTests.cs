using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Appliance.Tests.TestServers;
using Appliance.Web;

namespace Appliance.Tests.Web;

[Trait("Requirement", "W5")]
[Collection(AloneCollection.Name)]
public sealed class LimitTests
{
    [Fact]
    public async Task A_body_that_is_too_large_is_refused_before_it_is_read()
    {
        await using var host = await StartAsync(limits => limits with { Body = 1000 });
        var cookie = await TokenAsync(host);
        using var tls = await Probes.ConnectAsync(host);
        // Only the head is sent: an answer shows that nobody waited for the body.
        var answer = await Probes.SendAsync(tls, Head(host, "POST /probe/body", $"Content-Length: 5000\r\n{cookie}"));
        answer.ShouldStartWith("HTTP/1.1 413 ");
        answer.ShouldContain("Content-Security-Policy");
    }

    [Theory]
    [InlineData("many headers", 431)]
    [InlineData("long header", 431)]
    [InlineData("long path", 414)]
    [InlineData("no host", 400)]
    [InlineData("nonsense", 400)]
    public async Task A_head_that_is_too_large_or_broken_is_refused(string what, int status)
    {
        await using var host = await StartAsync(limits => limits with { HeaderCount = 20, HeaderBytes = 2000, RequestLine = 500 });
        using var tls = await Probes.ConnectAsync(host);
        var answer = await Probes.SendAsync(tls, what switch
        {
            "many headers" => Head(host, "GET /health/live", string.Concat(Enumerable.Range(0, 30).Select(i => $"X-{i}: 1\r\n"))),
            "long header" => Head(host, "GET /health/live", $"X-Long: {new string('a', 3000)}\r\n"),
            "long path" => Head(host, "GET /" + new string('a', 600), ""),
            "no host" => "GET /health/live HTTP/1.1\r\n\r\n",
            _ => "\u0001\u0002\u0003 nonsense\r\n\r\n",
        });
        answer.ShouldStartWith($"HTTP/1.1 {status} ");
    }

    [Fact]
    public async Task Headers_that_dribble_are_cut_off()
    {
        await using var host = await StartAsync(limits => limits with { HeaderTimeout = TimeSpan.FromSeconds(1) });
        using var tls = await Probes.ConnectAsync(host);
        // Never finished: the reading below ends only because the server ends it.
        var answer = await Probes.SendAsync(tls, "GET /health/live HTTP/1.1\r\nHost: local");
        answer.ShouldStartWith("HTTP/1.1 408 ");
    }

    [Fact]
    public async Task A_handshake_that_never_begins_is_cut_off()
    {
        await using var host = await ApplianceHost.StartAsync(settings => settings with { HandshakeTimeout = TimeSpan.FromSeconds(1) });
        using var client = new TcpClient();
        await client.ConnectAsync(host.Settings.Listen);
        (await Probes.ReadToEndAsync(client.GetStream())).ShouldBeEmpty();
    }

    [Fact]
    public async Task Beyond_its_connections_an_address_loses_its_idle_ones_first_and_a_request_at_work_is_kept()
    {
        await using var host = await StartAsync(limits => limits with { ConnectionsPerAddress = 10 });
        var cookie = await TokenAsync(host);
        using var atWork = await Probes.ConnectAsync(host);
        await atWork.WriteAsync(Encoding.Latin1.GetBytes(Head(host, "POST /probe/body", $"Content-Length: 4\r\n{cookie}") + "ab"));
        await Task.Delay(500); // until the request is seen

        var idle = new List<TcpClient>();
        for (var i = 0; i < 30; i++)
        {
            var another = new TcpClient();
            await another.ConnectAsync(host.Settings.Listen);
            idle.Add(another);
        }
        (await Probes.ReadToEndAsync(idle[0].GetStream())).ShouldBeEmpty(); // cut off to make room
        await atWork.WriteAsync("cd"u8.ToArray());
        (await Probes.ReadToEndAsync(atWork)).ShouldStartWith("HTTP/1.1 200 ");
        idle.ForEach(connection => connection.Dispose());
    }

    [Fact]
    public async Task Ten_thousand_slow_connections_of_many_addresses_starve_nobody()
    {
        await using var host = await StartAsync(limits => limits with { Connections = 500, ConnectionsPerAddress = 100 });
        var held = new List<Socket>();
        try
        {
            for (var i = 0; i < 10_000; i++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(new IPAddress([127, (byte)(1 + i / 2500), (byte)(i / 50 % 250), 7]), 0));
                held.Add(socket);
                await socket.ConnectAsync(host.Settings.Listen);
                await SendQuietlyAsync(socket, [22]); // the first byte of a handshake that never goes on
                if (i % 1000 == 999)
                {
                    using var client = host.Client();
                    (await client.GetStringAsync("/health/live")).ShouldBe("live");
                }
                // Far fewer descriptors are needed than connections made: the server has closed the oldest by now.
                if (held.Count > 2000)
                {
                    held[0].Dispose();
                    held.RemoveAt(0);
                }
            }
        }
        finally
        {
            held.ForEach(socket => socket.Dispose());
        }
    }

    [Fact]
    public async Task Who_asks_too_often_is_told_when_to_come_back()
    {
        await using var host = await StartAsync(limits => limits with { PerAddress = new RequestRate(5, 0.1) });
        using var client = host.Client();
        HttpResponseMessage answer;
        var asked = 0;
        do
        {
            answer = await client.GetAsync("/nowhere");
            (++asked).ShouldBeLessThan(10);
        }
        while (answer.StatusCode == HttpStatusCode.NotFound);
        answer.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        answer.Headers.RetryAfter!.Delta!.Value.ShouldBeGreaterThan(TimeSpan.Zero);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("then try again");
        // What costs nothing is not counted.
        (await client.GetAsync("/css/base.css")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Anonymous_requests_to_endpoints_are_counted_apart()
    {
        await using var host = await StartAsync(limits => limits with { Anonymous = new RequestRate(3, 0.1) });
        using var client = host.Client();
        for (var i = 0; i < 3; i++)
        {
            (await client.GetAsync("/probe/token")).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        (await client.GetAsync("/probe/token")).StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        (await client.GetAsync("/health/live")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    private static Task<ApplianceHost> StartAsync(Func<LimitSettings, LimitSettings> change) =>
        ApplianceHost.StartAsync(settings => settings with { Limits = change(settings.Limits) }, map: Probes.Map);

    private static string Head(ApplianceHost host, string request, string headers) =>
        $"{request} HTTP/1.1\r\nHost: localhost:{host.Settings.Listen.Port}\r\nConnection: close\r\n{headers}\r\n";

    /// <summary>The header lines of a fresh token and its cookie.</summary>
    private static async Task<string> TokenAsync(ApplianceHost host)
    {
        using var tls = await Probes.ConnectAsync(host);
        var answer = await Probes.SendAsync(tls, Head(host, "GET /probe/token", ""));
        var cookie = answer.Split("\r\n").Single(line => line.StartsWith("Set-Cookie: ", StringComparison.OrdinalIgnoreCase))[12..].Split(';')[0];
        var body = answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        var token = body.Split("\r\n").First(line => line.StartsWith("CfDJ8", StringComparison.Ordinal));
        return $"Cookie: {cookie}\r\nRequestVerificationToken: {token}\r\n";
    }

    private static async Task SendQuietlyAsync(Socket socket, byte[] bytes)
    {
        try
        {
            await socket.SendAsync(bytes);
        }
        catch (SocketException)
        {
            // closed by the server already, which is what it should do
        }
    }
}
