using System.Runtime.InteropServices;
using Appliance.Web.Tls;

namespace Appliance.Web;

/// <summary>
/// Gives memory back to the machine once work has died down. The runtime collects when it allocates, so what a busy hour left, and what the
/// start left, would otherwise stay for as long as little is asked: on a small machine the database could use it. Costs one full collection,
/// some tens of milliseconds, after each busy time and none while there is one.
/// </summary>
internal sealed class IdleMemory(TimeProvider time, ConnectionMemory connections) : BackgroundService
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(2);

    /// <summary>Allocated between two looks: up to here nobody is at work but our own jobs.</summary>
    private const long Quiet = 4 << 20;

    /// <summary>Allocated since the last time: from here on it is worth it.</summary>
    private const long Worth = 32 << 20;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        long before = 0, given = -Worth;
        using var timer = new PeriodicTimer(s_look, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                var allocated = GC.GetTotalAllocatedBytes();
                if (allocated - before < Quiet && allocated - given >= Worth)
                {
                    connections.Release();
                    GiveBack();
                    given = allocated;
                }
                before = allocated;
            }
        }
        catch (OperationCanceledException)
        {
            // The appliance stops.
        }
    }

    private static void GiveBack()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        try
        {
            // What OpenSSL and the runtime itself have freed (malloc_trim(3)).
            _ = Trim(0);
        }
        catch (EntryPointNotFoundException)
        {
            // Another C library than glibc keeps its own house.
        }
    }

    [DllImport("libc", EntryPoint = "malloc_trim"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Trim(nuint pad);
}
