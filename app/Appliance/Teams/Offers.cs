using Appliance.Data;
using Appliance.Ledger;
using Appliance.Vault;

namespace Appliance.Teams;

/// <summary>A place that is offered to the person who asks. <c>Reference</c> is the offer's own, not the team's.</summary>
public sealed record MyOffer(string Reference, string TeamName, string OfferedBy, DateTimeOffset OfferedAt);

/// <summary>The places in teams that are offered to a person: theirs to take or to decline.</summary>
public sealed class Offers(Database database, TimeProvider time)
{
    public async Task<IReadOnlyList<MyOffer>> ListAsync(UserId person, CancellationToken cancellationToken)
    {
        await using var session = await database.ForUserAsync(person, cancellationToken);
        return await session.SqlAsync<MyOffer>(
            $"""
            select o.reference as "Reference", o.team_name as "TeamName", u.username as "OfferedBy", o.offered_at as "OfferedAt"
            from member_offers o join users u on u.id = o.offered_by where o.username_key = app_username_key() order by o.offered_at
            """, cancellationToken);
    }

    /// <summary>Makes the person a member; false where there is no such offer (any more).</summary>
    public async Task<bool> AcceptAsync(string? reference, Origin origin, CancellationToken cancellationToken)
    {
        var person = origin.Actor ?? throw new ArgumentException("A place is taken by a person.", nameof(origin));
        if (await FindAsync(reference, person, cancellationToken) is not { } offer)
        {
            return false;
        }
        await using var session = await database.ForTeamAsync(new TeamId(offer.TeamId), person, cancellationToken);
        session.Add(new Membership
        {
            TeamId = new TeamId(offer.TeamId),
            UserId = person,
            Role = Membership.Member,
            Since = time.GetUtcNow(),
            AddedBy = new UserId(offer.OfferedBy),
        });
        try
        {
            await session.SaveAsync(cancellationToken);
        }
        catch (ForbiddenByDatabaseException)
        {
            await DropRevokedAsync(offer, person, cancellationToken);
            return false; // withdrawn in this moment, or the person's access was revoked: that an owner reinstates, and no offer
        }
        catch (DuplicateException)
        {
            return true; // taken in this moment, in another tab
        }
        // After the save: only a member writes to the team's ledger, and what is saved together is written in no promised order.
        session.Record(new LedgerEvent("member.added", person.ToString(), Details(offer.Username)), origin);
        await session.ExecuteAsync($"delete from member_offers where team_id = app_team() and reference = {reference}", cancellationToken);
        await session.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>Declines; false where there is no such offer.</summary>
    public async Task<bool> DeclineAsync(string? reference, Origin origin, CancellationToken cancellationToken)
    {
        var person = origin.Actor ?? throw new ArgumentException("A place is declined by a person.", nameof(origin));
        if (await FindAsync(reference, person, cancellationToken) is not { } offer)
        {
            return false;
        }
        await using var session = await database.ForTeamAsync(new TeamId(offer.TeamId), person, cancellationToken);
        session.Record(new LedgerEvent("member.declined", person.ToString(), Details(offer.Username)), origin);
        // Saved first: without the offer, the ledger takes nothing from somebody who is not in the team.
        await session.SaveAsync(cancellationToken);
        await session.ExecuteAsync($"delete from member_offers where team_id = app_team() and reference = {reference}", cancellationToken);
        await session.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>An offer that came around a revocation (by a mailed invitation, or from before it) leads nowhere and goes.</summary>
    private async Task DropRevokedAsync(Found offer, UserId person, CancellationToken cancellationToken)
    {
        await using var session = await database.ForTeamAsync(new TeamId(offer.TeamId), person, cancellationToken);
        await session.ExecuteAsync($"delete from member_offers where team_id = app_team() and username_key = app_username_key() and app_is_revoked(app_user())", cancellationToken);
        await session.CommitAsync(cancellationToken);
    }

    private async Task<Found?> FindAsync(string? reference, UserId person, CancellationToken cancellationToken)
    {
        if (!Reference.IsWellFormed(reference))
        {
            return null;
        }
        await using var session = await database.ForUserAsync(person, cancellationToken);
        var found = await session.SqlAsync<Found>(
            $"""
            select team_id as "TeamId", offered_by as "OfferedBy", username as "Username" from member_offers
            where reference = {reference} and username_key = app_username_key()
            """, cancellationToken);
        return found.SingleOrDefault();
    }

    private static Dictionary<string, string?> Details(string username) => new(StringComparer.Ordinal) { ["username"] = username };

    private sealed record Found(Guid TeamId, Guid OfferedBy, string Username);
}
