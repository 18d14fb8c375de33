using System.Globalization;
using System.Threading.RateLimiting;
using Appliance.Accounts;
using Appliance.SignIn.ForgottenPassword;
using Appliance.SignIn.LostKey;
using Appliance.Web;
using Microsoft.AspNetCore.Identity;

namespace Appliance.SignIn;

/// <summary>How often one person may have passwords estimated: as fast as one types.</summary>
internal sealed class PasswordCheckLimit : IDisposable
{
    private readonly PartitionedRateLimiter<string> _limit = PartitionedRateLimiter.Create<string, string>(who =>
        RateLimitPartition.GetTokenBucketLimiter(who, _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = 40,
            TokensPerPeriod = 4,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1),
            QueueLimit = 0,
        }));

    public bool Allows(string who)
    {
        using var lease = _limit.AttemptAcquire(who);
        return lease.IsAcquired;
    }

    public void Dispose() => _limit.Dispose();
}

public static class SignInEndpoints
{
    /// <summary>What is not a page: signing out, locking, dismissing a notice, and the password helper.</summary>
    public static void MapSignIn(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/sign-out", SignOutAsync).RequireAuthorization(Access.Locked);
        routes.MapPost("/lock", LockAsync).RequireAuthorization(Access.Locked);
        routes.MapPost("/notices/{reference}/dismiss", DismissAsync).RequireAuthorization(Access.SignedIn).WithMetadata(new OpenToTeamSessions());
        routes.MapPost("/account/recovery-codes/stored", StoredAsync).RequireAuthorization(Access.SignedIn).WithMetadata(new OpenToTeamSessions());
        routes.MapPost("/account/lost-key/stop", StopLostKeyAsync).RequireAuthorization(Access.SignedIn);
        routes.MapPost("/password/check", CheckAsync).RequireAuthorization(Access.ChoosingPassword);
        routes.MapGet("/password/suggest", Suggest).RequireAuthorization(Access.ChoosingPassword);
    }

    private static async Task<IResult> SignOutAsync(HttpContext http, AccountSession accounts, Sessions sessions, CancellationToken ct)
    {
        await sessions.EndThisAsync(await accounts.OpenAsync(ct), http, ct);
        await accounts.CommitAsync(ct);
        // Nothing of the session stays in the browser (W3C Clear Site Data §3.1).
        http.Response.Headers["Clear-Site-Data"] = "\"cache\", \"storage\"";
        return Results.Redirect("/sign-in");
    }

    private static async Task<IResult> LockAsync(HttpContext http, Sessions sessions, CancellationToken ct)
    {
        await sessions.LockAsync(http, ct);
        return Results.Redirect("/locked");
    }

    private static async Task<IResult> DismissAsync(string reference, HttpContext http, Notices notices, CancellationToken ct)
    {
        var form = await http.Request.ReadFormAsync(ct);
        return await notices.DismissAsync(http.User.Id(), reference, ct) ? Results.Redirect(ReturnPath.Local(form["return"])) : Results.NotFound();
    }

    /// <summary>The person says that they have their recovery codes.</summary>
    private static async Task<IResult> StoredAsync(HttpContext http, AccountSession accounts, Notices notices, CancellationToken ct)
    {
        var form = await http.Request.ReadFormAsync(ct);
        if (form["Stored"] == "true")
        {
            await notices.DismissAsync(await accounts.OpenAsync(ct), http.User.Id(), Notice.RecoveryCodesUnconfirmed, ct);
            await accounts.CommitAsync(ct);
        }
        return Results.Redirect(ReturnPath.Local(form["return"]));
    }

    /// <summary>The person says that they have lost no keys.</summary>
    private static async Task<IResult> StopLostKeyAsync(HttpContext http, AccountSession accounts, LostKeys lost, CancellationToken ct)
    {
        var form = await http.Request.ReadFormAsync(ct);
        await lost.StopAsync(await accounts.OpenAsync(ct), http.User.Id(), http, ct);
        await accounts.CommitAsync(ct);
        return Results.Redirect(ReturnPath.Local(form["return"]));
    }

    private sealed record CheckAnswer(bool Ok, IReadOnlyList<PasswordReason> Reasons, double Bits);

    /// <summary>Helps while typing; the same rules are applied again when the form is sent.</summary>
    private static async Task<IResult> CheckAsync(
        HttpContext http,
        UserManager<User> users,
        PasswordPolicy policy,
        PasswordCheckLimit limit,
        CancellationToken ct)
    {
        // Forms are read by hand here: a bound one would ask for the framework's antiforgery middleware beside Web's check.
        var form = await http.Request.ReadFormAsync(ct);
        var password = form["password"].ToString();
        var id = http.User.IdOrNull();
        if (!limit.Allows(id?.ToString() ?? http.User.FindFirst(c => c.Type is SetUpHandler.LinkClaim or NewPasswordHandler.UserClaim)!.Value))
        {
            http.Response.Headers.RetryAfter = 1.ToString(CultureInfo.InvariantCulture);
            return Results.StatusCode(StatusCodes.Status429TooManyRequests);
        }
        var verdict = id is { } signedIn && await users.FindByIdAsync(signedIn.ToString()) is { } user
            ? await policy.CheckAsync(password, user, ct)
            : policy.Check(password, [Bounded(form["username"]), Bounded(form["email"])]);
        return Results.Json(new CheckAnswer(verdict.Ok, verdict.Reasons, verdict.Bits));
    }

    private static string? Bounded(string? text) => text is { Length: <= NameKey.LongestEmail } ? text : null;

    private static IResult Suggest(HttpContext http)
    {
        http.Response.Headers.CacheControl = "no-store";
        return Results.Json(new { passphrase = Passphrases.Make() });
    }
}
