using System.Security.Claims;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Tokens;

namespace Appliance.SignIn;

/// <summary>Who the request comes from, as every capability asks for it.</summary>
public static class SignedInPerson
{
    internal const string SessionClaim = "session";
    internal const string StateClaim = "session-state";
    internal const string Open = "open";
    internal const string Locked = "locked";
    internal const string PasswordDue = "password-due";

    /// <summary>The appliance's policy asks for more than was given: open to enrolling and nothing else.</summary>
    internal const string MustEnrol = "must-enrol";
    internal const string SteppedUpClaim = "stepped-up";
    internal const string NoPasswordClaim = "no-password";
    internal const string OwnerClaim = "appliance-owner";
    internal const string OnlyTeamReferenceClaim = "session-team-reference";

    /// <summary>The person's account.</summary>
    /// <exception cref="InvalidOperationException">Nobody is signed in: the endpoint's policy is wrong.</exception>
    public static UserId Id(this ClaimsPrincipal person) =>
        person.IdOrNull() ?? throw new InvalidOperationException("Nobody is signed in.");

    public static UserId? IdOrNull(this ClaimsPrincipal person) =>
        person.FindFirstValue(ClaimTypes.NameIdentifier) is { } id ? new UserId(Guid.ParseExact(id, "D")) : null;

    /// <summary>The reference of the one team that the session opens; null: no such limit.</summary>
    public static string? OnlyTeamReference(this ClaimsPrincipal person) => person.FindFirstValue(OnlyTeamReferenceClaim);

    /// <summary>May let further people in. Gives no access to any team.</summary>
    public static bool IsApplianceOwner(this ClaimsPrincipal person) => person.HasClaim(OwnerClaim, "true");

    /// <summary>The person's session.</summary>
    /// <exception cref="InvalidOperationException">Nobody is signed in.</exception>
    internal static Guid SessionId(this ClaimsPrincipal person) =>
        person.FindFirstValue(SessionClaim) is { } id ? Guid.ParseExact(id, "D") : throw new InvalidOperationException("Nobody is signed in.");

    internal static bool IsLocked(this ClaimsPrincipal person) => person.HasClaim(StateClaim, Locked);

    internal static bool IsPasswordDue(this ClaimsPrincipal person) => person.HasClaim(StateClaim, PasswordDue);

    internal static bool IsToEnrol(this ClaimsPrincipal person) => person.HasClaim(StateClaim, MustEnrol);

    internal static bool IsSteppedUp(this ClaimsPrincipal person) => person.HasClaim(SteppedUpClaim, "true");

    /// <summary>The person and the address, for the ledger.</summary>
    public static Origin Origin(this HttpContext http) => new(http.User.IdOrNull(), http.Address()) { Token = http.User.TokenId(), Named = http.User.TokenName() };

    /// <summary>The address that the request came from. An IPv4 address in IPv6 form is the IPv4 address.</summary>
    public static string? Address(this HttpContext http)
    {
        var address = http.Connection.RemoteIpAddress;
        return (address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address)?.ToString();
    }

    /// <summary>The browser's own words, without control characters, at most 300 of them.</summary>
    internal static string? Agent(this HttpContext http)
    {
        var agent = http.Request.Headers.UserAgent.ToString();
        return agent.Length == 0 ? null : string.Concat(agent.Where(c => !char.IsControl(c)).Take(300));
    }
}
