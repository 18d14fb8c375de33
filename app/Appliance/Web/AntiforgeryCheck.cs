using Appliance.SignIn.Tokens;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.Web;

/// <summary>
/// Every request that may change something comes from our own pages: the browser does not say that it began elsewhere
/// (Fetch Metadata, <c>Origin</c>), and it carries the antiforgery token in the form field or the header
/// <c>RequestVerificationToken</c>. Only an endpoint that says <c>DisableAntiforgery()</c> is let off, which is right where no
/// cookie signs anybody in, and a request that was in fact signed in by a token: the program put it there, no browser did. That a header is
/// there lets nobody off. An app password may be in a browser's memory, so there the browser still must not say that the request began elsewhere.
/// </summary>
internal sealed class AntiforgeryCheck(RequestDelegate next, IAntiforgery antiforgery, Settings settings)
{
    private readonly string _origin = settings.Origin.GetLeftPart(UriPartial.Authority);

    public async Task InvokeAsync(HttpContext context)
    {
        if (IsSafe(context.Request.Method)
            || context.GetEndpoint()?.Metadata.GetMetadata<IAntiforgeryMetadata>() is { RequiresValidation: false }
            || context.User.IsBearer()
            || (IsOwn(context.Request) && (context.User.IsToken() || await HasTokenAsync(context))))
        {
            await next(context);
            return;
        }
        if (!context.Response.HasStarted)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            context.Features.Set(new ErrorDetail("Nothing was changed. The page this came from is out of date: go back, reload it, and try again.", "antiforgery"));
        }
    }

    /// <summary>
    /// A page's form is read here, also where the token comes in the header: a body that is too large or broken is refused as one, while
    /// model binding would hand the page nothing and say nothing.
    /// </summary>
    private static async Task ReadFormAsync(HttpContext context)
    {
        if (!context.Request.HasFormContentType || context.GetEndpoint()?.Metadata.GetMetadata<PageActionDescriptor>() is null)
        {
            return;
        }
        try
        {
            await context.Request.ReadFormAsync(context.RequestAborted);
        }
        catch (InvalidDataException e)
        {
            // Of a form without parts the reader refuses sizes ("… limit … exceeded") and null characters.
            var status = context.Request.ContentType!.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase) || !e.Message.Contains("limit", StringComparison.OrdinalIgnoreCase)
                ? StatusCodes.Status400BadRequest
                : StatusCodes.Status413PayloadTooLarge;
            throw new BadHttpRequestException("A form that is broken, or with a field that is too large.", status, e);
        }
    }

    private async Task<bool> HasTokenAsync(HttpContext context)
    {
        await ReadFormAsync(context);
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

    /// <summary>
    /// What the browser itself says of where the request began, and no page can forge. Under our own Referrer-Policy it calls the origin of a form
    /// "null" (Fetch standard, "append a request Origin header"), so that Fetch Metadata decides where it is sent, and Origin where it is not.
    /// </summary>
    private bool IsOwn(HttpRequest request)
    {
        var (origin, site) = (request.Headers.Origin.ToString(), request.Headers["Sec-Fetch-Site"].ToString());
        return site.Length == 0
            ? origin.Length == 0 || origin == _origin
            : site is "same-origin" or "none" && (origin is "" or "null" || origin == _origin);
    }

    /// <summary>RFC 9110 section 9.2.1.</summary>
    private static bool IsSafe(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method);
}
