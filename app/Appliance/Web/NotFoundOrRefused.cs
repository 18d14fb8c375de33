namespace Appliance.Web;

/// <summary>
/// Ends requests that match no endpoint of ours, before authorization would challenge them: an unknown path is 404 for everyone,
/// and routing's own refusals (405, 415) are answered as they are.
/// </summary>
internal sealed class NotFoundOrRefused(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        switch (context.GetEndpoint())
        {
            case null:
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            case RouteEndpoint:
                return next(context);
            case var refusal:
                return refusal.RequestDelegate!(context);
        }
    }
}
