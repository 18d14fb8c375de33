using Appliance.Data;
using Appliance.Files;
using Appliance.Teams;
using Appliance.Web.Api;

namespace Appliance.Admin.BreakGlass;

/// <summary>Break-glass on the operators' port (docs/break-glass.md): nothing here writes to a team's files.</summary>
internal static class BreakGlassEndpoints
{
    /// <summary>How long an open download can outlive its grant.</summary>
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(2);

    public static IServiceCollection AddBreakGlass(this IServiceCollection services) =>
        services.AddSingleton<OperatorBreakGlass>().AddSingleton<BreakGlassCare>().AddHostedService(provider => provider.GetRequiredService<BreakGlassCare>());

    public static void MapBreakGlass(this IEndpointRouteBuilder admin)
    {
        admin.MapGet("/breakglass", async Task<IResult> (HttpContext context, OperatorBreakGlass glass) => TypedResults.Ok(new { grants = await glass.ListAsync(context) })).Does(AdminActions.BreakGlass);
        admin.MapPost("/breakglass", AskAsync).Does(AdminActions.BreakGlass);
        admin.MapPost("/breakglass/{grant}/approve", (string grant, HttpContext context, OperatorBreakGlass glass) => ChangeAsync(grant, context, glass, glass.ApproveAsync)).Does(AdminActions.BreakGlass);
        admin.MapPost("/breakglass/{grant}/end", (string grant, HttpContext context, OperatorBreakGlass glass) => ChangeAsync(grant, context, glass, glass.EndAsync)).Does(AdminActions.BreakGlass);
        admin.MapGet("/breakglass/{grant}/files", ListFilesAsync).Does(AdminActions.BreakGlass);
        admin.MapGet("/breakglass/{grant}/files/{file}", ReadAsync).Does(AdminActions.BreakGlass);
    }

    private static async Task<IResult> AskAsync(Ask ask, HttpContext context, OperatorBreakGlass glass)
    {
        var reason = ask.Reason.Trim();
        if (!OperatorBreakGlass.IsReason(reason) || ask.Hours is < 1 or > OperatorBreakGlass.MostHours)
        {
            return ApiProblem.Refused(
                context, StatusCodes.Status422UnprocessableEntity, "no-reason",
                $"'reason' says in {OperatorBreakGlass.ShortestReason} to {OperatorBreakGlass.LongestReason} characters, on one line, what the team is to know, and 'hours' is 1 to {OperatorBreakGlass.MostHours}.");
        }
        if (!Reference.IsWellFormed(ask.Team))
        {
            return ApiProblem.NothingHere;
        }
        var (outcome, reference) = await glass.AskAsync(context, ask.Team, reason, ask.Hours);
        return await AnswerAsync(context, glass, outcome, reference);
    }

    private static async Task<IResult> ChangeAsync(string grant, HttpContext context, OperatorBreakGlass glass, Func<HttpContext, string, Task<string?>> change) =>
        Reference.IsWellFormed(grant) ? await AnswerAsync(context, glass, await change(context, grant), grant) : ApiProblem.NothingHere;

    private static async Task<IResult> AnswerAsync(HttpContext context, OperatorBreakGlass glass, string? outcome, string reference) => outcome switch
    {
        null => ApiProblem.NothingHere,
        "asked" or "approved" or "ended" => await glass.FindAsync(context, reference) is [var grant] ? TypedResults.Ok(grant) : ApiProblem.NothingHere,
        "too-many" => ApiProblem.Refused(context, StatusCodes.Status409Conflict, outcome, "Three wait for this team's answer already. End one, or wait."),
        "too-often" => ApiProblem.Refused(context, StatusCodes.Status409Conflict, outcome, "This team was asked ten times within a day."),
        "own-key" => ApiProblem.Refused(context, StatusCodes.Status403Forbidden, outcome, "This key asked for it. Another operator approves, with a key of their own."),
        "own-name" => ApiProblem.Refused(context, StatusCodes.Status403Forbidden, outcome, "Who asked for it has this name. Another operator approves."),
        "too-early" => ApiProblem.Refused(context, StatusCodes.Status409Conflict, outcome, "The team's owners still have time to answer. 'breakglass list' says until when."),
        "over" => ApiProblem.Refused(context, StatusCodes.Status409Conflict, outcome, "It is over: answered, withdrawn, lapsed or ended."),
        _ => throw new InvalidOperationException($"The database answered '{outcome}'."),
    };

