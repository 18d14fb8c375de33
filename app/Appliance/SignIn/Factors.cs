using Appliance.Data;

namespace Appliance.SignIn;

/// <summary>What a person has beside the password and recovery codes, the best first.</summary>
/// <param name="Key">A security key.</param>
/// <param name="App">An authenticator app.</param>
/// <param name="Phone">A phone for text messages, whether or not the operator's gateway is there just now. Never beside one of the others.</param>
public sealed record Factors(bool Key, bool App, bool Phone)
{
    public bool Any => Better || Phone;

    /// <summary>Something better than text messages.</summary>
    public bool Better => Key || App;

    public static async Task<Factors> ReadAsync(TeamSession session, UserId user, CancellationToken ct) =>
        (await session.SqlAsync<Factors>(
            $"""
            select exists (select from security_keys where user_id = {user.Value}) as "Key",
                   exists (select from authenticator_apps where user_id = {user.Value}) as "App",
                   exists (select from phones where user_id = {user.Value}) as "Phone"
            """,
            ct)).Single();

    /// <summary>
    /// Changes of one person's factors come one after the other, to the end of the transaction: so two removals at once cannot take the last two. Rows
    /// that only name the person do not wait.
    /// </summary>
    public static Task LockAsync(TeamSession session, UserId user, CancellationToken ct) =>
        session.SqlAsync<Guid>($"""select id as "Value" from users where id = {user.Value} for no key update""", ct);
}
