using Appliance.Accounts;
using Appliance.Data;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Appliance.SignIn.SecurityKeys;

/// <summary>
/// What Identity's passkey handler sees during one ceremony: its one person and their keys, as the caller's transaction sees them
/// (a set-up link's account is not committed yet).
/// </summary>
/// <remarks>
/// The handler compares signature counters with what it read, so a key and its copy that answer at once would both pass, and it
/// tells a counter that went backwards from any other failure only in the text of an exception. So it is shown a counter of zero,
/// with which every count passes, and <see cref="SignCounter"/> does that step.
/// </remarks>
internal sealed class CeremonyUsers(User user, TeamSession session, IUserStore<User> store, IOptions<IdentityOptions> options, IServiceProvider services)
    : UserManager<User>(store, options, null!, [], [], null!, null!, services, NullLogger<UserManager<User>>.Instance)
{
    /// <summary>The handler asked whose the new credential is, and it is somebody's.</summary>
    public bool CredentialIsTaken { get; private set; }

    public override bool SupportsUserPasskey => true;

    public override Task<string> GetUserIdAsync(User user)
    {
        ArgumentNullException.ThrowIfNull(user);
        return Task.FromResult(user.Id.ToString());
    }

    public override Task<User?> FindByIdAsync(string userId) => Task.FromResult(userId == user.Id.ToString() ? user : null);

    public override async Task<IList<UserPasskeyInfo>> GetPasskeysAsync(User user)
    {
        ArgumentNullException.ThrowIfNull(user);
        var keys = await session.Query<SecurityKey>().AsNoTracking().Where(k => k.UserId == user.Id).OrderBy(k => k.CreatedAt).ToListAsync();
        return [.. keys.Select(k => k.ToPasskey())];
    }

    public override async Task<UserPasskeyInfo?> GetPasskeyAsync(User user, byte[] credentialId)
    {
        ArgumentNullException.ThrowIfNull(user);
        var key = await session.Query<SecurityKey>().AsNoTracking().SingleOrDefaultAsync(k => k.CredentialId == credentialId && k.UserId == user.Id);
        var passkey = key?.ToPasskey();
        if (passkey is not null)
        {
            passkey.SignCount = 0;
        }
        return passkey;
    }

    /// <summary>Anybody's: a credential belongs to one account at most (WebAuthn §7.1 step 26).</summary>
    public override async Task<User?> FindByPasskeyIdAsync(byte[] credentialId)
    {
        var owner = await session.Query<SecurityKey>().AsNoTracking().Where(k => k.CredentialId == credentialId)
            .Join(session.Query<User>().AsNoTracking(), k => k.UserId, u => u.Id, (_, u) => u).SingleOrDefaultAsync();
        CredentialIsTaken = owner is not null;
        return owner;
    }
}
