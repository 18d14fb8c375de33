using Appliance.Data;
using Appliance.SignIn;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Accounts;

/// <summary>
/// Identity's accounts in our tables, inside <see cref="AccountSession"/>: its methods save but never commit, so that a change and
/// its ledger entry are one.
/// </summary>
internal sealed partial class UserStore(AccountSession accounts, RecoveryCodes codes) :
    IUserPasswordStore<User>, IUserEmailStore<User>, IUserSecurityStampStore<User>, IUserTwoFactorStore<User>, IUserTwoFactorRecoveryCodeStore<User>
{
    public async Task<IdentityResult> CreateAsync(User user, CancellationToken cancellationToken)
    {
        var session = await accounts.OpenAsync(cancellationToken);
        session.Add(user);
        await session.SaveAsync(cancellationToken);
        return IdentityResult.Success;
    }

    /// <summary>Saves. Who lost against another change of the same account hears <see cref="ConcurrentChangeException"/>.</summary>
    public async Task<IdentityResult> UpdateAsync(User user, CancellationToken cancellationToken)
    {
        user.ConcurrencyStamp = Reference.New();
        await (await accounts.OpenAsync(cancellationToken)).SaveAsync(cancellationToken);
        return IdentityResult.Success;
    }

    public Task<IdentityResult> DeleteAsync(User user, CancellationToken cancellationToken) =>
        throw new NotSupportedException("Accounts are not removed: the ledger and the files name them.");

    public async Task<User?> FindByIdAsync(string userId, CancellationToken cancellationToken) =>
        Guid.TryParse(userId, out var id) ? await FindAsync(new UserId(id), cancellationToken) : null;

    public async Task<User?> FindAsync(UserId id, CancellationToken cancellationToken) =>
        await (await accounts.OpenAsync(cancellationToken)).Query<User>().SingleOrDefaultAsync(u => u.Id == id, cancellationToken);

    public async Task<User?> FindByNameAsync(string normalizedUserName, CancellationToken cancellationToken) =>
        await (await accounts.OpenAsync(cancellationToken)).Query<User>()
            .SingleOrDefaultAsync(u => u.UsernameKey == normalizedUserName, cancellationToken);

    public async Task<User?> FindByEmailAsync(string normalizedEmail, CancellationToken cancellationToken) =>
        await (await accounts.OpenAsync(cancellationToken)).Query<User>()
            .FirstOrDefaultAsync(u => u.EmailKey == normalizedEmail, cancellationToken);

    public Task<string> GetUserIdAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.Id.ToString());

    public Task<string?> GetUserNameAsync(User user, CancellationToken cancellationToken) => Task.FromResult<string?>(user.Username);

    public Task SetUserNameAsync(User user, string? userName, CancellationToken cancellationToken)
    {
        user.Username = userName ?? throw new ArgumentNullException(nameof(userName));
        return Task.CompletedTask;
    }

    public Task<string?> GetNormalizedUserNameAsync(User user, CancellationToken cancellationToken) => Task.FromResult<string?>(user.UsernameKey);

    public Task SetNormalizedUserNameAsync(User user, string? normalizedName, CancellationToken cancellationToken)
    {
        user.UsernameKey = normalizedName ?? throw new ArgumentNullException(nameof(normalizedName));
        return Task.CompletedTask;
    }

    public Task<string?> GetPasswordHashAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.PasswordHash);

    public Task SetPasswordHashAsync(User user, string? passwordHash, CancellationToken cancellationToken)
    {
        user.PasswordHash = passwordHash;
        return Task.CompletedTask;
    }

    public Task<bool> HasPasswordAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.PasswordHash is not null);

    public Task<string?> GetEmailAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.Email);

    public Task SetEmailAsync(User user, string? email, CancellationToken cancellationToken)
    {
        user.Email = email;
        return Task.CompletedTask;
    }

    public Task<string?> GetNormalizedEmailAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.EmailKey);

    public Task SetNormalizedEmailAsync(User user, string? normalizedEmail, CancellationToken cancellationToken)
    {
        user.EmailKey = normalizedEmail;
        return Task.CompletedTask;
    }

    public Task<bool> GetEmailConfirmedAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.EmailConfirmedAt is not null);

    public Task SetEmailConfirmedAsync(User user, bool confirmed, CancellationToken cancellationToken) =>
        throw new NotSupportedException("An address is confirmed by the link that was sent to it.");

    public Task<string?> GetSecurityStampAsync(User user, CancellationToken cancellationToken) => Task.FromResult<string?>(user.SecurityStamp);

    public Task SetSecurityStampAsync(User user, string stamp, CancellationToken cancellationToken)
    {
        user.SecurityStamp = stamp;
        return Task.CompletedTask;
    }

    public Task<bool> GetTwoFactorEnabledAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.TwoFactorEnabled);

    public Task SetTwoFactorEnabledAsync(User user, bool enabled, CancellationToken cancellationToken)
    {
        user.TwoFactorEnabled = enabled;
        return Task.CompletedTask;
    }

    public async Task ReplaceCodesAsync(User user, IEnumerable<string> recoveryCodes, CancellationToken cancellationToken) =>
        await codes.ReplaceAsync(await accounts.OpenAsync(cancellationToken), user.Id, recoveryCodes, cancellationToken);

    public async Task<bool> RedeemCodeAsync(User user, string code, CancellationToken cancellationToken) =>
        await codes.RedeemAsync(await accounts.OpenAsync(cancellationToken), user.Id, code, cancellationToken);

    public async Task<int> CountCodesAsync(User user, CancellationToken cancellationToken) =>
        await codes.CountAsync(await accounts.OpenAsync(cancellationToken), user.Id, cancellationToken);

    /// <summary>The session belongs to the request, not to the store.</summary>
    public void Dispose()
    {
    }
}
