using System.Net;

namespace Appliance.Admin;

/// <summary>The operators' port. It is there only where allowed keys are configured: in a file, in the environment, or both (docs/operators.md).</summary>
public sealed record AdminSettings
{
    /// <summary><c>APPLIANCE_ADMIN_LISTEN</c>, an address and a port.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 8444);

    /// <summary>A list of keys, read again when it changes. <c>APPLIANCE_OPERATOR_KEYS_FILE</c>.</summary>
    public string? KeysFile { get; init; }

    /// <summary>The list itself, or more of it, a line for each key. <c>APPLIANCE_OPERATOR_KEYS</c>.</summary>
    public string? Keys { get; init; }

    /// <summary>How long a team's owners have to answer who asks for break-glass, before another operator may. <c>APPLIANCE_BREAKGLASS_WAIT</c>, whole hours, 1 to 144.</summary>
    public TimeSpan BreakGlassWait { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How often the file is looked at.</summary>
    public TimeSpan CheckInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Requests of one key, and of one address before a key is looked at.</summary>
    public Web.RequestRate PerKey { get; init; } = new(120, 5);
}
