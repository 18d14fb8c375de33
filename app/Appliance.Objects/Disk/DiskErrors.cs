using Appliance.Vault;

namespace Appliance.Objects.Disk;

internal static class DiskErrors
{
    /// <summary>Says in the product's words what an error of the file system means. The errno is the exception's HResult.</summary>
    public static Exception Translate(Exception error, ObjectId? id = null) => error switch
    {
        IOException { HResult: Posix.NoSpace or Posix.QuotaExceeded or Posix.FileTooLarge } => new StoreFullException(
            "The disk that holds the objects is full. Nothing was kept of this write; free space or give the disk more.", error),
        IOException { HResult: Posix.Exists } when id is { } existing => new ObjectExistsException(existing, error),
        IOException { HResult: Posix.TooManyLinks or Posix.NotDirectory } => new StoreUnavailableException(
            "The folder that holds the objects has a link where a folder or file of its own belongs; links are never followed.", error),
        IOException or UnauthorizedAccessException => new StoreUnavailableException(
            $"The disk that holds the objects does not work: {error.Message}", error),
        _ => error,
    };

    public static bool Known(Exception error) => error is IOException or UnauthorizedAccessException;
}
