using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.Teams;

public sealed record Member(Guid UserId, string Username, string Role, DateTimeOffset Since);

/// <summary>A place that nobody has taken yet.</summary>
public sealed record OfferedPlace(string Username, DateTimeOffset OfferedAt);

/// <summary>
/// Who is in a team. Nobody is put into one: a place is offered to a username, and whoever has it takes or declines it. So the team's
/// side looks the same whether there is such an account or not, and an owner cannot probe for accounts (A11).
/// </summary>
public sealed class Members(MailQueue mails, Settings settings, TimeProvider time)
{
    private const int MaxOpenOffers = 200;

    public async Task<IReadOnlyList<Member>> ListAsync(TeamVisit visit, CancellationToken cancellationToken) =>
        await visit.Session.SqlAsync<Member>(
            $"""
            select u.id as "UserId", u.username as "Username", m.role as "Role", m.since as "Since"
            from memberships m join users u on u.id = m.user_id where m.team_id = app_team() order by m.since, u.username_key
            """, cancellationToken);

    /// <summary>Whether the team has single sign-on and the person has no identity in it yet.</summary>
    public async Task<bool> MayLinkAsync(TeamVisit visit, CancellationToken cancellationToken) =>
        (await visit.Session.SqlAsync<bool>(
            $"""
            select exists (select from saml_connections where team_id = app_team() and state <> 'draft')
                   and not exists (select from saml_identities where team_id = app_team() and user_id = app_user()) as "Value"
            """, cancellationToken)).Single();

    /// <summary>The places that are offered and not taken yet.</summary>
    public async Task<IReadOnlyList<OfferedPlace>> ListOffersAsync(TeamVisit visit, CancellationToken cancellationToken) =>
        await visit.Session.SqlAsync<OfferedPlace>(
            $"""
            select username as "Username", offered_at as "OfferedAt" from member_offers where team_id = app_team() order by offered_at, username_key
            """, cancellationToken);

    /// <summary>Offers a place to whoever has this username. Offering again changes nothing. Commits.</summary>
    /// <exception cref="TeamRuleException">They may not let people in, a member already, or not a username.</exception>
    public async Task OfferAsync(TeamVisit visit, string? username, Origin origin, CancellationToken cancellationToken)
    {
        await RequireInviterAsync(visit, cancellationToken);
        username = username?.Trim() ?? "";
        if (NameKey.UsernameProblem(username) is { } problem)
        {
            throw new TeamRuleException(problem);
        }
        var key = NameKey.Of(username);
        var session = visit.Session;
        if ((await session.SqlAsync<int>(
            $"""
            select count(*)::int as "Value" from memberships m join users u on u.id = m.user_id where m.team_id = app_team() and u.username_key = {key}
            """, cancellationToken)).Single() > 0)
        {
            throw new TeamRuleException($"{username} is a member already.");
        }
        if ((await session.SqlAsync<bool>(
            $"""select exists (select from revoked_access r join users u on u.id = r.user_id where r.team_id = app_team() and u.username_key = {key}) as "Value" """, cancellationToken)).Single())
        {
            throw new TeamRuleException($"{username} was a member, and their access ended because nobody used it. Give it back on the access page.");
        }
        if ((await session.SqlAsync<int>($"""select count(*)::int as "Value" from member_offers where team_id = app_team()""", cancellationToken)).Single() >= MaxOpenOffers)
        {
            throw new TeamRuleException($"{MaxOpenOffers} places are offered and not taken yet. Withdraw some first.");
        }
        if (await session.ExecuteAsync(
            $"""
            insert into member_offers (team_id, username, username_key, reference, team_name, offered_by, offered_at)
            values ({visit.Team.Value}, {username}, {key}, {Reference.New()}, {visit.Name}, {visit.Person.Value}, {time.GetUtcNow()})
            on conflict (team_id, username_key) do nothing
            """, cancellationToken) > 0)
        {
            session.Record(Happened("member.offered", key, username), origin);
        }
        await session.CommitAsync(cancellationToken);
    }

    /// <summary>Takes an offer back. Commits.</summary>
    public async Task WithdrawAsync(TeamVisit visit, string? username, Origin origin, CancellationToken cancellationToken)
    {
        await RequireInviterAsync(visit, cancellationToken);
        var key = NameKey.Of(username ?? "");
        if (await visit.Session.ExecuteAsync($"delete from member_offers where team_id = app_team() and username_key = {key}", cancellationToken) > 0)
        {
            visit.Session.Record(Happened("member.offer-withdrawn", key, username), origin);
        }
        await visit.Session.CommitAsync(cancellationToken);
    }

    /// <summary>Takes somebody out, or oneself. From the commit on, the database shows them nothing of the team.</summary>
    /// <exception cref="TeamRuleException">Not an owner, or the last one.</exception>
    public async Task RemoveAsync(TeamVisit visit, string? username, Origin origin, CancellationToken cancellationToken)
    {
        var session = visit.Session;
        var owners = await LockOwnersAsync(session, cancellationToken);
        if (await FindAsync(session, username, cancellationToken) is not { } member)
        {
            return; // gone already, or never here: the outcome is the one that was asked for
        }
        if (member.UserId != visit.Person.Value)
        {
            RequireOwner(visit, owners);
        }
        await RequireAnotherOwnerAsync(session, owners, member, cancellationToken);
        // Recorded first: somebody who leaves may write nothing to the team afterwards.
        session.Record(Happened("member.removed", member.UserId.ToString("D"), member.Username), origin);
        await session.SaveAsync(cancellationToken);
        await session.ExecuteAsync($"delete from memberships where team_id = app_team() and user_id = {member.UserId}", cancellationToken);
        await session.CommitAsync(cancellationToken);
    }

