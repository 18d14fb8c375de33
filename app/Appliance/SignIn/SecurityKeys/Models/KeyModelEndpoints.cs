using Appliance.Accounts;
using Appliance.Web;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.SignIn.SecurityKeys.Models;

public static class KeyModelEndpoints
{
    private const long RequestBytes = MetadataBlob.MaxBytes + (64 << 10);

    /// <summary>What a page's form cannot do: a file of several MiB.</summary>
    public static void MapKeyModels(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/people/key-models/metadata", UploadAsync).RequireAuthorization(Access.SteppedUp).RequireRateLimiting(RateLimits.SignIn)
            .WithMetadata(
                new RequestSizeLimitAttribute(RequestBytes),
                new RequestFormLimitsAttribute { MultipartBodyLengthLimit = MetadataBlob.MaxBytes + 1, ValueCountLimit = 8 });

    private static async Task<IResult> UploadAsync(HttpContext http, AccountSession accounts, AllowedKeyModels allowed, CancellationToken ct)
    {
        if (!http.User.IsApplianceOwner())
        {
            return Results.StatusCode(StatusCodes.Status404NotFound);
        }
        if (await FileAsync(http, ct) is not { } blob)
        {
            return Refused(http, "Choose the file that the FIDO Alliance publishes, 16 MiB at most.");
        }
        if (await allowed.UploadAsync(await accounts.OpenAsync(ct), http.User.Id(), blob, http, ct) is { } problem)
        {
            return Refused(http, problem);
        }
        await accounts.CommitAsync(ct);
        return Results.Redirect("/people/key-models");
    }

    private static async Task<byte[]?> FileAsync(HttpContext http, CancellationToken ct)
    {
        try
        {
            if (!http.Request.HasFormContentType || (await http.Request.ReadFormAsync(ct)).Files.GetFile("File") is not { Length: > 0 and <= MetadataBlob.MaxBytes } file)
            {
                return null;
            }
            var bytes = new byte[file.Length];
            await using var stream = file.OpenReadStream();
            await stream.ReadExactlyAsync(bytes, ct);
            return bytes;
        }
        catch (InvalidDataException)
        {
            return null; // a part of it is too large
        }
    }

    private static IResult Refused(HttpContext http, string sentence)
    {
        http.Features.Set(new ErrorDetail("Nothing was changed. " + sentence));
        return Results.StatusCode(StatusCodes.Status422UnprocessableEntity);
    }
}
