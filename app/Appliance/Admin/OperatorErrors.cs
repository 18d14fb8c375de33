using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Web.Api;

namespace Appliance.Admin;

/// <summary>Errors that people were given a reference for, by what and where: operators list them, find one by a reference, and close it until it happens again.</summary>
internal sealed partial class OperatorErrors(OperatorWork work, TimeProvider time)
{
    /// <param name="context">The operator's request.</param>
    /// <param name="closedToo">Those that were closed, too.</param>
    /// <param name="reference">A group's, or one that a person was given; null: all. A person's is found only among the last ten of its group; the log has all.</param>
    public Task<List<ErrorGroup>> ListAsync(HttpContext context, bool closedToo, string? reference) => work.LookAsync<ErrorGroup>(context, "errors", $"""
        select reference as "Reference", kind as "Kind", place as "Place", count as "Count", first_at as "FirstAt", last_at as "LastAt", latest as "Latest",
               version as "Version", closed_at as "ClosedAt" from operator_errors({closedToo}, {reference})
        """);

    /// <summary>Answers false where there is no such group.</summary>
    public Task<bool> CloseAsync(HttpContext context, string reference) => work.DoAsync(context, new LedgerEvent("operator.error-closed", reference), async session =>
        (await session.SqlAsync<bool>($"""select operator_close_error({reference}, {time.GetUtcNow()}) as "Value" """, context.RequestAborted)).Single());

    /// <summary>Of a group, or one that a person was given.</summary>
    public static bool IsReference(string text) => Reference.IsWellFormed(text) || Given().IsMatch(text);

    [GeneratedRegex(@"\AE-[0-9A-HJKMNP-TV-Z]{10}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Given();
}

/// <param name="Reference">The group's own.</param>
/// <param name="Kind">The exception's type.</param>
/// <param name="Place">Method and route.</param>
/// <param name="Count">How often, since it was first seen.</param>
/// <param name="FirstAt">First seen.</param>
/// <param name="LastAt">Last seen.</param>
/// <param name="Latest">The references that people were given last, the newest first.</param>
/// <param name="Version">The program that saw it last.</param>
/// <param name="ClosedAt">Null: open.</param>
internal sealed record ErrorGroup(
    string Reference, string Kind, string Place, long Count, DateTimeOffset FirstAt, DateTimeOffset LastAt, string[] Latest, string Version, DateTimeOffset? ClosedAt);

internal static class ErrorEndpoints
{
    public static void MapErrors(this IEndpointRouteBuilder admin)
    {
        admin.MapGet("/errors", async Task<IResult> (HttpContext context, OperatorErrors errors, bool all = false, string? reference = null) =>
            reference is not null && !OperatorErrors.IsReference(reference)
                ? ApiProblem.Refused(context, StatusCodes.Status400BadRequest, "no-reference", "A reference is E- and ten letters and digits, or what the list calls the group.")
                : TypedResults.Ok(new { errors = await errors.ListAsync(context, all, reference) })).Does(AdminActions.Errors);
        admin.MapPost("/errors/{reference}/close", async Task<IResult> (string reference, HttpContext context, OperatorErrors errors) =>
            Reference.IsWellFormed(reference) && await errors.CloseAsync(context, reference) ? TypedResults.NoContent() : ApiProblem.NothingHere).Does(AdminActions.Errors);
    }
}
