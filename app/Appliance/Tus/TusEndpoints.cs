using System.Globalization;
using Appliance.Files;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Web;
using Appliance.Web.Api;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Tus;

/// <summary>
/// tus 1.0, core protocol and the extensions creation, creation-with-upload, checksum, termination and expiration
/// (https://tus.io/protocols/resumable-upload). A thin adapter over <see cref="Uploads"/>; quoted words are the specification's.
/// </summary>
public static class TusEndpoints
{
    public static void MapTus(this IEndpointRouteBuilder app)
    {
        var tus = app.MapApiGroup("/teams/{team}/uploads").RequireRateLimiting(RateLimits.Uploads).AddEndpointFilter(CheckAsync).WithTags("Resumable uploads");
        // Bodies are as long as files: what a file may have is checked against what was announced.
        var noLimit = new DisableRequestSizeLimitAttribute();
        tus.MapMethods("", [HttpMethods.Options], Options).RequireAuthorization(Access.ApiRead).WithSummary("What this server speaks of tus 1.0.");
        tus.MapMethods("{upload}", [HttpMethods.Options], Options).RequireAuthorization(Access.ApiRead).WithSummary("What this server speaks of tus 1.0.");
        tus.MapPost("", CreateAsync).RequireAuthorization(Access.ApiWrite).WithMetadata(noLimit).WithSummary("Announces an upload (tus 1.0, creation).");
        tus.MapMethods("{upload}", [HttpMethods.Head], HeadAsync).RequireAuthorization(Access.ApiRead).WithSummary("Where an upload stands.");
        tus.MapPatch("{upload}", PatchAsync).RequireAuthorization(Access.ApiWrite).WithMetadata(noLimit).WithSummary("Sends bytes that go on where the upload stands.");
        tus.MapDelete("{upload}", DeleteAsync).RequireAuthorization(Access.ApiWrite).WithSummary("Cancels an upload (tus 1.0, termination).");
    }

    /// <summary>"Headers", Tus-Resumable: on every request but OPTIONS and every answer; another version is 412, before anything is done.</summary>
    private static async ValueTask<object?> CheckAsync(EndpointFilterInvocationContext call, EndpointFilterDelegate next)
    {
        var (request, response) = (call.HttpContext.Request, call.HttpContext.Response);
        response.Headers[TusHeaders.Resumable] = TusHeaders.Version;
        response.Headers.CacheControl = "no-store"; // "HEAD": MUST; of the others nothing should be kept either
        // What a request does must stand in its method, where the antiforgery check and the access log see it.
        if (request.Headers.ContainsKey(TusHeaders.MethodOverride))
        {
            return TusErrors.Refused(StatusCodes.Status400BadRequest, "Not taken", $"{TusHeaders.MethodOverride} is not supported: send the method itself.");
        }
        if (!HttpMethods.IsOptions(request.Method) && request.Headers[TusHeaders.Resumable] != TusHeaders.Version)
        {
            response.Headers["Tus-Version"] = TusHeaders.Version;
            return TusErrors.Refused(StatusCodes.Status412PreconditionFailed, "Another version of tus", $"This server speaks tus {TusHeaders.Version}.");
        }
        return await next(call);
    }

    /// <summary>"OPTIONS": what this server can do; the same for every address.</summary>
    private static NoContent Options(HttpResponse response, FileLimits limits)
    {
        response.Headers["Tus-Version"] = TusHeaders.Version;
        response.Headers["Tus-Extension"] = TusHeaders.Extensions;
        response.Headers["Tus-Max-Size"] = Text(limits.MaxFileBytes);
        response.Headers["Tus-Checksum-Algorithm"] = string.Join(',', BodyChecksum.Algorithms);
        return TypedResults.NoContent();
    }

    /// <summary>"Creation" and "Creation With Upload".</summary>
    private static Task<IResult> CreateAsync(HttpContext context, string team, TeamAccess access, Uploads uploads) =>
        TusErrors.AnsweredAsync(context, async () =>
        {
            var (request, response, cancelled) = (context.Request, context.Response, context.RequestAborted);
            if (request.Headers.ContainsKey(TusHeaders.DeferLength) || !TusHeaders.TryNumber(request.Headers[TusHeaders.Length], out var length))
            {
                return Malformed($"{TusHeaders.Length} must say how many bytes will come; {TusHeaders.DeferLength} is not supported.");
            }
            if (!TusHeaders.TryMetadata(request.Headers[TusHeaders.Metadata], out var metadata))
            {
                return Malformed($"{TusHeaders.Metadata} is not as tus 1.0 says.");
            }
            var hasBody = request.ContentLength is not (null or 0) || request.Headers.TransferEncoding.Count > 0 || (request.ContentLength is null && request.ContentType is not null);
            if (hasBody && request.ContentType != TusHeaders.ContentType)
            {
                return WrongType();
            }
            if (hasBody && request.ContentLength > length)
            {
                return TusErrors.Refused(StatusCodes.Status413PayloadTooLarge, "This upload cannot begin", "More bytes would come than were announced.");
            }
            using var checksum = TusHeaders.ReadChecksum(request.Headers[TusHeaders.Checksum]);
            if (checksum is null && request.Headers.ContainsKey(TusHeaders.Checksum))
            {
                return UnknownChecksum();
            }
            var conflict = metadata.GetValueOrDefault("conflict") ?? Upload.NewVersion;
            if (conflict is not (Upload.NewVersion or Upload.KeepBoth or Upload.Refuse))
            {
                return Malformed("The metadata “conflict” is version, keep-both or refuse.");
            }
            Upload upload;
            await using (var visit = await access.EnterAsync(team, context.User, cancelled))
            {
                if (visit is null)
                {
                    return TypedResults.StatusCode(StatusCodes.Status404NotFound);
                }
                var folder = metadata.GetValueOrDefault("folder") is { Length: > 0 } said ? said : null;
                upload = await uploads.CreateAsync(visit, new NewUpload(folder, metadata.GetValueOrDefault("filename"), length, conflict), context.Origin(), cancelled);
            }
            response.Headers.Location = $"{ApiRoutes.Base}/teams/{team}/uploads/{upload.Reference}";
            response.Headers[TusHeaders.Expires] = Date(upload.ExpiresAt);
            var offset = hasBody && length > 0 ? await uploads.ReceiveAsync(upload, 0, request.BodyReader, checksum, context.Origin(), cancelled) : 0;
            if (hasBody)
            {
                response.Headers[TusHeaders.Offset] = Text(offset);
            }
            return TypedResults.StatusCode(StatusCodes.Status201Created);
        });

