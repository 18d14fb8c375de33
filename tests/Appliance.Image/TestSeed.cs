using System.Globalization;
using Xunit.Abstractions;

namespace Appliance.Image;

/// <summary>Where a test draws lots, it says with which seed; <c>APPLIANCE_TEST_SEED</c> repeats a run.</summary>
internal static class TestSeed
{
    public static int Take(ITestOutputHelper output)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("APPLIANCE_TEST_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        output.WriteLine($"Seed: {seed}");
        Console.WriteLine($"Seed: {seed} (APPLIANCE_TEST_SEED repeats it)");
        return seed;
    }
}
