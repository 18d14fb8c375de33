using Appliance.Web;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Appliance.Rekeying;

/// <summary>How rotations are done.</summary>
public sealed record RekeyingLimits
{
    /// <summary>How often is looked whether one was asked for.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long one transaction holds the turn; then it is taken anew, and what was done is written down.</summary>
    public TimeSpan Turn { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Bytes in a second that objects are written anew with, so that people keep the store for themselves.</summary>
    public long BytesPerSecond { get; init; } = 20 << 20;

    /// <summary>
    /// How long the old generation of a team's key stays after everything was put under the new one, so that backups of objects from before can be restored. It must
    /// exceed the time that one request may write an object for (<see cref="Files.FileLimits"/>): who began before the rotation ends with the old key.
    /// </summary>
    public TimeSpan KeepTeamKeys { get; init; } = TimeSpan.FromDays(35);

    /// <summary>Until what is sealed under the appliance key is looked through once more: who took the old key just before it was succeeded has written by then.</summary>
    public TimeSpan SecondLook { get; init; } = TimeSpan.FromMinutes(10);
}

internal static class RekeyingServices
{
    public static IServiceCollection AddRekeying(this IServiceCollection services)
    {
        services.TryAddSingleton(provider => new RekeyingLimits { KeepTeamKeys = TimeSpan.FromDays(provider.GetRequiredService<Settings>().OldKeyDays) });
        services.AddSingleton<SealedRows>().AddSingleton<ApplianceKeyRotation>().AddSingleton<TeamKeyRotation>().AddSingleton<KeyRotations>();
        services.AddHostedService(provider => provider.GetRequiredService<KeyRotations>());
        return services;
    }
}
