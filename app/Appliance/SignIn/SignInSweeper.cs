using Appliance.Web;

namespace Appliance.SignIn;

/// <summary>Removes, once an hour, what nobody can use any more. Every look-up checks for itself; this only keeps the tables small.</summary>
internal sealed class SignInSweeper(Sessions sessions, TimeProvider clock, ILogger<SignInSweeper> log) : RepeatedWork(TimeSpan.FromHours(1), clock, log)
{
    protected override Task RoundAsync(CancellationToken cancellationToken) => sessions.SweepAsync(cancellationToken);
}
