using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.SignIn;
using Appliance.SignIn.Alerts;
using Appliance.SignIn.Policy;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.Teams;
using Appliance.Teams.UnusedAccess;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Accounts.People;

/// <summary>An account as owners of the appliance see it.</summary>
/// <param name="Username">Theirs.</param>
/// <param name="Owner">An owner of the appliance.</param>
/// <param name="HasPassword">False: they sign in through a team's identity provider alone.</param>
/// <param name="CreatedAt">Since when there is the account.</param>
/// <param name="LastUsedAt">When an owner last used that; of others it is nobody's business. Null: none is written down.</param>
/// <param name="EndedAt">When they ceased to be an owner because they did not come.</param>
public sealed record ListedAccount(string Username, bool Owner, bool HasPassword, DateTimeOffset CreatedAt, DateTimeOffset? LastUsedAt, DateTimeOffset? EndedAt);

/// <summary>Who owns the appliance. There is always one at least who can sign in as one. Methods work in the caller's transaction, which commits.</summary>
public sealed class ApplianceOwners(AllowedKeyModels models, MailQueue mails, Notices notices, Settings settings, TimeProvider clock)
{
    /// <summary>How many accounts are listed.</summary>
    public const int Most = 50;

    /// <summary>Owners first, then by name; one more than <see cref="Most"/> where there are more.</summary>
    public static Task<List<ListedAccount>> ListAsync(TeamSession session, string? prefix, CancellationToken ct)
    {
        // One character more than a username can have finds nobody.
        var key = NameKey.Of(prefix is { Length: > NameKey.LongestUsername } ? prefix[..(NameKey.LongestUsername + 1)] : prefix ?? "");
        return session.SqlAsync<ListedAccount>(
            $"""
            select u.username as "Username", u.owner as "Owner", u.password_hash is not null as "HasPassword", u.created_at as "CreatedAt", u.owner_ended_at as "EndedAt",
                   case when u.owner then greatest(u.last_sign_in_at, (select max(s.last_seen_at) from sessions s where s.user_id = u.id and s.only_team is null)) end as "LastUsedAt"
            from users u where starts_with(u.username_key, {key}) order by u.owner desc, u.owner_ended_at is null, u.username_key limit {Most + 1}
            """, ct);
    }

    /// <summary>
    /// Makes an account an owner, or takes it back. The actor may have been an owner until a moment ago: with <c>IsOwner</c> false they are none any more,
    /// and nothing was changed. <c>Problem</c>: why it cannot be, for the actor.
    /// </summary>
    public async Task<(bool IsOwner, string? Problem)> ChangeAsync(TeamSession session, string? username, bool owner, HttpContext http, CancellationToken ct)
    {
        var key = username is { Length: > 0 and <= NameKey.LongestUsername } ? NameKey.Of(username) : "";
        var person = await session.Query<User>().AsNoTracking().SingleOrDefaultAsync(u => u.UsernameKey == key, ct);
        var owners = await LockAsync(session, person?.Id, ct);
        if (!owners.Contains(http.User.Id()))
        {
            return (false, null);
        }
        if (person is null)
        {
            return (true, "Nobody here has that username.");
        }
        if (owners.Contains(person.Id) == owner)
        {
            return (true, null);
        }
        if (owner && await UnableAsync(session, person.Id, ct) is { } why)
        {
            return (true, $"{person.Username} cannot be an owner yet: {why}");
        }
        if (!owner && !await AnyAbleAsync(session, owners.Where(o => o != person.Id), ct))
        {
            return (true, $"Without {person.Username} there would be no owner who can sign in as one. Make somebody else an owner first.");
        }
        var since = owner ? clock.GetUtcNow() : (DateTimeOffset?)null;
        await session.ExecuteAsync(
            $"update users set owner = {owner}, owner_since = {since}, owner_warned_at = null, owner_ended_at = null where id = {person.Id.Value}", ct);
        var action = owner ? Notice.OwnerGranted : Notice.OwnerWithdrawn;
        session.RecordForAppliance(
            new LedgerEvent(action, person.Id.ToString(), new Dictionary<string, string?>(StringComparer.Ordinal) { ["username"] = person.Username }), http.Origin());
        if (person.Id != http.User.Id())
        {
            notices.Add(session, person.Id, action, http);
        }
        var mail = Told(action, owner, person.Username, http);
        foreach (var told in owners.Append(person.Id).Distinct())
        {
            mails.ToPerson(session, told, mail);
        }
        return (true, null);
    }

