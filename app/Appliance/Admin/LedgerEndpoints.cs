using Appliance.Data;
using Appliance.Ledger;
using Appliance.Vault;
using Appliance.Web.Api;

namespace Appliance.Admin;

/// <summary>Verifying the ledger. The appliance's own jobs read it, as when a team's owner asks; the operator gets the verdict, numbers and times, and entries of the appliance's own tree alone, where the key may have those.</summary>
internal static class LedgerEndpoints
{
    public static void MapLedger(this IEndpointRouteBuilder admin)
    {
        admin.MapPost("/ledger/verify", VerifyAsync).Does(AdminActions.Ledger);
        admin.MapGet("/ledger/heads", HeadsAsync).Does(AdminActions.Ledger);
        admin.MapGet("/ledger/export", ExportAsync).Does(AdminActions.LedgerExport);
    }

    private static async Task<IResult> VerifyAsync(HttpContext context, OperatorWork work, LedgerCheck check, Database database, string? tree)
    {
        using var turn = check.TryBegin();
        if (turn is null)
        {
            return ApiProblem.Refused(context, StatusCodes.Status409Conflict, "busy", "The ledger is being verified already. Try again when that is done.");
        }
        if (await SelectAsync(database, tree, context.RequestAborted) is not { Count: > 0 } trees)
        {
            return ApiProblem.NothingHere;
        }
        await work.RecordAsync(context, new LedgerEvent("operator.looked", tree, OperatorWork.Details(("what", "ledger"))));
        var verdicts = new List<Verdict>();
        foreach (var one in trees)
        {
            var report = await check.Verification.VerifyAsync(one.Id, [], context.RequestAborted);
            verdicts.Add(new Verdict(one.Name, report.Intact, report.Sealed, report.Waiting, report.Heads, [.. report.Findings.Select(f => f.What)], report.MoreFindings));
        }
        return TypedResults.Ok(new { intact = verdicts.All(v => v.Intact), trees = verdicts });
    }

    /// <summary>A line for each tree, as <c>ledger heads</c> at the machine prints them: to be kept elsewhere.</summary>
    private static async Task<IResult> HeadsAsync(HttpContext context, OperatorWork work, LedgerCheck check, LedgerKeys keys, Database database)
    {
        await work.RecordAsync(context, new LedgerEvent("operator.looked", null, OperatorWork.Details(("what", "ledger-heads"))));
        var lines = new List<string>();
        foreach (var tree in await database.LedgerTreesAsync(context.RequestAborted))
        {
            if (await check.Verification.LatestHeadAsync(tree.Id, context.RequestAborted) is { } head && keys.Verify(head))
            {
                lines.Add(head.ToJson() + "\n");
            }
        }
        return TypedResults.Text(string.Concat(lines), "application/jsonl");
    }

    /// <summary>The appliance's own tree, whatever is asked for: no parameter names another.</summary>
    private static async Task<IResult> ExportAsync(HttpContext context, OperatorWork work, LedgerExporter exporter, Database database, string? from)
    {
        var cancelled = context.RequestAborted;
        if (!LedgerDownloads.Index(from ?? "0", out var first))
        {
            return ApiProblem.NothingHere;
        }
        using var slot = exporter.TryBegin();
        if (slot is null)
        {
            return LedgerDownloads.Busy(context);
        }
        try
        {
            SignedHead? head;
            await using (var session = await database.ForApplianceAsync(cancelled))
            {
                head = await exporter.HeadAsync(session, LedgerAppend.ApplianceTree, cancelled);
            }
            if (head is null || first > head.Head.Size)
            {
                return ApiProblem.NothingHere;
            }
            await work.RecordAsync(context, LedgerDownloads.Exported(first, head) with { Action = "operator.ledger-exported" });
            LedgerDownloads.Dress(context.Response, "ledger-appliance.jsonl");
            await LedgerDownloads.SendAsync(context, exporter.LinesAsync(head, first, () => database.ForApplianceAsync(cancelled), cancelled), () => ValueTask.FromResult(true));
            return TypedResults.Empty;
        }
        catch (LedgerDamagedException) when (!context.Response.HasStarted)
        {
            return LedgerDownloads.Damaged(context);
        }
    }

    private static async Task<IReadOnlyList<LedgerTree>> SelectAsync(Database database, string? name, CancellationToken cancellationToken)
    {
        var trees = await database.LedgerTreesAsync(cancellationToken);
        return name is null ? trees : [.. trees.Where(tree => tree.Name == name)];
    }

    private sealed record Verdict(string Tree, bool Intact, long Sealed, long Waiting, long Heads, IReadOnlyList<string> Findings, long MoreFindings);
}

/// <summary>One verification at a time: it reads everything.</summary>
internal sealed class LedgerCheck(LedgerVerification verification) : IDisposable
{
    private readonly SemaphoreSlim _one = new(1);

    public LedgerVerification Verification => verification;

    /// <summary>Dispose it when done; null: somebody is at it.</summary>
    public IDisposable? TryBegin() => _one.Wait(0) ? new Turn(_one) : null;

    public void Dispose() => _one.Dispose();

    private sealed class Turn(SemaphoreSlim one) : IDisposable
    {
        public void Dispose() => one.Release();
    }
}
