using System.Diagnostics;

namespace Appliance.Tests.Data;

/// <summary>Counts the driver's round trips in this test's own flow, from its tracing source (one activity for each command that is sent).</summary>
internal sealed class RoundTrips : IDisposable
{
    private readonly ActivityListener _listener;
    private readonly Activity _here = new Activity("test").Start();
    private int _count;

    public RoundTrips()
    {
        var trace = _here.TraceId;
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Npgsql",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if (activity.TraceId == trace && activity.Kind == ActivityKind.Client)
                {
                    Interlocked.Increment(ref _count);
                }
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public int Count => Volatile.Read(ref _count);

    public void Dispose()
    {
        _listener.Dispose();
        _here.Dispose();
    }
}
