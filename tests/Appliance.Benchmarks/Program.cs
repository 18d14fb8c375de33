using Appliance.Benchmarks;
using Appliance.Tests.TestServers;

var table = new Results();
await SealingBenchmark.RunAsync(table);
var cluster = await PostgresCluster.StartAsync();
await DoorBenchmark.RunAsync(cluster, table);
await LedgerBenchmark.RunAsync(cluster, table);
table.Print(Console.Out);
