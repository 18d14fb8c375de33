using Appliance.Data;

namespace Appliance.SignIn.SecurityKeys;

/// <summary>
/// The signature counter (WebAuthn §6.1.1, §7.2 step 22 and 24): compared and stored by one UPDATE, so that a key and its copy that
/// answer at the same moment cannot both pass.
/// </summary>
internal static class SignCounter
{
    /// <summary>
    /// Stores the new count and the use. False: the key counted backwards or stood still (both counts zero: it does not count, and
    /// that is fine), and nothing was stored.
    /// </summary>
    public static async Task<bool> AdvanceAsync(
        TeamSession session, byte[] credentialId, uint count, bool isBackedUp, bool isUserVerified, DateTimeOffset now, CancellationToken cancellationToken) =>
        await session.ExecuteAsync(
            $"""
            update security_keys set sign_count = {(long)count}, is_backed_up = {isBackedUp}, last_used_at = {now},
                   user_verified_at = case when {isUserVerified} then {now} else user_verified_at end
             where credential_id = {credentialId} and (sign_count < {(long)count} or (sign_count = 0 and {(long)count} = 0))
            """,
            cancellationToken) == 1;
}
