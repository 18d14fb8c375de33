using System.Net;
using System.Net.Sockets;
using Appliance.Tests.TestServers;
using Appliance.Web;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.Web;

public sealed class HeaderTests(ProbedHost host) : IClassFixture<ProbedHost>
{
    /// <summary>The policy of the requirement; ours may only add to it.</summary>
    private const string RequiredPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

    [Theory, Trait("Requirement", "O4")]
    [InlineData("/nowhere", 404)]
    [InlineData("/api/nowhere", 404)]
    [InlineData("/probe/throw", 500)]
    [InlineData("/probe/body", 405)]
    [InlineData("/probe/token", 200)]
    [InlineData("/health/live", 200)]
    [InlineData("/css/base.css", 200)]
    public async Task Every_answer_carries_every_header(string path, int status)
    {
        using var client = host.Client();
        using var answer = await client.GetAsync(path);
        ((int)answer.StatusCode).ShouldBe(status);
        ShouldBeHardened(answer);
        if (!path.StartsWith("/css", StringComparison.Ordinal))
        {
            answer.Headers.CacheControl!.NoStore.ShouldBeTrue();
        }
    }

    [Fact, Trait("Requirement", "O4")]
    public async Task Too_large_too_many_and_misdirected_carry_them_too()
    {
        using var client = host.Client();
        using var large = new HttpRequestMessage(HttpMethod.Post, "/probe/body") { Content = new ByteArrayContent(new byte[2 << 20]), Version = HttpVersion.Version20 };
        large.Headers.Add("RequestVerificationToken", await client.GetStringAsync("/probe/token"));
        using var tooLarge = await client.SendAsync(large);
        tooLarge.StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        ShouldBeHardened(tooLarge);

        using var tls = await Probes.ConnectAsync(host);
        var misdirected = await Probes.SendAsync(tls, "GET /probe/token HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        misdirected.ShouldStartWith("HTTP/1.1 421 ");
        misdirected.ShouldContain("\r\nContent-Security-Policy: default-src 'none'");
    }

    [Fact, Trait("Requirement", "O4")]
    public async Task Assets_are_cached_for_good_under_their_fingerprint_and_asked_again_elsewhere()
    {
        var assets = host.Services.GetRequiredService<Assets>();
        using var client = host.Client();
        using var good = await client.GetAsync(assets.Url("css/base.css"));
        good.Headers.CacheControl!.ToString().ShouldBe("public, max-age=31536000, immutable");
        using var plain = await client.GetAsync("/css/base.css");
        plain.Headers.CacheControl!.ToString().ShouldBe("no-cache");
        using var again = new HttpRequestMessage(HttpMethod.Get, "/css/base.css");
        again.Headers.IfNoneMatch.Add(plain.Headers.ETag!);
        (await client.SendAsync(again)).StatusCode.ShouldBe(HttpStatusCode.NotModified);
        (await client.GetAsync("/assets/x/../../appsettings.json")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact, Trait("Requirement", "O3")]
    public async Task A_named_origin_tells_browsers_to_come_by_tls_for_two_years()
    {
        await using var named = await ApplianceHost.StartAsync(settings => settings with { Origin = new Uri($"https://appliance.test:{settings.Listen.Port}") });
        using var handler = named.Handler();
        handler.ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(named.Settings.Listen, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        };
        using var client = new HttpClient(handler) { BaseAddress = named.Settings.Origin };
        using var answer = await client.GetAsync("/nowhere");
        answer.Headers.GetValues("Strict-Transport-Security").Single().ShouldStartWith("max-age=63072000");
    }

    private static void ShouldBeHardened(HttpResponseMessage answer)
    {
        string One(string name) => answer.Headers.GetValues(name).Single();
        var policy = One("Content-Security-Policy");
        foreach (var directive in RequiredPolicy.Split("; "))
        {
            policy.Split("; ").ShouldContain(directive);
        }
        policy.ShouldNotContain("unsafe");
        One("Cross-Origin-Opener-Policy").ShouldBe("same-origin");
        One("Cross-Origin-Resource-Policy").ShouldBe("same-origin");
        One("Cross-Origin-Embedder-Policy").ShouldBe("require-corp");
        One("Referrer-Policy").ShouldBe("no-referrer");
        One("X-Content-Type-Options").ShouldBe("nosniff");
        One("X-Frame-Options").ShouldBe("DENY");
        var permissions = One("Permissions-Policy").Split(", ");
        permissions.Where(p => !p.EndsWith("=()", StringComparison.Ordinal)).ShouldBe(
            ["clipboard-write=(self)", "publickey-credentials-create=(self)", "publickey-credentials-get=(self)"]);
        answer.Headers.Contains("Server").ShouldBeFalse();
        answer.Headers.Contains("X-Powered-By").ShouldBeFalse();
    }
}
