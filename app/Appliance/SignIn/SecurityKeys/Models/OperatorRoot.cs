using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Appliance.SignIn.SecurityKeys.Models;

/// <summary>A root of a maker of security keys that the operator trusts.</summary>
/// <param name="Der">The certificate.</param>
/// <param name="Subject">Its name, for people.</param>
/// <param name="Model">The one model that it vouches for, where its file is named for it (<c>AAGUID.pem</c>); null: every model that it names.</param>
internal sealed record OperatorRoot(byte[] Der, string Subject, Guid? Model)
{
    private const int MaxBytes = 1024 * 1024;
    private const int MaxFiles = 1000;

    /// <summary>The certificates of a PEM file, or of the files in a folder.</summary>
    /// <exception cref="InvalidDataException">Names the file and what is wrong with it.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static IReadOnlyList<OperatorRoot> Load(string path)
    {
        if (!Directory.Exists(path))
        {
            return LoadFile(path);
        }
        string[] files = [.. Directory.EnumerateFiles(path).Where(f => Path.GetExtension(f) is ".pem" or ".crt" or ".cer").Order(StringComparer.Ordinal)];
        return files.Length is 0 or > MaxFiles
            ? throw new InvalidDataException($"{path} must hold 1 to {MaxFiles} PEM files (.pem, .crt, .cer).")
            : [.. files.SelectMany(LoadFile)];
    }

    private static OperatorRoot[] LoadFile(string file)
    {
        if (new FileInfo(file).Length > MaxBytes)
        {
            throw new InvalidDataException($"{file} has more than {MaxBytes >> 20} MiB.");
        }
        Guid? model = Guid.TryParseExact(Path.GetFileNameWithoutExtension(file), "D", out var aaguid) ? aaguid : null;
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(File.ReadAllText(file));
            return certificates.Count > 0
                ? [.. certificates.Select(c => new OperatorRoot(c.RawData, c.Subject, model))]
                : throw new InvalidDataException($"{file} holds no certificate in PEM.");
        }
        catch (CryptographicException e)
        {
            throw new InvalidDataException($"{file} holds a certificate that cannot be read.", e);
        }
        finally
        {
            foreach (var certificate in certificates)
            {
                certificate.Dispose();
            }
        }
    }
}
