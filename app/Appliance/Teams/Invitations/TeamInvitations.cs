using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.SignIn;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Teams.Invitations;

/// <summary>An invitation into a team, mailed to one address and good for it alone.</summary>
public sealed class TeamInvitation : ITeamOwned
{
    public required TeamId TeamId { get; init; }

    public required string Reference { get; init; }

    public required string Email { get; init; }

    public required string EmailKey { get; init; }

    public required byte[] TokenHash { get; init; }

    public required string TeamName { get; init; }

    public required UserId InvitedBy { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public DateTimeOffset? UsedAt { get; init; }
}

internal sealed class TeamInvitationConfiguration : IEntityTypeConfiguration<TeamInvitation>
{
    public void Configure(EntityTypeBuilder<TeamInvitation> builder)
    {
        builder.ToTable("team_invitations");
        builder.HasKey(i => new { i.TeamId, i.EmailKey });
    }
}

/// <summary>An invitation that still works, as the team's owners see it.</summary>
public sealed record OpenInvitation(string Reference, string Email, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt);

/// <summary>What whoever holds the link learns.</summary>
public sealed record Invitation(string TeamName, string InvitedBy, string Email);

/// <summary>
/// Invitations by mail. Whether the address belongs to somebody here shows nowhere on the team's side: one row, one mail, the same for everybody. Whoever has the
/// address, confirmed, takes the place with their account; whoever has none makes one, which is bound to it.
/// </summary>
public sealed class TeamInvitations(Database database, MailQueue mails, SetUpLinks setUp, Settings settings, TimeProvider clock)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(7);

    private const int MostOpen = 200;

    /// <summary>Mails that one team may cause within a day, withdrawn ones included.</summary>
    private const int MostInADay = 100;

    /// <summary>Of these, to one address: nobody's mailbox is filled by us.</summary>
    private const int MostToOne = 5;

    public bool AreOffered => mails.IsConfigured;

    public async Task<IReadOnlyList<OpenInvitation>> ListAsync(TeamVisit visit, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        return await visit.Session.SqlAsync<OpenInvitation>(
            $"""
            select reference as "Reference", email as "Email", created_at as "CreatedAt", expires_at as "ExpiresAt"
            from team_invitations where team_id = app_team() and used_at is null and expires_at > {now} order by created_at, email_key
            """,
            ct);
    }

    /// <summary>Invites whoever has the address. Inviting again sends a new link, and the one before stops working. Commits.</summary>
    /// <exception cref="TeamRuleException">They may not let people in, no mail server, not an address, or too many.</exception>
    public async Task InviteAsync(TeamVisit visit, string? email, HttpContext http, CancellationToken ct)
    {
        await Members.RequireInviterAsync(visit, ct);
        var address = email?.Trim() ?? "";
        if (!AreOffered)
        {
            throw new TeamRuleException("This appliance sends no mail. Offer a place to a username instead.");
        }
        if (NameKey.EmailProblem(address) is { } problem)
        {
            throw new TeamRuleException(problem);
        }
        var (session, now, key, token) = (visit.Session, clock.GetUtcNow(), NameKey.Of(address), Token.New());
        // One after the other, so that the bounds hold.
        await session.SqlAsync<int>($"""select 1 as "Value" from (select pg_advisory_xact_lock(hashtextextended('invite' || app_team()::text, 0))) as locked""", ct);
        if ((await session.SqlAsync<int>(
            $"""select count(*)::int as "Value" from team_invitations where team_id = app_team() and used_at is null and expires_at > {now} and email_key <> {key}""", ct)).Single() >= MostOpen)
        {
            throw new TeamRuleException($"{MostOpen} invitations are open. Withdraw some first.");
        }
        if (!await mails.SpendAsync(session, $"invite {visit.Team} {key}", MostToOne, ct) || !await mails.SpendAsync(session, $"invite {visit.Team}", MostInADay, ct))
        {
            throw new TeamRuleException($"This address was sent {MostToOne} invitations today, or the team {MostInADay}. Go on tomorrow.");
        }
        await session.ExecuteAsync($"delete from team_invitations where team_id = app_team() and (email_key = {key} or (used_at is null and expires_at <= {now.AddDays(-1)}))", ct);
        session.Add(new TeamInvitation
        {
            TeamId = visit.Team,
            Reference = Data.Reference.New(),
            Email = address,
            EmailKey = key,
            TokenHash = Token.Hash(token),
            TeamName = visit.Name,
            InvitedBy = visit.Person,
            CreatedAt = now,
            ExpiresAt = now + Lifetime,
        });
        mails.ToAddress(session, address, null, new MailContent(
            "team.invitation",
            $"{http.User.Identity!.Name} invites you to a team",
            [
                $"{http.User.Identity!.Name} invites you to the team “{MailText.Tame(visit.Name)}” at {settings.Origin.IdnHost}.",
                "The invitation works once, for seven days, and for this address alone. If you do not want it, there is nothing to do.",
            ],
            new Uri(settings.Origin, "/invitation/" + token),
            "Look at the invitation")
        { Lifetime = Lifetime });
        session.Record(new LedgerEvent("member.invited", key, new Dictionary<string, string?>(StringComparer.Ordinal) { ["address"] = address }), http.Origin());
        await session.CommitAsync(ct);
    }

