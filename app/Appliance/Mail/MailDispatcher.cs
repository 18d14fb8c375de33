using System.Diagnostics.Metrics;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Web;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Mail;

/// <summary>
/// Sends what waits, the oldest first, one at a time in each replica. A mail is lent to one sender for a few minutes; one that dies loses nothing. Where a
/// sender dies between the server's yes and our note of it, the mail comes twice, with one Message-ID.
/// </summary>
internal sealed partial class MailDispatcher : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(30);

    private readonly Database _database;
    private readonly MailQueue _queue;
    private readonly Phrases _phrases;
    private readonly SmtpChannel _channel;
    private readonly Settings _settings;
    private readonly TimeProvider _clock;
    private readonly ILogger<MailDispatcher> _log;
    private readonly Counter<long> _results;
    private readonly SemaphoreSlim _wake = new(0);
    private DateTimeOffset _swept;
    private int _away;

    public MailDispatcher(Database database, MailQueue queue, Phrases phrases, SmtpChannel channel, Settings settings, TimeProvider clock, ApplianceMetrics metrics, ILogger<MailDispatcher> log)
    {
        (_database, _queue, _phrases, _channel, _settings, _clock, _log) = (database, queue, phrases, channel, settings, clock, log);
        _results = metrics.Meter.CreateCounter<long>("appliance.mail.results", description: "Tries to hand a mail to the server, by how they went.");
    }

    public override void Dispose()
    {
        _wake.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!_queue.IsConfigured)
        {
            return;
        }
        void Wake(object? sender, EventArgs e) => _wake.Release();
        _queue.Added += Wake;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                try
                {
                    while (await SendNextAsync(stoppingToken))
                    {
                    }
                    await SweepAsync(stoppingToken);
                }
                catch (DatabaseUnavailableException)
                {
                    DatabaseAway(_log);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    Unexpected(_log, e);
                }
                await _wake.WaitAsync(Pause(), stoppingToken);
                while (await _wake.WaitAsync(TimeSpan.Zero, stoppingToken))
                {
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The appliance stops.
        }
        finally
        {
            _queue.Added -= Wake;
        }
    }

    /// <summary>A server that is away is asked again after 1, 2, 4 … seconds, a minute at most.</summary>
    private TimeSpan Pause() => _away == 0 ? Look : TimeSpan.FromSeconds(Math.Min(Math.Pow(2, _away - 1), 60));

    /// <summary>False: there is nothing to send just now.</summary>
    private async Task<bool> SendNextAsync(CancellationToken ct)
    {
        if (await TakeAsync(ct) is not { } item)
        {
            return false;
        }
        var now = _clock.GetUtcNow();
        if (item.ExpiresAt <= now || item.SealedBody is null)
        {
            await GiveUpAsync(item, item.Problem ?? "It could not be sent in time.", ct);
            return true;
        }
        var head = _queue.Open<MailHead>(item.SealedHead);
        var (reader, user) = await ReaderAsync(item, head, ct);
        if (reader is null)
        {
            // Nobody to tell, and nothing to list.
            await ForgetAsync(item, ct);
            return true;
        }
        var message = MailRendering.Render(item.Reference, item.CreatedAt, head, _queue.Open<MailBody>(item.SealedBody), reader, _settings.Mail!.From, _settings.Origin);
        var result = await _channel.SendAsync(message, ct);
        _results.Add(1, new KeyValuePair<string, object?>("outcome", Word(result.Outcome)));
        _away = result.Outcome == MailOutcome.ServerAway ? Math.Min(_away + 1, 10) : 0;
        switch (result.Outcome)
        {
            case MailOutcome.Sent:
                await SentAsync(item, user, head with { To = reader.Address }, ct);
                return true;
            case MailOutcome.Refused:
                Refused(_log, item.Kind, item.Reference, result.Problem);
                await GiveUpAsync(item, result.Problem, ct);
                return true;
            default:
                Later(_log, item.Kind, item.Reference, result.Problem);
                await PostponeAsync(item, result, ct);
                return result.Outcome == MailOutcome.Postponed;
        }
    }

    private async Task<MailItem?> TakeAsync(CancellationToken ct)
    {
        await using var session = await _database.ForApplianceAsync(ct);
        var now = _clock.GetUtcNow();
        var taken = await session.SqlAsync<Guid>(
            $"""
            update mails set next_at = {now + Lease}
             where id = (select id from mails where sent_at is null and failed_at is null and next_at <= {now} order by next_at limit 1 for update skip locked)
            returning id as "Value"
            """,
            ct);
        if (taken is not [var id])
        {
            return null;
        }
        var item = await session.Query<MailItem>().AsNoTracking().SingleAsync(m => m.Id == id, ct);
        await session.CommitAsync(ct);
        return item;
    }

    /// <summary>
    /// Who reads it, and whose list it belongs to. A phrase goes to a confirmed address alone: until then nobody knows whose address it is.
    /// </summary>
    private async Task<(MailReader? Reader, UserId? User)> ReaderAsync(MailItem item, MailHead head, CancellationToken ct)
    {
        await using var session = await _database.ForApplianceAsync(ct);
        User? user;
        if (item.UserId is { } id)
        {
            user = await session.Query<User>().AsNoTracking().SingleAsync(u => u.Id == id, ct);
        }
        else
        {
            var key = NameKey.Of(head.To!);
            user = await session.Query<User>().AsNoTracking().Where(u => u.EmailKey == key && u.EmailConfirmedAt != null).OrderBy(u => u.Id).FirstOrDefaultAsync(ct);
        }
        var address = head.To ?? (user is { EmailConfirmedAt: not null } ? user.Email : null);
        if (address is null)
        {
            return (null, null);
        }
        var isTheirs = user is { EmailConfirmedAt: not null } && user.EmailKey == NameKey.Of(address);
        var phrase = isTheirs ? await _phrases.ReadAsync(session, user!.Id, ct) : null;
        await session.CommitAsync(ct);
        return (new MailReader(address, user?.Username, phrase), user?.Id);
    }

    private async Task SentAsync(MailItem item, UserId? user, MailHead head, CancellationToken ct)
    {
        await using var session = await _database.ForApplianceAsync(CancellationToken.None); // the server has it: this is noted even while the appliance stops
        await session.ExecuteAsync(
            $"update mails set sent_at = {_clock.GetUtcNow()}, user_id = {user?.Value}, sealed_head = {_queue.Seal(head)}, sealed_body = null, tries = tries + 1, problem = null where id = {item.Id}",
            CancellationToken.None);
        await session.CommitAsync(CancellationToken.None);
        ct.ThrowIfCancellationRequested();
    }

    private Task GiveUpAsync(MailItem item, string? problem, CancellationToken ct) => ChangeAsync(
        $"update mails set failed_at = {_clock.GetUtcNow()}, tried_at = {_clock.GetUtcNow()}, sealed_body = null, problem = {problem} where id = {item.Id}", ct);

    private Task ForgetAsync(MailItem item, CancellationToken ct) => ChangeAsync($"delete from mails where id = {item.Id}", ct);

    /// <summary>A minute, two, four …, half an hour at most; as soon as the server is back where it was away.</summary>
    private Task PostponeAsync(MailItem item, MailResult result, CancellationToken ct)
    {
        var wait = result.Outcome == MailOutcome.ServerAway ? Pause() : TimeSpan.FromMinutes(Math.Min(Math.Pow(2, Math.Min(item.Tries, 10)), LongestWait.TotalMinutes));
        return ChangeAsync($"update mails set tries = tries + 1, tried_at = {_clock.GetUtcNow()}, next_at = {_clock.GetUtcNow() + wait}, problem = {result.Problem} where id = {item.Id}", ct);
    }

    /// <summary>Once an hour, what is older than the list goes back.</summary>
    private async Task SweepAsync(CancellationToken ct)
    {
        var now = _clock.GetUtcNow();
        if ((now - _swept).Duration() < TimeSpan.FromHours(1))
        {
            return;
        }
        await ChangeAsync($"delete from mails where created_at <= {now - MailQueue.Kept}", ct);
        await ChangeAsync($"delete from mail_budgets where since <= {now - MailQueue.BudgetPeriod}", ct);
        _swept = now;
    }

    private async Task ChangeAsync(FormattableString sql, CancellationToken ct)
    {
        await using var session = await _database.ForApplianceAsync(ct);
        await session.ExecuteAsync(sql, ct);
        await session.CommitAsync(ct);
    }

    private static string Word(MailOutcome outcome) => outcome switch
    {
        MailOutcome.Sent => "sent",
        MailOutcome.Refused => "refused",
        MailOutcome.Postponed => "postponed",
        _ => "server-away",
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "The database is away; mail waits.")]
    private static partial void DatabaseAway(ILogger log);

    [LoggerMessage(Level = LogLevel.Error, Message = "A mail could not be handled.")]
    private static partial void Unexpected(ILogger log, Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A mail ({Kind}, {Reference}) was refused for good: {Problem}")]
    private static partial void Refused(ILogger log, string kind, string reference, string? problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A mail ({Kind}, {Reference}) waits: {Problem}")]
    private static partial void Later(ILogger log, string kind, string reference, string? problem);
}
