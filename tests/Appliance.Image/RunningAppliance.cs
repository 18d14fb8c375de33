using System.Diagnostics;
using Appliance.Tests.TestServers;
using Xunit;

namespace Appliance.Image;

/// <summary>One appliance by compose for the tests of a class, set up by its first owner. Each test leaves it healthy.</summary>
public sealed class RunningAppliance : IAsyncLifetime
{
    internal Composed Composed { get; private set; } = null!;

    internal RemotePerson Owner { get; private set; } = null!;

    /// <summary>From "docker compose up" to the printed link.</summary>
    internal TimeSpan FirstStart { get; private set; }

    internal Uri Link { get; private set; } = null!;

    public string Team { get; private set; } = "";

    public async Task InitializeAsync()
    {
        var clock = Stopwatch.StartNew();
        Composed = Composed.Prepare();
        try
        {
            var up = Composed.UpAsync();
            while (!up.IsCompleted && await Composed.LinkAsync() is null)
            {
                await Task.Delay(200);
            }
            FirstStart = clock.Elapsed;
            await up;
            Link = await Composed.LinkAsync() ?? throw new InvalidOperationException("The first start printed no link:\n" + await Composed.LogsAsync("web"));
            Owner = await Composed.PersonAsync();
            await Owner.SetUpAsync(Link);
            Team = await Owner.TeamAsync("Harbour");
        }
        catch
        {
            await Composed.DisposeAsync();
            throw;
        }
    }

    public async Task DisposeAsync()
    {
        Owner.Dispose();
        await Composed.DisposeAsync();
    }
}
