using System.Text.Json;
using Appliance.Admin.BreakGlass;
using Appliance.Data;
using Appliance.Ledger;

namespace Appliance.Teams.BreakGlass;

/// <summary>Break-glass as the team has it: all of its members see who asked for what and why and what was read; its owners answer, and end it at any time.</summary>
public sealed class TeamBreakGlass(TimeProvider clock)
{
    private const int MostShown = 100;

    private const int MostLooks = 500;

    private const string Gone = "This is over: it was answered, withdrawn, or ran out.";

    /// <summary>The newest first.</summary>
    public async Task<IReadOnlyList<TeamGrant>> ListAsync(TeamVisit visit, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        return await RowsAsync(visit.Session, null, ct);
    }

    /// <summary>What waits for an answer or is used now: what a member should not have to look for.</summary>
    public async Task<IReadOnlyList<TeamGrant>> OpenAsync(TeamVisit visit, CancellationToken ct) => [.. (await ListAsync(visit, ct)).Where(g => g.IsAsked || g.IsActive)];

    /// <summary>Null: the team has none of that reference.</summary>
    public async Task<TeamGrant?> FindAsync(TeamVisit visit, string? reference, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        return Reference.IsWellFormed(reference) ? (await RowsAsync(visit.Session, reference, ct)).SingleOrDefault() : null;
    }

    /// <summary>What was looked at under a team's grants, the newest first: from the team's ledger. Names of what the person does not see themselves are the owners' alone.</summary>
    public static async Task<ILookup<string, TeamLook>> LooksAsync(TeamVisit visit, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        string[] actions = ["break-glass.listed", "break-glass.read"];
        var rows = await visit.Session.SqlAsync<LookRow>(
            $$"""
            select l.at as "At", l.action as "Action", l.details as "Details", e.name as "Seen"
            from ledger_entries l left join entries e on e.team_id = app_team() and e.id = case when l.subject ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then l.subject::uuid end
            where l.tree = app_team() and l.action = any ({{actions}}) order by l.id desc limit {{MostLooks}}
            """, ct);
        return rows.Select(row => Look(row, visit.IsOwner)).Where(l => l.Grant is not null).ToLookup(l => l.Grant!, l => l.Look, StringComparer.Ordinal);
    }

    /// <summary>An owner says yes or no. Commits.</summary>
    /// <exception cref="TeamRuleException">Why it was not done.</exception>
    public async Task AnswerAsync(TeamVisit visit, string? reference, bool consent, Origin origin, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var (session, now) = (visit.Session, clock.GetUtcNow());
        await RequireOwnerAsync(visit, ct);
        if (await FindAsync(visit, reference, ct) is not { IsAsked: true } grant || await session.ExecuteAsync(
            $"""
            update break_glass_grants g set answer = {(consent ? "consented" : "refused")}, answered_at = {now}, answered_by = app_user(),
                   ends_at = {(consent ? now.AddHours(grant.Hours) : null)}::timestamptz
            where team_id = app_team() and reference = {grant.Reference} and break_glass_state(g, {now}) = 'asked'
            """, ct) == 0)
        {
            throw new TeamRuleException(Gone);
        }
        session.Record(Happened(consent ? "break-glass.consented" : "break-glass.refused", grant), origin);
        await session.CommitAsync(ct);
    }

    /// <summary>An owner ends what is used. Commits; the operator's open downloads are cut within seconds.</summary>
    /// <exception cref="TeamRuleException">Why it was not done.</exception>
    public async Task EndAsync(TeamVisit visit, string? reference, Origin origin, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var (session, now) = (visit.Session, clock.GetUtcNow());
        await RequireOwnerAsync(visit, ct);
        if (await FindAsync(visit, reference, ct) is not { IsActive: true } grant || await session.ExecuteAsync(
            $"""
            update break_glass_grants g set ended_at = {now}, ended_by = app_user()
            where team_id = app_team() and reference = {grant.Reference} and break_glass_state(g, {now}) = 'active'
            """, ct) == 0)
        {
            throw new TeamRuleException("It has ended already.");
        }
        session.Record(Happened("break-glass.ended", grant), origin);
        await session.CommitAsync(ct);
    }

