using System.Text.Encodings.Web;
using Appliance.Data;
using Appliance.Saml;
using Appliance.Teams;
using Appliance.Web;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.SignIn.Sso;

public static class SsoServices
{
    public static IServiceCollection AddSso(this IServiceCollection services)
    {
        services.AddSingleton<SsoKeys>().AddSingleton<SsoRequests>().AddSingleton<SsoPeople>().AddSingleton<SsoFlow>().AddSingleton<SsoSetUp>();
        services.AddSingleton<TeamDoor>();
        services.AddSingleton<IAuthorizationHandler>(provider => provider.GetRequiredService<TeamDoor>());
        return services;
    }

    /// <summary>What the identity provider and its browsers come to, and what a page's form cannot do: leaving for another site, and a file of a MiB.</summary>
    public static void MapSso(this IEndpointRouteBuilder app)
    {
        app.MapGet("/sso/{team}/metadata", MetadataAsync).AllowAnonymous();
        // From another site, so without an antiforgery token: what stands in its place is the request that this browser was sent with (SsoRequests).
        app.MapPost("/sso/{team}/acs", ReceiveAsync).AllowAnonymous().DisableAntiforgery().RequireRateLimiting(RateLimits.SignIn)
            .WithMetadata(new RequestSizeLimitAttribute(AcsBytes), new RequestFormLimitsAttribute { ValueLengthLimit = SamlResponse.MaxEncodedLength + 1, ValueCountLimit = 8 });
        app.MapGet("/teams/{team}/sso/test", TestAsync).RequireAuthorization(Access.SteppedUp);
        app.MapGet("/teams/{team}/sso/link", LinkAsync).RequireAuthorization(Access.SteppedUp);
        app.MapPost("/teams/{team}/sso/metadata", TakeMetadataAsync).RequireAuthorization(Access.SteppedUp)
            .WithMetadata(
                new RequestSizeLimitAttribute(MetadataBytes),
                new RequestFormLimitsAttribute { ValueLengthLimit = IdpMetadata.MaxLength, MultipartBodyLengthLimit = IdpMetadata.MaxLength + 1, ValueCountLimit = 8 });
    }

    /// <summary>The response percent-encoded: base64 has three characters that are.</summary>
    private const long AcsBytes = 400 << 10;

    private const long MetadataBytes = IdpMetadata.MaxLength + (64 << 10);

    private static async Task<IResult> MetadataAsync(string team, SsoFlow flow, CancellationToken ct) =>
        await flow.FindAsync(team, ct) is { } id && await flow.MetadataAsync(id, team, ct) is { } metadata
            ? Results.File(metadata, "application/samlmetadata+xml", "appliance-metadata.xml")
            : Results.StatusCode(StatusCodes.Status404NotFound);

    private static async Task<IResult> ReceiveAsync(HttpContext http, string team, SsoFlow flow, CancellationToken ct)
    {
        if (await flow.FindAsync(team, ct) is not { } id)
        {
            return Results.StatusCode(StatusCodes.Status404NotFound);
        }
        var form = http.Request.HasFormContentType ? await ReadAsync(http, ct) : null;
        if (form?["SAMLResponse"] is not [{ } encoded])
        {
            return Refused(http, StatusCodes.Status400BadRequest, "What came from the identity provider cannot be read. Nothing was changed. Open the team's sign-in address again.");
        }
        var answer = await flow.ReceiveAsync(id, team, encoded, http, ct);
        return answer.Address is { } address ? GoOn(address) : Refused(http, StatusCodes.Status403Forbidden, answer.Problem!);
    }

    private static async Task<IResult> TestAsync(HttpContext http, string team, TeamAccess access, SsoFlow flow, CancellationToken ct)
    {
        await using (var visit = await access.EnterAsync(team, http.User, ct))
        {
            if (visit is not { IsOwner: true })
            {
                return Results.StatusCode(StatusCodes.Status404NotFound);
            }
        }
        return await DepartAsync(http, team, SsoRequest.Test, flow, ct);
    }

    private static async Task<IResult> LinkAsync(HttpContext http, string team, TeamAccess access, SsoFlow flow, CancellationToken ct)
    {
        await using (var visit = await access.EnterAsync(team, http.User, ct))
        {
            if (visit is null || http.User.OnlyTeamReference() is not null)
            {
                return Results.StatusCode(StatusCodes.Status404NotFound);
            }
        }
        return await DepartAsync(http, team, SsoRequest.Link, flow, ct);
    }

    private static async Task<IResult> DepartAsync(HttpContext http, string team, string purpose, SsoFlow flow, CancellationToken ct) =>
        await flow.FindAsync(team, ct) is { } id && await flow.LeaveAsync(id, team, purpose, http.User.Id(), null, http, ct) is { } departure
            ? Leave(http, departure)
            : Results.StatusCode(StatusCodes.Status404NotFound);

    /// <summary>Pasted, or a file. Larger ones are refused before they are read; no address in it is ever asked.</summary>
    private static async Task<IResult> TakeMetadataAsync(HttpContext http, string team, TeamAccess access, SsoSetUp setUp, CancellationToken ct)
    {
        await using var visit = await access.EnterAsync(team, http.User, ct);
        if (visit is not { IsOwner: true })
        {
            return Results.StatusCode(StatusCodes.Status404NotFound);
        }
        if (http.User.OnlyTeamReference() is not null || !http.Request.HasFormContentType || await ReadAsync(http, ct) is not { } form)
        {
            return Refused(http, StatusCodes.Status400BadRequest, "Nothing was changed. Paste the metadata, or choose its file.");
        }
        var bytes = System.Text.Encoding.UTF8.GetBytes(form["Metadata"].ToString().Trim());
        if (form.Files.GetFile("File") is { Length: > 0 } file)
        {
            bytes = new byte[file.Length];
            await using var stream = file.OpenReadStream();
            await stream.ReadExactlyAsync(bytes, ct);
        }
        try
        {
            await setUp.TakeMetadataAsync(visit, bytes, http.Origin(), ct);
        }
        catch (TeamRuleException refused)
        {
            return Refused(http, StatusCodes.Status422UnprocessableEntity, "Nothing was changed. " + refused.Message);
        }
        return Results.Redirect($"/teams/{team}/sso");
    }

    private static async Task<IFormCollection?> ReadAsync(HttpContext http, CancellationToken ct)
    {
        try
        {
            return await http.Request.ReadFormAsync(ct);
        }
        catch (InvalidDataException)
        {
            return null; // a part of it is too large
        }
    }

    private static IResult Leave(HttpContext http, SsoDeparture departure) => departure.Form is null
        ? Results.Redirect(departure.Address)
        : Results.Content(departure.Page(http.Response), "text/html; charset=utf-8");

    /// <summary>A page of ours that leads on: a redirect would still count as coming from the identity provider's site, and SameSite=Strict cookies would stay behind.</summary>
    private static IResult GoOn(string address) => Results.Content(
        $"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={HtmlEncoder.Default.Encode(address)}"><title>Appliance</title></head><body></body></html>""",
        "text/html; charset=utf-8");

    private static IResult Refused(HttpContext http, int status, string sentence)
    {
        http.Features.Set(new ErrorDetail(sentence));
        return Results.StatusCode(status);
    }
}
