using System.Text.Json;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.Teams.UnusedAccess;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.Teams.AccessReview;

/// <summary>
/// From time to time an owner looks through everybody who has access, decides of each, and signs. Signing is one transaction: who is taken out is out, what
/// was seen and decided is kept, and the ledger hears of it; where the list changed meanwhile, nothing is signed.
/// </summary>
public sealed class AccessReviews(MailQueue mails, Settings settings, TimeProvider clock)
{
    public const int UsualDays = 90;

    private const int MostShown = 12;

    private static readonly TimeSpan BetweenReminders = TimeSpan.FromDays(7);

    /// <summary>For an owner, or a job. A team that was never reviewed is due so many days after it was made.</summary>
    public static async Task<ReviewState> StateAsync(TeamSession session, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(session);
        var due = (await session.SqlAsync<Due>(
            $"""
            select coalesce((select review_days from team_policies where team_id = app_team()), {UsualDays}) as "Days",
                   greatest(t.created_at, (select max(signed_at) from access_reviews where team_id = app_team())) as "Since"
            from teams t where t.id = app_team()
            """, ct)).Single();
        var signed = await session.SqlAsync<ReviewSummary>(
            $"""
            select r.reference as "Reference", r.signed_at as "SignedAt", u.username as "SignedBy", r.kept as "Kept", r.removed as "Removed"
            from access_reviews r join users u on u.id = r.signed_by where r.team_id = app_team() order by r.signed_at desc limit {MostShown}
            """, ct);
        return new ReviewState(due.Since.AddDays(due.Days), due.Days, signed);
    }

    /// <summary>What a signed review said; null: there is none of that reference.</summary>
    public static async Task<IReadOnlyList<ReviewedLine>?> LinesAsync(TeamVisit visit, string? reference, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var found = await visit.Session.SqlAsync<string>($"""select lines as "Value" from access_reviews where team_id = app_team() and reference = {reference ?? ""}""", ct);
        return found is [var lines] ? JsonSerializer.Deserialize<List<ReviewedLine>>(lines) : null;
    }

    /// <summary>Signs, and takes out whoever is not kept. Commits.</summary>
    /// <param name="visit">The owner who signs.</param>
    /// <param name="decisions">Of everybody who was shown, whether they stay.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="ct">Ends it before it is committed.</param>
    /// <exception cref="TeamRuleException">Not an owner (any more), not everybody was decided on, or nobody could let anyone in afterwards.</exception>
    public async Task SignAsync(TeamVisit visit, IReadOnlyDictionary<Guid, bool> decisions, Origin origin, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        ArgumentNullException.ThrowIfNull(decisions);
        var session = visit.Session;
        // As whoever removes a member does. Who was taken out as an owner meanwhile signs nothing.
        var owners = await session.SqlAsync<Guid>(
            $"""select user_id as "Value" from memberships where team_id = app_team() and role = 'owner' order by user_id for update""", ct);
        if (!owners.Contains(visit.Person.Value))
        {
            throw new TeamRuleException("Only an owner of the team signs its access review.");
        }
        var everyone = await TeamAccessList.ListAsync(session, ct);
        if (everyone.Count != decisions.Count || !everyone.All(m => decisions.ContainsKey(m.UserId)))
        {
            throw new TeamRuleException("Nothing was signed: decide of everybody who is on the list. It may have changed while you looked at it.");
        }
        if (!decisions[visit.Person.Value])
        {
            throw new TeamRuleException("Nothing was signed: you cannot take yourself out in a review. Leave on the members’ page.");
        }
        var reaches = await Groups.GroupSummary.ReadAsync(session, ct);
        var gone = everyone.Where(m => !decisions[m.UserId]).ToList();
        foreach (var member in gone)
        {
            await session.ExecuteAsync($"delete from memberships where team_id = app_team() and user_id = {member.UserId}", ct);
            session.Record(TeamAccessList.Happened("member.removed", member.UserId, member.Username, ("reason", "access review")), origin);
        }
        if (gone.Any(m => m.Role == Membership.Owner) && (await session.SqlAsync<bool>(
            $"""select exists (select from saml_connections where team_id = app_team() and state <> 'draft') and app_break_glass_owners(null) = 0 as "Value" """, ct)).Single())
        {
            throw new TeamRuleException("Nothing was signed: no owner would be left who can sign in with a password and a key of their own. If the identity provider fails, nobody could let anyone in.");
        }
        var review = new SignedReview
        {
            TeamId = visit.Team,
            Reference = Reference.New(),
            SignedAt = clock.GetUtcNow(),
            SignedBy = visit.Person,
            Kept = everyone.Count - gone.Count,
            Removed = gone.Count,
            Lines = JsonSerializer.Serialize(everyone.Select(m => new ReviewedLine(m.Username, m.Role, m.Since, m.LastUsedAt, decisions[m.UserId], reaches.GetValueOrDefault(m.UserId)))),
        };
        session.Add(review);
        session.Record(
            new LedgerEvent("access-review.signed", review.Reference, new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["kept"] = review.Kept.ToString(System.Globalization.CultureInfo.InvariantCulture), ["removed"] = review.Removed.ToString(System.Globalization.CultureInfo.InvariantCulture),
            }),
            origin);
        await session.CommitAsync(ct);
    }

    /// <summary>Reminds the owners of a review that is due, once a week. For a job, in its session; it commits. Whether it did.</summary>
    internal async Task<bool> RemindAsync(TeamSession session, CancellationToken ct)
    {
        var (state, now) = (await StateAsync(session, ct), clock.GetUtcNow());
        if (!state.IsOverdue(now) || !mails.IsConfigured)
        {
            return false;
        }
        if (await session.ExecuteAsync(
            $"""
            insert into access_review_reminders as r (team_id, reminded_at) values (app_team(), {now})
            on conflict (team_id) do update set reminded_at = excluded.reminded_at where r.reminded_at <= {now - BetweenReminders}
            """, ct) == 0)
        {
            return false;
        }
        var name = (await session.SqlAsync<string>($"""select name as "Value" from teams where id = app_team()""", ct)).Single();
        foreach (var owner in await session.SqlAsync<Guid>($"""select user_id as "Value" from memberships where team_id = app_team() and role = 'owner'""", ct))
        {
            mails.ToPerson(session, new UserId(owner), new MailContent(
                "access-review.due",
                "An access review is due",
                [
                    $"Who has access to the team “{MailText.Tame(name)}” at {settings.Origin.IdnHost} was to be looked through by now. It takes a few minutes: everybody is on one page, with the last time they came.",
                    "You are an owner of the team. One of its owners signing is enough.",
                ],
                new Uri(settings.Origin, "/teams"),
                "Your teams"));
        }
        await session.CommitAsync(ct);
        return true;
    }

    private sealed record Due(int Days, DateTimeOffset Since);
}