    internal static LedgerEvent Happened(string action, TeamGrant grant) => new(action, null, new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        ["grant"] = grant.Reference,
        ["asked_by"] = grant.Operator,
        ["asked_by_key"] = grant.OperatorKey,
    });

    /// <summary>Under the owners' locks: who is demoted in this moment is so either before or after.</summary>
    private static async Task RequireOwnerAsync(TeamVisit visit, CancellationToken ct)
    {
        if (!(await Members.LockOwnersAsync(visit.Session, ct)).Contains(visit.Person.Value))
        {
            throw new TeamRuleException("Only an owner of the team answers and ends this.");
        }
    }

    private Task<List<TeamGrant>> RowsAsync(TeamSession session, string? reference, CancellationToken ct) => session.SqlAsync<TeamGrant>(
        $"""
        select g.reference as "Reference", g.operator as "Operator", g.operator_key as "OperatorKey", g.reason as "Reason", g.hours as "Hours", break_glass_state(g, {clock.GetUtcNow()}) as "State",
               g.asked_at as "AskedAt", g.approvable_at as "ApprovableAt", g.lapses_at as "LapsesAt", g.answer as "Answer", g.answered_at as "AnsweredAt", coalesce(a.username, g.approver) as "AnsweredBy",
               g.ends_at as "EndsAt", g.ended_at as "EndedAt", coalesce(e.username, g.ended_by_operator) as "EndedBy", g.ended_by_operator is not null as "EndedByOperator",
               g.listings as "Listings", g.downloads as "Downloads"
        from break_glass_grants g left join users a on a.id = g.answered_by left join users e on e.id = g.ended_by
        where g.team_id = app_team() and ({reference}::text is null or g.reference = {reference}) order by g.asked_at desc, g.reference limit {MostShown}
        """, ct);

    private static (string? Grant, TeamLook Look) Look(LookRow row, bool owner)
    {
        var details = Read(row.Details);
        var isFile = row.Action == "break-glass.read";
        var name = owner ? details.GetValueOrDefault("name") ?? (isFile ? null : "Files") : row.Seen ?? (details.ContainsKey("name") || isFile ? null : "Files");
        return (details.GetValueOrDefault("grant"), new TeamLook(row.At, isFile, name));
    }

    private static Dictionary<string, string?> Read(string details)
    {
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, string?>>(details) ?? [];
        }
        catch (JsonException)
        {
            return []; // tampered with: verification names it
        }
    }

    private sealed record LookRow(DateTimeOffset At, string Action, string Details, string? Seen);
}

/// <summary>Something that was looked at.</summary>
/// <param name="At">When.</param>
/// <param name="IsFile">A file was read; otherwise a folder was listed.</param>
/// <param name="Name">Null: nothing that the person sees.</param>
public sealed record TeamLook(DateTimeOffset At, bool IsFile, string? Name);

/// <summary>A grant as the team sees it.</summary>
/// <param name="Reference">Names it; opens nothing.</param>
/// <param name="Operator">Who asked.</param>
/// <param name="OperatorKey">SHA-256 of the key that asked, and can read.</param>
/// <param name="Reason">In the operator's words.</param>
/// <param name="Hours">For how long, from the answer on.</param>
/// <param name="State">A <see cref="BreakGlassGrant"/>'s state.</param>
/// <param name="AskedAt">When.</param>
/// <param name="ApprovableAt">From then on another operator may answer.</param>
/// <param name="LapsesAt">Then it is over unanswered.</param>
/// <param name="Answer">A <see cref="BreakGlassGrant"/>'s answer.</param>
/// <param name="AnsweredAt">When.</param>
/// <param name="AnsweredBy">The owner's username, or the other operator's name.</param>
/// <param name="EndsAt">Of itself.</param>
/// <param name="EndedAt">By somebody, before that.</param>
/// <param name="EndedBy">The owner's username, or an operator's name.</param>
/// <param name="EndedByOperator">It was an operator.</param>
/// <param name="Listings">How often a folder was listed.</param>
/// <param name="Downloads">How often a file was read.</param>
public sealed record TeamGrant(
    string Reference, string Operator, string OperatorKey, string Reason, int Hours, string State, DateTimeOffset AskedAt, DateTimeOffset ApprovableAt, DateTimeOffset LapsesAt,
    string? Answer, DateTimeOffset? AnsweredAt, string? AnsweredBy, DateTimeOffset? EndsAt, DateTimeOffset? EndedAt, string? EndedBy, bool EndedByOperator, int Listings, int Downloads)
{
    public bool IsAsked => State == BreakGlassGrant.Asked;

    public bool IsActive => State == BreakGlassGrant.Active;

    /// <summary>As many digits as a person compares.</summary>
    public string ShortKey => OperatorKey[..16];

    /// <summary>For how long, in words.</summary>
    public string Duration => Hours == 1 ? "1 hour" : $"{Hours} hours";

    /// <summary>What was looked at, in numbers.</summary>
    public string Looked => (Downloads, Listings) switch
    {
        (0, 0) => "Nothing was looked at.",
        _ => $"{(Downloads == 1 ? "1 download" : $"{Downloads} downloads")}, {(Listings == 1 ? "1 folder listed" : $"{Listings} folders listed")}.",
    };
}