    /// <summary>"HEAD": where the upload stands.</summary>
    private static Task<IResult> HeadAsync(HttpContext context, string team, string upload, TeamAccess access, Uploads uploads) =>
        TusErrors.AnsweredAsync(context, async () =>
        {
            await using var visit = await access.EnterAsync(team, context.User, context.RequestAborted);
            if (visit is null || await uploads.ResumeAsync(visit, upload, context.Origin(), context.RequestAborted) is not { } found)
            {
                return TypedResults.StatusCode(StatusCodes.Status404NotFound);
            }
            context.Response.Headers[TusHeaders.Offset] = Text(found.Received);
            context.Response.Headers[TusHeaders.Length] = Text(found.Length);
            context.Response.Headers[TusHeaders.Expires] = Date(found.ExpiresAt);
            return TypedResults.StatusCode(StatusCodes.Status200OK);
        });

    /// <summary>"PATCH": bytes that go on where the upload stands.</summary>
    private static Task<IResult> PatchAsync(HttpContext context, string team, string upload, TeamAccess access, Uploads uploads, FileLimits limits, TimeProvider time) =>
        TusErrors.AnsweredAsync(context, async () =>
        {
            var (request, response, cancelled) = (context.Request, context.Response, context.RequestAborted);
            if (request.ContentType != TusHeaders.ContentType)
            {
                return WrongType();
            }
            if (!TusHeaders.TryNumber(request.Headers[TusHeaders.Offset], out var offset))
            {
                return Malformed($"{TusHeaders.Offset} must say where the bytes go on.");
            }
            using var checksum = TusHeaders.ReadChecksum(request.Headers[TusHeaders.Checksum]);
            if (checksum is null && request.Headers.ContainsKey(TusHeaders.Checksum))
            {
                return UnknownChecksum();
            }
            Upload? found;
            await using (var visit = await access.EnterAsync(team, context.User, cancelled))
            {
                if (visit is null || (found = await uploads.FindAsync(visit, upload, cancelled)) is null)
                {
                    return TypedResults.StatusCode(StatusCodes.Status404NotFound);
                }
            }
            // Known before a byte is taken: nothing of it is kept.
            if (offset == found.Received && request.ContentLength > found.Length - offset)
            {
                throw new UploadException(UploadProblem.TooLong, "More bytes would come than were announced.");
            }
            var stands = await uploads.ReceiveAsync(found, offset, request.BodyReader, checksum, context.Origin(), cancelled);
            response.Headers[TusHeaders.Offset] = Text(stands);
            response.Headers[TusHeaders.Expires] = Date(time.GetUtcNow() + limits.UploadLifetime);
            return TypedResults.NoContent();
        });

    /// <summary>"Termination".</summary>
    private static Task<IResult> DeleteAsync(HttpContext context, string team, string upload, TeamAccess access, Uploads uploads) =>
        TusErrors.AnsweredAsync(context, async () =>
        {
            await using var visit = await access.EnterAsync(team, context.User, context.RequestAborted);
            if (visit is null || await uploads.FindAsync(visit, upload, context.RequestAborted) is not { } found)
            {
                return TypedResults.StatusCode(StatusCodes.Status404NotFound);
            }
            await uploads.TerminateAsync(visit, found, context.RequestAborted);
            return TypedResults.NoContent();
        });

    private static IResult Malformed(string detail) => TusErrors.Refused(StatusCodes.Status400BadRequest, "Not as tus 1.0 says", detail);

    private static IResult UnknownChecksum() =>
        Malformed($"{TusHeaders.Checksum} must be one of {string.Join(", ", BodyChecksum.Algorithms)} and a value in Base64.");

    private static IResult WrongType() =>
        TusErrors.Refused(StatusCodes.Status415UnsupportedMediaType, "Not as tus 1.0 says", $"Bytes are sent as {TusHeaders.ContentType}.");

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>RFC 9110 section 5.6.7.</summary>
    private static string Date(DateTimeOffset time) => time.UtcDateTime.ToString("R", CultureInfo.InvariantCulture);
}
