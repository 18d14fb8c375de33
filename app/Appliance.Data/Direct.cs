using System.Collections.Concurrent;
using System.Globalization;
using Appliance.Vault;
using Npgsql;
using NpgsqlTypes;

namespace Appliance.Data;

/// <summary>One row of an answer, its columns by their place in the query, from 0. Valid while it is being read.</summary>
public readonly struct Row
{
    private readonly NpgsqlDataReader _reader;

    internal Row(NpgsqlDataReader reader) => _reader = reader;

    public bool IsNull(int column) => _reader.IsDBNull(column);

    public Guid Id(int column) => _reader.GetFieldValue<Guid>(column);

    public string Text(int column) => _reader.GetString(column);

    public int Int(int column) => _reader.GetInt32(column);

    public long Long(int column) => _reader.GetInt64(column);

    public bool Bool(int column) => _reader.GetBoolean(column);

    public DateTimeOffset Time(int column) => _reader.GetFieldValue<DateTimeOffset>(column);

    public int? IntOrNull(int column) => IsNull(column) ? null : Int(column);

    public Guid? IdOrNull(int column) => IsNull(column) ? null : Id(column);

    public long? LongOrNull(int column) => IsNull(column) ? null : Long(column);

    public string? TextOrNull(int column) => IsNull(column) ? null : Text(column);

    public DateTimeOffset? TimeOrNull(int column) => IsNull(column) ? null : Time(column);
}

/// <summary>
/// What is read in a team in the flight that finds out who asks. Its statement runs as the person that the first one found (and told the
/// database, see <see cref="Direct.ReadWithAsync"/>); where it found nobody, the database shows it nothing.
/// </summary>
public abstract class Companion(TeamId team)
{
    /// <summary>The team that is set.</summary>
    public TeamId Team { get; } = team;

    /// <summary>One statement; its values become parameters. It cannot write.</summary>
    protected internal abstract FormattableString Sql { get; }

    /// <summary>Takes one row.</summary>
    protected internal abstract void Take(Row row);
}

/// <summary>
/// The door's fast side, for what every request does: one flight to the database and back, in a transaction of its own. Team and user are set
/// for it exactly as in a <see cref="TeamSession"/>, and row-level security decides as there.
/// </summary>
public static class Direct
{
    private const string TellRead =
        "select set_config('app.team', $1, true), set_config('app.person', $2, true), set_config('transaction_read_only', 'on', true)";

    private const string TellWrite = "select set_config('app.team', $1, true), set_config('app.person', $2, true)";

    /// <summary>The statement as the server gets it, by the text it was written as: as many as there are places that call this.</summary>
    private static readonly ConcurrentDictionary<string, string> s_numbered = new(StringComparer.Ordinal);

    /// <summary>Reads as a person in a team; where that person is no member, the team is empty to them.</summary>
    /// <param name="database">The door.</param>
    /// <param name="team">The team that is set.</param>
    /// <param name="user">Who is set.</param>
    /// <param name="sql">One statement; its values become parameters. A null needs a cast beside it. It cannot write.</param>
    /// <param name="read">Makes something of each row.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="DatabaseUnavailableException">The database does not answer.</exception>
    public static Task<List<T>> ReadAsync<T>(
        this Database database, TeamId team, UserId user, FormattableString sql, Func<Row, T> read, CancellationToken cancellationToken) =>
        database.DirectlyAsync(TellRead, team, user, sql, read, null, cancellationToken).Translated();

    /// <summary>Reads as nobody, in no team: what is not tenant data.</summary>
    /// <inheritdoc cref="ReadAsync{T}(Database, TeamId, UserId, FormattableString, Func{Row, T}, CancellationToken)"/>
    public static Task<List<T>> ReadAsync<T>(this Database database, FormattableString sql, Func<Row, T> read, CancellationToken cancellationToken) =>
        database.DirectlyAsync(TellRead, null, null, sql, read, null, cancellationToken).Translated();

