using System.Diagnostics.Metrics;
using System.Threading.Channels;
using Appliance.Data;

namespace Appliance.Ledger;

/// <summary>
/// Seals what was committed: woken by each commit of this process that wrote an entry, and looking four times a second for what other
/// processes wrote. A tree that was tampered with is left alone until the next start, loudly; the others go on.
/// </summary>
public sealed partial class LedgerSealer : BackgroundService
{
    /// <summary>How long an entry of another process may wait to be noticed.</summary>
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// After a head, before the next: what is written meanwhile goes under one signature, so that under load the sealer takes little of the
    /// machine from those who write. The first entry after a silence waits for nothing.
    /// </summary>
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly Database _database;
    private readonly TreeSealer _sealer;
    private readonly ILogger<LedgerSealer> _log;
    private readonly HashSet<Guid> _damaged = [];
    private readonly Channel<bool> _nudges = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Counter<long> _sealed;
    private readonly Histogram<double> _delay;

    public LedgerSealer(Database database, LedgerKeys keys, TimeProvider clock, IMeterFactory meters, ILogger<LedgerSealer> log)
    {
        _database = database;
        _sealer = new TreeSealer(database, keys, clock);
        _log = log;
        var meter = meters.Create("Appliance.Ledger");
        _sealed = meter.CreateCounter<long>("appliance.ledger.sealed", "{entry}", "Entries sealed.");
        _delay = meter.CreateHistogram<double>("appliance.ledger.delay", "s", "From writing an entry to the signature over it.");
        meter.CreateObservableGauge("appliance.ledger.damaged", () => DamagedTrees, "{tree}", "Trees that are not sealed because they were tampered with.");
    }

    /// <summary>Trees that are not sealed because they were tampered with.</summary>
    internal int DamagedTrees
    {
        get
        {
            lock (_damaged)
            {
                return _damaged.Count;
            }
        }
    }

    /// <summary>Seals one tree at a time.</summary>
    internal TreeSealer Trees => _sealer;

    /// <summary>
    /// Seals everything that was committed before the call, unless another sealer is at it; answers how many entries. Damaged trees are
    /// logged once and passed over.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database does not answer; everything still waits.</exception>
    public async Task<int> SealAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<Guid> trees;
        await using (var session = await _database.ForApplianceAsync(cancellationToken))
        {
            trees = await session.SqlAsync<Guid>($"""select ledger_waiting_trees() as "Value" """, cancellationToken);
        }
        var count = 0;
        foreach (var tree in trees.Where(tree => !IsDamaged(tree)))
        {
            count += await SealTreeAsync(tree, cancellationToken);
        }
        return count;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        LedgerAppend.Committed += Nudge;
        try
        {
            await RunAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Whatever waits is sealed after the next start.
        }
        finally
        {
            LedgerAppend.Committed -= Nudge;
        }
    }

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        var pause = Look;
        while (true)
        {
            try
            {
                var count = await SealAsync(stoppingToken);
                if (count > 0)
                {
                    await Task.Delay(Rest, stoppingToken);
                }
                if (pause > Look)
                {
                    Recovered();
                    pause = Look;
                }
            }
            catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                if (pause == Look)
                {
                    Waiting(e);
                }
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
                await Task.Delay(pause, stoppingToken);
                continue;
            }
            await NudgeOrPauseAsync(pause, stoppingToken);
        }
    }

    private async Task NudgeOrPauseAsync(TimeSpan pause, CancellationToken stoppingToken)
    {
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        timer.CancelAfter(pause);
        try
        {
            await _nudges.Reader.ReadAsync(timer.Token);
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            // Time to look what other processes wrote.
        }
    }

    private async Task<int> SealTreeAsync(Guid tree, CancellationToken cancellationToken)
    {
        var total = 0;
        try
        {
            SealedBatch batch;
            do
            {
                batch = await _sealer.SealAsync(tree, cancellationToken);
                total += batch.Count;
                _sealed.Add(batch.Count);
                foreach (var written in batch.Written)
                {
                    _delay.Record(Math.Max(0, (batch.SignedAt - written).TotalSeconds));
                }
            }
            while (batch.Count == TreeSealer.Batch);
        }
        catch (LedgerDamagedException e)
        {
            lock (_damaged)
            {
                _damaged.Add(tree);
            }
            Damaged(e, tree);
        }
        catch (ConcurrentChangeException)
        {
            // Another sealer won; what it left is there at the next look.
        }
        return total;
    }

    private bool IsDamaged(Guid tree)
    {
        lock (_damaged)
        {
            return _damaged.Contains(tree);
        }
    }

    private void Nudge(object? sender, EventArgs e) => _nudges.Writer.TryWrite(true);

    [LoggerMessage(1, LogLevel.Critical, "The ledger of tree {tree} was tampered with. Its entries are kept but not sealed until this is resolved and the service restarted; run 'ledger verify'.")]
    private partial void Damaged(Exception e, Guid tree);

    [LoggerMessage(2, LogLevel.Error, "The ledger cannot be sealed right now. Entries wait in the database; sealing is tried again until it works.")]
    private partial void Waiting(Exception e);

    [LoggerMessage(3, LogLevel.Information, "The ledger is sealed again.")]
    private partial void Recovered();
}
