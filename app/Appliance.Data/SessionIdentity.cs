using System.Data.Common;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Appliance.Data;

/// <summary>Who a session is, until the database has been told.</summary>
internal sealed class SessionIdentity(TeamId? team, UserId? user)
{
    /// <summary>
    /// The settings as SQL, once; empty afterwards, or where there is nothing to set. SET takes no parameters; a UUID printed
    /// by us cannot hold a quote.
    /// </summary>
    public string TakeSql()
    {
        if (Told)
        {
            return "";
        }
        Told = true;
        return (team is { } t ? $"set local app.team = '{t.Value:D}';" : "") + (user is { } u ? $"set local app.person = '{u.Value:D}';" : "");
    }

    public bool Told { get; private set; }
}

/// <summary>
/// Tells the database team and user in the same round trip as the session's first query: the two SET LOCAL statements go
/// before it in one batch. EF's own SaveChanges counts the statements of its batch, so before that they go alone.
/// </summary>
internal sealed class SessionIdentityInterceptor : DbCommandInterceptor
{
    public static readonly SessionIdentityInterceptor Instance = new();

    public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        await TellAsync(command, eventData, cancellationToken);
        return result;
    }

    public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        await TellAsync(command, eventData, cancellationToken);
        return result;
    }

    public override async ValueTask<InterceptionResult<object>> ScalarExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<object> result, CancellationToken cancellationToken = default)
    {
        await TellAsync(command, eventData, cancellationToken);
        return result;
    }

    public override InterceptionResult<DbDataReader> ReaderExecuting(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result) => RefuseIfUntold(eventData, result);

    public override InterceptionResult<int> NonQueryExecuting(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result) => RefuseIfUntold(eventData, result);

    public override InterceptionResult<object> ScalarExecuting(
        DbCommand command, CommandEventData eventData, InterceptionResult<object> result) => RefuseIfUntold(eventData, result);

    private static async Task TellAsync(DbCommand command, CommandEventData eventData, CancellationToken cancellationToken)
    {
        if (eventData.Context is not ApplianceContext { Identity: { Told: false } identity })
        {
            return;
        }
        var sql = identity.TakeSql();
        if (sql.Length == 0)
        {
            return;
        }
        if (eventData.CommandSource == CommandSource.SaveChanges)
        {
            await using var alone = command.Connection!.CreateCommand();
            alone.Transaction = command.Transaction;
#pragma warning disable CA2100 // the text holds nothing but UUIDs that we printed
            alone.CommandText = sql;
            await alone.ExecuteNonQueryAsync(cancellationToken);
        }
        else
        {
            command.CommandText = sql + command.CommandText;
#pragma warning restore CA2100
        }
    }

    private static T RefuseIfUntold<T>(CommandEventData eventData, T result) =>
        eventData.Context is ApplianceContext { Identity.Told: false }
            ? throw new InvalidOperationException("A session's queries are asynchronous; a blocking one would not know its team.")
            : result;
}
