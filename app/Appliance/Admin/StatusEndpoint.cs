using System.Diagnostics;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Web;
using Appliance.Web.Tls;

namespace Appliance.Admin;

/// <summary>How the appliance does. Answers also while the database is away: that is when it is asked for.</summary>
internal sealed class OperatorStatus(
    OperatorWork work, Readiness readiness, ServerCertificate certificate, LedgerSealer sealer, Settings settings, ILogger<OperatorWork> logger)
{
    public async Task<StatusAnswer> ReadAsync(HttpContext context)
    {
        Counts? counts = null;
        try
        {
            counts = (await work.LookAsync<Counts>(context, "status", $"""
                select teams as "Teams", people as "People", bytes as "Bytes", files as "Files", database_bytes as "DatabaseBytes",
                       ledger_waiting as "LedgerWaiting", ledger_waiting_since as "LedgerWaitingSince", schema as "Schema" from operator_counts()
                """)).Single();
        }
        catch (Exception e) when (DatabaseErrors.Translate(e) is DatabaseUnavailableException)
        {
            // Nothing of anybody's is told, and the ledger is as far away: the log says who asked.
            AdminLog.Unrecorded(logger, e, context.Operator()!.Name, "status");
        }
        var ready = await readiness.IsReadyAsync(context.RequestAborted);
        var disk = new DriveInfo(settings.DataFolder);
        return new StatusAnswer(
            typeof(ApplianceProgram).Assembly.GetName().Version!.ToString(3), Process.GetCurrentProcess().StartTime.ToUniversalTime(), ready, readiness.Missing, counts, sealer.DamagedTrees,
            certificate.Current.TargetCertificate.NotAfter.ToUniversalTime(), disk.AvailableFreeSpace, disk.TotalSize);
    }

    public sealed record StatusAnswer(
        string Version, DateTime StartedAt, bool Ready, string Missing, Counts? Counts, int DamagedLedgers, DateTime CertificateEnds, long DiskFree, long DiskSize);

    public sealed record Counts(
        long Teams, long People, long Bytes, long Files, long DatabaseBytes, long LedgerWaiting, DateTimeOffset? LedgerWaitingSince, string? Schema);
}

internal static class StatusEndpoint
{
    public static void MapStatus(this IEndpointRouteBuilder admin) =>
        admin.MapGet("/status", async (HttpContext context, OperatorStatus status) => TypedResults.Ok(await status.ReadAsync(context))).Does(AdminActions.Status);
}

internal static partial class AdminLog
{
    [LoggerMessage(EventId = 1305, Level = LogLevel.Warning, Message = "Operator {Name} asked for {Action}; the ledger could not be told, because the database is away.")]
    public static partial void Unrecorded(ILogger logger, Exception error, string name, string action);
}
