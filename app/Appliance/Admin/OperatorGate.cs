using Appliance.Web;
using Appliance.Web.Errors;
using Appliance.Web.Tls;

namespace Appliance.Admin;

/// <summary>Says of an endpoint that both ports serve it: files that hold nothing of anybody's.</summary>
internal sealed class OnBothPorts;

/// <summary>
/// After routing: the operators' port serves what names an action, and nothing of the public one; the public one nothing of it, not even a 405. On the
/// operators' port no other name than the certificate's is answered, cookies and the header Authorization are gone before anybody can take them for
/// something, and a browser that was sent by another site is refused: it shows its certificate to whoever asks.
/// </summary>
internal sealed class OperatorGate(RequestDelegate next, ServerCertificate certificate)
{
    /// <summary>Where everything of the operators' is.</summary>
    public const string Prefix = "/admin";

    public Task InvokeAsync(HttpContext context)
    {
        var endpoint = context.GetEndpoint() as RouteEndpoint;
        var forOperators = endpoint?.Metadata.GetMetadata<AdminActionAttribute>() is not null;
        if (!context.IsOnOperatorListener())
        {
            return forOperators || context.Request.Path.StartsWithSegments(Prefix, StringComparison.OrdinalIgnoreCase) ? Refuse(context, StatusCodes.Status404NotFound) : next(context);
        }
        if (!IsNameOfCertificate(context.Request.Host.Host))
        {
            return Refuse(context, StatusCodes.Status421MisdirectedRequest);
        }
        context.Request.Headers.Remove("Authorization");
        context.Request.Headers.Remove("Cookie");
        if (!forOperators && endpoint?.Metadata.GetMetadata<OnBothPorts>() is null)
        {
            return Refuse(context, StatusCodes.Status404NotFound);
        }
        if (!IsOwn(context.Request))
        {
            context.Features.Set(new ErrorDetail("Nothing was done. This request began at another site; type the address instead.", "cross-site"));
            return Refuse(context, StatusCodes.Status403Forbidden);
        }
        return next(context);
    }

    private static Task Refuse(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    private bool IsNameOfCertificate(string host) =>
        host.Trim('[', ']') is { Length: > 0 } name && certificate.Current.TargetCertificate.MatchesHostname(name, allowWildcards: true, allowCommonName: false);

    /// <summary>As <see cref="AntiforgeryCheck"/> reads it; a program says neither.</summary>
    private static bool IsOwn(HttpRequest request)
    {
        var (origin, site) = (request.Headers.Origin.ToString(), request.Headers["Sec-Fetch-Site"].ToString());
        var own = $"{request.Scheme}://{request.Host}";
        return site.Length == 0
            ? origin.Length == 0 || origin == own
            : site is "same-origin" or "none" && (origin is "" or "null" || origin == own);
    }
}
