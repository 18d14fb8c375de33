using Appliance.Web;

namespace Appliance.SignIn;

/// <summary>Where the set-up link is told: standard output, unless a test listens.</summary>
internal sealed record Announcements(TextWriter Out);

/// <summary>
/// Where nobody has an account yet, tells a link that makes the first owner. It is the only secret that is ever printed: whoever can
/// read the output of the first start has the machine already, and the link works once. Printed as a plain line, not logged.
/// </summary>
internal sealed class SetUpAtStart(SetUpLinks links, Settings settings, Announcements announcements) : IHostedLifecycleService
{
    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        if (await links.ForFirstOwnerAsync(cancellationToken) is { } token)
        {
            await announcements.Out.WriteLineAsync($"\nSet-up link (works once): {new Uri(settings.Origin, "/set-up/" + token)}\n");
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
