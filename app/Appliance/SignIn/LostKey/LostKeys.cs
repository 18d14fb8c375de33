using Appliance.Accounts;
using Appliance.Accounts.People;
using Appliance.Data;
using Appliance.Ledger;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.LostKey;

/// <summary>A request as owners see it.</summary>
public sealed record ListedLostKey(
    string Reference, Guid UserId, string Username, Guid RequestedBy, string RequestedByName, string Reason, DateTimeOffset RequestedAt, string? ApprovedByName, DateTimeOffset ExpiresAt);

/// <summary>How an owner's step went.</summary>
/// <param name="IsOwner">False: they are none any more, and nothing was changed.</param>
/// <param name="Problem">Why it cannot be; null: it was done.</param>
/// <param name="Code">To be shown once.</param>
public sealed record LostKeyAnswer(bool IsOwner, string? Problem = null, string? Code = null);

/// <summary>
/// Two owners of the appliance let a person replace keys that are lost. One asks, another agrees and hands a code over; what the code opens is
/// <see cref="LostKeyRecovery"/>'s. Neither of them is the person. Methods work in the caller's transaction, which commits where there is no problem.
/// </summary>
public sealed class LostKeys(RecoveryCodes codes, LostKeyMails mails, Notices notices, TimeProvider clock)
{
    public static readonly TimeSpan RequestLifetime = TimeSpan.FromHours(24);

    public static readonly TimeSpan CodeLifetime = TimeSpan.FromHours(1);

    /// <summary>Who agrees has been an owner for so long before it was asked.</summary>
    private static readonly TimeSpan NewOwner = TimeSpan.FromDays(1);

    public const int LongestReason = 200;

    private const string Over = "This request is over: it was answered, stopped, or ran out.";

    public Task<List<ListedLostKey>> ListAsync(TeamSession session, CancellationToken ct) => session.SqlAsync<ListedLostKey>(
        $"""
        select r.reference as "Reference", r.user_id as "UserId", u.username as "Username", r.requested_by as "RequestedBy", a.username as "RequestedByName", r.reason as "Reason",
               r.requested_at as "RequestedAt", b.username as "ApprovedByName", r.expires_at as "ExpiresAt"
        from lost_key_requests r join users u on u.id = r.user_id join users a on a.id = r.requested_by left join users b on b.id = r.approved_by
        where r.expires_at > {clock.GetUtcNow()} order by r.requested_at desc limit 100
        """, ct);

    /// <summary>The first owner says that a person lost their keys.</summary>
    public async Task<LostKeyAnswer> RequestAsync(TeamSession session, string? username, string? reason, HttpContext http, CancellationToken ct)
    {
        var key = username is { Length: > 0 and <= NameKey.LongestUsername } ? NameKey.Of(username) : "";
        var person = await session.Query<User>().AsNoTracking().SingleOrDefaultAsync(u => u.UsernameKey == key, ct);
        var (owners, actor, now, text) = (await ApplianceOwners.LockAsync(session, person?.Id, ct), http.User.Id(), clock.GetUtcNow(), reason?.Trim() ?? "");
        if (!owners.Contains(actor))
        {
            return new LostKeyAnswer(false);
        }
        if (person is null)
        {
            return new LostKeyAnswer(true, "Nobody here has that username.");
        }
        if (person.Id == actor)
        {
            return new LostKeyAnswer(true, "Nobody asks for themself. Ask another owner to do it.");
        }
        if (person.PasswordHash is null)
        {
            return new LostKeyAnswer(true, $"{person.Username} has no password here: their organisation’s identity provider lets them in, and replaces what they lost. This cannot.");
        }
        if (!owners.Any(o => o != actor && o != person.Id))
        {
            return new LostKeyAnswer(true, "It takes two owners beside the person who lost their keys. Make somebody else an owner first.");
        }
        if (text.Length is 0 or > LongestReason || text.Any(c => char.IsControl(c) || c == '\uFFFD'))
        {
            return new LostKeyAnswer(true, $"Say in 1 to {LongestReason} characters what happened, and how you know that it is them.");
        }
        await session.ExecuteAsync($"delete from lost_key_requests where user_id = {person.Id.Value} and expires_at <= {now}", ct);
        var added = await session.ExecuteAsync(
            $"""
            insert into lost_key_requests (user_id, reference, requested_by, reason, requested_at, expires_at)
            values ({person.Id.Value}, {Reference.New()}, {actor.Value}, {text}, {now}, {now + RequestLifetime}) on conflict (user_id) do nothing
            """, ct);
        if (added == 0)
        {
            return new LostKeyAnswer(true, $"There is a request for {person.Username} already.");
        }
        await ForgetAsync(session, notices, person.Id, ct);
        notices.Add(session, person.Id, Notice.LostKeyRequested, http);
        mails.Requested(session, person.Id, http.User.Identity!.Name!, http);
        session.RecordForAppliance(Event("lost-key.requested", person.Id, ("reason", text)), http.Origin());
        return new LostKeyAnswer(true);
    }

