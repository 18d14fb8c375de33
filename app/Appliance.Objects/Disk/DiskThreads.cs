using System.Collections.Concurrent;

namespace Appliance.Objects.Disk;

/// <summary>
/// Threads for system calls that wait for the disk. Linux has no asynchronous fsync; on the thread pool a few dozen waiting writers would
/// stop every other request of a small machine.
/// </summary>
internal sealed class DiskThreads : TaskScheduler, IDisposable
{
    readonly BlockingCollection<Task> _work = [];

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

    public void Dispose() => _work.CompleteAdding();

    protected override void QueueTask(Task task) => _work.Add(task);

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    protected override IEnumerable<Task> GetScheduledTasks() => _work.ToArray();

    void Work()
    {
        foreach (var task in _work.GetConsumingEnumerable())
        {
            TryExecuteTask(task);
        }
    }
}