    /// <summary>
    /// Owners who have not signed in for <see cref="AccessRules.Owners"/> are owners no longer, after a warning; one who can sign in as one stays. Commits. For a job.
    /// </summary>
    internal async Task<(int Warned, int Ended)> CareAsync(TeamSession session, CancellationToken ct)
    {
        var (owners, now, rules) = ((await LockAsync(session, null, ct)).ToList(), clock.GetUtcNow(), new AccessRules(null));
        var (warned, ended) = (0, 0);
        foreach (var owner in await session.SqlAsync<MemberAccess>(
            $"""
            select u.id as "UserId", u.username as "Username", {Membership.Owner} as "Role", u.created_at as "Since", greatest(u.created_at, u.owner_since) as "CountsFrom",
                   u.owner_warned_at as "WarnedAt",
                   greatest(u.last_sign_in_at, (select max(s.last_seen_at) from sessions s where s.user_id = u.id and s.only_team is null)) as "LastUsedAt"
            from users u where u.owner order by "LastUsedAt" nulls first, u.id
            """, ct))
        {
            var id = new UserId(owner.UserId);
            if (!owner.IsDueToWarn(rules, now) && !owner.IsDueToEnd(rules, now) || !await AnyAbleAsync(session, owners.Where(o => o != id), ct))
            {
                continue;
            }
            if (owner.IsDueToEnd(rules, now))
            {
                await session.ExecuteAsync($"update users set owner = false, owner_since = null, owner_warned_at = null, owner_ended_at = {now} where id = {owner.UserId}", ct);
                session.RecordForAppliance(Unused(Notice.OwnerWithdrawn, owner, ("reason", "unused")), new Origin(null, null));
                foreach (var told in owners)
                {
                    mails.ToPerson(session, told, new MailContent(
                        Notice.OwnerWithdrawn,
                        "Somebody is no owner of the appliance any more",
                        [$"{owner.Username} has not signed in for {AccessRules.Owners.Days} days, and so is no owner of the appliance any more. The account is as it was. Another owner can make them one again: talk to them first."],
                        new Uri(settings.Origin, "/people"),
                        "Look at who owns the appliance"));
                }
                owners.Remove(id);
                ended++;
            }
            else
            {
                var end = owner.EndsAt(rules, now)!.Value.ToUniversalTime().ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);
                await session.ExecuteAsync($"update users set owner_warned_at = {now} where id = {owner.UserId}", ct);
                session.RecordForAppliance(Unused("appliance-owner.ends", owner, ("ends", end)), new Origin(null, null));
                mails.ToPerson(session, id, new MailContent(
                    "appliance-owner.ends",
                    "You are about to be no owner of the appliance any more",
                    [$"You have not signed in for a while. From {end} on you are no owner of the appliance at {settings.Origin.IdnHost} any more, because access that nobody uses helps nobody but intruders.", "To stay one, sign in before that day. Your account and your teams are not touched."],
                    new Uri(settings.Origin, "/"),
                    "Sign in"));
                warned++;
            }
        }
        await session.CommitAsync(ct);
        return (warned, ended);
    }

    private static LedgerEvent Unused(string action, MemberAccess owner, (string Name, string Value) why) =>
        new(action, owner.UserId.ToString("D"), new Dictionary<string, string?>(StringComparer.Ordinal) { ["username"] = owner.Username, [why.Name] = why.Value });

    /// <summary>
    /// The owners, and with them one more account, locked to the end of the transaction: whoever changes who is an owner, or removes a factor of one, waits.
    /// Who ceased to be one meanwhile is not among them.
    /// </summary>
    internal static async Task<IReadOnlyCollection<UserId>> LockAsync(TeamSession session, UserId? also, CancellationToken ct)
    {
        var rows = await session.SqlAsync<Locked>(
            $"""select id as "Id", owner as "Owner" from users where owner or id = {also?.Value} order by id for no key update""", ct);
        return [.. rows.Where(r => r.Owner).Select(r => new UserId(r.Id))];
    }

    /// <summary>
    /// Why the person could not sign in as an owner just now, as the end of a sentence; null: they could. A session that a team's identity provider gave is
    /// no owner's, so it takes a password, and the second factor that the policy asks of everybody.
    /// </summary>
    private async Task<string?> UnableAsync(TeamSession session, UserId person, CancellationToken ct)
    {
        if (await session.SqlAsync<bool>($"""select password_hash is not null as "Value" from users where id = {person.Value}""", ct) is not [true])
        {
            return "their account has no password. They sign in through their organisation, and that opens one team alone.";
        }
        var policy = (await session.AppliancePolicyAsync(ct)).Factors;
        var keys = await session.Query<SecurityKey>().AsNoTracking().Where(k => k.UserId == person).ToListAsync(ct);
        var others = await SignIn.Factors.ReadAsync(session, person, ct);
        var has = new EnrolledFactors([.. (await models.AllowedOfAsync(session, keys, ct)).Select(KeyRing.Facts)], others.App, others.Phone);
        return policy.IsMetBy(has) ? null : $"they do not have {policy.Demand}.";
    }

    private async Task<bool> AnyAbleAsync(TeamSession session, IEnumerable<UserId> owners, CancellationToken ct)
    {
        foreach (var owner in owners)
        {
            if (await UnableAsync(session, owner, ct) is null)
            {
                return true;
            }
        }
        return false;
    }

    private MailContent Told(string kind, bool owner, string username, HttpContext http) => new(
        kind,
        owner ? "There is a new owner of the appliance" : "Somebody is no owner of the appliance any more",
        [
            owner ? $"{http.User.Identity!.Name} made {username} an owner of the appliance." : $"{http.User.Identity!.Name} withdrew that {username} is an owner of the appliance.",
            "Owners let people in, say what everybody must use to sign in, and help people who lost their keys. They see nothing of what teams store.",
            AlertTexts.At(clock.GetUtcNow(), AccountAlerts.Where(http)),
            "If you do not know why, talk to each other, not by mail.",
        ],
        new Uri(settings.Origin, "/people"),
        "Look at who owns the appliance");

    private sealed record Locked(Guid Id, bool Owner);
}
