using System.Diagnostics.CodeAnalysis;

namespace Appliance.Objects.Disk;

/// <summary>
/// Threads for system calls that wait for the disk. Linux has no asynchronous fsync; on the thread pool a few dozen waiting writers would
/// stop every other request of a small machine. Who has nothing to do sleeps at once: spinning for the next work would take the cores from
/// those who make it.
/// </summary>
internal sealed class DiskThreads : TaskScheduler, IDisposable
{
    readonly object _gate = new();
    readonly Queue<Task> _work = new();
    bool _ended;

    public DiskThreads(int count)
    {
        for (var i = 0; i < count; i++)
        {
            new Thread(Work) { IsBackground = true, Name = "disk" }.Start();
        }
    }

    public Task Run(Action work, CancellationToken cancellation = default) =>
        Task.Factory.StartNew(work, cancellation, TaskCreationOptions.DenyChildAttach, this);

    public Task<T> Run<T>(Func<T> work, CancellationToken cancellation = default) =>
        Task.Factory.StartNew(work, cancellation, TaskCreationOptions.DenyChildAttach, this);

    /// <summary>What is queued is still done; nothing more is taken.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _ended = true;
            Monitor.PulseAll(_gate);
        }
    }

    protected override void QueueTask(Task task)
    {
        lock (_gate)
        {
            if (_ended)
            {
                throw new InvalidOperationException("The store was closed.");
            }
            _work.Enqueue(task);
            Monitor.Pulse(_gate);
        }
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    protected override IEnumerable<Task> GetScheduledTasks()
    {
        lock (_gate)
        {
            return _work.ToArray();
        }
    }

    void Work()
    {
        while (TryNext(out var task))
        {
            TryExecuteTask(task);
        }
    }

    bool TryNext([NotNullWhen(true)] out Task? task)
    {
        lock (_gate)
        {
            while (!_work.TryDequeue(out task))
            {
                if (_ended)
                {
                    return false;
                }
                Monitor.Wait(_gate);
            }
            return true;
        }
    }
}
