using System.Collections.Concurrent;
using System.Security.Claims;
using Appliance.Data;
using Appliance.SignIn.Tokens;
using Appliance.Vault;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Authorization;

namespace Appliance.SignIn;

/// <summary>Marks an endpoint outside of any team that a session limited to a team may call all the same, because it touches nothing of the account.</summary>
internal sealed class OpenToTeamSessions;

/// <summary>
/// Which doors single sign-on opens and closes, asked with every policy that a session satisfies. A session that a team's identity provider
/// vouched for opens the addresses of that team and no other: not the account, not its other teams. And a team that requires its provider opens
/// to no other session, save to owners: they keep a way in with password and key.
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
            return team == only || http.GetEndpoint()?.Metadata.GetMetadata<OpenToTeamSessions>() is not null ? null : new Closed(only, ThroughProvider: false);
        }
        if (team is null || !Reference.IsWellFormed(team) || person.IsToken() || person.IdOrNull() is not { } id)
        {
            return null;
        }
        return await RequiresProviderAsync(team, id, http.RequestAborted) ? new Closed(team, ThroughProvider: true) : null;
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

    /// <summary>What a closed door says.</summary>
    internal sealed record Closed(string Team, bool ThroughProvider)
    {
        public Task AnswerAsync(HttpContext http, bool isNavigation)
        {
            if (isNavigation && HttpMethods.IsGet(http.Request.Method) && (ThroughProvider || http.Request.Path.Value is "/" or "/teams"))
            {
                http.Response.Redirect(ThroughProvider ? $"/sso/{Team}" : $"/teams/{Team}/files");
                return Task.CompletedTask;
            }
            http.Response.StatusCode = StatusCodes.Status403Forbidden;
            http.Features.Set(ThroughProvider
                ? new ErrorDetail("This team opens through its organisation's sign-in only. Sign in there, then try again.", "sso-required")
                : new ErrorDetail("You came in through your organisation's sign-in, which opens one team and nothing of your account. Sign out, then sign in with your own password and key.", "sso-session"));
            return Task.CompletedTask;
        }
    }
}
