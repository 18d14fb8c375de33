using System.Globalization;
using Appliance.Data;
using Appliance.Objects;
using Appliance.Teams;
using Appliance.Web;
using Appliance.Web.Api;
using Microsoft.Net.Http.Headers;

namespace Appliance.Files.Api;

/// <summary>Everything about files under <c>/api/v1/teams/{team}</c>, apart from their bytes' way out and resumable uploads.</summary>
public static class FilesApi
{
    public static void MapFilesApi(this IEndpointRouteBuilder app)
    {
        var team = app.MapApiGroup("/teams/{team}").WithTags("Files").AddEndpointFilter(AnsweredAsync);
        var read = team.MapGroup("").RequireAuthorization(Access.ApiRead);
        var write = team.MapGroup("").RequireAuthorization(Access.ApiWrite);
        EntriesApi.Map(read, write);
        FileContentApi.Map(write);
        TrashApi.Map(read, write);
        VersionsApi.Map(read, write);
        EventsApi.Map(read);
    }

    /// <summary>What the rules refuse becomes an answer with a code; everything unexpected stays an exception.</summary>
    private static async ValueTask<object?> AnsweredAsync(EndpointFilterInvocationContext call, EndpointFilterDelegate next)
    {
        try
        {
            return await next(call);
        }
        catch (EntryNameException refused)
        {
            return ApiProblem.Refused(call.HttpContext, StatusCodes.Status400BadRequest, "bad-name", refused.Message);
        }
        catch (FileRuleException refused)
        {
            var (status, code) = Of(refused.Rule);
            return ApiProblem.Refused(call.HttpContext, status, code, refused.Message);
        }
        catch (UploadException refused)
        {
            var (status, code) = Of(refused.Problem);
            return ApiProblem.Refused(call.HttpContext, status, code, refused.Message);
        }
        catch (ConcurrentChangeException)
        {
            call.HttpContext.Response.Headers.RetryAfter = "1";
            return ApiProblem.Refused(call.HttpContext, StatusCodes.Status503ServiceUnavailable, "try-again", "Somebody changed the same thing at this moment. Nothing was changed; try again.");
        }
        catch (StoreFullException)
        {
            return ApiProblem.Refused(call.HttpContext, StatusCodes.Status507InsufficientStorage, "store-full", "There is no room left in the store. Nothing was stored.");
        }
    }

    private static (int Status, string Code) Of(FileRule rule) => rule switch
    {
        FileRule.EntryGone => (StatusCodes.Status404NotFound, "entry-gone"),
        FileRule.VersionGone => (StatusCodes.Status404NotFound, "version-gone"),
        FileRule.FolderGone => (StatusCodes.Status409Conflict, "folder-gone"),
        FileRule.NameTaken => (StatusCodes.Status409Conflict, "name-taken"),
        FileRule.TooDeep => (StatusCodes.Status409Conflict, "too-deep"),
        FileRule.IntoItself => (StatusCodes.Status409Conflict, "into-itself"),
        FileRule.VersionIsCurrent => (StatusCodes.Status409Conflict, "version-is-current"),
        FileRule.NotAFile => (StatusCodes.Status409Conflict, "not-a-file"),
        FileRule.Changed => (StatusCodes.Status412PreconditionFailed, "changed"),
        // RFC 4918 section 11.5: what cannot be stored because there is no room for it.
        FileRule.QuotaExceeded => (StatusCodes.Status507InsufficientStorage, "quota-exceeded"),
        FileRule.NotAllowed => (StatusCodes.Status403Forbidden, "not-allowed"),
        FileRule.TooMany => (StatusCodes.Status400BadRequest, "too-many"),
        FileRule.BadSearch => (StatusCodes.Status400BadRequest, "bad-search"),
        _ => throw new ArgumentOutOfRangeException(nameof(rule), rule, null),
    };