    /// <summary>The second owner agrees, and is told the code.</summary>
    public async Task<LostKeyAnswer> ApproveAsync(TeamSession session, string? reference, HttpContext http, CancellationToken ct)
    {
        var seen = await FindAsync(session, reference, ct);
        var (owners, actor, now) = (await ApplianceOwners.LockAsync(session, seen?.UserId, ct), http.User.Id(), clock.GetUtcNow());
        if (!owners.Contains(actor))
        {
            return new LostKeyAnswer(false);
        }
        if (seen is null || actor == seen.UserId || actor == seen.RequestedBy)
        {
            return new LostKeyAnswer(true, seen is null ? Over : actor == seen.UserId ? "It is for you, so others have to agree." : "You asked for it yourself, so another owner has to agree.");
        }
        // Whoever asks could otherwise make an owner of a second account of their own: the others have a day to notice.
        if ((await session.SqlAsync<bool>($"""select owner_since is null or owner_since <= {seen.RequestedAt - NewOwner} as "Value" from users where id = {actor.Value}""", ct)) is not [true])
        {
            return new LostKeyAnswer(true, "You became an owner less than a day before this was asked. Another owner has to agree, or it is asked anew when you have been one for a day.");
        }
        if (!owners.Contains(seen.RequestedBy))
        {
            return new LostKeyAnswer(true, "Whoever asked is no owner of the appliance any more. Refuse it; who is one can ask anew.");
        }
        var code = RecoveryCodes.MakeOne();
        // Of two who agree at once, one is told a code.
        var approved = await session.ExecuteAsync(
            $"""
            update lost_key_requests set approved_by = {actor.Value}, approved_at = {now}, code_mac = {Mac(codes, seen.UserId, code)}, expires_at = {now + CodeLifetime}
            where reference = {seen.Reference} and approved_by is null and expires_at > {now} and requested_at <= {now + Sessions.ClockTolerance}
            """, ct);
        if (approved == 0)
        {
            return new LostKeyAnswer(true, Over);
        }
        await ForgetAsync(session, notices, seen.UserId, ct);
        notices.Add(session, seen.UserId, Notice.LostKeyApproved, http);
        mails.Approved(session, seen.UserId, http.User.Identity!.Name!, http);
        session.RecordForAppliance(Event("lost-key.approved", seen.UserId, ("requested-by", seen.RequestedBy.ToString())), http.Origin());
        return new LostKeyAnswer(true, Code: code);
    }

    /// <summary>An owner says no, or takes it back, whichever step it has come to.</summary>
    public async Task<LostKeyAnswer> RefuseAsync(TeamSession session, string? reference, HttpContext http, CancellationToken ct)
    {
        var seen = await FindAsync(session, reference, ct);
        if (!(await ApplianceOwners.LockAsync(session, seen?.UserId, ct)).Contains(http.User.Id()))
        {
            return new LostKeyAnswer(false);
        }
        return seen is not null && await EndAsync(session, seen.UserId, seen.Reference, "lost-key.refused", $"{http.User.Identity!.Name} refused it", http.Origin(), http, ct)
            ? new LostKeyAnswer(true)
            : new LostKeyAnswer(true, Over);
    }

