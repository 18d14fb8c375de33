using Appliance.Web;
using Appliance.Web.Errors;
using Appliance.Web.Tls;

namespace Appliance.Admin;

/// <summary>Says of an endpoint that both ports serve it: files that hold nothing of anybody's.</summary>
internal sealed class OnBothPorts;

/// <summary>
/// After routing: the operators' port serves what names an action, and nothing of the public one; the public one nothing of it, not even a 405. On the
/// operators' port no other name than the certificate's is answered, cookies (but the forms' own) and the header Authorization are gone before anybody can
/// take them for something, and a browser that was sent by another site is refused: it shows its certificate to whoever asks.
/// </summary>
internal sealed class OperatorGate(RequestDelegate next, ServerCertificate certificate)
{
    /// <summary>Where everything of the operators' is.</summary>
    public const string Prefix = "/admin";

    /// <summary>The forms' own; signs nobody in.</summary>
    internal const string AntiforgeryCookie = "__Host-appliance-antiforgery";

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
        KeepOnly(context.Request, AntiforgeryCookie);
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

    /// <summary>A cookie does not know ports: the browser sends the public port's as well.</summary>
    private static void KeepOnly(HttpRequest request, string name)
    {
        var kept = request.Cookies[name];
        request.Headers.Remove("Cookie");
        if (kept is not null && kept.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
        {
            request.Headers.Cookie = $"{name}={kept}";
        }
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