    private static async Task<IResult> ListFilesAsync(string grant, string? folder, string? after, HttpContext context, OperatorBreakGlass glass)
    {
        var start = PageStart.Parse(after);
        if (!Reference.IsWellFormed(grant) || (folder is not null && !Reference.IsWellFormed(folder)) || (after is not null && start?.Order != ListOrder.ByName))
        {
            return ApiProblem.NothingHere;
        }
        if (await glass.FilesAsync(context, grant, folder, start) is not [var here, .. var entries])
        {
            return await WhyNotAsync(context, glass, grant, "list");
        }
        var more = entries.Count > OperatorBreakGlass.PageSize;
        var page = more ? entries[..OperatorBreakGlass.PageSize] : entries;
        return TypedResults.Ok(new Listed(here.Name, [.. page.Select(e => new ListedFile(e.Reference!, e.Kind, e.Name, e.Size, e.ModifiedAt!.Value))], more ? PageStart.AfterName(page[^1].Kind == Entry.Folder, page[^1].NameKey).ToString() : null));
    }

    /// <summary>The entries are committed before a byte is sent; while it is sent the grant is looked at again and again, whether the reader takes what is sent or not.</summary>
    private static async Task<IResult> ReadAsync(string grant, string file, HttpContext context, OperatorBreakGlass glass)
    {
        if (!Reference.IsWellFormed(grant) || !Reference.IsWellFormed(file))
        {
            return ApiProblem.NothingHere;
        }
        if (await glass.ContentAsync(context, grant, file) is not { } found)
        {
            return await WhyNotAsync(context, glass, grant, "read");
        }
        using var sent = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        var guard = GuardAsync(context, glass, grant, sent.Token);
        try
        {
            await ContentResponse.SendAsync(context, found.Content, found.Segments, Dress, new AccessWatch(TimeProvider.System, () => Task.FromResult(true)));
        }
        finally
        {
            await sent.CancelAsync();
            await guard;
        }
        return TypedResults.Empty;
    }

    private static bool Dress(HttpResponse response, StoredContent content)
    {
        response.Headers.CacheControl = "no-store";
        return DownloadEndpoints.AsAttachment(response, content);
    }

    /// <summary>Cuts the connection once the grant is over; where that cannot be known, too.</summary>
    private static async Task GuardAsync(HttpContext context, OperatorBreakGlass glass, string grant, CancellationToken sent)
    {
        try
        {
            do
            {
                await Task.Delay(s_look, sent);
            }
            while (await glass.StandingAsync(context, grant, sent) == BreakGlassGrant.Active);
        }
        catch (Exception) when (sent.IsCancellationRequested)
        {
            // All of it was sent, or the reader has gone.
        }
        catch (Exception e) when (DatabaseErrors.Translate(e) is DatabaseUnavailableException or ForbiddenByDatabaseException)
        {
            // Cut, below.
        }
        finally
        {
            if (!sent.IsCancellationRequested)
            {
                context.Abort();
            }
        }
    }

    private static async Task<IResult> WhyNotAsync(HttpContext context, OperatorBreakGlass glass, string grant, string what)
    {
        var standing = await glass.StandingAsync(context, grant, context.RequestAborted);
        if (standing is null or BreakGlassGrant.Active)
        {
            return ApiProblem.NothingHere;
        }
        await glass.RefusedAsync(context, what, grant, standing);
        return standing switch
        {
            "other-key" => ApiProblem.Refused(context, StatusCodes.Status403Forbidden, standing, "It belongs to the key that asked for it, and this is another."),
            BreakGlassGrant.Asked => ApiProblem.Refused(context, StatusCodes.Status409Conflict, "not-answered", "Nobody has answered yet."),
            _ => ApiProblem.Refused(context, StatusCodes.Status409Conflict, "over", "It is over: refused, withdrawn, lapsed or ended."),
        };
    }

    /// <param name="Team">The team's reference.</param>
    /// <param name="Reason">What the team is told.</param>
    /// <param name="Hours">For how long, from the answer on.</param>
    private sealed record Ask(string Team, string Reason, int Hours = 4);

    private sealed record Listed(string Folder, IReadOnlyList<ListedFile> Files, string? Next);

    private sealed record ListedFile(string Reference, string Kind, string Name, long? Size, DateTimeOffset ModifiedAt);
}
