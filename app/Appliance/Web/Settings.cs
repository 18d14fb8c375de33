using System.Net;

namespace Appliance.Web;

/// <summary>
/// What the operator decides, read once at the start from the environment (<c>APPLIANCE_…</c>); everything has a safe default.
/// Secrets are never values here, only the paths of files that hold them.
/// </summary>
public sealed record Settings
{
    /// <summary>The folder of keys, certificates and, embedded, objects. <c>APPLIANCE_DATA</c>.</summary>
    public required string DataFolder { get; init; }

    /// <summary>The origin people type. WebAuthn binds keys to its host. <c>APPLIANCE_ORIGIN</c>.</summary>
    public Uri Origin { get; init; } = new("https://localhost:8443");

    /// <summary>Where the service listens. <c>APPLIANCE_LISTEN</c>, an address and a port.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 8443);

    /// <summary>Where metrics are served; loopback unless told otherwise. <c>APPLIANCE_METRICS_LISTEN</c>.</summary>
    public IPEndPoint MetricsListen { get; init; } = new(IPAddress.Loopback, 9464);

    /// <summary>The folder of PostgreSQL's socket, or a host. <c>APPLIANCE_DATABASE_HOST</c>.</summary>
    public required string DatabaseHost { get; init; }

    /// <summary><c>APPLIANCE_DATABASE_PORT</c>.</summary>
    public int DatabasePort { get; init; } = 5432;

    /// <summary><c>APPLIANCE_DATABASE_NAME</c>.</summary>
    public string DatabaseName { get; init; } = "appliance";

    public string KeyFolder => Path.Combine(DataFolder, "keys");

    public string ApplianceKeyFile => Path.Combine(KeyFolder, "appliance.key");

    public string LedgerKeyFile => Path.Combine(KeyFolder, "ledger.key");

    public string TeamKeyFolder => Path.Combine(KeyFolder, "teams");

    public string ObjectFolder => Path.Combine(DataFolder, "objects");
}
