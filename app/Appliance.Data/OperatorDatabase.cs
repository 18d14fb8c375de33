using Microsoft.Extensions.Logging;

namespace Appliance.Data;

/// <summary>
/// The operators' door, beside <see cref="Database"/>: connections of its own, as <c>appliance_operator</c>, a role that has no grant on any table. What
/// it can do is in the functions <c>operator_…</c> of the schema; a query of anything else is refused by PostgreSQL.
/// </summary>
public sealed class OperatorDatabase : IDisposable
{
    /// <summary>A few operators, and what watches for them.</summary>
    private const int MaxConnections = 4;

    private readonly Database _inner;

    private OperatorDatabase(Database inner) => _inner = inner;

    /// <summary>One transaction. Its entities are out of reach: use <see cref="TeamSession.SqlAsync"/> and <see cref="TeamSession.ExecuteAsync"/>.</summary>
    /// <exception cref="DatabaseUnavailableException">The database does not answer, or does not let this role in (<see cref="DatabaseRefusedException"/>).</exception>
    public Task<TeamSession> OpenAsync(CancellationToken cancellationToken) => _inner.ForApplianceAsync(cancellationToken);

    public void Dispose() => _inner.Dispose();

    internal static OperatorDatabase Open(DatabaseOptions options, ILoggerFactory? logs) =>
        new(DataServices.Open(options with { Role = "appliance_operator", MaxConnections = MaxConnections }, logs));
}