    /// <summary>Makes a member an owner, or an owner a member. Commits.</summary>
    /// <exception cref="TeamRuleException">Not an owner, no member of that name, or the last owner.</exception>
    public async Task ChangeRoleAsync(TeamVisit visit, string? username, bool owner, Origin origin, CancellationToken cancellationToken)
    {
        await SetRoleAsync(visit, username, owner, origin, cancellationToken);
        await visit.Session.CommitAsync(cancellationToken);
    }

    /// <summary>The same within the caller's transaction. What they had asked for before is over.</summary>
    /// <exception cref="TeamRuleException">As <see cref="ChangeRoleAsync"/>.</exception>
    internal async Task SetRoleAsync(TeamVisit visit, string? username, bool owner, Origin origin, CancellationToken cancellationToken)
    {
        RequireOwner(visit);
        var session = visit.Session;
        var owners = await LockOwnersAsync(session, cancellationToken);
        RequireOwner(visit, owners);
        var member = await FindAsync(session, username, cancellationToken) ?? throw new TeamRuleException("Nobody in this team has that username.");
        var role = owner ? Membership.Owner : Membership.Member;
        if (member.Role == role)
        {
            return;
        }
        if (!owner)
        {
            await RequireAnotherOwnerAsync(session, owners, member, cancellationToken);
        }
        session.Record(new LedgerEvent("member.role-changed", member.UserId.ToString("D"), new Dictionary<string, string?>(StringComparer.Ordinal) { ["username"] = member.Username, ["role"] = role }), origin);
        mails.ToPerson(session, new UserId(member.UserId), new MailContent(
            "member.role-changed",
            owner ? "You are an owner of a team now" : "You are no longer an owner of a team",
            [$"An owner of the team “{MailText.Tame(visit.Name)}” at {settings.Origin.IdnHost} made you {(owner ? "an owner" : "a member who is no longer an owner")} of it."],
            new Uri(settings.Origin, "/teams"),
            "Your teams"));
        await session.ExecuteAsync($"update memberships set role = {role} where team_id = app_team() and user_id = {member.UserId}", cancellationToken);
        await session.ExecuteAsync(
            $"""
            update access_requests set state = 'void', answered_by = app_user(), answered_at = {time.GetUtcNow()}
            where team_id = app_team() and user_id = {member.UserId} and user_id <> app_user() and kind = {AccessRequests.AccessRequest.ToOwn} and state = 'open'
            """, cancellationToken);
    }

    /// <summary>The team's owners. Locked: two who remove each other must not both succeed.</summary>
    internal static async Task<IReadOnlyList<Guid>> LockOwnersAsync(TeamSession session, CancellationToken cancellationToken) =>
        await session.SqlAsync<Guid>(
            $"""select user_id as "Value" from memberships where team_id = app_team() and role = 'owner' order by user_id for update""", cancellationToken);

    internal static async Task<Member?> FindAsync(TeamSession session, string? username, CancellationToken cancellationToken)
    {
        var key = NameKey.Of(username ?? "");
        return (await session.SqlAsync<Member>(
            $"""
            select u.id as "UserId", u.username as "Username", m.role as "Role", m.since as "Since"
            from memberships m join users u on u.id = m.user_id where m.team_id = app_team() and u.username_key = {key}
            """, cancellationToken)).SingleOrDefault();
    }

    private static async Task RequireAnotherOwnerAsync(TeamSession session, IReadOnlyList<Guid> owners, Member member, CancellationToken cancellationToken)
    {
        if (owners is [var last] && last == member.UserId)
        {
            throw new TeamRuleException("A team keeps at least one owner. Nobody else could let anyone in.");
        }
        // Where an identity provider signs people in, somebody stays who does not need it (docs/saml.md, "Break glass").
        if (member.Role == Membership.Owner && (await session.SqlAsync<bool>(
            $"""
            select exists (select from saml_connections where team_id = app_team() and state <> 'draft') and app_break_glass_owners({member.UserId}) = 0 as "Value"
            """, cancellationToken)).Single())
        {
            throw new TeamRuleException("This is the team's last owner who can sign in with a password and a key of their own. If the identity provider fails, nobody else could let anyone in.");
        }
    }

    /// <exception cref="TeamRuleException">They may not let people in.</exception>
    internal static async Task RequireInviterAsync(TeamVisit visit, CancellationToken cancellationToken)
    {
        if (!await visit.MayAsync(Groups.Permission.Invite, cancellationToken))
        {
            throw new TeamRuleException("Only an owner of the team, or who has the permission by a group, lets people in.");
        }
    }

    private static void RequireOwner(TeamVisit visit, IReadOnlyList<Guid>? locked = null)
    {
        if (!visit.IsOwner || locked?.Contains(visit.Person.Value) == false)
        {
            throw new TeamRuleException("Only an owner of the team decides who is in it.");
        }
    }

    private static LedgerEvent Happened(string action, string subject, string? username) =>
        new(action, subject, new Dictionary<string, string?>(StringComparer.Ordinal) { ["username"] = username });
}
