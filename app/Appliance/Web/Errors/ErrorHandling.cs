using System.Diagnostics;
using System.Security.Cryptography;
using Appliance.Data;
using Appliance.Objects;

namespace Appliance.Web.Errors;

/// <summary>
/// Outermost: turns exceptions, and refusals that have no body yet, into a page or a problem (RFC 9457), and logs what an operator
/// will be asked about under the reference that the person was shown. Nothing of an exception's text leaves the house.
/// </summary>
internal sealed partial class ErrorHandling(RequestDelegate next, ILogger<ErrorHandling> logger, ErrorPage pages, ErrorGroups groups)
{
    /// <summary>Nginx' word for "the client went away"; seen by nobody but the log and the metrics.</summary>
    private const int ClientClosedRequest = 499;

    private static readonly HashSet<string> s_methods = new(StringComparer.Ordinal)
    {
        HttpMethods.Get, HttpMethods.Head, HttpMethods.Post, HttpMethods.Put, HttpMethods.Patch, HttpMethods.Delete, HttpMethods.Options,
    };

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(10);

    public async Task InvokeAsync(HttpContext context)
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            await next(context);
            if (HasNoBodyYet(context.Response))
            {
                await WriteAsync(context, context.Response.StatusCode, null);
            }
        }
        catch (Exception e) when (context.RequestAborted.IsCancellationRequested && e is OperationCanceledException or IOException)
        {
            context.Response.StatusCode = context.Response.HasStarted ? context.Response.StatusCode : ClientClosedRequest;
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await AnswerAsync(context, e);
        }
        catch (Exception e)
        {
            // Half of an answer is out: the connection is cut, so that nobody takes it for the whole.
            var (reference, method, route) = (NewReference(), Method(context), Route(context));
            LogCutOff(logger, e, reference, method, route);
            groups.Note(e.GetType().Name, $"{method} {route}", reference);
            context.Abort();
        }
        finally
        {
            var (method, route, milliseconds) = (Method(context), Route(context), (long)Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            LogRequest(logger, method, route, context.Response.StatusCode, milliseconds);
        }
    }

    /// <summary>Ten characters of Crockford's base32: 50 bits, easy to read out on the telephone.</summary>
    internal static string NewReference() => "E-" + RandomNumberGenerator.GetString("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 10);

    /// <summary>The route's template: the path itself can hold a file's name or a token.</summary>
    internal static string Route(HttpContext context) =>
        (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "(none)";

    /// <summary>A method that HTTP does not know is a stranger's text, and stays out of the log.</summary>
    private static string Method(HttpContext context) => HttpMethods.GetCanonicalizedValue(context.Request.Method) is { } method && s_methods.Contains(method) ? method : "(other)";

    private async Task AnswerAsync(HttpContext context, Exception exception)
    {
        var (status, loud) = Meaning(DatabaseErrors.Translate(exception) ?? exception);
        string? reference = null;
        if (loud)
        {
            reference = NewReference();
            var (method, route, kind) = (Method(context), Route(context), exception.GetType().Name);
            groups.Note(kind, $"{method} {route}", reference);
            if (status == StatusCodes.Status500InternalServerError)
            {
                LogUnexpected(logger, exception, reference, method, route);
            }
            else
            {
                LogUnavailable(logger, reference, method, route, status, kind);
            }
        }
        context.Response.Clear();
        context.Response.StatusCode = status;
        if (status == StatusCodes.Status503ServiceUnavailable)
        {
            context.Response.Headers.RetryAfter = RetryAfter.TotalSeconds.ToString();
        }
        await WriteAsync(context, status, reference);
    }

    /// <summary>What an exception means to the one who asked, and whether the operator has to hear of it.</summary>
    private static (int Status, bool Loud) Meaning(Exception exception) => exception switch
    {
        BadHttpRequestException e => (e.StatusCode, false),
        DatabaseUnavailableException or StoreUnavailableException => (StatusCodes.Status503ServiceUnavailable, true),
        StoreFullException => (StatusCodes.Status507InsufficientStorage, true),
        DuplicateException or ConcurrentChangeException => (StatusCodes.Status409Conflict, false),
        // Somebody reached for what is not theirs: to them there is nothing. The operator hears of it, because our own code should not have tried.
        ForbiddenByDatabaseException => (StatusCodes.Status404NotFound, true),
        _ => (StatusCodes.Status500InternalServerError, true),
    };

    private static bool HasNoBodyYet(HttpResponse response) =>
        response is { StatusCode: >= 400, HasStarted: false, ContentType: null } && response.ContentLength is null or 0 && response.StatusCode != ClientClosedRequest;

    private Task WriteAsync(HttpContext context, int status, string? reference)
    {
        var told = ErrorText.Of(status, reference, context.Features.Get<ErrorDetail>());
        return WantsProblem(context.Request) ? Problem.WriteAsync(context, told) : pages.WriteAsync(context, told);
    }

    /// <summary>
    /// A browser that goes to a page says that it takes HTML; everything else is a program. What a page's form fetches from the API by navigation (an
    /// archive) a person sees too: fetch metadata tells that (W3C Fetch Metadata section 2.2).
    /// </summary>
    private static bool WantsProblem(HttpRequest request) =>
        (request.Headers["Sec-Fetch-Mode"] != "navigate" && request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase)) || request.Path.StartsWithSegments("/tus", StringComparison.OrdinalIgnoreCase)
        || !request.Headers.Accept.Any(value => value?.Contains("text/html", StringComparison.OrdinalIgnoreCase) == true);

    [LoggerMessage(EventId = 1001, Level = LogLevel.Error, Message = "Unexpected error {Reference} in {Method} {Route}.")]
    private static partial void LogUnexpected(ILogger logger, Exception error, string reference, string method, string route);

    [LoggerMessage(EventId = 1002, Level = LogLevel.Warning, Message = "Answered {Status} with reference {Reference} in {Method} {Route}: {Kind}.")]
    private static partial void LogUnavailable(ILogger logger, string reference, string method, string route, int status, string kind);

    [LoggerMessage(EventId = 1003, Level = LogLevel.Error, Message = "Error {Reference} in {Method} {Route} after the answer had begun; the connection was cut.")]
    private static partial void LogCutOff(ILogger logger, Exception error, string reference, string method, string route);

    [LoggerMessage(EventId = 1004, Level = LogLevel.Information, Message = "{Method} {Route} {Status} {Milliseconds} ms")]
    private static partial void LogRequest(ILogger logger, string method, string route, int status, long milliseconds);
}
