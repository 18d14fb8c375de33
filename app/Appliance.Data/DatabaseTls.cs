using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Npgsql;

namespace Appliance.Data;

/// <summary>
/// How a PostgreSQL server across a network is spoken to: TLS alone, its certificate verified against the authorities of one file and for the host
/// that was named (PostgreSQL's <c>verify-full</c>), and our own certificate shown, whose name is the role. The files are PEM and are read at
/// each new connection, so that renewed ones need no restart.
/// </summary>
/// <param name="AuthorityFile">The authorities that may have signed the server's certificate; no other is believed.</param>
/// <param name="CertificateFile">Our certificate, with its intermediates behind it.</param>
/// <param name="KeyFile">The key of <paramref name="CertificateFile"/>.</param>
public sealed record DatabaseTls(string AuthorityFile, string CertificateFile, string KeyFile)
{
    /// <summary>Bytes that a file may have: a chain of RSA certificates takes some ten thousand.</summary>
    private const int MostBytes = 1 << 20;

    private const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Every problem that can be seen without asking the server, as a sentence that names the file and the fix.</summary>
    public IEnumerable<string> Problems()
    {
        var before = 0;
        foreach (var (file, secret) in new[] { (AuthorityFile, false), (CertificateFile, false), (KeyFile, true) })
        {
            if (ProblemOf(file, secret) is { } problem)
            {
                before++;
                yield return problem;
            }
        }
        if (before == 0 && (Try(() => Authorities()) ?? Try(() => Own())) is { } unusable)
        {
            yield return unusable;
        }
    }

    /// <summary>Puts all of this into a data source whose connection string says <see cref="SslMode.VerifyFull"/>.</summary>
    internal void Apply(NpgsqlDataSourceBuilder builder)
    {
        builder.UseRootCertificatesCallback(Authorities);
        builder.UseSslClientAuthenticationOptionsCallback(tls =>
        {
            tls.EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
            tls.ClientCertificateContext = Own();
            // Downloads of intermediates and revocation lists would be requests to hosts that a certificate names (invariant 5).
            tls.CertificateChainPolicy = new X509ChainPolicy
            {
                DisableCertificateDownloads = true,
                RevocationMode = X509RevocationMode.NoCheck,
                TrustMode = X509ChainTrustMode.CustomRootTrust,
            };
            tls.CertificateChainPolicy.CustomTrustStore.AddRange(Authorities());
        });
    }

    private X509Certificate2Collection Authorities()
    {
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(AuthorityFile);
        return authorities.Count > 0 ? authorities : throw new CryptographicException($"'{AuthorityFile}' holds no PEM certificate.");
    }

    private SslStreamCertificateContext Own()
    {
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(CertificateFile);
        return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPemFile(CertificateFile, KeyFile), [.. chain.Skip(1)], offline: true);
    }

    private static string? ProblemOf(string file, bool secret)
    {
        try
        {
            using var opened = File.OpenHandle(file);
            var length = RandomAccess.GetLength(opened);
            return length is 0 or > MostBytes
                ? $"'{file}' {(length == 0 ? "is empty" : $"has {length} bytes, and a PEM file of certificates has at most {MostBytes}")}."
                : secret && (File.GetUnixFileMode(opened) & Others) != UnixFileMode.None
                ? $"'{file}' can be read by every account of this machine. Take that away: chmod o= '{file}'."
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return $"'{file}' is no file that this account can read.";
        }
    }

    private string? Try(Action use)
    {
        try
        {
            use();
            return null;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or IOException)
        {
            return $"'{AuthorityFile}', '{CertificateFile}' and '{KeyFile}' must be PEM files, the last the key of the second: {e.Message}";
        }
    }
}
