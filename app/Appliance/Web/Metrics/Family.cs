using System.Diagnostics.Metrics;
using System.Text;

namespace Appliance.Web.Metrics;

/// <summary>How Prometheus sees an instrument.</summary>
internal enum FamilyKind
{
    Counter,
    Gauge,
    Histogram,
}

/// <summary>One instrument and its series, one for each combination of tags.</summary>
internal sealed class Family
{
    /// <summary>Where the instrument gives no advice: seconds, as OpenTelemetry's conventions for HTTP durations have them.</summary>
    private static readonly double[] s_defaultBounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Series> _series = new(StringComparer.Ordinal);
    private readonly bool _isDifference;
    private readonly double[] _bounds;

    public Family(Instrument instrument)
    {
        var type = instrument.GetType().GetGenericTypeDefinition();
        Kind = type == typeof(Histogram<>) ? FamilyKind.Histogram
            : type == typeof(Counter<>) || type == typeof(ObservableCounter<>) ? FamilyKind.Counter
            : FamilyKind.Gauge;
        // Counters and up-down counters say by how much; observed ones and gauges say what there is.
        _isDifference = type == typeof(Counter<>) || type == typeof(UpDownCounter<>);
        _bounds = (instrument as Histogram<double>)?.Advice?.HistogramBucketBoundaries?.ToArray() ?? s_defaultBounds;
        Name = NameOf(instrument, Kind);
        Help = instrument.Description ?? "";
    }

    public string Name { get; }

    public string Help { get; }

    public FamilyKind Kind { get; }

    public IReadOnlyList<double> Bounds => _bounds;

    public bool IsEmpty
    {
        get
        {
            lock (_gate)
            {
                return _series.Count == 0;
            }
        }
    }

    /// <summary>False where there is no room for another series.</summary>
    public bool Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = Labels(tags);
        lock (_gate)
        {
            if (!_series.TryGetValue(labels, out var series))
            {
                if (_series.Count >= MetricsCollector.SeriesPerInstrument)
                {
                    return false;
                }
                series = new Series(labels, Kind == FamilyKind.Histogram ? new long[_bounds.Length + 1] : []);
                _series.Add(labels, series);
            }
            if (Kind == FamilyKind.Histogram)
            {
                var bucket = Array.BinarySearch(_bounds, value);
                series.Buckets[bucket < 0 ? ~bucket : bucket]++;
                series.Value += value;
            }
            else
            {
                series.Value = _isDifference ? series.Value + value : value;
            }
            return true;
        }
    }

    /// <summary>Copies, so that writing them out holds nobody up.</summary>
    public IReadOnlyList<Series> Snapshot()
    {
        lock (_gate)
        {
            return [.. _series.Values.Select(s => new Series(s.Labels, [.. s.Buckets]) { Value = s.Value })];
        }
    }

    /// <summary><c>http.server.request.duration</c> in <c>s</c> → <c>http_server_request_duration_seconds</c>; counters end in <c>_total</c>.</summary>
    private static string NameOf(Instrument instrument, FamilyKind kind)
    {
        var name = new StringBuilder(Cleaned(instrument.Name));
        var unit = instrument.Unit switch
        {
            "s" => "_seconds",
            "ms" => "_milliseconds",
            "By" => "_bytes",
            _ => "", // "{request}" and the like are annotations, not units
        };
        if (unit.Length > 0 && !name.ToString().EndsWith(unit, StringComparison.Ordinal))
        {
            name.Append(unit);
        }
        return kind == FamilyKind.Counter ? name.Append("_total").ToString() : name.ToString();
    }

    private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.Length == 0)
        {
            return "";
        }
        var sorted = tags.ToArray();
        Array.Sort(sorted, (a, b) => string.CompareOrdinal(a.Key, b.Key));
        return string.Join(',', sorted.Select(tag => $"{Cleaned(tag.Key)}=\"{Escaped(tag.Value?.ToString() ?? "")}\""));
    }

    private static string Cleaned(string name)
    {
        var cleaned = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return char.IsAsciiDigit(cleaned[0]) ? "_" + cleaned : cleaned;
    }

    /// <summary>Prometheus text format 0.0.4: backslash, quote and line feed are escaped in a label's value.</summary>
    private static string Escaped(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}

/// <summary>One combination of tags. A histogram's <see cref="Value"/> is the sum; its buckets are not yet cumulative.</summary>
internal sealed class Series(string labels, long[] buckets)
{
    public string Labels => labels;

    public long[] Buckets => buckets;

    public double Value { get; set; }
}
