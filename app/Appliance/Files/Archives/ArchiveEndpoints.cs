using System.Globalization;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Objects;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Vault;
using Appliance.Web;
using Appliance.Web.Api;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Appliance.Files;

/// <summary>
/// Files and folders as one ZIP, streamed: <c>GET /api/v1/teams/{team}/archive?entry=…</c> for some, and <c>POST</c> with a form of fields <c>entry</c> for
/// more than an address can name.
/// </summary>
public static class ArchiveEndpoints
{
    /// <summary>Entries that an address may name.</summary>
    public const int MostInAddress = 100;

    /// <summary>Entries that a form may name.</summary>
    public const int MostInForm = 2000;

    public static void MapArchives(this IEndpointRouteBuilder app)
    {
        var archive = app.MapApiGroup("/teams/{team}/archive").RequireAuthorization(Access.ApiRead).WithTags("Content");
        archive.MapGet("", (HttpContext context, string team) => SendAsync(context, team, context.Request.Query["entry"], MostInAddress))
            .WithSummary("Files and folders (entry=…, up to 100) as one ZIP.");
        archive.MapPost("", async (HttpContext context, string team) =>
        {
            if (!context.Request.HasFormContentType)
            {
                context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
                return;
            }
            var form = await context.Request.ReadFormAsync(context.RequestAborted);
            await SendAsync(context, team, form["entry"], MostInForm);
        }).WithSummary("The same for more entries, as fields of a form.");
    }

    private static async Task SendAsync(HttpContext context, string team, StringValues entries, int most)
    {
        var (response, cancelled, services) = (context.Response, context.RequestAborted, context.RequestServices);
        var (place, reached) = services.GetRequiredService<ArchiveSlots>().Enter(context.User.Id());
        if (place is null)
        {
            await Busy(context, reached).ExecuteAsync(context);
            return;
        }
        using var held = place;
        ArchivePlan? plan = null;
        ZipWriter zip;
        TeamId ofTeam;
        UserId person;
        await using (var visit = await services.GetRequiredService<TeamAccess>().EnterAsync(team, context.User, cancelled))
        {
            if (visit is not null && (entries.Count == 0 || entries.Count > most))
            {
                await ApiProblem.Refused(context, StatusCodes.Status400BadRequest, "archive-entries", $"Name 1 to {most} entries; a folder brings everything in it.").ExecuteAsync(context);
                return;
            }
            try
            {
                plan = visit is null ? null : await ArchiveItems.FindAsync(visit.Session, [.. entries.Select(e => e ?? "")], services.GetRequiredService<FileLimits>().ArchiveEntries, cancelled);
            }
            catch (ArchiveTooLargeException refused)
            {
                await ApiProblem.Refused(context, StatusCodes.Status422UnprocessableEntity, "archive-too-large", refused.Message).ExecuteAsync(context);
                return;
            }
            if (plan is null)
            {
                response.StatusCode = StatusCodes.Status404NotFound;
                return;
            }
            zip = new ZipWriter(plan.Items);
            (ofTeam, person) = (visit!.Team, visit.Person);
            visit.Session.Record(Happened(plan, zip), context.Origin());
            await visit.Session.CommitAsync(cancelled);
            Dress(response, zip, plan.Items.Count(i => i.Parent < 0) == 1 ? plan.Items[0].Name : visit.Name);
        }
        await using var content = new ArchiveContent(services.GetRequiredService<Database>(), services.GetRequiredService<SealedObjects>(), ofTeam, person, plan);
        var watch = AccessWatch.Over(context, team);
        await zip.WriteAsync(response.BodyWriter, content, watch.MayGoOnAsync, cancelled);
    }

    /// <summary>429 for what the person can change (RFC 6585 section 4), 503 for what they cannot (RFC 9110 section 15.6.4).</summary>
    internal static IResult Busy(HttpContext context, ArchiveBound reached)
    {
        context.Response.Headers.RetryAfter = ArchiveSlots.RetryAfter.TotalSeconds.ToString(CultureInfo.InvariantCulture);
        return reached == ArchiveBound.Person
            ? ApiProblem.Refused(context, StatusCodes.Status429TooManyRequests, "archives-of-person", "You download as many ZIP files at once as one person may. They go on. Wait for one to end, or cancel one, then try again.")
            : ApiProblem.Refused(context, StatusCodes.Status503ServiceUnavailable, "archives-busy", "The appliance makes as many ZIP files at once as it may. Nothing was lost. Try again in a minute, or download single files: they do not wait.");
    }

    internal static void Dress(HttpResponse response, ZipWriter zip, string name)
    {
        var disposition = new ContentDispositionHeaderValue("attachment");
        disposition.SetHttpFileName(string.Concat(name.Where(c => c is not ('/' or '\\'))) + ".zip");
        response.GetTypedHeaders().ContentDisposition = disposition;
        response.ContentType = "application/zip";
        response.ContentLength = zip.Length;
        response.Headers.AcceptRanges = "none";
        response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
    }

    private static LedgerEvent Happened(ArchivePlan plan, ZipWriter zip) =>
        new("archive.downloaded", null, new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["entries"] = plan.Items.Count.ToString(CultureInfo.InvariantCulture),
            ["bytes"] = zip.Length.ToString(CultureInfo.InvariantCulture),
        });
}
