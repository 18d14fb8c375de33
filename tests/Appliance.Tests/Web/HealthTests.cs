using System.Net;
using Appliance.Tests.TestServers;

namespace Appliance.Tests.Web;

public sealed class HealthTests
{
    [Fact, Trait("Requirement", "O10")]
    public async Task While_postgres_is_gone_everyone_is_told_to_come_back_and_afterwards_all_works_again()
    {
        var cluster = await PostgresCluster.StartAsync();
        await using var host = await ApplianceHost.StartAsync(map: Probes.Map, cluster: cluster);
        using var client = host.Client();
        (await client.GetStringAsync("/health/ready")).ShouldBe("ready");
        (await client.GetStringAsync("/probe/database")).ShouldBe("1");

        await cluster.KillAsync();
        await TlsTests.UntilAsync(async () => (await client.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);
        var until = DateTimeOffset.UtcNow.AddSeconds(30);
        do
        {
            using var away = await client.GetAsync("/probe/database");
            away.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            away.Headers.RetryAfter!.Delta.ShouldNotBeNull();
            (await away.Content.ReadAsStringAsync()).ShouldContain("goes on by itself");
            (await client.GetStringAsync("/health/live")).ShouldBe("live");
            await Task.Delay(1000);
        }
        while (DateTimeOffset.UtcNow < until);
        using var notReady = await client.GetAsync("/health/ready");
        (await notReady.Content.ReadAsStringAsync()).ShouldBe("not ready");

        await cluster.StartServerAsync();
        await TlsTests.UntilAsync(async () => (await client.GetAsync("/health/ready")).StatusCode == HttpStatusCode.OK);
        (await client.GetStringAsync("/probe/database")).ShouldBe("1");
    }

    [Fact, Trait("Requirement", "O10")]
    public async Task A_lost_object_store_is_seen()
    {
        await using var host = await ApplianceHost.StartAsync();
        using var client = host.Client();
        (await client.GetAsync("/health/ready")).StatusCode.ShouldBe(HttpStatusCode.OK);
        Directory.Move(host.Settings.ObjectFolder, host.Settings.ObjectFolder + ".away");
        await TlsTests.UntilAsync(async () => (await client.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);
        Directory.Move(host.Settings.ObjectFolder + ".away", host.Settings.ObjectFolder);
        await TlsTests.UntilAsync(async () => (await client.GetAsync("/health/ready")).StatusCode == HttpStatusCode.OK);
    }

    [Fact, Trait("Requirement", "O10")]
    public async Task Probes_come_by_loopback_names_and_nothing_else_does()
    {
        await using var host = await ApplianceHost.StartAsync();
        using var client = host.Client();
        (await AskAsync(client, "/health/live", "127.0.0.1:9999")).ShouldBe(HttpStatusCode.OK);
        (await AskAsync(client, "/health/live", "evil.example")).ShouldBe(HttpStatusCode.MisdirectedRequest);
        (await AskAsync(client, "/nowhere", "127.0.0.1:9999")).ShouldBe(HttpStatusCode.MisdirectedRequest);
    }

    [Fact, Trait("Requirement", "O10")]
    public async Task Metrics_are_on_their_own_port_only_and_nothing_else_is()
    {
        await using var host = await ApplianceHost.StartAsync(map: Probes.Map);
        using var client = host.Client();
        await client.GetAsync("/probe/token");
        (await client.GetAsync("/metrics")).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        using var scraper = new HttpClient(host.Handler()) { BaseAddress = new Uri($"https://localhost:{host.Settings.MetricsListen.Port}") };
        (await scraper.GetAsync("/health/live")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await scraper.GetAsync("/probe/token")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using var answer = await scraper.GetAsync("/metrics");
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Content.Headers.ContentType!.ToString().ShouldBe("text/plain; version=0.0.4; charset=utf-8");
        var text = await answer.Content.ReadAsStringAsync();
        text.ShouldContain("# TYPE http_server_request_duration_seconds histogram\n");
        text.ShouldMatch("http_server_request_duration_seconds_count\\{[^}]*http_route=\"/probe/token\"[^}]*\\} 1\n");
        text.ShouldContain("# TYPE appliance_connections gauge\n");
        text.ShouldContain("kestrel_active_connections{");
        text.ShouldContain("dotnet_process_memory_working_set_bytes ");
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            line.ShouldMatch("^(# (HELP|TYPE) [a-z_][a-z0-9_]* .*|[a-z_][a-z0-9_]*(\\{([a-z_]+=\"([^\"\\\\]|\\\\.)*\",?)+\\})? (-?[0-9.eE+-]+|[+-]Inf|NaN))$");
        }
    }

    private static async Task<HttpStatusCode> AskAsync(HttpClient client, string path, string name)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Host = name } };
        using var answer = await client.SendAsync(request);
        return answer.StatusCode;
    }
}
