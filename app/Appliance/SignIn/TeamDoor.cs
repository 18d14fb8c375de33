using System.Collections.Concurrent;
using System.Security.Claims;
using Appliance.Data;
using Appliance.SignIn.Policy;
using Appliance.SignIn.Tokens;
using Appliance.Vault;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Authorization;

namespace Appliance.SignIn;

/// <summary>Marks an endpoint outside of any team that a session limited to a team may call all the same, because it touches nothing of the account.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class OpenToTeamSessions : Attribute
{
    /// <summary>
    /// Only to whoever has to add a security key first and whose account has no password: nobody but the team's identity provider signs in to it, so what
    /// is added opens nothing that the provider did not.
    /// </summary>
    public bool WhileEnrolling { get; init; }
}

/// <summary>
/// Which doors single sign-on and the teams' policies open and close, asked with every access policy that a session satisfies. A session that a team's
/// identity provider vouched for opens the addresses of that team and no other: not the account, not its other teams. A team that requires its provider
/// opens to no other session, save to owners: they keep a way in with password and key. And a team whose policy asks for more than was given opens to
/// nobody else's session or token; the account and other teams stay as they were.
/// </summary>
public sealed class TeamDoor(Database database, TimeProvider clock, IHttpContextAccessor contexts) : AuthorizationHandler<TeamDoor.Requirement>
{
    /// <summary>How long another replica may go on with what was so.</summary>
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(30);

    private const int MostRemembered = 10_000;

    private readonly ConcurrentDictionary<(string Team, UserId Person), (bool Closed, DateTimeOffset At)> _known = new();

    public sealed class Requirement : IAuthorizationRequirement;

    /// <summary>Forgets what was asked: a team's connection was changed.</summary>
    public void Forget() => _known.Clear();

    /// <summary>Of the address, as it was asked for.</summary>
    internal static string? TeamOf(HttpContext http) => http.GetRouteValue("team") as string is { } team && Reference.IsWellFormed(team) ? team : null;

    /// <summary>Notes with a session that the team's policy asks for more than it was opened with, or for a younger one.</summary>
    internal static void Tell(ClaimsPrincipal person, string team, FactorPolicy? policy, FactorPolicy appliance, GivenFactor given, TimeSpan age)
    {
        if (policy is not null && (age >= policy.Lifetime || !policy.And(appliance).IsMetBy(given)))
        {
            person.Identities.First().AddClaim(new Claim(ClosedClaim, team));
        }
    }

    /// <summary>The same with a token, by the session that it was made in; where that was not enough for the appliance either, it opens nothing at all.</summary>
    internal static void TellToken(ClaimsPrincipal token, string team, FactorPolicy? policy, FactorPolicy appliance, GivenFactor given)
    {
        if (!appliance.IsMetBy(given))
        {
            token.Identities.First().AddClaim(new Claim(ClosedClaim, Everything));
        }
        else if (policy?.And(appliance).IsMetBy(given) == false)
        {
            token.Identities.First().AddClaim(new Claim(ClosedClaim, team));
        }
    }

    private const string ClosedClaim = "closed-by-policy";

    private const string Everything = "everything";

    protected override async Task HandleRequirementAsync(AuthorizationHandlerContext context, Requirement requirement)
    {
        var http = context.Resource as HttpContext ?? contexts.HttpContext ?? throw new InvalidOperationException("A session is used outside of a request.");
        if (await ClosedAsync(context.User, http) is { } closed)
        {
            http.Features.Set(closed);
            return;
        }
        context.Succeed(requirement);
    }

    /// <summary>Why the request was refused here; null: for another reason.</summary>
    internal static Closed? WhyClosed(HttpContext http) => http.Features.Get<Closed>();

    private async Task<Closed?> ClosedAsync(ClaimsPrincipal person, HttpContext http)
    {
        var team = http.GetRouteValue("team") as string;
        if (person.OnlyTeamReference() is { } only)
        {
            if (team != only)
            {
                return http.GetEndpoint()?.Metadata.GetMetadata<OpenToTeamSessions>() is { } open
                    && (!open.WhileEnrolling || (person.IsToEnrol() && person.HasClaim(SignedInPerson.NoPasswordClaim, "true"))) ? null : new Closed(only, Why.NotThisTeam);
            }
            return person.HasClaim(ClosedClaim, only) ? new Closed(only, Why.Policy) : null;
        }
        if (person.HasClaim(ClosedClaim, Everything) || (team is not null && person.HasClaim(ClosedClaim, team)))
        {
            return new Closed(team ?? "", Why.Policy);
        }
        if (team is null || !Reference.IsWellFormed(team) || person.IsToken() || person.IdOrNull() is not { } id)
        {
            return null;
        }
        return await RequiresProviderAsync(team, id, http.RequestAborted) ? new Closed(team, Why.OtherProvider) : null;
    }

    private async Task<bool> RequiresProviderAsync(string team, UserId person, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (_known.TryGetValue((team, person), out var known) && (now - known.At).Duration() < Remembered)
        {
            return known.Closed;
        }
        var closed = false;
        // The person's own membership tells which team it is; what the team requires is asked inside it.
        await using (var mine = await database.ForUserAsync(person, ct))
        {
            var teams = await mine.SqlAsync<Guid>(
                $"""
                select m.team_id as "Value" from memberships m join teams t on t.id = m.team_id
                where t.reference = {team} and m.user_id = app_user() and m.role <> 'owner'
                """, ct);
            if (teams is [var id])
            {
                await using var inside = await database.ForTeamAsync(new TeamId(id), person, ct);
                closed = (await inside.SqlAsync<bool>($"""select state = 'required' as "Value" from saml_connections where team_id = app_team()""", ct)) is [true];
            }
        }
        if (_known.Count >= MostRemembered)
        {
            _known.Clear();
        }
        _known[(team, person)] = (closed, now);
        return closed;
    }

    internal enum Why
    {
        /// <summary>The session opens another team, and nothing else.</summary>
        NotThisTeam,

        /// <summary>The team requires its identity provider.</summary>
        OtherProvider,

        /// <summary>The team's policy, or for a token the appliance's, asks for more.</summary>
        Policy,
    }

    /// <summary>What a closed door says.</summary>
    internal sealed record Closed(string Team, Why Why)
    {
        public static readonly ErrorDetail PolicyUnmet = new(
            "Your organisation asks for more to open this than you signed in with. The web pages say what. A token or app password is as good as the session it was made in: make another one once you are in.", "policy-unmet");

        public Task AnswerAsync(HttpContext http, bool isNavigation)
        {
            if (isNavigation && HttpMethods.IsGet(http.Request.Method) && (Why != Why.NotThisTeam || http.Request.Path.Value is "/" or "/teams"))
            {
                http.Response.Redirect(Why switch
                {
                    Why.Policy => $"/account/enrol?team={Team}&return={Uri.EscapeDataString(ReturnPath.Local(http.Request.PathBase + http.Request.Path + http.Request.QueryString))}",
                    Why.OtherProvider => $"/sso/{Team}",
                    _ => $"/teams/{Team}/files",
                });
                return Task.CompletedTask;
            }
            http.Response.StatusCode = StatusCodes.Status403Forbidden;
            http.Features.Set(Why switch
            {
                Why.Policy => PolicyUnmet,
                Why.OtherProvider => new ErrorDetail("This team opens through its organisation's sign-in only. Sign in there, then try again.", "sso-required"),
                _ => new ErrorDetail("You came in through your organisation's sign-in, which opens one team and nothing of your account. Sign out, then sign in with your own password and key.", "sso-session"),
            });
            return Task.CompletedTask;
        }
    }
}
