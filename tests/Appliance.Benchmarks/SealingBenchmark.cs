using System.Diagnostics;
using System.Globalization;
using Appliance.Vault;

namespace Appliance.Benchmarks;

/// <summary>Sealing and opening on one thread, against what OpenSSL's own AES-256-GCM does with blocks of the same size on this machine.</summary>
internal static class SealingBenchmark
{
    private const int Chunks = 4096; // 256 MiB

    public static async Task RunAsync(Results table)
    {
        var folder = Directory.CreateTempSubdirectory("appliance-bench-").FullName;
        var keyFile = Path.Combine(folder, "appliance.key");
        FileKeyProvider.Create(keyFile);
        using (var provider = FileKeyProvider.Open(keyFile))
        using (var keys = new TeamKeys(provider, Path.Combine(folder, "teams")))
        {
            var team = TeamId.New();
            keys.Create(team);
            var sealer = new ObjectSealer(keys);
            Measure(sealer, team); // warm
            var (seal, open) = Measure(sealer, team);
            var openssl = await OpenSslAsync();
            table.Add("sealing, one thread", seal, "MB/s");
            table.Add("opening, one thread", open, "MB/s");
            table.Add("openssl speed -elapsed -evp aes-256-gcm -bytes 65536", openssl, "MB/s");
            table.Add("sealing ÷ openssl", seal / openssl, "×");
            table.Add("opening ÷ openssl", open / openssl, "×");
        }
        Directory.Delete(folder, recursive: true);
    }

    private static (double Seal, double Open) Measure(ObjectSealer sealer, TeamId team)
    {
        var plain = new byte[SealedFormat.ChunkSize];
        var opened = new byte[SealedFormat.ChunkSize];
        var chunk = new byte[SealedFormat.SealedChunkSize];
        var id = ObjectId.New();
        using var sealing = sealer.Seal(team, id);
        using var opening = sealer.Open(team, id, sealing.Header.Span);
        TimeSpan seal = default, open = default;
        for (var i = 0; i < Chunks; i++)
        {
            var start = Stopwatch.GetTimestamp();
            sealing.SealChunk(plain, i == Chunks - 1, chunk);
            seal += Stopwatch.GetElapsedTime(start);
            start = Stopwatch.GetTimestamp();
            opening.OpenChunk(i, chunk, i == Chunks - 1, opened);
            open += Stopwatch.GetElapsedTime(start);
        }
        const double Megabytes = Chunks * (double)SealedFormat.ChunkSize / 1e6;
        return (Megabytes / seal.TotalSeconds, Megabytes / open.TotalSeconds);
    }

    /// <summary>Without -elapsed it would count processor time, which on a busy machine is not comparable with ours. The last line of its report ends in thousands of bytes for each second: "aes-256-gcm 4512345.09k".</summary>
    private static async Task<double> OpenSslAsync()
    {
        using var process = Process.Start(new ProcessStartInfo("openssl", ["speed", "-elapsed", "-seconds", "3", "-bytes", "65536", "-evp", "aes-256-gcm"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await error;
        await process.WaitForExitAsync();
        var figure = output.TrimEnd().Split(' ')[^1].TrimEnd('k');
        return double.Parse(figure, CultureInfo.InvariantCulture) / 1000;
    }
}
