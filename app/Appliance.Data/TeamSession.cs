using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Appliance.Data;

/// <summary>
/// One transaction, as one person, in one team: the only door to tenant data. The team and the user are set with
/// transaction-local settings that row-level security asks for, so a query cannot name a team and need not filter by one.
/// Disposing without <see cref="CommitAsync"/> leaves nothing behind. Not thread-safe.
/// </summary>
/// <remarks>
/// Members that reach the database throw <see cref="DatabaseUnavailableException"/>, <see cref="DuplicateException"/>,
/// <see cref="ConcurrentChangeException"/> or <see cref="ForbiddenByDatabaseException"/> where that is what happened. Queries run
/// with EF's own operators throw the driver's exceptions; <see cref="DatabaseErrors.Translate"/> tells what they mean.
/// </remarks>
public sealed class TeamSession : IAsyncDisposable
{
    private readonly ApplianceContext _context;
    private readonly IDbContextTransaction _transaction;
    private bool _disposed;
    private Action? _committed;

    internal TeamSession(ApplianceContext context, IDbContextTransaction transaction, TeamId? team, UserId? user)
    {
        _context = context;
        _transaction = transaction;
        Team = team;
        User = user;
    }

    /// <summary>The team that is set, or null outside of any.</summary>
    public TeamId? Team { get; }

    /// <summary>The person, <see cref="UserId.Appliance"/> in a job, or null where nobody is signed in.</summary>
    public UserId? User { get; }

    /// <summary>The team that is set; throws where there is none.</summary>
    public TeamId TeamOrThrow => Team ?? throw new InvalidOperationException("This session is in no team.");

    /// <summary>The rows of this type that the database lets this session see. Tracked: changes are saved at commit.</summary>
    /// <exception cref="InvalidOperationException">The rows belong to teams and this session is in none.</exception>
    public IQueryable<T> Query<T>() where T : class
    {
        RequireTeamFor<T>();
        return _context.Set<T>();
    }

    public void Add<T>(T row) where T : class
    {
        RequireTeamFor<T>();
        if (row is ITeamOwned owned && owned.TeamId != TeamOrThrow)
        {
            throw new InvalidOperationException($"A {typeof(T).Name} of another team cannot be added in this session.");
        }
        _context.Add(row);
    }

    public void Remove<T>(T row) where T : class
    {
        RequireTeamFor<T>();
        _context.Remove(row);
    }

    /// <summary>Hand-written SQL that answers with rows (columns named as T's properties, or "Value"). Values become parameters.</summary>
    public Task<List<T>> SqlAsync<T>(FormattableString sql, CancellationToken cancellationToken) =>
        _context.Database.SqlQuery<T>(sql).ToListAsync(cancellationToken).Translated();

    /// <summary>Hand-written SQL that changes rows; answers how many. Values become parameters.</summary>
    public Task<int> ExecuteAsync(FormattableString sql, CancellationToken cancellationToken) =>
        _context.Database.ExecuteSqlAsync(sql, cancellationToken).Translated();

    /// <summary>Sends the changes so far to the database, inside the open transaction. Nothing is durable before <see cref="CommitAsync"/>.</summary>
    public Task SaveAsync(CancellationToken cancellationToken) => _context.SaveChangesAsync(cancellationToken).Translated();

    /// <summary>Something to do once the change is durable, and only then. It must be quick and must not throw.</summary>
    public void AfterCommit(Action action) => _committed += action;

    /// <summary>Saves and commits; returns once the database has it on disk (synchronous_commit). Afterwards the session is done.</summary>
    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        await SaveAsync(cancellationToken);
        // A request that is cancelled just now must not leave us not knowing whether the change is durable.
        await _transaction.CommitAsync(CancellationToken.None).Translated();
        _committed?.Invoke();
    }

    /// <summary>May be called twice: the context goes back to a pool, and must not go twice.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }
        _disposed = true;
        await _transaction.DisposeAsync();
        await _context.DisposeAsync();
    }

    private void RequireTeamFor<T>()
    {
        if (Team is null && typeof(T).IsAssignableTo(typeof(ITeamOwned)) && !typeof(T).IsAssignableTo(typeof(IVisibleToItsUser)))
        {
            throw new InvalidOperationException($"{typeof(T).Name} belongs to a team, and this session is in none.");
        }
    }
}
