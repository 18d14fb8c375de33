using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Vault;

namespace Appliance.Web.Tls;

/// <summary>
/// The appliance's own certificate authority and the server certificate it issues, as PEM files in the certificate folder:
/// <c>authority.pem</c> (to be trusted by browsers), <c>authority.key</c>, <c>server.pem</c>, <c>server.key</c>. ECDSA P-256 with SHA-256.
/// </summary>
internal sealed class OwnAuthority(string folder, IReadOnlyList<string> hosts, TimeProvider time)
{
    private const int AuthorityYears = 10;
    private const int ServerDays = 397; // what browsers accept (CA/Browser Forum Baseline Requirements, section 6.3.2)
    private const int RenewDaysBefore = 30;
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    private static readonly DateTimeOffset s_longAgo = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public string AuthorityFile => Path.Combine(folder, "authority.pem");

    public string ServerFile => Path.Combine(folder, "server.pem");

    public string ServerKeyFile => Path.Combine(folder, "server.key");

    private string AuthorityKeyFile => Path.Combine(folder, "authority.key");

    /// <summary>Makes what is missing, and issues a new server certificate where the present one ends soon, or names other hosts.</summary>
    public void Ensure()
    {
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using var turn = WaitForTurn();
        using var authority = LoadAuthority() ?? MakeAuthority();
        if (!IsGood(authority))
        {
            Issue(authority);
        }
    }

    /// <summary>Two replicas on one volume make or renew one after the other: the second finds what the first made.</summary>
    private FileStream WaitForTurn()
    {
        for (var left = 100; ; left--)
        {
            try
            {
                return new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (left > 0)
            {
                Thread.Sleep(50); // no longer than it takes to sign and write; .NET's locks cannot be waited for
            }
        }
    }

    /// <summary>
    /// The authority, where it is of use: a first start under a clock that was wrong can have left one that ended long ago, and one that was cut off a pair
    /// that does not match.
    /// </summary>
    private X509Certificate2? LoadAuthority()
    {
        if (!File.Exists(AuthorityFile) || !File.Exists(AuthorityKeyFile))
        {
            return null;
        }
        try
        {
            var authority = X509Certificate2.CreateFromPemFile(AuthorityFile, AuthorityKeyFile);
            if (authority.NotAfter.ToUniversalTime() > time.GetUtcNow().UtcDateTime.AddDays(RenewDaysBefore))
            {
                return authority;
            }
            authority.Dispose();
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
        }
        return null;
    }

    private X509Certificate2 MakeAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        // The number tells two appliances' authorities apart in a browser's list.
        var request = new CertificateRequest(
            $"CN=Appliance authority {RandomNumberGenerator.GetHexString(8, lowercase: true)}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = time.GetUtcNow();
        // From long ago: where the clock was ahead at the first start, it holds when the clock has been set right, too.
        using var certificate = request.CreateSelfSigned(now < s_longAgo ? now.AddMinutes(-5) : s_longAgo, now.AddYears(AuthorityYears));
        WritePair(certificate, key, AuthorityFile, AuthorityKeyFile);
        return X509Certificate2.CreateFromPemFile(AuthorityFile, AuthorityKeyFile);
    }

    private bool IsGood(X509Certificate2 authority)
    {
        if (!File.Exists(ServerFile) || !File.Exists(ServerKeyFile))
        {
            return false;
        }
        try
        {
            using var server = X509Certificate2.CreateFromPemFile(ServerFile, ServerKeyFile);
            return server.NotAfter.ToUniversalTime() > time.GetUtcNow().UtcDateTime.AddDays(RenewDaysBefore)
                && server.NotBefore.ToUniversalTime() <= time.GetUtcNow().UtcDateTime // made while the clock was ahead
                && server.IssuerName.RawData.AsSpan().SequenceEqual(authority.SubjectName.RawData)
                && hosts.All(host => server.MatchesHostname(host, allowWildcards: false));
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            return false; // a start that was cut off left a pair that does not match; a new one costs nothing
        }
    }

    private void Issue(X509Certificate2 authority)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={hosts[0]}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuthentication)], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        request.CertificateExtensions.Add(Names());
        var now = time.GetUtcNow();
        var end = now.AddDays(ServerDays);
        var authorityEnd = new DateTimeOffset(authority.NotAfter.ToUniversalTime(), TimeSpan.Zero);
        Span<byte> serial = stackalloc byte[16];
        RandomNumberGenerator.Fill(serial);
        serial[0] &= 0x7f; // positive (RFC 5280 section 4.1.2.2)
        using var certificate = request.Create(authority, now.AddMinutes(-5), end < authorityEnd ? end : authorityEnd, serial);
        WritePair(certificate, key, ServerFile, ServerKeyFile);
    }

    private X509Extension Names()
    {
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts)
        {
            if (IPAddress.TryParse(host, out var address))
            {
                names.AddIpAddress(address);
            }
            else
            {
                names.AddDnsName(host);
            }
        }
        return names.Build();
    }

    /// <summary>The key first: a certificate without its key would be taken for a finished pair.</summary>
    private static void WritePair(X509Certificate2 certificate, ECDsa key, string certificateFile, string keyFile)
    {
        var der = key.ExportPkcs8PrivateKey();
        var pem = new byte[Encoding.ASCII.GetMaxByteCount(PemEncoding.GetEncodedSize("PRIVATE KEY".Length, der.Length))];
        try
        {
            Write(keyFile, pem.AsSpan(0, EncodePem(der, pem)), UnixFileMode.UserRead);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(der);
            CryptographicOperations.ZeroMemory(pem);
        }
        Write(certificateFile, Encoding.ASCII.GetBytes(certificate.ExportCertificatePem()), UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
    }

    private static int EncodePem(ReadOnlySpan<byte> der, Span<byte> pem) =>
        PemEncoding.TryWriteUtf8("PRIVATE KEY"u8, der, pem, out var written) ? written : throw new CryptographicException("The key does not fit its buffer.");

    private static void Write(string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        var next = path + ".new";
        File.Delete(next);
        DurableFile.WriteNew(next, content, mode);
        DurableFile.Replace(next, path);
    }
}
