using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Appliance.Web.Metrics;

/// <summary>
/// Listens to the meters worth keeping and adds up what they say. Bounded: an instrument keeps at most <see cref="SeriesPerInstrument"/>
/// combinations of tags; what comes beyond is counted, not kept.
/// </summary>
internal sealed class MetricsCollector : IDisposable
{
    public const int SeriesPerInstrument = 200;

    private static readonly HashSet<string> s_meters = new(StringComparer.Ordinal)
    {
        ApplianceMetrics.MeterName, "System.Runtime", "Npgsql", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel",
        "Microsoft.AspNetCore.RateLimiting", "Microsoft.AspNetCore.Diagnostics", "Microsoft.AspNetCore.Authentication",
        "Microsoft.AspNetCore.Authorization",
    };

    private readonly ConcurrentDictionary<Instrument, Family> _families = new();
    private readonly MeterListener _listener = new();
    private long _dropped;

    public MetricsCollector(ApplianceMetrics own)
    {
        own.Meter.CreateObservableCounter("appliance.metrics.dropped", () => Interlocked.Read(ref _dropped),
            description: "Measurements that were not kept, because their instrument has too many combinations of tags.");
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (s_meters.Contains(instrument.Meter.Name))
            {
                listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(instrument, i => new Family(i)));
            }
        };
        Listen<byte>(value => value);
        Listen<short>(value => value);
        Listen<int>(value => value);
        Listen<long>(value => value);
        Listen<float>(value => value);
        Listen<double>(value => value);
        Listen<decimal>(value => (double)value);
        _listener.Start();
    }

    /// <summary>Everything as it stands, observable instruments asked now. Ordered by name.</summary>
    public IReadOnlyList<Family> Collect()
    {
        _listener.RecordObservableInstruments();
        return [.. _families.Values.Where(family => !family.IsEmpty).OrderBy(family => family.Name, StringComparer.Ordinal)];
    }

    public void Dispose() => _listener.Dispose();

    private void Listen<T>(Func<T, double> number) where T : struct =>
        _listener.SetMeasurementEventCallback<T>((_, value, tags, state) =>
        {
            if (!((Family)state!).Record(number(value), tags))
            {
                Interlocked.Increment(ref _dropped);
            }
        });
}
