using System.Security.Authentication;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Appliance.Data;

/// <summary>The database cannot be reached, or went away in the middle. Nothing of the session was acknowledged; trying again later is safe.</summary>
public class DatabaseUnavailableException(Exception inner)
    : Exception("The database cannot be reached right now.", inner);

/// <summary>There is a server, but it could not prove who it is, or it does not let us in: waiting does not help, the settings or the server's must be mended.</summary>
public sealed class DatabaseRefusedException(Exception inner) : DatabaseUnavailableException(inner)
{
    /// <summary>What the TLS library or the server said.</summary>
    public string Reason { get; } = Said(inner);

    private static string Said(Exception error) => error is PostgresException refused ? refused.MessageText : error.InnerException is { } inner ? Said(inner) : error.Message;
}

/// <summary>The answer to a commit was lost: it may have happened or not. What the rows refer to must be left alone.</summary>
public sealed class InDoubtException(Exception inner) : Exception("Nobody can know whether the change was committed.", inner);

/// <summary>A row with this key exists already. <see cref="Constraint"/> is the database's name of the rule.</summary>
public sealed class DuplicateException(string constraint, Exception inner)
    : Exception($"A row that must be unique exists already ({constraint}).", inner)
{
    public string Constraint { get; } = constraint;
}

/// <summary>Row-level security refused the write: the row belongs to another team, or the table may not be changed this way.</summary>
public sealed class ForbiddenByDatabaseException(Exception inner)
    : Exception("The database refused this access.", inner);

/// <summary>Two sessions changed the same row, or waited for each other; this one lost. Trying again is safe.</summary>
public sealed class ConcurrentChangeException(Exception inner)
    : Exception("The row was changed by someone else meanwhile.", inner);

/// <summary>What the driver's exceptions mean to the product.</summary>
public static class DatabaseErrors
{
    /// <summary>The product's exception for a driver's, or null where it is an unexpected state that should be seen as it is.</summary>
    public static Exception? Translate(Exception exception) => exception switch
    {
        DbUpdateConcurrencyException => new ConcurrentChangeException(exception),
        DbUpdateException { InnerException: { } inner } => Translate(inner),
        // EF's hint that trying again may help; around a save it wraps the DbUpdateException.
        InvalidOperationException { InnerException: (NpgsqlException or DbUpdateException) and { } inner } => Translate(inner),
        PostgresException e => e.SqlState switch
        {
            PostgresErrorCodes.UniqueViolation => new DuplicateException(e.ConstraintName ?? "", e),
            PostgresErrorCodes.InsufficientPrivilege => new ForbiddenByDatabaseException(e),
            PostgresErrorCodes.InvalidAuthorizationSpecification => new DatabaseRefusedException(e),
            // What the row belongs to was removed in this moment: what a foreign key names has been looked up just before.
            PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.ForeignKeyViolation
                => new ConcurrentChangeException(e),
            PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow
                or PostgresErrorCodes.TooManyConnections or PostgresErrorCodes.DiskFull or PostgresErrorCodes.QueryCanceled
                or PostgresErrorCodes.LockNotAvailable
                => new DatabaseUnavailableException(e),
            _ => null,
        },
        // To whoever asks it is the same: come back, and look what is there.
        InDoubtException => new DatabaseUnavailableException(exception),
        DatabaseUnavailableException or DuplicateException or ForbiddenByDatabaseException or ConcurrentChangeException => exception,
        NpgsqlException { InnerException: AuthenticationException } => new DatabaseRefusedException(exception),
        NpgsqlException => new DatabaseUnavailableException(exception),
        // Npgsql 10.0.3 with automatic preparation: on a connection that is cut in this moment (docs/decisions.md).
        NullReferenceException { Source: "Npgsql" } => new DatabaseUnavailableException(exception),
        _ => null,
    };
}

internal static class TranslatedTask
{
    public static async Task<T> Translated<T>(this Task<T> task)
    {
        await ((Task)task).Translated();
        return await task;
    }

    public static async Task Translated(this Task task)
    {
        Exception translated;
        try
        {
            await task;
            return;
        }
        catch (Exception e) when (DatabaseErrors.Translate(e) is not null)
        {
            translated = DatabaseErrors.Translate(e)!;
        }
        throw translated;
    }
}
