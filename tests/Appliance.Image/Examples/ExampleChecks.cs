using Appliance.Tests.TestServers;
using Shouldly;
using Xunit.Abstractions;

namespace Appliance.Image.Examples;

internal static class ExampleChecks
{
    /// <summary>Until these services say that they are ready; an example can have others, that end at once or run elsewhere.</summary>
    public static async Task HealthyAsync(Composed appliance, params string[] services)
    {
        foreach (var service in services)
        {
            await appliance.WaitAsync(
                async () => await appliance.ContainerAsync(service) is { Length: > 0 } container && await Composed.LookAsync(container, "{{.State.Health.Status}}") == "healthy", $"{service} is healthy");
        }
    }

    /// <summary>An example loosens nothing: hardening/check finds nothing, for the services that it has.</summary>
    public static async Task ControlsHoldAsync(Composed appliance, ITestOutputHelper output, string services, params string[] only)
    {
        var (code, said) = await appliance.CheckAsync([$"SERVICES={services}"], only);
        output.WriteLine(said);
        said.Split('\n').Where(line => line.StartsWith("FAIL", StringComparison.Ordinal)).ShouldBeEmpty();
        code.ShouldBe(0);
    }
}
