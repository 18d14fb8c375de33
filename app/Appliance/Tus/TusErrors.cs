using Appliance.Data;
using Appliance.Files;
using Appliance.Objects;

namespace Appliance.Tus;

/// <summary>What the rules' refusals are in tus 1.0's status codes, with a sentence for people (RFC 9457).</summary>
internal static class TusErrors
{
    /// <summary>Section "Checksum": the bytes are not those of the checksum.</summary>
    public const int ChecksumMismatch = 460;

    /// <summary>How long a client should wait before it goes on, in seconds.</summary>
    private const string RetryAfter = "5";

    /// <summary>Runs a handler; what the rules refuse becomes an answer, and everything unexpected stays an exception.</summary>
    public static async Task<IResult> AnsweredAsync(HttpContext context, Func<Task<IResult>> handler)
    {
        try
        {
            return await handler();
        }
        catch (EntryNameException refused)
        {
            return Refused(StatusCodes.Status400BadRequest, "This name cannot be used", refused.Message);
        }
        catch (FileRuleException refused)
        {
            return Refused(
                refused.Rule switch
                {
                    FileRule.FolderGone => StatusCodes.Status404NotFound,
                    FileRule.NotAllowed => StatusCodes.Status403Forbidden,
                    FileRule.QuotaExceeded => StatusCodes.Status507InsufficientStorage,
                    _ => StatusCodes.Status409Conflict,
                },
                "This upload cannot begin", refused.Message);
        }
        catch (UploadException refused)
        {
            return Refused(StatusOf(refused.Problem), "This upload cannot go on", refused.Message);
        }
        catch (StoreFullException)
        {
            return Refused(
                StatusCodes.Status507InsufficientStorage, "The store is full", "There is no room left. What has arrived is kept for a day: go on once there is room.");
        }
        catch (Exception error) when (error is StoreUnavailableException or DatabaseUnavailableException or ConcurrentChangeException)
        {
            context.Response.Headers.RetryAfter = RetryAfter;
            return Refused(StatusCodes.Status503ServiceUnavailable, "Not available right now", "The storage does not answer right now. What has arrived is kept; the upload goes on by itself.");
        }
    }

    public static IResult Refused(int status, string title, string detail) => TypedResults.Problem(detail, statusCode: status, title: title);

    private static int StatusOf(UploadProblem problem) => problem switch
    {
        UploadProblem.Busy => StatusCodes.Status423Locked,
        UploadProblem.WrongOffset or UploadProblem.CannotFinish => StatusCodes.Status409Conflict,
        UploadProblem.Changed => StatusCodes.Status412PreconditionFailed,
        UploadProblem.TooLong => StatusCodes.Status413PayloadTooLarge,
        UploadProblem.Gone => StatusCodes.Status410Gone,
        UploadProblem.ChecksumMismatch => ChecksumMismatch,
        _ => throw new ArgumentOutOfRangeException(nameof(problem), problem, null),
    };
}
