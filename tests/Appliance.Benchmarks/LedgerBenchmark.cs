using System.Diagnostics;
using System.Diagnostics.Metrics;
using Appliance.Ledger;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Appliance.Benchmarks;

/// <summary>Writers with the sealer at work beside them, the delay from entry to signature, and verifying 200,000 entries.</summary>
internal static class LedgerBenchmark
{
    private const int Writers = 8;
    private const int Transactions = 2000;
    private const int Verified = 200_000;

    public static async Task RunAsync(PostgresCluster cluster, Results table)
    {
        var bench = await BenchDatabase.CreateAsync(cluster);
        var folder = Directory.CreateTempSubdirectory("appliance-bench-").FullName;
        var settings = new Settings { DataFolder = folder, DatabaseHost = cluster.Socket, DatabaseName = bench.Name };
        Directory.CreateDirectory(settings.KeyFolder);
        TreeHeadSigner.Create(settings.LedgerKeyFile);
        var delays = new List<double>();
        using var listener = Listen(delays);
        await using var services = new ServiceCollection().AddLogging().AddMetrics().AddSingleton(bench.Database).AddLedger(settings).BuildServiceProvider();
        var sealer = services.GetRequiredService<LedgerSealer>();
        var verification = services.GetRequiredService<LedgerVerification>();

        await sealer.StartAsync(default);
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => WriteAsync(bench, Transactions / Writers)));
        var written = Stopwatch.GetElapsedTime(start).TotalSeconds;
        while ((await verification.VerifyAsync(bench.Team.Value, [], default)).Waiting > 0)
        {
            await Task.Delay(10);
        }
        await sealer.StopAsync(default);
        table.Add($"ledger: transactions of one entry in one team, {Writers} writers, sealer running", Transactions / written, "/s");
        List<double> measured;
        lock (delays)
        {
            measured = [.. delays];
        }
        table.Add("ledger: from entry to signature, median", 1000 * Results.Median(measured), "ms");
        table.Add("ledger: from entry to signature, slowest", 1000 * measured[^1], "ms");

        await FillAsync(bench);
        start = Stopwatch.GetTimestamp();
        var count = await sealer.SealAsync(default);
        table.Add("ledger: sealing a backlog", count / Stopwatch.GetElapsedTime(start).TotalSeconds, "entries/s");
        start = Stopwatch.GetTimestamp();
        var report = await verification.VerifyAsync(bench.Team.Value, [], default);
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (!report.Intact || report.Sealed < Verified)
        {
            throw new InvalidOperationException("The ledger that was measured is not whole.");
        }
        table.Add($"ledger: verifying {report.Sealed:N0} entries under {report.Heads:N0} heads", seconds, "s");
        table.Add("ledger: verifying", report.Sealed / seconds, "entries/s");
        Directory.Delete(folder, recursive: true);
    }

    private static MeterListener Listen(List<double> delays)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name == "appliance.ledger.delay")
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((_, value, _, _) =>
        {
            lock (delays)
            {
                delays.Add(value);
            }
        });
        listener.Start();
        return listener;
    }

    private static async Task WriteAsync(BenchDatabase bench, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await using var session = await bench.Database.ForTeamAsync(bench.Team, bench.User, default);
            session.Record(new LedgerEvent("file.uploaded", "subject", new Dictionary<string, string?> { ["size"] = "1" }), new Origin(bench.User, "192.0.2.1"));
            await session.CommitAsync(default);
        }
    }

    private static async Task FillAsync(BenchDatabase bench)
    {
        await using var session = await bench.Database.ForTeamAsync(bench.Team, bench.User, default);
        await session.ExecuteAsync($$"""
            insert into ledger_entries (id, tree, at, actor, action, subject, address, details)
            select gen_random_uuid(), {{bench.Team.Value}}, clock_timestamp(), {{bench.User.Value}}, 'file.uploaded', gen_random_uuid()::text, '192.0.2.1', '{"size":"12345"}'
              from generate_series(1, {{Verified}})
            """, default);
        await session.CommitAsync(default);
    }
}
