using System.Net;

namespace Appliance.Web;

/// <summary>
/// What every answer says to the browser, errors included. An endpoint may have said something stricter already (a download's
/// sandbox, an asset's caching); that stays.
/// </summary>
internal sealed class ResponseHeaders
{
    internal const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; frame-src 'self'; "
        + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    /// <summary>The policy of a page whose form, or the redirect that answers it, leads to another site: that one address, which the page names.</summary>
    internal static string FormsMayLeadTo(Uri address) => ContentSecurityPolicy.Replace(
        "form-action 'self'",
        "form-action 'self' " + address.GetLeftPart(UriPartial.Authority),
        StringComparison.Ordinal);

    /// <summary>Off, all that a browser knows by these names; on, for this origin's own pages: security keys, and copying a reference.</summary>
    internal const string PermissionsPolicy =
        "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), clipboard-read=(), clipboard-write=(self), display-capture=(), "
        + "encrypted-media=(), fullscreen=(), gamepad=(), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), "
        + "idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), otp-credentials=(), payment=(), "
        + "picture-in-picture=(), publickey-credentials-create=(self), publickey-credentials-get=(self), screen-wake-lock=(), "
        + "serial=(), storage-access=(), usb=(), window-management=(), xr-spatial-tracking=()";

    private readonly RequestDelegate _next;
    private readonly (string Name, string Value)[] _headers;

    public ResponseHeaders(RequestDelegate next, Settings settings)
    {
        _next = next;
        _headers =
        [
            ("Content-Security-Policy", ContentSecurityPolicy),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Embedder-Policy", "require-corp"),
            ("Origin-Agent-Cluster", "?1"),
            ("Referrer-Policy", "no-referrer"),
            ("Permissions-Policy", PermissionsPolicy),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("X-Permitted-Cross-Domain-Policies", "none"),
            ("Cache-Control", "no-store"),
            .. Hsts(settings.Origin),
        ];
    }

    public Task InvokeAsync(HttpContext context)
    {
        // At the last moment: an error clears what was said before it.
        context.Response.OnStarting(static state =>
        {
            var (response, headers) = ((HttpResponse, (string, string)[]))state;
            foreach (var (name, value) in headers)
            {
                response.Headers.TryAdd(name, value);
            }
            return Task.CompletedTask;
        }, (context.Response, _headers));
        return _next(context);
    }

    /// <summary>
    /// Two years. Not for addresses, which RFC 6797 section 8.1.1 has browsers ignore, and not for localhost, where it would also
    /// hold for every other service that a developer runs on the machine.
    /// </summary>
    private static (string, string)[] Hsts(Uri origin) =>
        IPAddress.TryParse(origin.Host.Trim('[', ']'), out _) || origin.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            ? []
            : [("Strict-Transport-Security", "max-age=63072000; includeSubDomains")];
}
