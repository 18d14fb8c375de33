using System.Globalization;
using Appliance.Data;

namespace Appliance.Web;

/// <summary>
/// Whether this machine's clock is behind what was written before: sessions made in the future are over, codes that change with time do not fit, and the
/// ledger tells wrong times. It is said, and stops nothing: a clock that was once ahead would otherwise keep the appliance down for as long.
/// </summary>
internal static class ClockCheck
{
    /// <summary>Two machines' clocks may differ by this much without anybody being wrong.</summary>
    private static readonly TimeSpan s_tolerance = TimeSpan.FromMinutes(10);

    /// <summary>A sentence for the operator; null where nothing is to be said.</summary>
    /// <exception cref="DatabaseUnavailableException">The database does not answer.</exception>
    public static async Task<string?> AskAsync(Database database, TimeProvider time, CancellationToken cancellationToken)
    {
        var newest = (await database.ReadAsync(
            $"select signed_at from ledger_heads where tree = {Guid.Empty} order by size desc limit 1", row => row.Time(0), cancellationToken)).FirstOrDefault();
        var now = time.GetUtcNow();
        return newest - now <= s_tolerance ? null : string.Create(CultureInfo.InvariantCulture,
            $"This machine's clock says {now:yyyy-MM-dd HH:mm} UTC, but the ledger was last signed at {newest:yyyy-MM-dd HH:mm} UTC. One of the two was wrong: set the clock (NTP) and " +
            $"start again. Until then people may have to sign in anew; nothing that is stored is touched.");
    }
}
