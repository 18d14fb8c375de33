using System.Text.Json;
using Appliance.Data;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Mail;

/// <summary>A mail as its reader's list shows it.</summary>
public sealed record SentMail(string Reference, string Subject, string? To, DateTimeOffset CreatedAt, DateTimeOffset? SentAt, DateTimeOffset? FailedAt);

/// <summary>How the queue is.</summary>
/// <param name="Waiting">Mails that were not sent yet.</param>
/// <param name="Oldest">Since when the oldest of them waits.</param>
/// <param name="Problem">Why the last try that failed did.</param>
/// <param name="GivenUp">Mails of the last week that will not be sent.</param>
public sealed record MailState(int Waiting, DateTimeOffset? Oldest, string? Problem, int GivenUp);

/// <summary>
/// Mail leaves by a queue in the database: it is written in the transaction of what it tells of, and sent after that. Where the operator named no
/// server, nothing is written.
/// </summary>
public sealed class MailQueue(Database database, BlobProtector protector, Settings settings, TimeProvider clock)
{
    internal const string Purpose = "mail";

    /// <summary>How long the list of what was sent goes back.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromDays(90);

    internal static readonly TimeSpan BudgetPeriod = TimeSpan.FromDays(1);

    /// <summary>Raised after each commit that wrote a mail.</summary>
    internal event EventHandler? Added;

    public bool IsConfigured => settings.Mail is not null;

    /// <summary>To the person's confirmed address; where they have none, nothing is sent. In the caller's transaction.</summary>
    public void ToPerson(TeamSession session, UserId user, MailContent content) => Add(session, user, null, content);

    /// <summary>
    /// To an address, whoever has it. In the caller's transaction. It appears in the list of <paramref name="user"/>, or of whoever has confirmed the address.
    /// </summary>
    public void ToAddress(TeamSession session, string address, UserId? user, MailContent content) => Add(session, user, address, content);

    /// <summary>What the person was sent lately, the newest first.</summary>
    public async Task<IReadOnlyList<SentMail>> ListAsync(UserId user, CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        var rows = await session.Query<MailItem>().AsNoTracking()
            .Where(m => m.UserId == user).OrderByDescending(m => m.CreatedAt).Take(200).ToListAsync(ct);
        return [.. rows.Select(row =>
        {
            var head = Open<MailHead>(row.SealedHead);
            return new SentMail(row.Reference, head.Subject, head.To, row.CreatedAt, row.SentAt, row.FailedAt);
        })];
    }

    public async Task<MailState> StateAsync(CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        var since = clock.GetUtcNow().AddDays(-7);
        return (await session.SqlAsync<MailState>(
            $"""
            select count(*) filter (where sent_at is null and failed_at is null)::int as "Waiting",
                   min(created_at) filter (where sent_at is null and failed_at is null) as "Oldest",
                   (select problem from mails where problem is not null and sent_at is null and created_at >= {since} order by tried_at desc limit 1) as "Problem",
                   count(*) filter (where failed_at >= {since})::int as "GivenUp"
            from mails where created_at >= {since}
            """,
            ct)).Single();
    }

    /// <summary>
    /// Counts a mail that somebody causes, within a day that begins with the first. In the caller's transaction; where this answers false, it was one too many,
    /// and the caller does not commit.
    /// </summary>
    public async Task<bool> SpendAsync(TeamSession session, string what, int most, CancellationToken ct)
    {
        var (mac, now) = (protector.Mac("mail-budget", System.Text.Encoding.UTF8.GetBytes(what)), clock.GetUtcNow());
        var since = now - BudgetPeriod;
        return (await session.SqlAsync<int>(
            $"""
            insert into mail_budgets as b (mac, since, sent) values ({mac}, {now}, 1)
            on conflict (mac) do update set since = case when b.since <= {since} then excluded.since else b.since end, sent = case when b.since <= {since} then 1 else b.sent + 1 end
            returning sent as "Value"
            """,
            ct)).Single() <= most;
    }

    internal T Open<T>(byte[] blob) => JsonSerializer.Deserialize<T>(protector.Unprotect(Purpose, blob))!;

    internal byte[] Seal<T>(T what) => protector.Protect(Purpose, JsonSerializer.SerializeToUtf8Bytes(what));

    private void Add(TeamSession session, UserId? user, string? to, MailContent content)
    {
        if (!IsConfigured)
        {
            return;
        }
        var now = clock.GetUtcNow();
        session.Add(new MailItem
        {
            Id = Guid.CreateVersion7(now),
            Reference = Reference.New(),
            UserId = user,
            Kind = content.Kind,
            SealedHead = Seal(new MailHead(content.Subject, to)),
            SealedBody = Seal(new MailBody(content.Paragraphs, content.Link, content.LinkText)),
            CreatedAt = now,
            NextAt = now,
            ExpiresAt = now + content.Lifetime,
        });
        session.AfterCommit(() => Added?.Invoke(this, EventArgs.Empty));
    }
}

internal sealed record MailHead(string Subject, string? To);

internal sealed record MailBody(IReadOnlyList<string> Paragraphs, Uri? Link, string? LinkText);
