using Appliance.Benchmarks;
using Appliance.Tests.TestServers;

// prepare LINK TEAM…: for tests/load, which measures the whole appliance.
if (args is ["prepare", var link, .. var teams])
{
    await LoadPerson.PrepareAsync(link, teams);
    return;
}
// Which to run: sealing, door, ledger; all without an argument.
var table = new Results();
bool Asked(string name) => args.Length == 0 || args.Contains(name, StringComparer.Ordinal);
if (Asked("sealing"))
{
    await SealingBenchmark.RunAsync(table);
}
if (Asked("door") || Asked("ledger"))
{
    var cluster = await PostgresCluster.StartAsync();
    if (Asked("door"))
    {
        await DoorBenchmark.RunAsync(cluster, table);
    }
    if (Asked("ledger"))
    {
        await LedgerBenchmark.RunAsync(cluster, table);
    }
}
table.Print(Console.Out);
