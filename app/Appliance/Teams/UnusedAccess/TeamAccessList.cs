using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.SignIn.Policy;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.Teams.UnusedAccess;

/// <summary>Access that was revoked because nobody used it.</summary>
public sealed record EndedAccess(Guid UserId, string Username, string Role, DateTimeOffset Since, DateTimeOffset? LastUsedAt, DateTimeOffset RevokedAt);

/// <summary>Who reaches a team and who did until nobody used it, for its owners; and giving it back.</summary>
public sealed class TeamAccessList(MailQueue mails, Settings settings, TimeProvider clock)
{
    public static async Task<AccessRules> RulesAsync(TeamSession session, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(session);
        return new AccessRules((await session.TeamPolicyAsync(ct)).UnusedDays is { } days ? TimeSpan.FromDays(days) : null);
    }

    /// <summary>Everybody in the team that is set, who has not used it longest first. A session of another team's provider is no use of this one.</summary>
    public static async Task<IReadOnlyList<MemberAccess>> ListAsync(TeamSession session, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(session);
        return await session.SqlAsync<MemberAccess>(
            $"""
            select u.id as "UserId", u.username as "Username", m.role as "Role", m.since as "Since", greatest(m.since, m.counts_from) as "CountsFrom", m.warned_at as "WarnedAt",
                   greatest(u.last_sign_in_at,
                       (select max(s.last_seen_at) from sessions s where s.user_id = u.id and (s.only_team is null or s.only_team = m.team_id)),
                       (select max(i.last_at) from saml_identities i where i.team_id = m.team_id and i.user_id = u.id),
                       case when m.role = 'member' then
                           (select max(t.last_used_at) from api_tokens t where t.user_id = u.id and (t.team_id is null or t.team_id = m.team_id)) end) as "LastUsedAt"
            from memberships m join users u on u.id = m.user_id where m.team_id = app_team()
            order by "LastUsedAt" nulls first, u.username_key
            """, ct);
    }

    /// <summary>Whose access ended, the last one first.</summary>
    public static async Task<IReadOnlyList<EndedAccess>> ListEndedAsync(TeamVisit visit, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        return await visit.Session.SqlAsync<EndedAccess>(
            $"""
            select u.id as "UserId", u.username as "Username", r.role as "Role", r.since as "Since", r.last_used_at as "LastUsedAt", r.revoked_at as "RevokedAt"
            from revoked_access r join users u on u.id = r.user_id where r.team_id = app_team() order by r.revoked_at desc, u.username_key
            """, ct);
    }

    /// <summary>Gives somebody's access back, as it was. Commits.</summary>
    /// <exception cref="TeamRuleException">Not an owner, or nothing was revoked.</exception>
    public async Task ReinstateAsync(TeamVisit visit, string? username, Origin origin, CancellationToken ct)
    {
        await GiveBackAsync(visit, username, origin, ct);
        await visit.Session.CommitAsync(ct);
    }

    /// <summary>The same within the caller's transaction.</summary>
    /// <exception cref="TeamRuleException">Not an owner, or nothing was revoked.</exception>
    internal async Task GiveBackAsync(TeamVisit visit, string? username, Origin origin, CancellationToken ct)
    {
        var (session, ended) = (visit.Session, await TakeAsync(visit, username, ct));
        session.Add(new Membership
        {
            TeamId = visit.Team,
            UserId = new UserId(ended.UserId),
            Role = ended.Role,
            Since = ended.Since,
            AddedBy = visit.Person,
            CountsFrom = clock.GetUtcNow(),
        });
        session.Record(Happened("member.access-reinstated", ended.UserId, ended.Username, ("role", ended.Role)), origin);
        mails.ToPerson(session, new UserId(ended.UserId), AccessMails.Reinstated(visit.Name, settings.Origin));
    }

    /// <summary>Lets it be: the person is as anybody else outside of the team from now on. Commits.</summary>
    /// <exception cref="TeamRuleException">Not an owner, or nothing was revoked.</exception>
    public async Task ForgetAsync(TeamVisit visit, string? username, Origin origin, CancellationToken ct)
    {
        var ended = await TakeAsync(visit, username, ct);
        visit.Session.Record(Happened("member.removed", ended.UserId, ended.Username), origin);
        await visit.Session.CommitAsync(ct);
    }

    internal static LedgerEvent Happened(string action, Guid who, string username, params (string Name, string? Value)[] more)
    {
        var details = new Dictionary<string, string?>(StringComparer.Ordinal) { ["username"] = username };
        foreach (var (name, value) in more)
        {
            details[name] = value;
        }
        return new LedgerEvent(action, who.ToString("D"), details);
    }

    private static async Task<EndedAccess> TakeAsync(TeamVisit visit, string? username, CancellationToken ct)
    {
        if (!visit.IsOwner)
        {
            throw new TeamRuleException("Only an owner of the team decides who is in it.");
        }
        var key = NameKey.Of(username ?? "");
        // Of two owners at once, one takes the row.
        var taken = await visit.Session.SqlAsync<EndedAccess>(
            $"""
            delete from revoked_access r using users u where r.team_id = app_team() and u.id = r.user_id and u.username_key = {key}
            returning u.id as "UserId", u.username as "Username", r.role as "Role", r.since as "Since", r.last_used_at as "LastUsedAt", r.revoked_at as "RevokedAt"
            """, ct);
        return taken.SingleOrDefault() ?? throw new TeamRuleException("Nobody of that name has access to give back: it may just have been done.");
    }
}
