using Appliance.Web.Errors;

namespace Appliance.Web.Api;

/// <summary>
/// The API's refusals (RFC 9457). Each has a code that stays the same from version to version: it is the end of the problem's <c>type</c>, and the
/// member <c>code</c> says it again. Where the status alone tells everything, <c>type</c> is <c>about:blank</c>.
/// </summary>
public static class ApiProblem
{
    private const string TypePrefix = "urn:appliance:problem:";

    internal static string TypeOf(string code) => TypePrefix + code;

    /// <summary>A refusal with this status, code (<c>name-taken</c>) and sentence for people.</summary>
    public static IResult Refused(HttpContext context, int status, string code, string sentence)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Features.Set(new ErrorDetail(sentence, code));
        return TypedResults.StatusCode(status);
    }

    /// <summary>What is not there, and what is not this person's: the same.</summary>
    public static IResult NothingHere => TypedResults.StatusCode(StatusCodes.Status404NotFound);
}