    private static (int Status, string Code) Of(UploadProblem problem) => problem switch
    {
        UploadProblem.TooLong => (StatusCodes.Status413PayloadTooLarge, "too-long"),
        UploadProblem.Gone => (StatusCodes.Status400BadRequest, "broke-off"),
        UploadProblem.CannotFinish => (StatusCodes.Status409Conflict, "cannot-finish"),
        UploadProblem.Changed => (StatusCodes.Status412PreconditionFailed, "changed"),
        _ => throw new ArgumentOutOfRangeException(nameof(problem), problem, null),
    };

    /// <summary>Runs in the team, for a member; to everybody else there is nothing.</summary>
    internal static async Task<IResult> InTeamAsync(HttpContext context, string team, Func<TeamVisit, Task<IResult>> work)
    {
        await using var visit = await context.RequestServices.GetRequiredService<TeamAccess>().EnterAsync(team, context.User, context.RequestAborted);
        return visit is null ? ApiProblem.NothingHere : await work(visit);
    }

    internal static IResult BadRequest(HttpContext context, string code, string sentence) => ApiProblem.Refused(context, StatusCodes.Status400BadRequest, code, sentence);

    /// <summary>A query's <c>limit</c>.</summary>
    internal static bool TryLimit(int? said, int otherwise, int most, out int limit)
    {
        limit = said ?? otherwise;
        return limit >= 1 && limit <= most;
    }

    internal static IResult BadLimit(HttpContext context, int most) =>
        BadRequest(context, "bad-limit", string.Create(CultureInfo.InvariantCulture, $"“limit” is a number from 1 to {most}."));

    internal static IResult BadCursor(HttpContext context) =>
        BadRequest(context, "bad-cursor", "“after” must be what an answer said as “next”, with the same order. Begin again without it.");

    /// <summary>The entity tag of an entry: not of its content, but of what the API says of it.</summary>
    internal static void Tag(HttpContext context, long revision) =>
        context.Response.Headers.ETag = string.Create(CultureInfo.InvariantCulture, $"\"r{revision}\"");

    /// <summary>
    /// If-Match (RFC 9110 section 13.1.1) on an entry: the revision that the caller saw; null where there is no condition, or <c>*</c>. A tag that no entry
    /// can have is a revision that none has.
    /// </summary>
    internal static bool TryRevision(HttpContext context, out long? revision)
    {
        revision = null;
        if (!TryTags(context, out var tags))
        {
            return false;
        }
        if (tags is null)
        {
            return true;
        }
        var revisions = tags.Select(RevisionOf).OfType<long>().ToList();
        if (revisions.Count > 1)
        {
            return false;
        }
        revision = revisions.Count == 1 ? revisions[0] : 0;
        return true;
    }

    /// <summary>If-Match on a content: the versions that the caller saw; null where there is no condition, or <c>*</c>.</summary>
    internal static bool TryVersions(HttpContext context, out IReadOnlyCollection<Guid>? versions)
    {
        versions = null;
        if (!TryTags(context, out var tags))
        {
            return false;
        }
        versions = tags is null ? null : [.. tags.Select(t => Guid.TryParseExact(t, "N", out var id) ? id : Guid.Empty)];
        return true;
    }

    internal static IResult BadCondition(HttpContext context) =>
        BadRequest(context, "bad-condition", "“If-Match” must be the entity tag that an answer said as “ETag”.");

    private static bool TryTags(HttpContext context, out List<string>? tags)
    {
        tags = null;
        var said = context.Request.Headers.IfMatch;
        if (said.Count == 0 || said is ["*"])
        {
            return true;
        }
        if (!EntityTagHeaderValue.TryParseStrictList([.. said.OfType<string>()], out var parsed))
        {
            return false;
        }
        // Strong comparison: a weak tag matches nothing.
        tags = [.. parsed.Where(t => !t.IsWeak).Select(t => t.Tag.ToString().Trim('"'))];
        return true;
    }

    private static long? RevisionOf(string tag) =>
        tag is ['r', .. var digits] && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var revision) ? revision : null;
}
