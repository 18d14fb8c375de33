using System.Diagnostics.Metrics;
using Appliance.Web;
using Appliance.Web.Metrics;

namespace Appliance.Tests.Web;

public sealed class MetricsTests
{
    [Fact, Trait("Requirement", "O10")]
    public void An_instrument_keeps_a_bounded_number_of_series_and_says_what_it_dropped()
    {
        using var own = new ApplianceMetrics();
        using var collector = new MetricsCollector(own);
        var counter = own.Meter.CreateCounter<long>("appliance.test.things");
        for (var i = 0; i < 1000; i++)
        {
            counter.Add(1, new KeyValuePair<string, object?>("which", i));
        }
        var families = collector.Collect();
        families.Single(f => f.Name == "appliance_test_things_total").Snapshot().Count.ShouldBe(MetricsCollector.SeriesPerInstrument);
        // At least: the collector hears the process' other meters too, and hosts of tests beside this one may fill an instrument of theirs.
        families.Single(f => f.Name == "appliance_metrics_dropped_total").Snapshot().Single().Value.ShouldBeGreaterThanOrEqualTo(1000 - MetricsCollector.SeriesPerInstrument);
    }

    [Fact, Trait("Requirement", "O10")]
    public void Labels_are_sorted_and_escaped_and_histograms_fall_into_their_buckets()
    {
        using var own = new ApplianceMetrics();
        using var collector = new MetricsCollector(own);
        var histogram = own.Meter.CreateHistogram("appliance.test.size", "By", null, null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 10] });
        foreach (var value in new[] { 0.5, 1, 5, 100 })
        {
            histogram.Record(value, new KeyValuePair<string, object?>("z", "a\"b\\c\nd"), new KeyValuePair<string, object?>("a.b", 1));
        }
        var family = collector.Collect().Single(f => f.Name == "appliance_test_size_bytes");
        var series = family.Snapshot().Single();
        series.Labels.ShouldBe("""a_b="1",z="a\"b\\c\nd" """.TrimEnd());
        series.Buckets.ShouldBe([2, 1, 1]);
        series.Value.ShouldBe(106.5);
    }
}
