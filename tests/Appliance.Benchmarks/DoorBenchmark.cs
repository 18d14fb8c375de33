using System.Diagnostics;
using Appliance.Tests.TestServers;
using Npgsql;

namespace Appliance.Benchmarks;

/// <summary>
/// What the one door costs: opening a session in a team, one query, and leaving, against the same query on a bare pooled connection
/// (of a role for which no row-level security runs), in the same run and taking turns.
/// </summary>
internal static class DoorBenchmark
{
    private const int Rounds = 4000;

    public static async Task RunAsync(PostgresCluster cluster, Results table)
    {
        var bench = await BenchDatabase.CreateAsync(cluster);
        await using var bare = NpgsqlDataSource.Create($"Host={cluster.Socket};Username=postgres;Database={bench.Name}");
        await using var app = NpgsqlDataSource.Create($"Host={cluster.Socket};Username=appliance_app;Database={bench.Name}");
        List<double> door = [], query = [], transaction = [];
        for (var i = -500; i < Rounds; i++)
        {
            var (a, b, c) = (await TimeAsync(() => ThroughTheDoorAsync(bench)), await TimeAsync(() => BareAsync(bare, bench)), await TimeAsync(() => InTransactionAsync(app, bench)));
            if (i >= 0)
            {
                door.Add(a);
                query.Add(b);
                transaction.Add(c);
            }
        }
        var (d, q, t) = (Results.Median(door), Results.Median(query), Results.Median(transaction));
        table.Add("door: first query through TeamSession (median)", d, "µs");
        table.Add("door: same query, bare connection, no transaction, no row-level security", q, "µs");
        table.Add("door: same query by hand in a transaction with team and user set, row-level security on", t, "µs");
        table.Add("door: TeamSession ÷ bare connection", d / q, "×");
        table.Add("door: TeamSession ÷ the same by hand", d / t, "×");
    }

    private static async Task ThroughTheDoorAsync(BenchDatabase bench)
    {
        await using var session = await bench.Database.ForTeamAsync(bench.Team, bench.User, default);
        await session.SqlAsync<string>($"""select name as "Value" from teams where id = {bench.Team.Value}""", default);
    }

    private static async Task BareAsync(NpgsqlDataSource source, BenchDatabase bench)
    {
        await using var command = source.CreateCommand("select name from teams where id = $1");
        command.Parameters.AddWithValue(bench.Team.Value);
        await command.ExecuteScalarAsync();
    }

    private static async Task InTransactionAsync(NpgsqlDataSource source, BenchDatabase bench)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand(
            $"set local app.team = '{bench.Team}'; set local app.person = '{bench.User}'; select name from teams where id = @id", connection, transaction);
        command.Parameters.AddWithValue("id", bench.Team.Value);
        await command.ExecuteScalarAsync();
    }

    private static async Task<double> TimeAsync(Func<Task> action)
    {
        var start = Stopwatch.GetTimestamp();
        await action();
        return Stopwatch.GetElapsedTime(start).TotalMicroseconds;
    }
}
