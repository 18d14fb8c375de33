using Appliance.Data;
using Appliance.SignIn;
using Appliance.SignIn.Tokens;

namespace Appliance.Teams;

/// <summary>
/// Asks again and again whether a long answer may go on: the token or the session that asked for it may be revoked, or the person removed from the
/// team, while a download of hours is under way. One watch for each request; not thread-safe.
/// </summary>
public sealed class AccessWatch(TimeProvider time, Func<Task<bool>> ask)
{
    /// <summary>How long who has lost access can still receive, at most.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private DateTimeOffset _asked = time.GetUtcNow();

    /// <summary>For the endpoint of a team, whose access was just checked.</summary>
    /// <param name="context">The request.</param>
    /// <param name="team">The team's reference.</param>
    /// <param name="entry">The file that is sent: a group can stop letting one read it. Null where it is no single one.</param>
    public static AccessWatch Over(HttpContext context, string team, string? entry = null)
    {
        var (services, cancelled) = (context.RequestServices, context.RequestAborted);
        return new AccessWatch(services.GetRequiredService<TimeProvider>(), async () =>
        {
            var alive = context.User.TokenId() is { } token
                ? await services.GetRequiredService<ApiTokens>().IsAliveAsync(token, cancelled)
                : await services.GetRequiredService<Sessions>().IsAliveAsync(context.User.SessionId(), cancelled);
            if (!alive)
            {
                return false;
            }
            await using var visit = await services.GetRequiredService<TeamAccess>().EnterAsync(team, context.User, cancelled);
            return visit is not null && (entry is null || (await visit.Session.SqlAsync<bool>(
                $"""select exists (select from entries where team_id = app_team() and reference = {entry}) as "Value" """, cancelled)).Single());
        });
    }

    /// <summary>To be asked before each piece: costs nothing but once in <see cref="Interval"/>. False: cut the connection.</summary>
    public ValueTask<bool> MayGoOnAsync()
    {
        var now = time.GetUtcNow();
        if ((now - _asked).Duration() < Interval)
        {
            return ValueTask.FromResult(true);
        }
        _asked = now;
        return new ValueTask<bool>(AskAsync());
    }

    private async Task<bool> AskAsync()
    {
        try
        {
            return await ask();
        }
        catch (DatabaseUnavailableException)
        {
            return true; // while the database is away nobody can take access away either
        }
    }
}
