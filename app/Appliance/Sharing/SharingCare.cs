using Appliance.Data;
using Appliance.Web;

namespace Appliance.Sharing;

/// <summary>Removes links, and the list of their uses, long after they were over. Every look-up checks for itself; this only keeps the tables small.</summary>
internal sealed class SharingCare(Database database, ShareLinks links, TimeProvider clock, ILogger<SharingCare> log) : RepeatedWork(TimeSpan.FromHours(6), clock, log)
{
    internal async Task RunOnceAsync(CancellationToken ct)
    {
        foreach (var team in await database.AllTeamsAsync(ct))
        {
            await using var session = await database.ForJobAsync(team, ct);
            await links.SweepAsync(session, ct);
        }
    }

    protected override Task RoundAsync(CancellationToken cancellationToken) => RunOnceAsync(cancellationToken);
}
