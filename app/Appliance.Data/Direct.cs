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

    public Guid? IdOrNull(int column) => IsNull(column) ? null : Id(column);

    public string? TextOrNull(int column) => IsNull(column) ? null : Text(column);

    public DateTimeOffset? TimeOrNull(int column) => IsNull(column) ? null : Time(column);
}

/// <summary>
/// The door's fast side, for what every request does: one statement in one round trip, in a transaction of its own. Team and user are set
/// for it exactly as in a <see cref="TeamSession"/>, and row-level security decides as there.
/// </summary>
public static class Direct
{
    private const string TellRead =
        "select set_config('app.team', $1, true), set_config('app.person', $2, true), set_config('transaction_read_only', 'on', true)";

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
        database.DirectlyAsync(team, user, sql, read, cancellationToken).Translated();

    /// <summary>Reads as nobody, in no team: what is not tenant data.</summary>
    /// <inheritdoc cref="ReadAsync{T}(Database, TeamId, UserId, FormattableString, Func{Row, T}, CancellationToken)"/>
    public static Task<List<T>> ReadAsync<T>(this Database database, FormattableString sql, Func<Row, T> read, CancellationToken cancellationToken) =>
        database.DirectlyAsync(null, null, sql, read, cancellationToken).Translated();

    private static async Task<List<T>> DirectlyAsync<T>(
        this Database database, TeamId? team, UserId? user, FormattableString sql, Func<Row, T> read, CancellationToken cancellationToken)
    {
        await using var batch = database.CreateBatch();
        // Both go in one flight and are one transaction, which ends with it: nothing of team and user outlives it on the connection.
        batch.BatchCommands.Add(new NpgsqlBatchCommand(TellRead)
        {
            Parameters = { Text(team?.Value), Text(user?.Value) },
        });
        var command = new NpgsqlBatchCommand(s_numbered.GetOrAdd(sql.Format, Numbered));
        foreach (var value in sql.GetArguments())
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value ?? DBNull.Value });
        }
        batch.BatchCommands.Add(command);

        var rows = new List<T>();
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(read(new Row(reader)));
        }
        return rows;
    }

    private static NpgsqlParameter<string> Text(Guid? id) => new() { TypedValue = id?.ToString("D") ?? "", NpgsqlDbType = NpgsqlDbType.Text };

    /// <summary><c>{0}</c> → <c>$1</c>.</summary>
    private static string Numbered(string format) =>
        string.Format(CultureInfo.InvariantCulture, format, [.. Enumerable.Range(1, Places(format)).Select(n => (object)$"${n}")]);

    private static int Places(string format) => System.Text.CompositeFormat.Parse(format).MinimumArgumentCount;
}
