using System.Diagnostics.Metrics;

namespace Appliance.Web;

/// <summary>The appliance's own meter. A capability makes its instruments from <see cref="Meter"/>; tags have few values, never names or ids.</summary>
public sealed class ApplianceMetrics : IDisposable
{
    public const string MeterName = "Appliance";

    public Meter Meter { get; } = new(MeterName);

    public void Dispose() => Meter.Dispose();
}
