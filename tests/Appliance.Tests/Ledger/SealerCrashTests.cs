using Appliance.Data;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Ledger;

/// <summary>kill -9 of PostgreSQL, and of single connections, in the middle of writing and sealing.</summary>
[Collection(AloneCollection.Name)]
public sealed class SealerCrashTests
{
    [Fact, Trait("Requirement", "W1")]
    public async Task Crashes_neither_lose_nor_double_an_acknowledged_entry_and_the_sealer_recovers()
    {
        var cluster = await PostgresCluster.StartAsync();
        using var ledger = await LedgerDatabase.CreateAsync(cluster);
        var anna = await ledger.PersonAsync("anna");
        var team = await ledger.TeamAsync(anna);
        var log = new Lines();
        var sealer = ledger.Sealer(log);
        await sealer.StartAsync(default);
        var acknowledged = new List<string>();
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 2).Select(writer => Task.Run(() => WriteAsync(ledger, team, anna, writer, acknowledged, stop.Token))).ToList();

        for (var round = 0; round < 12; round++)
        {
            await Task.Delay(150 + (37 * round % 100));
            if (round % 4 == 3)
            {
                await cluster.KillAsync();
                await cluster.StartServerAsync();
            }
            else
            {
                await cluster.SuperuserAsync("postgres", "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'appliance_app'");
            }
        }
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        // One more entry, of after the last crash: only when that is sealed has the sealer met the crash and overcome it. That nothing waits says less:
        // it is true at once where everything was sealed before the crash, while the sealer still pauses, for up to five seconds, until its next try.
        await WriteOnceAsync(ledger, team, anna, "last");
        await SealerTests.Eventually(async () => (await ledger.VerifyAsync(team)) is { Waiting: 0 } && log.Count(LogLevel.Information) == log.Count(LogLevel.Error));
        await sealer.StopAsync(default);

        var actions = await ledger.SealedActionsAsync(team.Value);
        actions.Distinct(StringComparer.Ordinal).Count().ShouldBe(actions.Count);
        acknowledged.Count.ShouldBeGreaterThan(10);
        acknowledged.ShouldBeSubsetOf(actions);
        var report = await ledger.VerifyAsync(team);
        report.Findings.ShouldBeEmpty();
        report.Sealed.ShouldBe(actions.Count);
        log.All.ShouldNotContain(l => l.Level == LogLevel.Critical);
        // Said once for each time it went away, however often it was tried meanwhile.
        log.Count(LogLevel.Error).ShouldBeInRange(1, 12);
        log.Count(LogLevel.Information).ShouldBe(log.Count(LogLevel.Error));
    }

    /// <summary>Until it is acknowledged: pooled connections may still be those that the crash cut.</summary>
    private static Task WriteOnceAsync(LedgerDatabase ledger, TeamId team, UserId anna, string action) => SealerTests.Eventually(async () =>
    {
        try
        {
            await ledger.RecordAsync(team, anna, action);
            return true;
        }
        catch (DatabaseUnavailableException)
        {
            return false;
        }
    });

    private static async Task WriteAsync(LedgerDatabase ledger, TeamId team, UserId anna, int writer, List<string> acknowledged, CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            try
            {
                await ledger.RecordAsync(team, anna, $"{writer}.{i}");
                lock (acknowledged)
                {
                    acknowledged.Add($"{writer}.{i}");
                }
            }
            catch (DatabaseUnavailableException)
            {
                await Task.Delay(20, CancellationToken.None);
            }
        }
    }
}
