using System.Security.Claims;
using System.Text.Encodings.Web;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Vault;
using Microsoft.AspNetCore.Authentication;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.Extensions.Options;

namespace Appliance.SignIn;

/// <summary>The password was right; the second factor is still to come.</summary>
public sealed class PendingSignIn
{
    public required Guid Id { get; init; }

    public required byte[] TokenHash { get; init; }

    public required UserId UserId { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>What the session will be limited to, where the first step was a team's identity provider.</summary>
    public TeamId? OnlyTeam { get; init; }

    public string? OnlyTeamReference { get; init; }

    public DateTimeOffset? SessionEndsAt { get; init; }

    /// <summary>The mailed link with the new password that becomes the person's with the second factor; null: they gave their password.</summary>
    public Guid? NewPassword { get; init; }

    internal SessionLimit? Limit => OnlyTeam is { } team ? new SessionLimit(team, OnlyTeamReference!, SessionEndsAt) : null;
}

internal sealed class PendingSignInConfiguration : IEntityTypeConfiguration<PendingSignIn>
{
    public void Configure(EntityTypeBuilder<PendingSignIn> builder)
    {
        builder.ToTable("sign_ins");
        builder.HasKey(s => s.Id);
        builder.HasOne<User>().WithMany().HasForeignKey(s => s.UserId);
    }
}

/// <summary>
/// Tells who is half signed in. Such a person has none of the claims of a signed-in one, so no endpoint can take one for the other.
/// </summary>
internal sealed class HalfSignedInHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logs, UrlEncoder encoder, Database database, TimeProvider clock)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logs, encoder)
{
    public new const string Scheme = "half-signed-in";
    public const string Cookie = "__Host-appliance-sign-in";

    internal const string SignInClaim = "sign-in";
    private const string UserClaim = "half-signed-in-user";

    public static (Guid SignIn, UserId User) Read(HttpContext http) => (
        Guid.ParseExact(http.User.FindFirstValue(SignInClaim) ?? throw new InvalidOperationException("Nobody is half signed in."), "D"),
        new UserId(Guid.ParseExact(http.User.FindFirstValue(UserClaim)!, "D")));

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (SessionCookie.Read(Context, Cookie) is not { } hash)
        {
            return AuthenticateResult.NoResult();
        }
        await using var session = await database.ForApplianceAsync(Context.RequestAborted);
        var row = await session.Query<PendingSignIn>().AsNoTracking().SingleOrDefaultAsync(s => s.TokenHash == hash, Context.RequestAborted);
        var now = clock.GetUtcNow();
        if (row is null || now >= row.ExpiresAt || row.CreatedAt > now + Sessions.ClockTolerance)
        {
            return AuthenticateResult.Fail("The sign-in took too long.");
        }
        var identity = new ClaimsIdentity(Scheme);
        identity.AddClaim(new Claim(SignInClaim, row.Id.ToString("D")));
        identity.AddClaim(new Claim(UserClaim, row.UserId.ToString()));
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Redirect("/sign-in");
        return Task.CompletedTask;
    }
}
