using System.Data.Common;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;
using NpgsqlTypes;

namespace Appliance.Data;

/// <summary>Who a session is, until the database has been told.</summary>
internal sealed class SessionIdentity(TeamId? team, UserId? user)
{
    /// <summary>A procedure answers with no rows, so that it can go before any query; and its text is always the same, so that it is planned once.</summary>
    public const string Sql = "call app_enter(@app_team, @app_person);";

    /// <summary>The two parameters of <see cref="Sql"/>, once; null afterwards, or where there is nothing to set.</summary>
    public NpgsqlParameter[]? Take()
    {
        if (Told)
        {
            return null;
        }
        Told = true;
        return team is null && user is null ? null : [Parameter("app_team", team?.Value), Parameter("app_person", user?.Value)];
    }

    public bool Told { get; private set; }

    private static NpgsqlParameter Parameter(string name, Guid? value) =>
        new(name, NpgsqlDbType.Uuid) { Value = value is { } id ? id : DBNull.Value };
}

/// <summary>
/// Tells the database team and user in the same round trip as the session's first query: the call goes before it in one
/// batch. EF's own SaveChanges counts the statements of its batch, so before that they go alone.
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
        if (identity.Take() is not { } parameters)
        {
            return;
        }
        if (eventData.CommandSource == CommandSource.SaveChanges)
        {
            await using var alone = command.Connection!.CreateCommand();
            alone.Transaction = command.Transaction;
            alone.CommandText = SessionIdentity.Sql;
            alone.Parameters.AddRange(parameters);
            await alone.ExecuteNonQueryAsync(cancellationToken);
        }
        else
        {
#pragma warning disable CA2100 // a constant before EF's own text
            command.CommandText = SessionIdentity.Sql + command.CommandText;
#pragma warning restore CA2100
            command.Parameters.AddRange(parameters);
        }
    }

    private static T RefuseIfUntold<T>(CommandEventData eventData, T result) =>
        eventData.Context is ApplianceContext { Identity.Told: false }
            ? throw new InvalidOperationException("A session's queries are asynchronous; a blocking one would not know its team.")
            : result;
}
