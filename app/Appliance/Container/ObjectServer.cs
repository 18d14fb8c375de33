using System.Security.Cryptography;
using System.Text;
using Appliance.Vault;
using Appliance.Web.Tls;

namespace Appliance.Container;

/// <summary>
/// What the image's own S3 server starts with, made at its first start and by itself: a random credential, and a certificate of an authority that
/// exists for this one server. The web application gets copies of the credential and of the authority's certificate, through a folder
/// that only these two see; it cannot sign as the authority.
/// </summary>
internal static class ObjectServer
{
    /// <summary>Names by which the web application can reach it: compose's service, and the one-container shape's loopback.</summary>
    private static readonly string[] s_names = ["objects", "localhost", "127.0.0.1"];

    private const UnixFileMode OwnerReads = UnixFileMode.UserRead;
    private const UnixFileMode GroupReads = UnixFileMode.UserRead | UnixFileMode.GroupRead;

    /// <summary>Makes what is missing, renews the certificate where it ends soon, and hands out the copies anew.</summary>
    /// <param name="secrets">The server's own folder: <c>user</c>, <c>password</c> and the authority's key. Kept.</param>
    /// <param name="certificates">Its certificate folder: <c>public.crt</c>, <c>private.key</c>, named as MinIO wants them.</param>
    /// <param name="access">Where the web application looks: <c>user</c>, <c>password</c>, <c>authority.pem</c>, for the folder's group.</param>
    /// <exception cref="KeyFileException">A credential file is empty, or open to others: an earlier start cannot have left it so.</exception>
    public static void Prepare(string secrets, string certificates, string access)
    {
        Directory.CreateDirectory(secrets, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var authority = new OwnAuthority(Path.Combine(secrets, "authority"), s_names, TimeProvider.System);
        authority.Ensure();
        Replace(Path.Combine(certificates, "private.key"), File.ReadAllBytes(authority.ServerKeyFile), OwnerReads);
        Replace(Path.Combine(certificates, "public.crt"), File.ReadAllBytes(authority.ServerFile), OwnerReads);

        HandOut("user", 20);
        HandOut("password", 64);
        Replace(Path.Combine(access, "authority.pem"), File.ReadAllBytes(authority.AuthorityFile), GroupReads);

        void HandOut(string name, int length)
        {
            var file = Path.Combine(secrets, name);
            DurableFile.TryWriteNew(file, Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(length, lowercase: true)), OwnerReads);
            if ((File.GetUnixFileMode(file) & ~OwnerReads) != UnixFileMode.None)
            {
                throw new KeyFileException(file, "is open to others, or may be changed", $"Give it to the service's account alone: chmod 0400 '{file}'. If others could read it, treat it as known to them.");
            }
            var value = File.ReadAllBytes(file);
            if (value.Length == 0)
            {
                throw new KeyFileException(file, "is empty", "Put it back from a backup; where the S3 server holds nothing yet, delete the file and start again.");
            }
            Replace(Path.Combine(access, name), value, GroupReads);
        }
    }

    private static void Replace(string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        var next = path + ".new";
        File.Delete(next);
        DurableFile.WriteNew(next, content, mode);
        DurableFile.Replace(next, path);
    }
}
