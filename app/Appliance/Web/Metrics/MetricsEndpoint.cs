using System.Text;

namespace Appliance.Web.Metrics;

/// <summary><c>/metrics</c>, in Prometheus' text format 0.0.4, on the metrics' own listener and nowhere else.</summary>
internal static class MetricsEndpoint
{
    private const string Path = "/metrics";

    public static void MapMetrics(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapGet(Path, (MetricsCollector collector) => TypedResults.Text(Write(collector.Collect()), "text/plain; version=0.0.4; charset=utf-8"))
            .AllowAnonymous().DisableRateLimiting();

    /// <summary>Each listener serves its own: nothing but metrics here, no metrics there.</summary>
    public static bool IsOnItsListener(HttpContext context) => context.IsOnMetricsListener() == (context.Request.Path == Path);

    private static string Write(IReadOnlyList<Family> families)
    {
        var text = new StringBuilder(64 << 10);
        foreach (var family in families)
        {
            text.Append("# HELP ").Append(family.Name).Append(' ')
                .Append(family.Help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('\n');
            text.Append("# TYPE ").Append(family.Name).Append(' ').Append(family.Kind switch
            {
                FamilyKind.Counter => "counter",
                FamilyKind.Histogram => "histogram",
                _ => "gauge",
            }).Append('\n');
            foreach (var series in family.Snapshot())
            {
                if (family.Kind == FamilyKind.Histogram)
                {
                    WriteHistogram(text, family, series);
                }
                else
                {
                    WriteLine(text, family.Name, series.Labels, series.Value);
                }
            }
        }
        return text.ToString();
    }

    private static void WriteHistogram(StringBuilder text, Family family, Series series)
    {
        var separator = series.Labels.Length > 0 ? "," : "";
        long count = 0;
        for (var i = 0; i < series.Buckets.Length; i++)
        {
            count += series.Buckets[i];
            var bound = i < family.Bounds.Count ? Number(family.Bounds[i]) : "+Inf";
            WriteLine(text, family.Name + "_bucket", $"{series.Labels}{separator}le=\"{bound}\"", count);
        }
        WriteLine(text, family.Name + "_sum", series.Labels, series.Value);
        WriteLine(text, family.Name + "_count", series.Labels, count);
    }

    private static void WriteLine(StringBuilder text, string name, string labels, double value)
    {
        text.Append(name);
        if (labels.Length > 0)
        {
            text.Append('{').Append(labels).Append('}');
        }
        text.Append(' ').Append(Number(value)).Append('\n');
    }

    private static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        double.NaN => "NaN",
        _ => value.ToString("R"),
    };
}

/// <summary>Answers 404 to what came in by the wrong listener.</summary>
internal sealed class ListenerGate(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (!MetricsEndpoint.IsOnItsListener(context))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        }
        return next(context);
    }
}
