using System.Diagnostics;
using System.Text;

namespace Appliance.Tests.TestServers;

/// <summary>Programs that tests start. A server's life hangs on a pipe: when the test process ends, however it ends, so does the server.</summary>
public static class ChildProcess
{
    /// <summary>Kept: the collector would close their pipes.</summary>
    private static readonly System.Collections.Concurrent.ConcurrentBag<Process> s_removers = [];

    public static async Task<string> RunAsync(string program, params string[] arguments)
    {
        var (code, output) = await TryRunAsync(program, arguments);
        return code == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {code}:\n{output}");
    }

    public static async Task<(int Code, string Output)> TryRunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        })!;
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        var output = new StringBuilder(await process.StandardOutput.ReadToEndAsync());
        output.Append(await error);
        await process.WaitForExitAsync();
        return (process.ExitCode, output.ToString());
    }

    /// <summary>
    /// Removes a folder when this process has ended, however it ended: the test runner does not wait for its tests to tidy up, and kills them.
    /// </summary>
    public static void RemoveAtTheEnd(string folder)
    {
        // Until the servers that still write to it are dead, too.
        const string Remover = """cat >/dev/null; for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" 2>/dev/null && exit; sleep 1; done""";
        s_removers.Add(Process.Start(
            new ProcessStartInfo("setsid", ["bash", "-c", Remover, "remover", folder]) { UseShellExecute = false, RedirectStandardInput = true })!);
    }

    /// <summary>Starts a server that is killed (SIGKILL) when this process closes the pipe or dies.</summary>
    public static Process StartServer(string log, string program, params string[] arguments) => StartServer("KILL", log, program, arguments);

    /// <summary>The same for PostgreSQL, which gets SIGQUIT: it ends at once, and leaves no shared memory behind.</summary>
    public static Process StartPostgres(string log, string program, params string[] arguments) => StartServer("QUIT", log, program, arguments);

    private static Process StartServer(string signal, string log, string program, string[] arguments)
    {
        const string Keeper = """signal=$1; log=$2; shift 2; "$@" >>"$log" 2>&1 </dev/null & p=$!; cat >/dev/null; kill -$signal $p 2>/dev/null; wait $p 2>/dev/null""";
        return Process.Start(new ProcessStartInfo("bash", ["-c", Keeper, "keeper", signal, log, program, .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
        })!;
    }
}
