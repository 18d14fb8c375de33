using Appliance.Data;
using Appliance.Saml;

namespace Appliance.SignIn.Sso;

/// <summary>A team's connection to its identity provider, as it is kept.</summary>
public sealed record SsoConnection
{
    /// <summary>Only tests go through it.</summary>
    public const string Draft = "draft";

    /// <summary>Members may sign in through it.</summary>
    public const string On = "on";

    /// <summary>Members, save owners, must.</summary>
    public const string Required = "required";

    /// <summary>The second factor is asked for here, whatever the identity provider asked for.</summary>
    public const string ByAppliance = "appliance";

    /// <summary>The owner answers for the identity provider asking for it.</summary>
    public const string ByProvider = "identity-provider";

    public const string Nobody = "nobody";

    public required Guid TeamId { get; init; }

    public required string State { get; init; }

    public string? IdpEntityId { get; init; }

    public string? SignOnUrl { get; init; }

    public bool IsRedirect { get; init; }

    /// <summary>Base64 of DER, one to a line.</summary>
    public string Certificates { get; init; } = "";

    public string? UsernameAttribute { get; init; }

    public string? EmailAttribute { get; init; }

    public string? GroupsAttribute { get; init; }

    /// <summary>What those are whose groups say nothing: "member" or "nobody".</summary>
    public string Others { get; init; } = "member";

    public bool JustInTime { get; init; }

    public bool IdpInitiated { get; init; }

    public string SecondFactor { get; init; } = ByAppliance;

    public DateTimeOffset? TestedAt { get; init; }

    public Guid? BoundBy { get; init; }

    public bool HasProvider => IdpEntityId is not null && SignOnUrl is not null;

    public bool IsBinding => State is On or Required;

    public IEnumerable<IdpKey> AllKeys() => Certificates.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(c => IdpKey.Load(Convert.FromBase64String(c)));

    /// <summary>Keys whose certificates are not over.</summary>
    internal IReadOnlyList<IdpKey> KeysAt(DateTimeOffset now) => [.. AllKeys().Where(k => k.NotAfter > now)];
}

/// <summary>Which group makes whom what.</summary>
public sealed record SsoRole(string Value, string Role);

/// <summary>A person and their name at the identity provider.</summary>
public sealed record SsoIdentity(string Reference, Guid UserId, string Username, string NameId, string? Email, bool IsMade, DateTimeOffset? LastAt);

/// <summary>Where the appliance is, to an identity provider, for one team.</summary>
public sealed record SsoAddresses(string EntityId, string Acs, string SignIn)
{
    public static SsoAddresses Of(Uri origin, string team)
    {
        var start = new Uri(origin, $"/sso/{team}").AbsoluteUri;
        return new SsoAddresses(start + "/metadata", start + "/acs", start);
    }
}

internal static class SsoQueries
{
    public static async Task<SsoConnection?> ConnectionAsync(this TeamSession session, CancellationToken ct) => (await session.SqlAsync<SsoConnection>(
        $"""
        select team_id as "TeamId", state as "State", idp_entity_id as "IdpEntityId", sign_on_url as "SignOnUrl", is_redirect as "IsRedirect", certificates as "Certificates",
               username_attribute as "UsernameAttribute", email_attribute as "EmailAttribute", groups_attribute as "GroupsAttribute", others as "Others",
               just_in_time as "JustInTime", idp_initiated as "IdpInitiated", second_factor as "SecondFactor", tested_at as "TestedAt", bound_by as "BoundBy"
        from saml_connections where team_id = app_team()
        """, ct)).SingleOrDefault();

    public static Task<List<SsoRole>> RolesAsync(this TeamSession session, CancellationToken ct) =>
        session.SqlAsync<SsoRole>($"""select value as "Value", role as "Role" from saml_roles where team_id = app_team() order by value""", ct);

    public static Task<List<SsoIdentity>> IdentitiesAsync(this TeamSession session, CancellationToken ct) => session.SqlAsync<SsoIdentity>(
        $"""
        select i.reference as "Reference", i.user_id as "UserId", u.username as "Username", i.name_id as "NameId", i.email as "Email", i.is_made as "IsMade", i.last_at as "LastAt"
        from saml_identities i join users u on u.id = i.user_id where i.team_id = app_team() order by u.username_key limit 500
        """, ct);
}
