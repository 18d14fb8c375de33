using Appliance.Data;

namespace Appliance.Files;

/// <summary>
/// Who may change the shape of a team's folders, until the transaction ends. Two moves that each look right can together make a loop, or nest too
/// deep, or take something out of a folder that is just deleted for good: so moving, restoring and deleting for good go one after the other,
/// and making a folder waits for them. Uploads, renames and the trash do not.
/// </summary>
internal static class TreeLock
{
    public static Task ExclusiveAsync(TeamSession session, CancellationToken cancellationToken) => session.SqlAsync<int>(
        $"""select 1 as "Value" from pg_advisory_xact_lock(hashtextextended('tree ' || app_team(), 0))""", cancellationToken);

    public static Task SharedAsync(TeamSession session, CancellationToken cancellationToken) => session.SqlAsync<int>(
        $"""select 1 as "Value" from pg_advisory_xact_lock_shared(hashtextextended('tree ' || app_team(), 0))""", cancellationToken);
}
