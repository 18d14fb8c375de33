using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>Reading and making the files that hold a secret in clear: the appliance key and the tree-head signing key.</summary>
internal static class KeyFile
{
    public const UnixFileMode Mode = UnixFileMode.UserRead;

    private const string Replaced = ".replaced";

    private const UnixFileMode OthersAny =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute |
        UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>The fix that every problem with a key's contents has in common.</summary>
    public const string RestoreIt = "Put the file back from the backup of your keys.";

    /// <summary>Reads a key file whole. The caller parses it and disposes it.</summary>
    /// <exception cref="KeyFileException">Missing, empty, too long, not readable, or open to the group or others.</exception>
    public static SecretBytes Read(string path, string ifMissing, int maxLength)
    {
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            // Asked of the open file, not of its name: nobody can put another one there between check and use.
            if ((File.GetUnixFileMode(file) & OthersAny) != UnixFileMode.None)
            {
                throw new KeyFileException(
                    path,
                    "is open to its group or to others",
                    $"Give it to the service's account alone: chmod 0400 '{path}'. If others could read it, treat the key as known to them.");
            }

            var length = RandomAccess.GetLength(file);
            if (length == 0)
            {
                throw new KeyFileException(path, "is empty", RestoreIt);
            }

            return length <= maxLength ? ReadWhole(file, path, (int)length) : throw WrongLength(path, length);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new KeyFileException(path, "is missing", ifMissing, e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new KeyFileException(
                path, "is not readable by this account", "It must be a file, owned by the service's account, with mode 0400.", e);
        }
        catch (IOException e)
        {
            throw new KeyFileException(path, "cannot be read", "Check the disk and the mount it is on.", e);
        }
    }

    /// <summary>Makes a key file: durable, mode 0400, never over an existing one.</summary>
    /// <exception cref="KeyFileException">There is one already, or it cannot be written.</exception>
    public static void Create(string path, ReadOnlySpan<byte> contents)
    {
        try
        {
            if (DurableFile.TryWriteNew(path, contents, Mode))
            {
                return;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException(
                path, "cannot be written", "Its folder must exist, be writable by this account and lie on a disk with free space.", e);
        }

        throw new KeyFileException(
            path, "exists already", "It is not overwritten, because what was made with its key could then never be opened or checked again.");
    }

    /// <summary>
    /// Puts other contents in a key file's place: a reader, or a crash, finds the old file or the new one. The old one's bytes are then overwritten, which is why
    /// it gets a second name first. The caller holds the folder (<see cref="DurableFile.Lock"/>).
    /// </summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void Replace(string path, ReadOnlySpan<byte> contents)
    {
        Tidy(path);
        var temporary = $"{path}.{RandomNumberGenerator.GetHexString(16, lowercase: true)}.tmp";
        DurableFile.WriteNew(temporary, contents, Mode);
        DurableFile.LinkTo(path, path + Replaced);
        DurableFile.Replace(temporary, path);
        Shred(path + Replaced);
    }

    /// <summary>Finishes a <see cref="Replace"/> that a crash cut off. The caller holds the folder.</summary>
    public static void Tidy(string path)
    {
        foreach (var unused in Directory.EnumerateFiles(Path.GetDirectoryName(path)!, Path.GetFileName(path) + ".*.tmp"))
        {
            Shred(unused);
        }

        if (File.Exists(path + Replaced))
        {
            // Cut off before the new file came: both names are one file, whose bytes must stay.
            if (File.ReadAllBytes(path).AsSpan().SequenceEqual(File.ReadAllBytes(path + Replaced)))
            {
                File.Delete(path + Replaced);
            }
            else
            {
                Shred(path + Replaced);
            }
        }
    }

    /// <summary>Overwrites and removes a file; one that is gone, because another process was faster, is no error.</summary>
    public static void Shred(string path)
    {
        try
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            file.Write(RandomNumberGenerator.GetBytes((int)file.Length));
            file.Flush(flushToDisk: true);
        }
        catch (FileNotFoundException)
        {
            return;
        }

        File.Delete(path);
        DurableFile.FlushFolder(Path.GetDirectoryName(path)!);
    }

    public static KeyFileException WrongLength(string path, long length) =>
        new(path, $"has the wrong length ({length} bytes)", RestoreIt);

    public static KeyFileException Garbled(string path, string expected) =>
        new(path, $"is garbled: it is not {expected}", RestoreIt);

    private static SecretBytes ReadWhole(Microsoft.Win32.SafeHandles.SafeFileHandle file, string path, int length)
    {
        var contents = new SecretBytes(length);
        var read = 0;
        while (read < length)
        {
            var count = RandomAccess.Read(file, contents.Span[read..], read);
            if (count == 0)
            {
                contents.Dispose();
                throw WrongLength(path, read);
            }

            read += count;
        }

        return contents;
    }
}
