using System.Text.Json;
using Appliance.Web.Api;
using Microsoft.AspNetCore.WebUtilities;

namespace Appliance.Web.Errors;

/// <summary>RFC 9457 problem details, with the reference as an extension member.</summary>
internal static class Problem
{
    public static async Task WriteAsync(HttpContext context, ErrorText error)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(Members(error));
        context.Response.ContentType = "application/problem+json";
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
        }
    }

    private static Dictionary<string, object> Members(ErrorText error)
    {
        // "about:blank" says that the status tells all there is to tell; its title is the status' own (section 4.2.1).
        var members = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["type"] = error.Code is { } type ? ApiProblem.TypeOf(type) : "about:blank",
            ["title"] = error.Code is null ? ReasonPhrases.GetReasonPhrase(error.Status) : error.Title,
            ["status"] = error.Status,
            ["detail"] = error.Code is null ? $"{error.Title}. {error.Detail}" : error.Detail,
        };
        if (error.Code is { } code)
        {
            members["code"] = code;
        }
        if (error.Reference is { } reference)
        {
            members["reference"] = reference;
        }
        return members;
    }
}
