using System.Net;
using System.Text;
using Appliance.Tests.TestServers;

namespace Appliance.Tests.Web;

public sealed class DrainTests
{
    [Fact, Trait("Requirement", "O9")]
    public async Task At_the_end_readiness_says_no_first_and_everything_is_served_until_the_listeners_close()
    {
        await using var host = await ApplianceHost.StartAsync(
            // A sender may be slow here: one is, until the listeners have closed.
            settings => settings with { Drain = TimeSpan.FromSeconds(4), Limits = settings.Limits with { BytesPerSecond = 0.01 } }, map: Probes.Map);
        using var client = host.Client();
        (await client.GetAsync("/health/ready")).StatusCode.ShouldBe(HttpStatusCode.OK);
        var (cookie, token) = await TokenAsync(host);
        // A request that is being sent when the end begins, and comes to its own after the listeners have closed.
        using var running = await Probes.ConnectAsync(host);
        await running.WriteAsync(Encoding.Latin1.GetBytes(
            $"POST /probe/body HTTP/1.1\r\nHost: localhost:{host.Settings.Listen.Port}\r\nContent-Length: 4\r\n{cookie}{token}\r\nab"));

        var stopping = host.StopServiceAsync();
        await TlsTests.UntilAsync(async () => (await client.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);
        (await client.GetStringAsync("/health/live")).ShouldBe("live");
        using (var http2 = await client.GetAsync("/probe/token"))
        {
            http2.StatusCode.ShouldBe(HttpStatusCode.OK);
            http2.Version.ShouldBe(HttpVersion.Version20);
        }
        using (var http1 = await Probes.ConnectAsync(host))
        {
            // Kept alive as far as the client is concerned: that the reading ends shows that the server closed it.
            var answer = await Probes.SendAsync(http1, $"GET /probe/token HTTP/1.1\r\nHost: localhost:{host.Settings.Listen.Port}\r\n\r\n");
            answer.ShouldStartWith("HTTP/1.1 200 ");
            answer.ShouldContain("\r\nConnection: close\r\n");
        }
        stopping.IsCompleted.ShouldBeFalse();
        await TlsTests.UntilAsync(async () =>
        {
            try
            {
                using var late = await Probes.ConnectAsync(host);
                return false;
            }
            catch (Exception e) when (e is System.Net.Sockets.SocketException or IOException)
            {
                return true;
            }
        });
        await running.WriteAsync("cd"u8.ToArray());
        (await Probes.ReadToEndAsync(running)).ShouldStartWith("HTTP/1.1 200 ");
        await stopping;
    }

    private static async Task<(string Cookie, string Token)> TokenAsync(ApplianceHost host)
    {
        using var client = new HttpClient(host.Handler()) { BaseAddress = host.Settings.Origin };
        using var answer = await client.GetAsync("/probe/token");
        var cookie = answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        return ($"Cookie: {cookie}\r\n", $"RequestVerificationToken: {await answer.Content.ReadAsStringAsync()}\r\n");
    }
}
