using Microsoft.AspNetCore.Antiforgery;

namespace Appliance.Web;

/// <summary>
/// Every request that may change something carries the antiforgery token, in the form field or the header
/// <c>RequestVerificationToken</c>, whichever adapter it is for. Only an endpoint that says <c>DisableAntiforgery()</c> is let off,
/// which is right where no cookie signs anybody in.
/// </summary>
internal sealed class AntiforgeryCheck(RequestDelegate next, IAntiforgery antiforgery)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (!IsSafe(context.Request.Method)
            && context.GetEndpoint()?.Metadata.GetMetadata<IAntiforgeryMetadata>() is not { RequiresValidation: false }
            && !await antiforgery.IsRequestValidAsync(context))
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }
        await next(context);
    }

    /// <summary>RFC 9110 section 9.2.1.</summary>
    private static bool IsSafe(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method);
}
