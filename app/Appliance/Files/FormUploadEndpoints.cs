using System.IO.Pipelines;
using System.Text;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Web;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Appliance.Files;

/// <summary>
/// Uploading without script: a form posted to <c>/teams/{team}/upload/{folder?}</c>. Its files are streamed into the store as they arrive; the
/// framework's own form reader would first put them, in clear, on the disk.
/// </summary>
public static class FormUploadEndpoints
{
    private const int MaxBoundary = 100;
    private const int PipeBuffer = 64 << 10;
    private const int MaxToken = 4096;

    // The token is in the body, which the general check would read with the framework's form reader: this endpoint checks it itself.
    public static void MapFormUploads(this IEndpointRouteBuilder app) =>
        app.MapPost("/teams/{team}/upload/{folder?}", ReceiveAsync)
            .RequireAuthorization(Access.SignedIn).DisableAntiforgery().WithMetadata(new DisableRequestSizeLimitAttribute());

    private static async Task<IResult> ReceiveAsync(
        HttpContext context, string team, string? folder, TeamAccess access, Uploads uploads, Folders folders, IAntiforgery antiforgery)
    {
        var cancelled = context.RequestAborted;
        if (!MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type) || type.MediaType != "multipart/form-data"
            || HeaderUtilities.RemoveQuotes(type.Boundary).Value is not { Length: > 0 and <= MaxBoundary } boundary)
        {
            return TypedResults.StatusCode(StatusCodes.Status415UnsupportedMediaType);
        }
        var form = new MultipartReader(boundary, context.Request.Body);
        if (!await IsOwnAsync(context, form, antiforgery, cancelled))
        {
            return Refused(context, StatusCodes.Status400BadRequest, "Nothing was stored. The page this came from is out of date: go back, reload it, and try again.");
        }
        await using (var visit = await access.EnterAsync(team, context.User, cancelled))
        {
            if (visit is null || await folders.PathAsync(visit.Session, folder, cancelled) is null)
            {
                return TypedResults.StatusCode(StatusCodes.Status404NotFound);
            }
        }
        try
        {
            while (await form.ReadNextSectionAsync(cancelled) is { } section)
            {
                if (section.GetContentDispositionHeader() is { } said && said.IsFileDisposition() && FileName(said) is { Length: > 0 } name)
                {
                    await using var visit = await access.EnterAsync(team, context.User, cancelled);
                    if (visit is null)
                    {
                        return TypedResults.StatusCode(StatusCodes.Status404NotFound);
                    }
                    var body = PipeReader.Create(section.Body, new StreamPipeReaderOptions(bufferSize: PipeBuffer));
                    await uploads.ReceiveWholeAsync(visit, folder, name, context.Request.ContentLength, body, context.Origin(), cancelled);
                }
            }
        }
        catch (EntryNameException refused)
        {
            return Refused(context, StatusCodes.Status400BadRequest, refused.Message);
        }
        catch (FileRuleException refused)
        {
            return Refused(context, refused.Rule switch
            {
                FileRule.QuotaExceeded => StatusCodes.Status507InsufficientStorage,
                FileRule.NotAllowed => StatusCodes.Status403Forbidden,
                _ => StatusCodes.Status409Conflict,
            }, refused.Message);
        }
        catch (UploadException refused)
        {
            return Refused(context, refused.Problem == UploadProblem.TooLong ? StatusCodes.Status413PayloadTooLarge : StatusCodes.Status409Conflict, refused.Message);
        }
        catch (InvalidDataException)
        {
            return TypedResults.StatusCode(StatusCodes.Status400BadRequest); // a header or boundary that no browser writes
        }
        context.Response.Headers.Location = folder is null ? $"/teams/{team}/files" : $"/teams/{team}/files/{folder}";
        return TypedResults.StatusCode(StatusCodes.Status303SeeOther);
    }

    /// <summary>The form's first field is the token, which is checked as if it had come in the header, before a byte of a file is taken.</summary>
    private static async Task<bool> IsOwnAsync(HttpContext context, MultipartReader form, IAntiforgery antiforgery, CancellationToken cancelled)
    {
        if (context.Request.Headers["Sec-Fetch-Site"].ToString() is not ("" or "same-origin")
            || await form.ReadNextSectionAsync(cancelled) is not { } first
            || first.AsFormDataSection() is not { Name: "RequestVerificationToken" })
        {
            return false;
        }
        var token = new byte[MaxToken];
        var length = await first.Body.ReadAtLeastAsync(token, MaxToken, throwOnEndOfStream: false, cancelled);
        context.Request.Headers["RequestVerificationToken"] = Encoding.ASCII.GetString(token, 0, length);
        return length < MaxToken && await antiforgery.IsRequestValidAsync(context);
    }

    /// <summary>RFC 7578 section 4.2: what a browser sends is the bare name; older ones sent a path.</summary>
    private static string FileName(ContentDispositionHeaderValue said)
    {
        var name = HeaderUtilities.RemoveQuotes(said.FileNameStar.HasValue ? said.FileNameStar : said.FileName).ToString();
        return name[(name.LastIndexOfAny(['/', '\\']) + 1)..];
    }

    private static StatusCodeHttpResult Refused(HttpContext context, int status, string message)
    {
        context.Features.Set(new ErrorDetail(message));
        return TypedResults.StatusCode(status);
    }
}
