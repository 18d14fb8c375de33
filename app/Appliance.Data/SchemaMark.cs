using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Appliance.Data;

/// <summary>
/// What the owner leaves in <c>appliance_state</c> after migrating: the last migration (<c>schema</c>), and the version of the program that brought it
/// (<c>schema_version</c>), the oldest that can work with it. The app's role may read it and cannot change it; EF's own history is closed to it.
/// </summary>
internal static class SchemaMark
{
    /// <summary>This program's version, three numbers.</summary>
    public static string Version { get; } = typeof(SchemaMark).Assembly.GetName().Version!.ToString(3);

    /// <summary>The version that is needed, for the owner; null in a database from before this mark.</summary>
    public static async Task<string?> NeededAsync(ApplianceContext context, CancellationToken cancellationToken) =>
        (await context.Database.SqlQuery<string>($"""select value as "Value" from appliance_state where name = 'schema_version'""").ToListAsync(cancellationToken)).SingleOrDefault();

    public static Task WriteAsync(ApplianceContext context, string schema, CancellationToken cancellationToken) =>
        // One statement: both or neither. The version stays where the schema did not change.
        context.Database.ExecuteSqlAsync($"""
            with mark as (
                insert into appliance_state (name, value) values ('schema', {schema})
                on conflict (name) do update set value = excluded.value where appliance_state.value <> excluded.value returning name)
            insert into appliance_state (name, value) select 'schema_version', {Version} from mark
            on conflict (name) do update set value = excluded.value
            """, cancellationToken);

    /// <summary>What is written there, by name; null where there is no schema yet.</summary>
    public static async Task<IReadOnlyDictionary<string, string>?> ReadAsync(Database database, CancellationToken cancellationToken)
    {
        try
        {
            var rows = await database.ReadAsync(
                $"select name, value from appliance_state where name in ('schema', 'schema_version')", row => (row.Text(0), row.Text(1)), cancellationToken);
            return rows.ToDictionary(StringComparer.Ordinal);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            return null;
        }
    }

    public static void Check(IReadOnlyList<string> wanted, IReadOnlyDictionary<string, string>? mark)
    {
        var found = mark?.GetValueOrDefault("schema");
        if (found is not null && !wanted.Contains(found, StringComparer.Ordinal))
        {
            throw new NewerSchemaException(found, mark!.GetValueOrDefault("schema_version"));
        }
        if (found != wanted[^1])
        {
            throw new OlderSchemaException(found, wanted[^1]);
        }
    }
}

/// <summary>The database was migrated by a newer version of the appliance than this one.</summary>
public sealed class NewerSchemaException(string migration, string? version) : Exception(
    $"The data was written by a newer version of the appliance: version {version ?? "(unknown)"} or later is needed (schema {migration}), and this is version {SchemaMark.Version}. " +
    "Nothing was changed. Start that version, or restore a backup made before the upgrade.");

/// <summary>The database's schema is older than this program, or not there yet.</summary>
public sealed class OlderSchemaException(string? found, string wanted) : Exception(
    $"The database's schema is {(found is null ? "not there yet" : "that of an older version (" + found + ")")}, and version {SchemaMark.Version} needs {wanted}. " +
    "Run the verb migrate as the account that is appliance_owner in the database, then start again; nothing was changed.");
