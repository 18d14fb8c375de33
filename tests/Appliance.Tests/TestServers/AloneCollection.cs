using Xunit;

namespace Appliance.Tests.TestServers;

/// <summary>
/// Tests that measure time, or that kill servers and saturate the machine: they run one after the other, when all others are done, so
/// that neither kind disturbs the other.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "Alone";
}
