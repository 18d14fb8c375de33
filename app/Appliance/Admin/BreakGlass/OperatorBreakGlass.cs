using System.Globalization;
using System.Text;
using Appliance.Data;
using Appliance.Files;
using Appliance.Ledger;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.Admin.BreakGlass;

/// <summary>
/// What an operator does with break-glass. Whether it may be done is decided in the database, by the function that does it, together with the entry in the team's
/// ledger; the appliance's ledger hears of it in the same transaction.
/// </summary>
internal sealed class OperatorBreakGlass(OperatorWork work, OperatorDatabase database, Settings settings, TimeProvider time)
{
    public const int ShortestReason = 10;

    public const int LongestReason = 200;

    public const int MostHours = 24;

    public const int PageSize = 500;

    private const int MostListed = 200;

    /// <summary>Whether a reason can be taken: so many characters, none that controls.</summary>
    public static bool IsReason(string text) =>
        text.EnumerateRunes().Count() is >= ShortestReason and <= LongestReason && !text.EnumerateRunes().Any(r => IsRefused(Rune.GetUnicodeCategory(r))) && !text.Contains('\uFFFD', StringComparison.Ordinal);

    public Task<List<ListedGrant>> ListAsync(HttpContext context) => work.LookAsync<ListedGrant>(context, "breakglass", Select(null, MostListed));

    /// <summary>The grant as it is now, for whoever just changed it.</summary>
    public Task<List<ListedGrant>> FindAsync(HttpContext context, string reference) => work.LookAsync<ListedGrant>(context, "breakglass", Select(reference, 1));

    /// <summary>Answers what came of it, as <c>operator_break_glass_ask</c> says, and the reference.</summary>
    public async Task<(string? Outcome, string Reference)> AskAsync(HttpContext context, string team, string reason, int hours)
    {
        var (reference, told, now, key) = (Reference.New(), Told(context), time.GetUtcNow(), Key(context));
        var outcome = await DoAsync(
            context, "ask", "asked", reference, new LedgerEvent("operator.break-glass-asked", team, OperatorWork.Details(("grant", reference), ("reason", reason))),
            $"""
            select operator_break_glass_ask({team}, {reference}, {key.Name}, {key.Fingerprint}, {reason}, {hours}, {settings.Admin!.BreakGlassWait}, {now},
                {told.Id}, {told.At}, {told.Address}) as "Value"
            """);
        return (outcome, reference);
    }

    /// <summary>Answers what came of it, as <c>operator_break_glass_approve</c> says; null: there is none.</summary>
    public Task<string?> ApproveAsync(HttpContext context, string reference)
    {
        var (told, key) = (Told(context), Key(context));
        return DoAsync(
            context, "approve", "approved", reference, new LedgerEvent("operator.break-glass-approved", reference),
            $"""select operator_break_glass_approve({reference}, {key.Name}, {key.Fingerprint}, {time.GetUtcNow()}, {told.Id}, {told.At}, {told.Address}) as "Value" """);
    }

    /// <summary>Answers what came of it, as <c>operator_break_glass_end</c> says; null: there is none.</summary>
    public async Task<string?> EndAsync(HttpContext context, string reference)
    {
        var (told, key) = (Told(context), Key(context));
        return await DoAsync(
            context, "end", "ended", reference, new LedgerEvent("operator.break-glass-ended", reference),
            $"""
            select replace(operator_break_glass_end({reference}, {key.Name}, {key.Fingerprint}, {time.GetUtcNow()}, {told.Id}, {told.At}, {told.Address}), 'withdrawn', 'ended') as "Value"
            """);
    }

    /// <summary>The folder itself (kind <c>here</c>) and a page of what is in it; empty: this key cannot, or there is no such folder (<see cref="StandingAsync"/> tells which).</summary>
    public async Task<List<GrantedEntry>> FilesAsync(HttpContext context, string reference, string? folder, PageStart? after)
    {
        var (told, key) = (Told(context), Key(context));
        return await work.DoAsync(
            context, new LedgerEvent("operator.break-glass-listed", reference, OperatorWork.Details([.. new[] { ("folder", folder) }.Where(d => d.folder is not null)])), async session => Some(await session.SqlAsync<GrantedEntry>(
                $"""
                select reference as "Reference", kind as "Kind", name as "Name", name_key as "NameKey", size as "Size", modified_at as "ModifiedAt"
                from operator_break_glass_files({reference}, {key.Name}, {key.Fingerprint}, {folder}, {after?.IsFolder}, {after?.NameKey}, {PageSize + 1}, {time.GetUtcNow()},
                    {told.Id}, {told.At}, {told.Address})
                """, context.RequestAborted))) ?? [];
    }

    /// <summary>Where a file's current content is, with the entries that say so written; null: this key cannot, or there is no such file.</summary>
    public async Task<(StoredContent Content, IReadOnlyList<StoredSegment> Segments)?> ContentAsync(HttpContext context, string reference, string file)
    {
        var (told, key) = (Told(context), Key(context));
        var rows = await work.DoAsync(
            context, new LedgerEvent("operator.break-glass-read", reference, OperatorWork.Details(("file", file))), async session => Some(await session.SqlAsync<ContentRow>(
                $"""
                select team_id as "TeamId", version_id as "VersionId", content_id as "ContentId", name as "Name", size as "Size", media_type as "MediaType", created_at as "CreatedAt",
                       start as "Start", length as "Length", object_id as "ObjectId"
                from operator_break_glass_content({reference}, {key.Name}, {key.Fingerprint}, {file}, {time.GetUtcNow()}, {told.Id}, {told.At}, {told.Address})
                """, context.RequestAborted)));
        return rows is [var first, ..]
            ? (new StoredContent(new TeamId(first.TeamId), first.VersionId, first.ContentId, first.Name, first.Size, first.MediaType, first.CreatedAt),
               [.. rows.Where(r => r.ObjectId is not null).Select(r => new StoredSegment(r.Start!.Value, r.Length!.Value, r.ObjectId!.Value))])
            : null;
    }

