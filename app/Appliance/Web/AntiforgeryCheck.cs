using Appliance.Web.Errors;
using Microsoft.AspNetCore.Antiforgery;

namespace Appliance.Web;

/// <summary>
/// Every request that may change something comes from our own pages: the browser does not say that it began elsewhere
/// (Fetch Metadata, <c>Origin</c>), and it carries the antiforgery token in the form field or the header
/// <c>RequestVerificationToken</c>. Only an endpoint that says <c>DisableAntiforgery()</c> is let off, which is right where no
/// cookie signs anybody in.
/// </summary>
internal sealed class AntiforgeryCheck(RequestDelegate next, IAntiforgery antiforgery, Settings settings)
{
    private readonly string _origin = settings.Origin.GetLeftPart(UriPartial.Authority);

    public async Task InvokeAsync(HttpContext context)
    {
        if (IsSafe(context.Request.Method)
            || context.GetEndpoint()?.Metadata.GetMetadata<IAntiforgeryMetadata>() is { RequiresValidation: false }
            || (IsOwn(context.Request) && await HasTokenAsync(context)))
        {
            await next(context);
            return;
        }
        if (!context.Response.HasStarted)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            context.Features.Set(new ErrorDetail("Nothing was changed. The page this came from is out of date: go back, reload it, and try again."));
        }
    }

    private async Task<bool> HasTokenAsync(HttpContext context)
    {
        BadHttpRequestException unreadable;
        try
        {
            await antiforgery.ValidateRequestAsync(context);
            return true;
        }
        catch (AntiforgeryValidationException e) when (e.InnerException is BadHttpRequestException inner)
        {
            unreadable = inner;
        }
        catch (AntiforgeryValidationException)
        {
            return false;
        }
        // The form that should hold the token is too large, or was cut off: that is the answer, not the missing token.
        throw unreadable;
    }

    private bool IsOwn(HttpRequest request) =>
        (request.Headers.Origin.Count == 0 || request.Headers.Origin.ToString() == _origin)
        && request.Headers["Sec-Fetch-Site"].ToString() is "" or "same-origin" or "none";

    /// <summary>RFC 9110 section 9.2.1.</summary>
    private static bool IsSafe(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method);
}
