using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Objects.Disk;

/// <summary>
/// The few system calls that .NET does not offer: those relative to an open folder. With them no name is ever resolved through a link, and a
/// folder that is exchanged while we work cannot lead us elsewhere (POSIX.1-2008 openat and relatives; Linux renameat2).
/// </summary>
internal static partial class Posix
{
    public const int NoEntry = 2, Interrupted = 4, Exists = 17, NotDirectory = 20, Invalid = 22, FileTooLarge = 27, NoSpace = 28,
        TooManyLinks = 40, QuotaExceeded = 122;

    const int ReadOnly = 0, WriteOnly = 1, Create = 0x40, Exclusive = 0x80, CloseOnExec = 0x80000;
    const int RenameNoReplace = 1, RenameExchange = 2;
    const uint PrivateFile = 0b110_000_000, PrivateFolder = 0b111_000_000;

    // These two differ among Linux architectures (asm-generic has the values of x86; Arm overrides them).
    static readonly bool Arm = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;
    static readonly int Directory = Arm ? 0x4000 : 0x10000;
    static readonly int NoFollow = Arm ? 0x8000 : 0x20000;

    /// <summary>Opens the folder a path names. The path itself is the operator's and may lead through links.</summary>
    public static SafeFileHandle OpenRoot(string path) => Checked(OpenAt(AtCurrentFolder, path, ReadOnly | Directory | CloseOnExec, 0));

    /// <summary>Opens a folder within a folder, or null when it is not there.</summary>
    public static SafeFileHandle? OpenFolder(SafeFileHandle parent, string name) =>
        CheckedOrNull(OpenAt(Number(parent), name, ReadOnly | Directory | NoFollow | CloseOnExec, 0));

    /// <summary>Opens a file for reading, or null when it is not there.</summary>
    public static SafeFileHandle? OpenFile(SafeFileHandle folder, string name) =>
        CheckedOrNull(OpenAt(Number(folder), name, ReadOnly | NoFollow | CloseOnExec, 0));

    /// <summary>
    /// Opens a file below a folder for reading if that needs no disk (Linux 5.12 openat2 with RESOLVE_CACHED), never through a link and never
    /// out of the folder. Null for whatever reason not: the way that may wait finds out which.
    /// </summary>
    public static SafeFileHandle? OpenCached(SafeFileHandle folder, string path)
    {
        var how = new OpenHow { Flags = (ulong)(ReadOnly | CloseOnExec), Resolve = ResolveNoLinks | ResolveBeneath | ResolveCached };
        var descriptor = OpenAt2(OpenAt2Number, Number(folder), path, in how, (nuint)Marshal.SizeOf<OpenHow>());
        return descriptor < 0 ? null : new SafeFileHandle((nint)descriptor, ownsHandle: true);
    }

    /// <summary>Reads what the system has in memory of a file (Linux preadv2 with RWF_NOWAIT); 0 or less: nothing, or it cannot tell.</summary>
    public static unsafe int ReadCached(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        fixed (byte* bytes = buffer)
        {
            var part = new IoVector { Base = (nint)bytes, Length = (nuint)buffer.Length };
            return (int)ReadVector(Number(file), in part, 1, offset, ReadNoWait);
        }
    }

    /// <summary>Creates a file (mode 0600) that must not exist yet.</summary>
    public static SafeFileHandle CreateFile(SafeFileHandle folder, string name) =>
        Checked(OpenAt(Number(folder), name, WriteOnly | Create | Exclusive | NoFollow | CloseOnExec, PrivateFile));

    /// <summary>Creates a folder (mode 0700); one that is there already is no error.</summary>
    public static void CreateFolder(SafeFileHandle parent, string name)
    {
        if (MakeDirectoryAt(Number(parent), name, PrivateFolder) != 0 && Marshal.GetLastPInvokeError() != Exists)
        {
            throw LastError();
        }
    }

