namespace Appliance.Files;

/// <summary>
/// Which uploads a request of this process is writing to: one at a time. (Between processes, and in the end always, the database decides:
/// a segment is taken only where the upload stands.) A client that lost its connection and comes back must not wait until the server notices
/// that the old one is dead: it asks, and the old request ends, keeping what it has.
/// </summary>
internal sealed class ActiveWriters
{
    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, Writer> _writers = [];

    /// <summary>Null where another request is writing.</summary>
    public Writer? TryEnter(Guid upload)
    {
        lock (_gate)
        {
            return _writers.ContainsKey(upload) ? null : _writers[upload] = new Writer(this, upload);
        }
    }

    /// <summary>Asks the request that is writing, if there is one, to keep what it has and end; returns when it has, or after the time.</summary>
    public async Task AskToEndAsync(Guid upload, TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        Writer? writer;
        lock (_gate)
        {
            _writers.TryGetValue(upload, out writer);
        }
        if (writer is null)
        {
            return;
        }
        await writer.AskAsync();
        try
        {
            await writer.Ended.WaitAsync(atMost, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // It is waiting for the store. What is durable by now is the right answer, and what it adds, the next request sees.
        }
    }

    internal sealed class Writer(ActiveWriters all, Guid upload) : IDisposable
    {
        private readonly CancellationTokenSource _asked = new();
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Cancelled when somebody else wants to go on with this upload.</summary>
        public CancellationToken Asked => _asked.Token;

        public Task Ended => _ended.Task;

        public Task AskAsync() => _ended.Task.IsCompleted ? Task.CompletedTask : _asked.CancelAsync();

        public void Dispose()
        {
            lock (all._gate)
            {
                all._writers.Remove(upload);
            }
            _ended.TrySetResult();
            // The source is left to the collector: somebody may be asking just now, and it holds no timer.
        }
    }
}
