using Appliance.Admin;

namespace Appliance.Web;

/// <summary>
/// Only the origin's own name is answered, so that no other name that leads here (DNS rebinding, a forgotten record) shares its
/// pages. Health also by the loopback's names, metrics by any: neither tells anything, and probes come by address.
/// </summary>
internal sealed class HostCheck(RequestDelegate next, Settings settings)
{
    private static readonly string[] s_loopback = ["localhost", "127.0.0.1", "[::1]"];

    public Task InvokeAsync(HttpContext context)
    {
        var host = context.Request.Host;
        var known = IsOrigin(host)
            || context.IsOnMetricsListener()
            || context.IsOnOperatorListener() // has names of its own (OperatorGate)
            || (context.Request.Path.StartsWithSegments("/health", StringComparison.OrdinalIgnoreCase) && s_loopback.Contains(host.Host, StringComparer.OrdinalIgnoreCase));
        if (!known)
        {
            context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
            return Task.CompletedTask;
        }
        return next(context);
    }

    private bool IsOrigin(HostString host) =>
        (host.Host.Equals(settings.Origin.IdnHost, StringComparison.OrdinalIgnoreCase)
            || host.Host.Equals(settings.Origin.Host, StringComparison.OrdinalIgnoreCase))
        && (host.Port ?? 443) == settings.Origin.Port;
}
