namespace Appliance.Tests.SignIn;

/// <summary>A clock that the test moves, forwards and backwards.</summary>
public sealed class MovableClock : TimeProvider
{
    private long _offset;

    /// <summary>Stands still but for what the test moves.</summary>
    public bool StandsStill { get; init; }

    private readonly DateTimeOffset _start = System.GetUtcNow();

    /// <summary>Real time plus what the test added, in whole microseconds as PostgreSQL keeps them.</summary>
    public override DateTimeOffset GetUtcNow()
    {
        var now = (StandsStill ? _start : System.GetUtcNow()).AddTicks(Interlocked.Read(ref _offset));
        return now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
    }

    public void Move(TimeSpan by) => Interlocked.Add(ref _offset, by.Ticks);
}
