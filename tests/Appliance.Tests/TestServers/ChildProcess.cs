using System.Diagnostics;
using System.Text;

namespace Appliance.Tests.TestServers;

/// <summary>Programs that tests start. A server's life hangs on a pipe: when the test process ends, however it ends, so does the server.</summary>
internal static class ChildProcess
{
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

    /// <summary>Starts a server that is killed when this process closes the pipe or dies.</summary>
    public static Process StartServer(string log, string program, params string[] arguments)
    {
        const string Keeper = """log=$1; shift; "$@" >>"$log" 2>&1 </dev/null & p=$!; cat >/dev/null; kill -KILL $p 2>/dev/null; wait $p""";
        return Process.Start(new ProcessStartInfo("bash", ["-c", Keeper, "keeper", log, program, .. arguments]) 
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
        })!;
    }
}
