using System.Globalization;
using System.Text;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Vault;
using Appliance.Web;
using Appliance.Web.Api;

namespace Appliance.Ledger;

/// <summary>A team's ledger as a file, and the proof of one entry, for its owners; to everybody else there is neither.</summary>
public static class LedgerDownloads
{
    public static void MapLedgerDownloads(this IEndpointRouteBuilder app)
    {
        var ledger = app.MapGroup("/teams/{team}/ledger").RequireAuthorization(Access.SignedIn);
        ledger.MapGet("export", ExportAsync);
        ledger.MapGet("proofs/{index}", ProofAsync);
    }

    private static async Task<IResult> ExportAsync(HttpContext context, string team, string? from, LedgerList list, LedgerExporter exporter, Database database)
    {
        var (person, cancelled) = (context.User.Id(), context.RequestAborted);
        if (await list.FindAsync(team, person, cancelled) is not { } found || !Index(from ?? "0", out var first))
        {
            return TypedResults.StatusCode(StatusCodes.Status404NotFound);
        }
        using var slot = exporter.TryBegin();
        if (slot is null)
        {
            return Busy(context);
        }
        SignedHead? head;
        try
        {
            await using var session = await database.ForTeamAsync(found.Id, person, cancelled);
            head = await exporter.HeadAsync(session, found.Id.Value, cancelled);
            if (head is not null && first <= head.Head.Size)
            {
                session.Record(Exported(first, head), context.Origin());
                await session.CommitAsync(cancelled);
            }
        }
        catch (LedgerDamagedException)
        {
            return Damaged(context);
        }
        if (head is null || first > head.Head.Size)
        {
            return TypedResults.StatusCode(StatusCodes.Status404NotFound);
        }
        Dress(context.Response, $"ledger-{found.Reference}{(first > 0 ? $"-from-{first}" : "")}.jsonl");
        var watch = AccessWatch.Over(context, team);
        await SendAsync(context, exporter.LinesAsync(head, first, () => database.ForTeamAsync(found.Id, person, cancelled), cancelled), MayGoOnAsync);
        return TypedResults.Empty;

        async ValueTask<bool> MayGoOnAsync() => await watch.MayGoOnAsync() && await list.FindAsync(team, person, cancelled) is not null;
    }

    private static async Task<IResult> ProofAsync(HttpContext context, string team, string index, LedgerList list, LedgerExporter exporter, Database database)
    {
        var (person, cancelled) = (context.User.Id(), context.RequestAborted);
        if (await list.FindAsync(team, person, cancelled) is not { } found || !Index(index, out var one))
        {
            return TypedResults.StatusCode(StatusCodes.Status404NotFound);
        }
        try
        {
            await using var session = await database.ForTeamAsync(found.Id, person, cancelled);
            if (await exporter.ProveAsync(session, found.Id.Value, one, cancelled) is not { } proof)
            {
                return TypedResults.StatusCode(StatusCodes.Status404NotFound);
            }
            Dress(context.Response, $"ledger-{found.Reference}-entry-{one}.json");
            return TypedResults.Text(LedgerLines.Proof(proof), "application/json", Encoding.UTF8);
        }
        catch (LedgerDamagedException)
        {
            return Damaged(context);
        }
    }

    /// <summary>The lines as they come; the connection is cut where the person may not go on, or an entry is gone.</summary>
    internal static async Task SendAsync(HttpContext context, IAsyncEnumerable<string> lines, Func<ValueTask<bool>> mayGoOn)
    {
        const int piece = 64 << 10;
        context.Response.ContentType = "application/jsonl";
        var body = context.Response.BodyWriter;
        await foreach (var line in lines)
        {
            Encoding.UTF8.GetBytes(line, body);
            if (body.UnflushedBytes < piece)
            {
                continue;
            }
            if (!await mayGoOn())
            {
                context.Abort();
                return;
            }
            await body.FlushAsync(context.RequestAborted);
        }
        await body.FlushAsync(context.RequestAborted);
    }

    internal static void Dress(HttpResponse response, string name)
    {
        response.Headers.ContentDisposition = $"attachment; filename=\"{name}\"";
        response.Headers.CacheControl = "no-store";
        response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
    }

    internal static LedgerEvent Exported(long from, SignedHead head) => new("ledger.exported", null, new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        ["from"] = from.ToString(CultureInfo.InvariantCulture),
        ["size"] = head.Head.Size.ToString(CultureInfo.InvariantCulture),
    });

    internal static bool Index(string text, out long index) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out index);

    internal static IResult Busy(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "60";
        return ApiProblem.Refused(context, StatusCodes.Status503ServiceUnavailable, "exports-busy", "The appliance makes as many exports at once as it may. Try again in a minute.");
    }

    internal static IResult Damaged(HttpContext context) =>
        ApiProblem.Refused(context, StatusCodes.Status409Conflict, "ledger-damaged", "This ledger is not what was sealed. Verify it: that names what was changed.");
}