    /// <summary>
    /// Reads who somebody is, as nobody, and in the same flight something in a team as that person. The first statement is the one that says who:
    /// it sets <c>app.person</c> itself, for the transaction alone, and for nobody who may not enter now.
    /// </summary>
    /// <param name="database">The door.</param>
    /// <param name="who">The first statement.</param>
    /// <param name="read">Makes something of each row of it.</param>
    /// <param name="companion">What else is read; null: nothing.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="DatabaseUnavailableException">The database does not answer.</exception>
    public static Task<List<T>> ReadWithAsync<T>(
        this Database database, FormattableString who, Func<Row, T> read, Companion? companion, CancellationToken cancellationToken) =>
        database.DirectlyAsync(TellRead, companion?.Team, null, who, read, companion, cancellationToken).Translated();

    /// <summary>
    /// Writes as a person in a team and commits, in one flight: all of the statement, or nothing. Once this has returned, the database has it on
    /// disk (synchronous_commit).
    /// </summary>
    /// <param name="database">The door.</param>
    /// <param name="team">The team that is set.</param>
    /// <param name="user">Who is set.</param>
    /// <param name="sql">One statement; its values become parameters. A null needs a cast beside it.</param>
    /// <param name="read">Makes something of each row.</param>
    /// <exception cref="InDoubtException">Nobody can know whether it was committed: the answer was lost.</exception>
    /// <exception cref="ForbiddenByDatabaseException">Row-level security refused it. Nothing was written, as with every other exception.</exception>
    public static async Task<List<T>> WriteAsync<T>(this Database database, TeamId team, UserId user, FormattableString sql, Func<Row, T> read)
    {
        ArgumentNullException.ThrowIfNull(database);
        try
        {
            // Nobody cancels it half-way: what a cancelled commit has done, nobody knows.
            return await database.DirectlyAsync(TellWrite, team, user, sql, read, null, CancellationToken.None);
        }
        // An error that ends the statement, and not the connection, is the database's word that nothing was written. Nothing else is.
        catch (PostgresException refused) when (refused.InvariantSeverity == "ERROR")
        {
            throw DatabaseErrors.Translate(refused) ?? refused;
        }
        catch (Exception lost)
        {
            throw new InDoubtException(lost);
        }
    }

    private static async Task<List<T>> DirectlyAsync<T>(
        this Database database, string tell, TeamId? team, UserId? user, FormattableString sql, Func<Row, T> read, Companion? companion, CancellationToken cancellationToken)
    {
        await using var batch = database.CreateBatch();
        // All go in one flight and are one transaction, which ends with it: nothing of team and user outlives it on the connection.
        batch.BatchCommands.Add(new NpgsqlBatchCommand(tell)
        {
            Parameters = { Text(team?.Value), Text(user?.Value) },
        });
        batch.BatchCommands.Add(Command(sql));
        if (companion is not null)
        {
            batch.BatchCommands.Add(Command(companion.Sql));
        }

        var rows = new List<T>();
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(read(new Row(reader)));
        }
        if (companion is not null)
        {
            await reader.NextResultAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                companion.Take(new Row(reader));
            }
        }
        // The transaction ends after the last result, and what is checked at its end can still fail: that is thrown here.
        await reader.NextResultAsync(cancellationToken);
        return rows;
    }

    private static NpgsqlBatchCommand Command(FormattableString sql)
    {
        var command = new NpgsqlBatchCommand(s_numbered.GetOrAdd(sql.Format, Numbered));
        foreach (var value in sql.GetArguments())
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value ?? DBNull.Value });
        }
        return command;
    }

    private static NpgsqlParameter<string> Text(Guid? id) => new() { TypedValue = id?.ToString("D") ?? "", NpgsqlDbType = NpgsqlDbType.Text };

    /// <summary><c>{0}</c> → <c>$1</c>.</summary>
    private static string Numbered(string format) =>
        string.Format(CultureInfo.InvariantCulture, format, [.. Enumerable.Range(1, Places(format)).Select(n => (object)$"${n}")]);

    private static int Places(string format) => System.Text.CompositeFormat.Parse(format).MinimumArgumentCount;
}