    /// <summary>The person says that it is not so. False: there is nothing to stop.</summary>
    public Task<bool> StopAsync(TeamSession session, UserId person, HttpContext http, CancellationToken ct) =>
        EndAsync(session, person, null, "lost-key.stopped", "the person whose keys they are stopped it", new Origin(person, http.Address()), http, ct);

    /// <summary>The person signed in with a second factor of theirs: whatever is under way has no reason any more.</summary>
    internal Task<bool> SignedInAsync(TeamSession session, UserId person, HttpContext http, CancellationToken ct) =>
        EndAsync(session, person, null, "lost-key.voided", "its person signed in with a second factor", new Origin(person, http.Address()), http, ct);

    /// <summary>Removes what ran out, and what the people were told of it. For a job.</summary>
    internal static Task SweepAsync(TeamSession session, DateTimeOffset now, CancellationToken ct) => session.ExecuteAsync(
        $"""
        with gone as (delete from lost_key_requests where expires_at <= {now} returning user_id)
        update notices set dismissed_at = {now} where dismissed_at is null and kind in ({Notice.LostKeyRequested}, {Notice.LostKeyApproved}) and user_id in (select user_id from gone)
        """, ct);

    /// <summary>What the person was told of the step before, on pages and by links in mails, is worth nothing any more.</summary>
    internal static async Task ForgetAsync(TeamSession session, Notices notices, UserId person, CancellationToken ct)
    {
        await notices.DismissAsync(session, person, Notice.LostKeyRequested, ct);
        await notices.DismissAsync(session, person, Notice.LostKeyApproved, ct);
        await session.ExecuteAsync($"delete from mail_links where user_id = {person.Value} and purpose = {MailLinks.StopLostKey}", ct);
    }

    internal static byte[] Mac(RecoveryCodes codes, UserId person, string? code) => codes.Mac("lost-key-code", person, code);

    internal static LedgerEvent Event(string action, UserId person, params (string Name, string Value)[] details) =>
        new(action, person.ToString(), details.ToDictionary(d => d.Name, d => (string?)d.Value, StringComparer.Ordinal));

    private async Task<bool> EndAsync(TeamSession session, UserId person, string? reference, string action, string why, Origin origin, HttpContext http, CancellationToken ct)
    {
        var gone = await session.SqlAsync<Gone>(
            $"""
            delete from lost_key_requests r using users u where u.id = r.user_id and r.user_id = {person.Value} and coalesce(r.reference = {reference}, true)
            returning r.requested_by as "RequestedBy", r.approved_by as "ApprovedBy", r.expires_at as "ExpiresAt", u.username as "Username"
            """, ct);
        if (gone is not [var request])
        {
            return false;
        }
        await ForgetAsync(session, notices, person, ct);
        if (request.ExpiresAt <= clock.GetUtcNow())
        {
            return false;
        }
        mails.Over(session, person, Owners(request.RequestedBy, request.ApprovedBy), request.Username, why, http);
        session.RecordForAppliance(Event(action, person, ("requested-by", request.RequestedBy.ToString("D")), ("approved-by", request.ApprovedBy?.ToString("D") ?? "nobody")), origin);
        return true;
    }

    private static IEnumerable<UserId> Owners(Guid one, Guid? other) => other is { } second ? [new UserId(one), new UserId(second)] : [new UserId(one)];

    private static async Task<LostKeyRequest?> FindAsync(TeamSession session, string? reference, CancellationToken ct) =>
        Reference.IsWellFormed(reference) ? await session.Query<LostKeyRequest>().AsNoTracking().SingleOrDefaultAsync(r => r.Reference == reference, ct) : null;

    private sealed record Gone(Guid RequestedBy, Guid? ApprovedBy, DateTimeOffset ExpiresAt, string Username);
}