    /// <summary>Takes an invitation back. Commits.</summary>
    public async Task WithdrawAsync(TeamVisit visit, string? reference, Origin origin, CancellationToken ct)
    {
        await Members.RequireInviterAsync(visit, ct);
        var gone = await visit.Session.SqlAsync<string>(
            $"""delete from team_invitations where team_id = app_team() and reference = {reference ?? ""} and used_at is null returning email as "Value" """, ct);
        if (gone is [var email])
        {
            visit.Session.Record(new LedgerEvent("member.invitation-withdrawn", NameKey.Of(email), new Dictionary<string, string?>(StringComparer.Ordinal) { ["address"] = email }), origin);
        }
        await visit.Session.CommitAsync(ct);
    }

    /// <summary>What the link is for; null: it does not work.</summary>
    public async Task<Invitation?> FindAsync(byte[]? tokenHash, CancellationToken ct)
    {
        if (tokenHash is null)
        {
            return null;
        }
        await using var session = await database.ForApplianceAsync(ct);
        return (await session.SqlAsync<Invitation>(
            $"""select team_name as "TeamName", invited_by as "InvitedBy", email as "Email" from app_invitation({tokenHash}, {clock.GetUtcNow()})""", ct)).SingleOrDefault();
    }

    /// <summary>
    /// Turns the invitation into an offer to the signed-in person, which <see cref="Offers.AcceptAsync"/> then takes; answers the offer's reference. Null: it does
    /// not work, or was sent to another address than the one that they have confirmed.
    /// </summary>
    public async Task<string?> TakeAsync(byte[]? tokenHash, UserId person, CancellationToken ct)
    {
        if (tokenHash is null)
        {
            return null;
        }
        await using var session = await database.ForUserAsync(person, ct);
        var offer = await session.SqlAsync<string>($"""select app_take_invitation({tokenHash}, {clock.GetUtcNow()}, {Data.Reference.New()}) as "Value" """, ct);
        await session.CommitAsync(ct);
        return offer.SingleOrDefault();
    }

    /// <summary>
    /// A set-up link for whoever holds the invitation, bound to its address; null: it does not work, or the address has an account already. One invitation makes one
    /// account: of several links the last one works.
    /// </summary>
    public async Task<string?> SetUpAsync(byte[]? tokenHash, CancellationToken ct)
    {
        if (await FindAsync(tokenHash, ct) is not { } invitation)
        {
            return null;
        }
        await using var session = await database.ForApplianceAsync(ct);
        var key = NameKey.Of(invitation.Email);
        await session.ExecuteAsync($"delete from set_up_links where bound_email = {invitation.Email} and used_at is null", ct);
        if (await session.Query<User>().AnyAsync(u => u.EmailKey == key && u.EmailConfirmedAt != null, ct))
        {
            return null;
        }
        var by = await session.Query<User>().AsNoTracking().Where(u => u.Username == invitation.InvitedBy).Select(u => u.Id).SingleAsync(ct);
        var token = setUp.ForInvited(session, by, invitation.Email);
        await session.CommitAsync(ct);
        return token;
    }
}
