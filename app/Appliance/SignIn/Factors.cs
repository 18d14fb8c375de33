using Appliance.Data;

namespace Appliance.SignIn;

/// <summary>What a person has beside the password and recovery codes, the best first.</summary>
/// <param name="Key">A security key.</param>
/// <param name="App">An authenticator app.</param>
public sealed record Factors(bool Key, bool App)
{
    public bool Any => Key || App;

    public static async Task<Factors> ReadAsync(TeamSession session, UserId user, CancellationToken ct) =>
        (await session.SqlAsync<Factors>(
            $"""
            select exists (select from security_keys where user_id = {user.Value}) as "Key",
                   exists (select from authenticator_apps where user_id = {user.Value}) as "App"
            """,
            ct)).Single();

    /// <summary>
    /// Changes of one person's factors come one after the other, to the end of the transaction: so two removals at once cannot take the last two. Rows
    /// that only name the person do not wait.
    /// </summary>
    public static Task LockAsync(TeamSession session, UserId user, CancellationToken ct) =>
        session.SqlAsync<Guid>($"""select id as "Value" from users where id = {user.Value} for no key update""", ct);
}