    /// <summary>Moves a file to a name that must be free.</summary>
    public static void MoveNew(SafeFileHandle from, string fromName, SafeFileHandle to, string toName)
    {
        if (RenameAt2(Number(from), fromName, Number(to), toName, RenameNoReplace) == 0)
        {
            return;
        }
        if (Marshal.GetLastPInvokeError() != Invalid)
        {
            throw LastError();
        }
        // Some file systems (NFS) cannot rename without replacing; all of those can link, which never replaces.
        if (LinkAt(Number(from), fromName, Number(to), toName, 0) != 0)
        {
            throw LastError();
        }
        Remove(from, fromName);
    }

    /// <summary>Swaps two files in one step, so that a name that is gone is not made again; false when the second is not there.</summary>
    public static bool Exchange(SafeFileHandle from, string fromName, SafeFileHandle to, string toName)
    {
        if (RenameAt2(Number(from), fromName, Number(to), toName, RenameExchange) == 0)
        {
            return true;
        }
        switch (Marshal.GetLastPInvokeError())
        {
            case NoEntry:
                return false;
            case Invalid:
                // Some file systems (NFS) cannot swap. An object that is deleted just now comes back as an orphan, which the sweeper removes.
                using (var there = OpenFile(to, toName))
                {
                    return there is not null && (RenameAt2(Number(from), fromName, Number(to), toName, 0) == 0 ? true : throw LastError());
                }
            default:
                throw LastError();
        }
    }

    /// <summary>Removes a file; false when it was not there.</summary>
    public static bool Remove(SafeFileHandle folder, string name)
    {
        if (UnlinkAt(Number(folder), name, 0) == 0)
        {
            return true;
        }
        return Marshal.GetLastPInvokeError() == NoEntry ? false : throw LastError();
    }

    /// <summary>Returns when file or folder would survive a power cut.</summary>
    public static void Flush(SafeFileHandle handle)
    {
        while (FSync(Number(handle)) != 0)
        {
            if (Marshal.GetLastPInvokeError() != Interrupted)
            {
                throw LastError();
            }
        }
    }

    /// <summary>
    /// Lets the disk begin with bytes that a later <see cref="Flush"/> will wait for (Linux sync_file_range). It promises nothing, so a file
    /// system that cannot do it is no error.
    /// </summary>
    public static void BeginFlush(SafeFileHandle file, long offset, long count) => _ = SyncFileRange(Number(file), offset, count, SyncFileRangeWrite);

    const uint SyncFileRangeWrite = 2;
    const int AtCurrentFolder = -100;

    const ulong ResolveNoLinks = 0x04, ResolveBeneath = 0x08, ResolveCached = 0x20;
    const int ReadNoWait = 8;

    /// <summary>The same on all architectures that have it.</summary>
    const nint OpenAt2Number = 437;

    [StructLayout(LayoutKind.Sequential)]
    struct OpenHow
    {
        public ulong Flags, Mode, Resolve;
    }

    [StructLayout(LayoutKind.Sequential)]
    struct IoVector
    {
        public nint Base;
        public nuint Length;
    }

    static int Number(SafeFileHandle handle) => (int)handle.DangerousGetHandle();

    static SafeFileHandle Checked(int descriptor) =>
        descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw LastError();

    static SafeFileHandle? CheckedOrNull(int descriptor) =>
        descriptor < 0 && Marshal.GetLastPInvokeError() == NoEntry ? null : Checked(descriptor);

    /// <summary>As in .NET's own exceptions, HResult is the errno.</summary>
    static IOException LastError()
    {
        var error = Marshal.GetLastPInvokeError();
        return new IOException(Marshal.GetPInvokeErrorMessage(error), error);
    }

    // open and openat are variadic in C; on Linux their integer arguments travel as in any other call.
    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenAt(int folder, string name, int flags, uint mode);

    // The C library has no function of its own for it.
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenAt2(nint number, nint folder, string path, in OpenHow how, nuint size);

    [LibraryImport("libc", EntryPoint = "preadv2")]
    private static partial nint ReadVector(int descriptor, in IoVector part, int parts, long offset, int flags);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeDirectoryAt(int folder, string name, uint mode);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int from, string fromName, int to, string toName, uint flags);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkAt(int from, string fromName, int to, string toName, int flags);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UnlinkAt(int folder, string name, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "sync_file_range")]
    private static partial int SyncFileRange(int descriptor, long offset, long count, uint flags);
}
