using System.Security.Claims;
using Appliance.Ledger;
using Appliance.Vault;

namespace Appliance.SignIn.Tokens;

/// <summary>What a request that a token signed in may do, as every capability asks for it.</summary>
public static class TokenPerson
{
    internal const string TokenClaim = "api-token";
    internal const string KindClaim = "api-token-kind";
    internal const string ReferenceClaim = "api-token-reference";
    internal const string NameClaim = "api-token-name";
    internal const string TeamClaim = "api-token-team";
    internal const string MayWriteClaim = "api-token-may-write";

    /// <summary>Whether a token or an app password signed the request in, and no session.</summary>
    public static bool IsToken(this ClaimsPrincipal person) => person.HasClaim(claim => claim.Type == TokenClaim);

    /// <summary>Whether the request carries a bearer token, which no browser adds by itself.</summary>
    public static bool IsBearer(this ClaimsPrincipal person) => person.IsToken() && person.HasClaim(KindClaim, ApiToken.Bearer);

    /// <summary>The one team that is open to the request; null: no such limit.</summary>
    public static TeamId? OnlyTeam(this ClaimsPrincipal person) =>
        person.FindFirstValue(TeamClaim) is { } team ? new TeamId(Guid.ParseExact(team, "D")) : null;

    /// <summary>The token's row; null for a session.</summary>
    internal static Guid? TokenId(this ClaimsPrincipal person) => person.FindFirstValue(TokenClaim) is { } id ? Guid.ParseExact(id, "D") : null;

    /// <summary>What the ledger calls it; null for a session.</summary>
    internal static TokenName? TokenName(this ClaimsPrincipal person) =>
        person.FindFirstValue(NameClaim) is { } name && person.FindFirstValue(ReferenceClaim) is { } reference ? new TokenName(name, reference) : null;

    /// <summary>A session that is open, or a token.</summary>
    internal static bool MayRead(this ClaimsPrincipal person) => person.IsToken() || person.HasClaim(SignedInPerson.StateClaim, SignedInPerson.Open);

    internal static bool MayWrite(this ClaimsPrincipal person) => person.MayRead() && (!person.IsToken() || person.HasClaim(MayWriteClaim, "true"));
}
