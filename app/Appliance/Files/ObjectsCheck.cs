using Appliance.Data;
using Appliance.Web;

namespace Appliance.Files;

/// <summary>The verb <c>objects check</c>: lists every object that is missing, of another size than it was written with, or orphaned.</summary>
public static class ObjectsCheck
{
    public static async Task<int> RunAsync(Settings settings)
    {
        await using var app = ApplianceProgram.Build(settings, []);
        return await RunAsync(app.Services, Console.Out, CancellationToken.None);
    }

    /// <summary>0 where nothing is lost (orphans harm nobody), 1 otherwise.</summary>
    public static async Task<int> RunAsync(IServiceProvider services, TextWriter output, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(output);
        var (database, care) = (services.GetRequiredService<Database>(), services.GetRequiredService<FilesCare>());
        var (nothingLost, referenced) = (true, 0L);
        foreach (var team in await database.AllTeamsAsync(cancellationToken))
        {
            var report = await care.CheckAsync(team, cancellationToken);
            referenced += report.Referenced;
            nothingLost &= report.NothingLost;
            foreach (var id in report.Missing)
            {
                await output.WriteLineAsync($"missing   {team} {id}");
            }
            foreach (var wrong in report.WrongSize)
            {
                await output.WriteLineAsync($"damaged   {team} {wrong.Id} {wrong.Found} bytes instead of {wrong.Expected}");
            }
            foreach (var orphan in report.Orphans)
            {
                await output.WriteLineAsync($"orphaned  {team} {orphan.Id} {orphan.StoredLength} bytes since {orphan.Modified:yyyy-MM-dd HH:mm:ss}Z");
            }
        }
        await output.WriteLineAsync(nothingLost ? $"Nothing is lost: {referenced} objects are there." : "Something is lost. Restore the objects above from a backup.");
        return nothingLost ? 0 : 1;
    }
}
