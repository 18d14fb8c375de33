using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Vault;

/// <summary>
/// Files that survive a power cut: contents are flushed before a name points at them, and the folder after it changed
/// (fsync(2): flushing a file does not flush the entry in its folder). System calls for names and folders, because .NET
/// opens no folders and its File.Move quietly copies where it cannot link or rename. Linux only.
/// </summary>
public static partial class DurableFile
{
    private const int NotFound = 2; // ENOENT
    private const int Interrupted = 4; // EINTR
    private const int Exists = 17; // EEXIST
    private const int LockExclusive = 2; // LOCK_EX
    private const int ReadOnlyCloseOnExec = 0x80000; // O_RDONLY | O_CLOEXEC, the same on x64 and arm64

    /// <summary>
    /// Writes a new file, whole or not at all: a temporary file beside it, flushed, then linked under its name, then the
    /// folder flushed. A crash leaves at most a file named <c>path.*.tmp</c>.
    /// </summary>
    /// <param name="path">Where the file shall be. Its folder exists, on a file system with hard links.</param>
    /// <param name="contents">All of it.</param>
    /// <param name="mode">The exact mode, whatever the process's umask.</param>
    /// <exception cref="IOException">There is a file of that name already (it is left as it was), or the disk refused.</exception>
    public static void WriteNew(string path, ReadOnlySpan<byte> contents, UnixFileMode mode)
    {
        if (!TryWriteNew(path, contents, mode))
        {
            throw new IOException($"'{path}' exists already and is not overwritten.");
        }
    }

    /// <summary>As <see cref="WriteNew"/>, but false when there is a file of that name already.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static bool TryWriteNew(string path, ReadOnlySpan<byte> contents, UnixFileMode mode)
    {
        var full = Path.GetFullPath(path);
        var temporary = $"{full}.{RandomNumberGenerator.GetHexString(16, lowercase: true)}.tmp";
        try
        {
            WriteTemporary(temporary, contents, mode);
            if (Link(temporary, full) != 0)
            {
                return Marshal.GetLastPInvokeError() == Exists ? false : throw Failed("link", full);
            }
        }
        finally
        {
            File.Delete(temporary);
        }

        FlushFolder(FolderOf(full));
        return true;
    }

    /// <summary>
    /// Flushes a finished temporary file and moves it over <paramref name="finalPath"/> in one step (rename(2)): a reader, or a
    /// crash, sees the old file or the new one, nothing between.
    /// </summary>
    /// <exception cref="FileNotFoundException">There is no such temporary file.</exception>
    /// <exception cref="IOException">The two are on different file systems, or the disk refused.</exception>
    public static void Replace(string tempPath, string finalPath)
    {
        var from = Path.GetFullPath(tempPath);
        var to = Path.GetFullPath(finalPath);
        Flush(from);
        if (Rename(from, to) != 0)
        {
            throw Failed("rename", from);
        }

        FlushFolder(FolderOf(to));
        if (FolderOf(from) != FolderOf(to))
        {
            FlushFolder(FolderOf(from));
        }
    }

    /// <summary>Flushes a folder, so that names made, moved or removed in it survive a power cut.</summary>
    /// <exception cref="IOException">There is no such folder, or the disk refused.</exception>
    public static void FlushFolder(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new DirectoryNotFoundException($"There is no folder '{path}'.");
        }

        Flush(path);
    }

    /// <summary>
    /// Waits until no other process, and nobody else in this one, holds the folder, and holds it until disposed (flock(2)). Whoever replaces or destroys files
    /// in it that others may destroy or replace does so within. It goes with the process.
    /// </summary>
    /// <exception cref="IOException">There is no such folder, or its file system knows no locks.</exception>
    internal static IDisposable Lock(string folder)
    {
        var descriptor = OpenToRead(folder);
        while (FileLock(descriptor, LockExclusive) != 0)
        {
            if (Marshal.GetLastPInvokeError() != Interrupted)
            {
                var failed = Failed("flock", folder);
                _ = Close(descriptor);
                throw failed;
            }
        }

        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>A second name for a file: what it holds stays in reach when another takes its first name. Not flushed.</summary>
    /// <exception cref="IOException">There is a file of that name, or the disk refused.</exception>
    internal static void LinkTo(string path, string second)
    {
        if (Link(path, second) != 0)
        {
            throw Failed("link", second);
        }
    }

    private static void WriteTemporary(string path, ReadOnlySpan<byte> contents, UnixFileMode mode)
    {
        using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0, // contents may be key bytes: no copy in a buffer nobody zeroes
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(contents);
        File.SetUnixFileMode(file.SafeFileHandle, mode);
        file.Flush(flushToDisk: true);
    }

    private static int OpenToRead(string path)
    {
        int descriptor;
        do
        {
            descriptor = Open(path, ReadOnlyCloseOnExec);
        }
        while (descriptor < 0 && Marshal.GetLastPInvokeError() == Interrupted);
        return descriptor >= 0 ? descriptor : throw Failed("open", path);
    }

    private static void Flush(string path)
    {
        var descriptor = OpenToRead(path);
        try
        {
            while (Fsync(descriptor) != 0)
            {
                if (Marshal.GetLastPInvokeError() != Interrupted)
                {
                    throw Failed("fsync", path);
                }
            }
        }
        finally
        {
            _ = Close(descriptor); // nothing was written through this descriptor, so there is no late error to report
        }
    }

    private static string FolderOf(string fullPath) => Path.GetDirectoryName(fullPath) ?? "/";

    private static IOException Failed(string call, string path)
    {
        var error = Marshal.GetLastPInvokeError();
        var message = $"{call} of '{path}' failed: {Marshal.GetPInvokeErrorMessage(error)}.";
        return error == NotFound ? new FileNotFoundException(message, path) : new IOException(message);
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int FileLock(int descriptor, int operation);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Link(string from, string to);

    [LibraryImport("libc", EntryPoint = "rename", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Rename(string from, string to);
}
