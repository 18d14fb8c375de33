using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace Appliance.Files;

/// <summary>Conditional requests, in the order of RFC 9110 section 13.2.2.</summary>
public static class Preconditions
{
    /// <summary>304, 412, or null where the request goes on.</summary>
    /// <param name="request">The headers.</param>
    /// <param name="current">The content's strong validator.</param>
    /// <param name="modified">To the second, which is all that the header can say.</param>
    public static int? Check(RequestHeaders request, EntityTagHeaderValue current, DateTimeOffset modified)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(current);
        if (request.IfMatch is { Count: > 0 } match)
        {
            if (!match.Any(tag => tag.Equals(EntityTagHeaderValue.Any) || tag.Compare(current, useStrongComparison: true)))
            {
                return StatusCodes.Status412PreconditionFailed;
            }
        }
        else if (request.IfUnmodifiedSince is { } unmodified && modified > unmodified)
        {
            return StatusCodes.Status412PreconditionFailed;
        }
        if (request.IfNoneMatch is { Count: > 0 } noneMatch)
        {
            return noneMatch.Any(tag => tag.Equals(EntityTagHeaderValue.Any) || tag.Compare(current, useStrongComparison: false))
                ? StatusCodes.Status304NotModified
                : null;
        }
        return request.IfModifiedSince is { } since && modified <= since ? StatusCodes.Status304NotModified : null;
    }

    /// <summary>
    /// Whether a Range header counts (section 13.1.5): there is no If-Range, or it names exactly this content. A date is not taken: two versions
    /// can share a second, and then it is no strong validator (section 8.8.2.2).
    /// </summary>
    public static bool RangeCounts(HttpRequest request, EntityTagHeaderValue current)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(current);
        return request.Headers.IfRange.Count == 0
            || (EntityTagHeaderValue.TryParse(request.Headers.IfRange.ToString(), out var tag) && tag.Compare(current, useStrongComparison: true));
    }
}
