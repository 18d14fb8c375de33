using Appliance.Data;

namespace Appliance.Web.Errors;

/// <summary>
/// Errors that somebody was given a reference for, counted by what and where and kept for operators (docs/operators.md). Counted in memory first, bounded, and
/// written once a second: an error costs no query, and one that says that the database is away waits until it is back. What a crash takes is in the log.
/// </summary>
internal sealed partial class ErrorGroups(Database database, TimeProvider time, ILogger<ErrorGroups> logger) : BackgroundService
{
    /// <summary>That wait to be written. Kinds and places are the program's own, so there are not many; what is beyond is only in the log.</summary>
    private const int Most = 500;

    private const int References = 10;

    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private static readonly string s_version = typeof(ErrorGroups).Assembly.GetName().Version!.ToString(3);

    private readonly Lock _gate = new();
    private Dictionary<(string Kind, string Place), Group> _waiting = [];

    /// <param name="kind">The exception's type.</param>
    /// <param name="place">The method and the route's template, never the path itself.</param>
    /// <param name="reference">What the person was given.</param>
    public void Note(string kind, string place, string reference)
    {
        var now = time.GetUtcNow();
        lock (_gate)
        {
            if (!_waiting.TryGetValue((kind, place), out var group))
            {
                if (_waiting.Count >= Most)
                {
                    return;
                }
                _waiting[(kind, place)] = group = new Group(now);
            }
            group.Add(now, reference);
        }
    }

    /// <summary>Writes what was counted so far; where the database is away, it goes on waiting.</summary>
    internal async Task WriteAsync(CancellationToken cancellationToken)
    {
        Dictionary<(string Kind, string Place), Group> groups;
        lock (_gate)
        {
            if (_waiting.Count == 0)
            {
                return;
            }
            (groups, _waiting) = (_waiting, []);
        }
        try
        {
            await using var session = await database.ForApplianceAsync(cancellationToken);
            foreach (var ((kind, place), group) in groups)
            {
                await session.ExecuteAsync(
                    $"select app_note_error({Reference.New()}, {kind}, {place}, {group.Count}, {group.First}, {group.Last}, {group.Latest.Reverse().ToArray()}, {s_version})", cancellationToken);
            }
            await session.CommitAsync(cancellationToken);
        }
        catch (Exception e) when (e is OperationCanceledException || DatabaseErrors.Translate(e) is not null)
        {
            TakeBack(groups);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_pause, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await TryWriteAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // the end
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await TryWriteAsync(cancellationToken);
    }

    /// <summary>That errors are not counted must not end the appliance.</summary>
    private async Task TryWriteAsync(CancellationToken cancellationToken)
    {
        try
        {
            await WriteAsync(cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogLost(logger, e);
        }
    }

    private void TakeBack(Dictionary<(string Kind, string Place), Group> groups)
    {
        lock (_gate)
        {
            foreach (var (key, group) in groups)
            {
                if (_waiting.TryGetValue(key, out var newer))
                {
                    newer.AddOlder(group);
                }
                else if (_waiting.Count < Most)
                {
                    _waiting[key] = group;
                }
            }
        }
    }

    /// <summary><paramref name="first"/>: when it was seen first.</summary>
    private sealed class Group(DateTimeOffset first)
    {
        public long Count { get; private set; }

        public DateTimeOffset First { get; private set; } = first;

        public DateTimeOffset Last { get; private set; } = first;

        /// <summary>The newest at the end.</summary>
        public Queue<string> Latest { get; private set; } = new();

        public void Add(DateTimeOffset at, string reference)
        {
            (Count, Last) = (Count + 1, at);
            Latest.Enqueue(reference);
            if (Latest.Count > References)
            {
                Latest.Dequeue();
            }
        }

        public void AddOlder(Group older) =>
            (Count, First, Latest) = (Count + older.Count, older.First, new Queue<string>(older.Latest.Concat(Latest).TakeLast(References)));
    }

    [LoggerMessage(EventId = 1005, Level = LogLevel.Error, Message = "Errors could not be counted for the operators; the log has them.")]
    private static partial void LogLost(ILogger logger, Exception error);
}
