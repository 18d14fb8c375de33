using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Appliance.Cli;

/// <summary>An operator's private key: ECDSA P-256 in a PEM file (PKCS #8) that nobody else can read.</summary>
internal static class KeyFile
{
    private const UnixFileMode Own = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private const int MostBytes = 16 << 10;

    /// <summary>Makes a key; answers the line that allows it. Never replaces a file.</summary>
    public static string Make(string file, string name, string actions)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!, Own | UnixFileMode.UserExecute);
            using var stream = new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Own });
            stream.Write(Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem() + "\n"));
            stream.Flush(flushToDisk: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Misused, File.Exists(file) ? $"'{file}' is there already. Nothing was changed: name another file with --out." : $"'{file}' cannot be written: {e.Message}");
        }
        return Line(key, name, actions);
    }

    /// <summary>The line of a key that is there.</summary>
    public static string Line(string file, string name, string actions)
    {
        using var key = Read(file);
        return Line(key, name, actions);
    }

    /// <summary>A certificate around the key, for this connection alone: only the key in it counts, and that we hold it.</summary>
    public static X509Certificate2 Certificate(string file)
    {
        using var key = Read(file);
        var request = new CertificateRequest("CN=appliancectl", key, HashAlgorithmName.SHA256);
        var now = DateTimeOffset.UtcNow;
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }

    /// <summary>Key and certificate for a browser, in a file that it takes in (PKCS #12), under a password.</summary>
    public static void Export(string file, string name, string target, string password)
    {
        using var key = Read(file);
        var request = new CertificateRequest(new X500DistinguishedName($"CN={name}"), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], false));
        var now = DateTimeOffset.UtcNow;
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddYears(10));
        var bytes = certificate.ExportPkcs12(Pkcs12ExportPbeParameters.Pbes2Aes256Sha256, password);
        try
        {
            using var stream = new FileStream(target, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Own });
            stream.Write(bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Misused, $"'{target}' cannot be written: {e.Message}");
        }
    }

    private static string Line(ECDsa key, string name, string actions) => $"{name} ecdsa-p256 {Convert.ToBase64String(key.ExportSubjectPublicKeyInfo())} actions={actions}";

    private static ECDsa Read(string file)
    {
        var key = ECDsa.Create();
        try
        {
            if ((File.GetUnixFileMode(file) & ~Own & ~UnixFileMode.UserExecute) != UnixFileMode.None)
            {
                throw new CommandException(ExitCodes.Misused, $"The key '{file}' can be read or written by others. It is not used: chmod 600 '{file}', and make a new one if somebody may have seen it.");
            }
            if (new FileInfo(file).Length > MostBytes)
            {
                throw new CryptographicException();
            }
            key.ImportFromPem(File.ReadAllText(file));
            return key.ExportParameters(false).Curve.Oid.Value == ECCurve.NamedCurves.nistP256.Oid.Value ? key : throw new CryptographicException();
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new CommandException(ExitCodes.Misused, $"'{file}' holds no ECDSA P-256 private key in PEM without a password, as \"appliancectl keygen\" makes one.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Misused, $"The key '{file}' cannot be read. Name it with --key, or make one: appliancectl keygen NAME.");
        }
    }
}
