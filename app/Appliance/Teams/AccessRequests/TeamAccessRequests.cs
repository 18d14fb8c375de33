using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.SignIn;
using Appliance.SignIn.Policy;
using Appliance.Teams.UnusedAccess;
using Appliance.Vault;

namespace Appliance.Teams.AccessRequests;

/// <summary>
/// Access is granted in person. Whoever asks is shown a short code; an owner of the team who hears it from them types it and touches a security key, and
/// the change is made. Three wrong codes, and the request is void.
/// </summary>
public sealed class TeamAccessRequests(Members members, TeamAccessList list, RecoveryCodes codes, AccessRequestMails mails, MailQueue queue, Notices notices, SignInSettings signIn, TimeProvider clock)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(24);

    public const int LongestReason = 200;

    public const int MostTries = 3;

    /// <summary>30 random bits, against three tries.</summary>
    private const int CodeCharacters = 6;

    private const int CodeGroup = 3;

    private const int MostADay = 5;

    /// <summary>How long one can see how it went.</summary>
    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    private const string Gone = "This request is over: it was answered, withdrawn, or is void.";

    /// <summary>The person's last request for what they may ask for; null: there was none lately.</summary>
    public static async Task<MyRequest?> MineAsync(Asker asker, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(asker);
        return (await asker.Session.SqlAsync<MyRequest>(
            $"""
            select reason as "Reason", made_at as "MadeAt", expires_at as "ExpiresAt", state as "State", tries as "Tries" from access_requests
            where team_id = app_team() and user_id = app_user() and kind = {asker.Kind} order by made_at desc, state = 'open' desc limit 1
            """, ct)).SingleOrDefault();
    }

    /// <summary>Asks, in the place of what was asked before. Commits, and answers the code: nothing can show it again.</summary>
    /// <exception cref="TeamRuleException">No reason that can be read, or too often.</exception>
    public async Task<string> AskAsync(Asker asker, string? reason, HttpContext http, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(asker);
        var (session, now, text) = (asker.Session, clock.GetUtcNow(), reason?.Trim() ?? "");
        if (text.Length is 0 or > LongestReason || text.Any(c => char.IsControl(c) || c == '\uFFFD'))
        {
            throw new TeamRuleException($"Say in 1 to {LongestReason} characters what you need it for.");
        }
        if (!await queue.SpendAsync(session, $"access-request {asker.Session.TeamOrThrow.Value:D} {asker.Person.Value:D}", MostADay, ct))
        {
            throw new TeamRuleException($"You asked {MostADay} times within a day. Speak to an owner of the team, or ask again tomorrow.");
        }
        await TakeBackAsync(asker, now, http, ct);
        var (reference, code) = (Reference.New(), RecoveryCodes.MakeOne(CodeCharacters, CodeGroup));
        if (await session.ExecuteAsync(
            $"""
            insert into access_requests (team_id, reference, user_id, kind, reason, code_mac, made_at, expires_at, state)
            values (app_team(), {reference}, app_user(), {asker.Kind}, {text}, {Mac(reference, asker.Person, code)}, {now}, {now + Lifetime}, 'open')
            on conflict (team_id, user_id, kind) where state = 'open' do nothing
            """, ct) == 0)
        {
            throw new TeamRuleException("You asked in another window just now.");
        }
        session.Record(Event("access-request.made", reference, asker.Kind, asker.Person.Value, http.User.Identity!.Name!, ("reason", text)), http.Origin());
        var owners = await session.SqlAsync<Guid>($"""select o as "Value" from app_request_owners() o""", ct);
        mails.Made(session, owners.Select(o => new UserId(o)), asker, http.User.Identity!.Name!);
        await session.CommitAsync(ct);
        return code;
    }

    /// <summary>The person does not ask any more. Commits.</summary>
    public async Task WithdrawAsync(Asker asker, HttpContext http, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(asker);
        await TakeBackAsync(asker, clock.GetUtcNow(), http, ct);
        await asker.Session.CommitAsync(ct);
    }

    /// <summary>What can be answered now, for an owner; the oldest first.</summary>
    public async Task<IReadOnlyList<ListedRequest>> ListAsync(TeamVisit visit, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var now = clock.GetUtcNow();
        return [.. (await RowsAsync(visit.Session, null, ct)).Where(r => r.Over(now) is null)];
    }

    /// <summary>One request, whatever became of it, for an owner; null: the team has none of that reference.</summary>
    public static async Task<ListedRequest?> FindAsync(TeamVisit visit, string? reference, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        return Reference.IsWellFormed(reference) ? (await RowsAsync(visit.Session, reference, ct)).SingleOrDefault() : null;
    }

    /// <summary>Whether the person's session still has to be given a key: they have one, and it was not touched just now. Who has none goes by their app.</summary>
    public async Task<bool> NeedsKeyAsync(TeamSession session, HttpContext http, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(session);
        var (id, now) = (http.User.SessionId(), clock.GetUtcNow());
        var touched = await session.SqlAsync<bool>($"""select key_given_at > {now - signIn.StepUp} and key_given_at <= {now + Sessions.ClockTolerance} as "Value" from sessions where id = {id} and key_given_at is not null""", ct);
        return touched is not [true] && (await session.EnrolledAsync(http.User.Id(), ct)).Keys.Count > 0;
    }

    /// <summary>The owner heard the code: what was asked for is done, in one transaction. A wrong code is counted, and committed before it is answered.</summary>
    /// <exception cref="TeamRuleException">Why it was not done.</exception>
    public async Task ApproveAsync(TeamVisit visit, string? reference, string? code, HttpContext http, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var (session, now) = (visit.Session, clock.GetUtcNow());
        var (owners, request) = await AnswerAsync(visit, reference, now, ct);
        if (await NeedsKeyAsync(session, http, ct))
        {
            throw new TeamRuleException("You have a security key, and it was not touched just now. A code from an app is not enough for this.");
        }
        if (!RecoveryCodes.IsWellFormed(code, CodeCharacters))
        {
            throw new TeamRuleException("A code has six letters and digits. Nothing was counted.");
        }
        // Counted whatever comes of it, and before it is looked at: of many tries at once, each waits here for the one before it.
        var tried = await session.SqlAsync<Try>(
            $"""
            update access_requests set tries = tries + 1
            where team_id = app_team() and reference = {request.Reference} and state = 'open' and tries < {MostTries} and expires_at > {now}
            returning tries as "Count", code_mac = {Mac(request.Reference, new UserId(request.UserId), code)} as "IsRight"
            """, ct);
        if (tried is not [var outcome])
        {
            throw new TeamRuleException(Gone);
        }
        if (!outcome.IsRight)
        {
            if (outcome.Count == MostTries)
            {
                await VoidAsync(visit, request, owners, http, ct);
            }
            await session.CommitAsync(CancellationToken.None);
            throw new TeamRuleException(
                outcome.Count == MostTries ? $"Three wrong codes: the request is void, and {request.Username} is told. Speak with them."
                : $"This is not the code. {(outcome.Count == 1 ? "Two more tries" : "One more try")}, then the request is void.");
        }
        await CloseAsync(session, request, AccessRequest.Granted, ct);
        session.Record(Event("access-request.granted", request, visit), http.Origin());
        await (request.Kind switch
        {
            AccessRequest.ToOwn => members.SetRoleAsync(visit, request.Username, owner: true, http.Origin(), ct),
            AccessRequest.ToComeBack => list.GiveBackAsync(visit, request.Username, http.Origin(), ct),
            _ => throw new InvalidOperationException($"A request of kind {request.Kind} cannot be granted."),
        });
        await session.CommitAsync(ct);
    }

    /// <summary>The owner says no. Commits.</summary>
    /// <exception cref="TeamRuleException">Why there is nothing to refuse.</exception>
    public async Task RefuseAsync(TeamVisit visit, string? reference, HttpContext http, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var (_, request) = await AnswerAsync(visit, reference, clock.GetUtcNow(), ct);
        if (!await CloseAsync(visit.Session, request, AccessRequest.Refused, ct))
        {
            throw new TeamRuleException(Gone);
        }
        visit.Session.Record(Event("access-request.refused", request, visit), http.Origin());
        mails.Refused(visit.Session, new UserId(request.UserId), visit.Name);
        await visit.Session.CommitAsync(ct);
    }

    /// <summary>Removes what nobody looks at any more. For a job.</summary>
    internal static async Task SweepAsync(Database database, TeamId team, DateTimeOffset now, CancellationToken ct)
    {
        await using var session = await database.ForJobAsync(team, ct);
        if (await session.ExecuteAsync($"delete from access_requests where team_id = app_team() and made_at <= {now - Kept}", ct) > 0)
        {
            await session.CommitAsync(ct);
        }
    }

    /// <summary>
    /// What an owner answers, under the owners' locks: who is removed or demoted in this moment, on either side, is so either before or after. Nobody
    /// answers what they asked themselves; the database says so as well.
    /// </summary>
    private static async Task<(IReadOnlyList<UserId> Owners, ListedRequest Request)> AnswerAsync(TeamVisit visit, string? reference, DateTimeOffset now, CancellationToken ct)
    {
        var owners = await Members.LockOwnersAsync(visit.Session, ct);
        if (!owners.Contains(visit.Person.Value))
        {
            throw new TeamRuleException("Only an owner of the team answers requests.");
        }
        var request = await FindAsync(visit, reference, ct) ?? throw new TeamRuleException(Gone);
        if (request.UserId == visit.Person.Value)
        {
            throw new TeamRuleException("You asked for it yourself, so another owner has to answer.");
        }
        return request.Over(now) is { } over ? throw new TeamRuleException(over) : ([.. owners.Select(o => new UserId(o))], request);
    }

    private async Task VoidAsync(TeamVisit visit, ListedRequest request, IReadOnlyList<UserId> owners, HttpContext http, CancellationToken ct)
    {
        var (session, requester) = (visit.Session, new UserId(request.UserId));
        await CloseAsync(session, request, AccessRequest.Void, ct);
        session.Record(Event("access-request.void", request, visit), http.Origin());
        mails.Void(session, requester, owners, visit, request.Username);
        notices.Add(session, requester, Notice.AccessRequestVoid, http);
        notices.Add(session, visit.Person, Notice.AccessRequestVoid, http);
    }

    private async Task<bool> CloseAsync(TeamSession session, ListedRequest request, string state, CancellationToken ct) => await session.ExecuteAsync(
        $"""
        update access_requests set state = {state}, answered_by = app_user(), answered_at = {clock.GetUtcNow()}
        where team_id = app_team() and reference = {request.Reference} and state = 'open'
        """, ct) == 1;

    /// <summary>What the person has open is open no more; of what had run out, the ledger needs not hear.</summary>
    private static async Task TakeBackAsync(Asker asker, DateTimeOffset now, HttpContext http, CancellationToken ct)
    {
        var taken = await asker.Session.SqlAsync<Taken>(
            $"""
            update access_requests set state = 'withdrawn' where team_id = app_team() and user_id = app_user() and kind = {asker.Kind} and state = 'open'
            returning reference as "Reference", expires_at as "ExpiresAt"
            """, ct);
        if (taken is [var one] && one.ExpiresAt > now)
        {
            asker.Session.Record(Event("access-request.withdrawn", one.Reference, asker.Kind, asker.Person.Value, http.User.Identity!.Name!), http.Origin());
        }
    }

    private static Task<List<ListedRequest>> RowsAsync(TeamSession session, string? reference, CancellationToken ct) => session.SqlAsync<ListedRequest>(
        $"""
        select r.reference as "Reference", r.user_id as "UserId", u.username as "Username", r.kind as "Kind", r.reason as "Reason", r.made_at as "MadeAt",
               r.expires_at as "ExpiresAt", r.state as "State", r.tries as "Tries", m.role as "Role", v.role as "EndedRole"
        from access_requests r join users u on u.id = r.user_id
             left join memberships m on m.team_id = r.team_id and m.user_id = r.user_id and m.since <= r.made_at
             left join revoked_access v on v.team_id = r.team_id and v.user_id = r.user_id and v.revoked_at <= r.made_at
        where r.team_id = app_team() and ({reference}::text is null and r.state = 'open' or r.reference = {reference}) order by r.made_at limit 200
        """, ct);

    /// <summary>Of one request's code: another request's is another.</summary>
    private byte[] Mac(string reference, UserId requester, string? code) => codes.Mac("access-request " + reference, requester, code, CodeCharacters);

    private static LedgerEvent Event(string action, ListedRequest request, TeamVisit visit) =>
        Event(action, request.Reference, request.Kind, request.UserId, request.Username, ("approver", visit.Person.ToString()));

    private static LedgerEvent Event(string action, string reference, string kind, Guid requester, string username, params (string Name, string? Value)[] more) =>
        TeamAccessList.Happened(action, requester, username, [("request", reference), ("kind", kind), .. more]);

    private sealed record Try(int Count, bool IsRight);

    private sealed record Taken(string Reference, DateTimeOffset ExpiresAt);
}