    /// <summary>How the grant stands for this request's key now, as <c>operator_break_glass_standing</c> says; null: there is none, or the key may not do this any more.</summary>
    public async Task<string?> StandingAsync(HttpContext context, string reference, CancellationToken cancellationToken)
    {
        if (context.Operator() is not { } key || !key.May(AdminActions.BreakGlass))
        {
            return null;
        }
        await using var session = await database.OpenAsync(cancellationToken);
        return (await session.SqlAsync<string?>($"""select operator_break_glass_standing({reference}, {key.Fingerprint}, {time.GetUtcNow()}) as "Value" """, cancellationToken)).Single();
    }

    /// <summary>What was not done is in the appliance's ledger as well.</summary>
    public Task RefusedAsync(HttpContext context, string what, string reference, string why) => work.RecordAsync(
        context, new LedgerEvent("operator.refused", null, OperatorWork.Details(("action", AdminActions.BreakGlass), ("what", what), ("grant", reference), ("why", why))));

    private async Task<string?> DoAsync(HttpContext context, string what, string success, string reference, LedgerEvent happened, FormattableString sql)
    {
        string? outcome = null;
        var done = await work.DoAsync(context, happened, async session => (outcome = (await session.SqlAsync<string?>(sql, context.RequestAborted)).Single()) == success);
        if (!done && outcome is not null)
        {
            await RefusedAsync(context, what, reference, outcome);
        }
        return outcome;
    }

    private static FormattableString ListSql(string? only, int most, DateTimeOffset now) => $"""
        select reference as "Reference", team as "Team", team_name as "TeamName", operator as "Operator", operator_key as "OperatorKey", reason as "Reason", hours as "Hours", state as "State",
               asked_at as "AskedAt", approvable_at as "ApprovableAt", lapses_at as "LapsesAt", answered_at as "AnsweredAt", approver as "Approver", ends_at as "EndsAt", ended_at as "EndedAt",
               listings as "Listings", downloads as "Downloads" from operator_break_glass_list({only}, {most}, {now})
        """;

    private FormattableString Select(string? only, int most) => ListSql(only, most, time.GetUtcNow());

    /// <summary>Null for none: then nothing is recorded, and nothing is kept.</summary>
    private static List<T>? Some<T>(List<T> rows) => rows.Count == 0 ? null : rows;

    private static OperatorName Key(HttpContext context) => OperatorWork.OriginOf(context).Operator!;

    /// <summary>Id, time and address of the entry in the team's ledger; the function writes what it says.</summary>
    private static LedgerEntry Told(HttpContext context) => LedgerAppend.PrepareForAppliance(new LedgerEvent("break-glass"), OperatorWork.OriginOf(context));

    private static bool IsRefused(UnicodeCategory category) => category is UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate;

    private sealed record ContentRow(
        Guid TeamId, Guid VersionId, Guid ContentId, string Name, long Size, string MediaType, DateTimeOffset CreatedAt, long? Start, long? Length, Guid? ObjectId);
}

/// <summary>A grant as operators see it: nothing of what was read but how often.</summary>
/// <param name="Reference">Names it.</param>
/// <param name="Team">The team's reference.</param>
/// <param name="TeamName">What its people call it.</param>
/// <param name="Operator">Who asked.</param>
/// <param name="OperatorKey">SHA-256 of the key that asked.</param>
/// <param name="Reason">In their words.</param>
/// <param name="Hours">For how long, from the answer on.</param>
/// <param name="State">A <see cref="BreakGlassGrant"/>'s state.</param>
/// <param name="AskedAt">When.</param>
/// <param name="ApprovableAt">From then on another operator may approve.</param>
/// <param name="LapsesAt">Then it is over unanswered.</param>
/// <param name="AnsweredAt">When an owner or another operator did.</param>
/// <param name="Approver">The other operator; null: it was an owner, or nobody yet.</param>
/// <param name="EndsAt">Of itself.</param>
/// <param name="EndedAt">By somebody, before that.</param>
/// <param name="Listings">How often a folder was listed.</param>
/// <param name="Downloads">How often a file was read.</param>
internal sealed record ListedGrant(
    string Reference, string Team, string TeamName, string Operator, string OperatorKey, string Reason, int Hours, string State, DateTimeOffset AskedAt, DateTimeOffset ApprovableAt,
    DateTimeOffset LapsesAt, DateTimeOffset? AnsweredAt, string? Approver, DateTimeOffset? EndsAt, DateTimeOffset? EndedAt, int Listings, int Downloads);

/// <summary>An entry of the team's, or (kind <c>here</c>) the folder that was asked for.</summary>
internal sealed record GrantedEntry(string? Reference, string Kind, string Name, string NameKey, long? Size, DateTimeOffset? ModifiedAt)
{
    public const string Here = "here";
}
