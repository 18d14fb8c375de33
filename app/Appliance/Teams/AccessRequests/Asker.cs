using System.Security.Claims;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.SignIn.Tokens;
using Appliance.Vault;

namespace Appliance.Teams.AccessRequests;

/// <summary>A team that the person was in, until nobody used their access.</summary>
public sealed record MyEndedAccess(Guid TeamId, string Reference, string TeamName, DateTimeOffset EndedAt);

/// <summary>Somebody who may ask a team for something: a member who is no owner, or somebody whose access ended, who is inside of nothing else of the team.</summary>
public sealed class Asker(TeamSession session, UserId person, string reference, string teamName, string kind) : IAsyncDisposable
{
    public TeamSession Session { get; } = session;

    public UserId Person { get; } = person;

    /// <summary>The team's public reference.</summary>
    public string Reference { get; } = reference;

    public string TeamName { get; } = teamName;

    /// <summary>What they may ask for: an <see cref="AccessRequest"/>'s kind.</summary>
    public string Kind { get; } = kind;

    /// <summary>Null: to them there is nothing here, whether there is such a team or not. The result is the caller's to dispose.</summary>
    public static async Task<Asker?> EnterAsync(TeamAccess access, Database database, string? reference, ClaimsPrincipal person, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(access);
        ArgumentNullException.ThrowIfNull(database);
        if (await access.EnterAsync(reference, person, ct) is { } visit)
        {
            if (!visit.IsOwner)
            {
                return new Asker(visit.Session, visit.Person, visit.Reference, visit.Name, AccessRequest.ToOwn);
            }
            await visit.DisposeAsync();
            return null;
        }
        // A session that a team's provider gave opens a team that the person is in, and that is not this one.
        if (person.OnlyTeam() is not null || (await EndedAsync(database, person.Id(), ct)).FirstOrDefault(e => e.Reference == reference) is not { } ended)
        {
            return null;
        }
        return new Asker(await database.ForTeamAsync(new TeamId(ended.TeamId), person.Id(), ct), person.Id(), ended.Reference, ended.TeamName, AccessRequest.ToComeBack);
    }

    /// <summary>Teams that the person was in, until nobody used their access.</summary>
    public static async Task<IReadOnlyList<MyEndedAccess>> EndedAsync(Database database, UserId person, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(database);
        await using var session = await database.ForUserAsync(person, ct);
        return await session.SqlAsync<MyEndedAccess>(
            $"""select team_id as "TeamId", reference as "Reference", team as "TeamName", revoked_at as "EndedAt" from app_my_ended_access()""", ct);
    }

    public ValueTask DisposeAsync() => Session.DisposeAsync();
}
