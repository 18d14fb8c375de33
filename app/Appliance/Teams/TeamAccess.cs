using System.Collections.Concurrent;
using System.Security.Claims;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.SignIn.Tokens;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Teams;

/// <summary>
/// The way into a team by its public reference. A reference that nobody has given out and one of a team that is not the person's are the
/// same: null, which every page and endpoint answers with 404.
/// </summary>
public sealed class TeamAccess(Database database)
{
    private const int MostRemembered = 10_000;

    /// <summary>Which reference is which team never changes, so it is asked once. It opens nothing: the database checks membership itself.</summary>
    private readonly ConcurrentDictionary<string, TeamId> _known = new(StringComparer.Ordinal);

    /// <summary>As the other one, for whoever the request was signed in by: a token that is for one team opens no other.</summary>
    /// <exception cref="DatabaseUnavailableException">The database does not answer.</exception>
    public Task<TeamVisit?> EnterAsync(string? reference, ClaimsPrincipal person, CancellationToken cancellationToken) =>
        EnterAsync(reference, person.Id(), person.OnlyTeam(), cancellationToken);

    /// <summary>Opens a session in the team, for a member. The visit is the caller's to dispose.</summary>
    /// <exception cref="DatabaseUnavailableException">The database does not answer.</exception>
    public Task<TeamVisit?> EnterAsync(string? reference, UserId person, CancellationToken cancellationToken) =>
        EnterAsync(reference, person, null, cancellationToken);

    /// <summary>
    /// Which team and whom a request means, for one read by <see cref="Direct"/>. It says nothing of membership: the database decides in that
    /// very read, as it does for every one.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database does not answer.</exception>
    internal async Task<(TeamId Team, UserId Person)?> LocateAsync(string? reference, ClaimsPrincipal person, CancellationToken cancellationToken) =>
        Reference.IsWellFormed(reference) && await FindAsync(reference!, person.Id(), cancellationToken) is { } team && (person.OnlyTeam() is not { } only || only == team)
            ? (team, person.Id())
            : null;

    /// <summary>The team of a reference, where this process has seen it before. It says nothing of whether anybody may enter.</summary>
    internal TeamId? Known(string? reference) => reference is not null && _known.TryGetValue(reference, out var team) ? team : null;

    private async Task<TeamVisit?> EnterAsync(string? reference, UserId person, TeamId? only, CancellationToken cancellationToken)
    {
        if (!Reference.IsWellFormed(reference) || await FindAsync(reference!, person, cancellationToken) is not { } team || (only is { } one && one != team))
        {
            return null;
        }
        var session = await database.ForTeamAsync(team, person, cancellationToken);
        try
        {
            var seen = await session.SqlAsync<Seen>(
                $"""
                select t.name as "Name", m.role as "Role" from teams t join memberships m on m.team_id = t.id
                where t.id = app_team() and m.user_id = app_user()
                """, cancellationToken);
            if (seen is [var me])
            {
                return new TeamVisit(session, person, reference!, me.Name, me.Role);
            }
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
        await session.DisposeAsync();
        return null;
    }

    private async Task<TeamId?> FindAsync(string reference, UserId person, CancellationToken cancellationToken)
    {
        if (_known.TryGetValue(reference, out var known))
        {
            return known;
        }
        await using var session = await database.ForUserAsync(person, cancellationToken);
        var found = await session.SqlAsync<Guid>($"""select id as "Value" from teams where reference = {reference}""", cancellationToken);
        if (found is not [var id])
        {
            return null;
        }
        if (_known.Count >= MostRemembered)
        {
            _known.Clear();
        }
        return _known[reference] = new TeamId(id);
    }

    private sealed record Seen(string Name, string Role);
}

/// <summary>A member at work in a team: an open <see cref="TeamSession"/> and what every page of the team shows.</summary>
public sealed class TeamVisit(TeamSession session, UserId person, string reference, string name, string role) : IAsyncDisposable
{
    public TeamSession Session { get; } = session;

    public TeamId Team => Session.TeamOrThrow;

    public UserId Person { get; } = person;

    /// <summary>The team's public reference.</summary>
    public string Reference { get; } = reference;

    public string Name { get; } = name;

    /// <summary>May change who is in the team.</summary>
    public bool IsOwner { get; } = role == Membership.Owner;

    /// <summary>Whether they have one of <see cref="Groups.Permission.All"/>, as the database says now.</summary>
    /// <exception cref="DatabaseUnavailableException">The database does not answer.</exception>
    public async Task<bool> MayAsync(string permission, CancellationToken cancellationToken) =>
        (await Session.SqlAsync<bool>($"""select {permission} = any(app_permissions()) as "Value" """, cancellationToken)).Single();

    public ValueTask DisposeAsync() => Session.DisposeAsync();
}
