using Appliance.Data;

namespace Appliance.Accounts;

/// <summary>
/// The one session that a request's account changes share: what Identity's store changes, and the ledger entry that tells of it,
/// become true together at <see cref="CommitAsync"/> or not at all.
/// </summary>
public sealed class AccountSession(Database database) : IAsyncDisposable
{
    private TeamSession? _session;

    public async Task<TeamSession> OpenAsync(CancellationToken cancellationToken) =>
        _session ??= await database.ForApplianceAsync(cancellationToken);

    /// <summary>Commits what was changed. What is asked for next is in a new transaction.</summary>
    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        if (_session is { } session)
        {
            await session.CommitAsync(cancellationToken);
            await DisposeAsync();
        }
    }

    /// <summary>Forgets what was changed since the last commit.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_session is { } session)
        {
            _session = null;
            await session.DisposeAsync();
        }
    }
}
