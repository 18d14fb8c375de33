using Appliance.Data;
using Appliance.Ledger;
using Appliance.Web;
using Appliance.Web.Tls;

namespace Appliance.Admin;

/// <summary>Whether what was configured works now: each point by itself, with what to do about it. Tells no secret, and no value but names of files and hosts.</summary>
internal sealed class ConfigCheck(
    Settings settings, OperatorKeys keys, Readiness readiness, ServerCertificate certificate, Database database, OperatorDatabase operators, TimeProvider time)
{
    /// <summary>A certificate that ends sooner is a problem.</summary>
    private static readonly TimeSpan s_soon = TimeSpan.FromDays(14);

    public async Task<IReadOnlyList<ConfigPoint>> RunAsync(CancellationToken cancellationToken)
    {
        var ready = await readiness.IsReadyAsync(cancellationToken);
        return
        [
            new("readiness", ready, ready ? "Database, object store and keys answer." : $"Away: {readiness.Missing}."),
            new("operator-keys", keys.Problems.Count == 0, keys.Problems.Count == 0 ? $"{keys.Count} allowed." : string.Join(' ', keys.Problems)),
            await OperatorsAsync(cancellationToken),
            Certificate(),
            await ClockAsync(cancellationToken),
            Files("mail", settings.Mail is null ? "None: no alerts, no links for a new password." : $"By {settings.Mail.Host}.", settings.Mail?.Problems()),
            Files("text-messages", settings.Sms is null ? "None." : "By a gateway.", settings.Sms?.Problems()),
            Files("database-tls", settings.DatabaseTls is null ? "A Unix socket." : "Verified both ways.", settings.DatabaseTls?.Problems()),
            new("quota", true, settings.TeamQuotaGibibytes is null && settings.TeamQuotaFiles is null ? "Teams have no limit of their own accord." : "Teams have a limit by default."),
        ];
    }

    private static ConfigPoint Files(string name, string well, IEnumerable<string>? problems)
    {
        var found = string.Join(' ', problems ?? []);
        return new ConfigPoint(name, found.Length == 0, found.Length == 0 ? well : found);
    }

    private async Task<ConfigPoint> OperatorsAsync(CancellationToken cancellationToken)
    {
        const string Name = "operators-role";
        try
        {
            await using var session = await operators.OpenAsync(cancellationToken);
            await session.SqlAsync<long>($"""select teams as "Value" from operator_counts()""", cancellationToken);
            return new ConfigPoint(Name, true, "The database lets appliance_operator in.");
        }
        catch (Exception e) when (DatabaseErrors.Translate(e) is DatabaseUnavailableException or ForbiddenByDatabaseException)
        {
            return new ConfigPoint(Name, false, "The database does not let appliance_operator in. Run roles.sql again, and let it in as appliance_app is (docs/operators.md).");
        }
    }

    private ConfigPoint Certificate()
    {
        var ends = certificate.Current.TargetCertificate.NotAfter.ToUniversalTime();
        return new ConfigPoint("certificate", ends - time.GetUtcNow().UtcDateTime > s_soon, $"{(settings.CertificateFile is null ? "The appliance's own" : "Yours")}, until {ends:yyyy-MM-dd}.");
    }

    private async Task<ConfigPoint> ClockAsync(CancellationToken cancellationToken)
    {
        const string Name = "clock";
        try
        {
            var problem = await ClockCheck.AskAsync(database, time, cancellationToken);
            return new ConfigPoint(Name, problem is null, problem ?? "Not behind what was written before.");
        }
        catch (Exception e) when (DatabaseErrors.Translate(e) is DatabaseUnavailableException)
        {
            return new ConfigPoint(Name, false, "Could not be compared: the database is away.");
        }
    }
}

/// <param name="Check">What was looked at.</param>
/// <param name="Ok">Whether it works.</param>
/// <param name="Detail">A sentence for people.</param>
internal sealed record ConfigPoint(string Check, bool Ok, string Detail);

internal static class ConfigEndpoint
{
    public static void MapConfig(this IEndpointRouteBuilder admin) => admin.MapGet("/config", AnswerAsync).Does(AdminActions.Config);

    private static async Task<IResult> AnswerAsync(HttpContext context, OperatorWork work, ConfigCheck check, ILogger<OperatorWork> logger)
    {
        try
        {
            await work.RecordAsync(context, new LedgerEvent("operator.looked", null, OperatorWork.Details(("what", "config"))));
        }
        catch (Exception e) when (DatabaseErrors.Translate(e) is DatabaseUnavailableException)
        {
            // As for the status: this is what finds out why.
            AdminLog.Unrecorded(logger, e, context.Operator()!.Name, "config");
        }
        var points = await check.RunAsync(context.RequestAborted);
        return TypedResults.Ok(new { ok = points.All(point => point.Ok), checks = points });
    }
}
