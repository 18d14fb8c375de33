using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn;

namespace Appliance.Admin;

/// <summary>What operators do, each with its entry in the appliance's ledger, in the same transaction: what could not be written there was not done.</summary>
internal sealed class OperatorWork(OperatorDatabase database)
{
    /// <summary>Reads through one of the functions of the operators' role; the ledger says who looked at what.</summary>
    public Task<List<T>> LookAsync<T>(HttpContext context, string what, FormattableString sql) => DoAsync(
        context, new LedgerEvent("operator.looked", null, Details(("what", what))), session => session.SqlAsync<T>(sql, context.RequestAborted));

    /// <summary>Does something and records it; where it answers the default of its type (nothing was there to do it to), nothing is recorded.</summary>
    /// <exception cref="DatabaseUnavailableException">The database does not answer, does not let the role in, or did not give it its functions (roles.sql).</exception>
    public async Task<T> DoAsync<T>(HttpContext context, LedgerEvent happened, Func<TeamSession, Task<T>> work)
    {
        try
        {
            return await DoInOneAsync(context, happened, work);
        }
        catch (Exception e) when (DatabaseErrors.Translate(e) is ForbiddenByDatabaseException)
        {
            throw new DatabaseUnavailableException(e);
        }
    }

    private async Task<T> DoInOneAsync<T>(HttpContext context, LedgerEvent happened, Func<TeamSession, Task<T>> work)
    {
        await using var session = await database.OpenAsync(context.RequestAborted);
        var result = await work(session);
        if (EqualityComparer<T>.Default.Equals(result, default))
        {
            return result;
        }
        await WriteAsync(session, LedgerAppend.PrepareForAppliance(happened, OriginOf(context)), context.RequestAborted);
        await session.CommitAsync(context.RequestAborted);
        return result;
    }

    /// <summary>Only the entry.</summary>
    public Task RecordAsync(HttpContext context, LedgerEvent happened) => DoAsync(context, happened, _ => Task.FromResult(true));

    public static Origin OriginOf(HttpContext context) => new(null, context.Address())
    {
        Operator = (context.Operator() ?? throw new InvalidOperationException("This request came with no operator's key.")).ForLedger,
    };

    public static Dictionary<string, string?> Details(params (string Name, string? Value)[] details) => details.ToDictionary(d => d.Name, d => d.Value, StringComparer.Ordinal);

    private static async Task WriteAsync(TeamSession session, LedgerEntry entry, CancellationToken cancellationToken)
    {
        await session.ExecuteAsync($"select operator_record({entry.Id}, {entry.At}, {entry.Action}, {entry.Subject}, {entry.Address}, {entry.Details})", cancellationToken);
        session.AfterCommit(LedgerAppend.Nudge);
    }
}
