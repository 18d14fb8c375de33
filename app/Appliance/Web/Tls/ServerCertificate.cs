using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Appliance.Web.Tls;

/// <summary>
/// The certificate that the listeners show: the operator's PEM files where they are named, else the appliance's own. Files that
/// change are taken up by the next handshake; files that cannot be used are reported and the certificate before stays.
/// </summary>
internal sealed partial class ServerCertificate : BackgroundService
{
    private readonly Settings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger<ServerCertificate> _logger;
    private readonly OwnAuthority? _own;
    private byte[] _seen;
    private volatile SslStreamCertificateContext _current;

    /// <exception cref="CertificateFileException">The files cannot be used: the start fails and says why.</exception>
    public ServerCertificate(Settings settings, TimeProvider time, ILogger<ServerCertificate> logger)
    {
        (_settings, _time, _logger) = (settings, time, logger);
        _own = settings.CertificateFile is null ? new OwnAuthority(settings.CertificateFolder, Hosts(settings), time) : null;
        _own?.Ensure();
        (_current, _seen) = Load();
    }

    public SslStreamCertificateContext Current => _current;

    private string CertificateFile => _own?.ServerFile ?? _settings.CertificateFile!;

    private string KeyFile => _own?.ServerKeyFile ?? _settings.CertificateKeyFile!;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Asked again and again rather than watched: mounted secrets are swapped by symbolic links, which watches miss.
        using var timer = new PeriodicTimer(_settings.CertificateCheckInterval, _time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            Refresh();
        }
    }

    private void Refresh()
    {
        try
        {
            _own?.Ensure();
            if (Fingerprint().AsSpan().SequenceEqual(_seen))
            {
                return;
            }
            (_current, _seen) = Load();
            LogTakenUp(_logger, CertificateFile);
        }
        catch (Exception e) when (e is CertificateFileException or IOException or UnauthorizedAccessException or CryptographicException)
        {
            LogKept(_logger, e);
        }
    }

    private (SslStreamCertificateContext Context, byte[] Seen) Load()
    {
        var seen = Fingerprint();
        try
        {
            using var leaf = X509Certificate2.CreateFromPemFile(CertificateFile, KeyFile);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(CertificateFile);
            var now = _time.GetUtcNow().UtcDateTime;
            if (leaf.NotAfter.ToUniversalTime() <= now)
            {
                throw new CertificateFileException(CertificateFile, $"ended on {leaf.NotAfter.ToUniversalTime():yyyy-MM-dd}");
            }
            // Offline: nothing is fetched from anywhere to complete a chain (invariant 5).
            var own = X509CertificateLoader.LoadPkcs12(leaf.Export(X509ContentType.Pfx), null);
            return (SslStreamCertificateContext.Create(own, [.. chain.Skip(1)], offline: true), seen);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new CertificateFileException(CertificateFile, $"is no PEM certificate, or '{KeyFile}' is not its key", e);
        }
    }

    /// <summary>What the files hold now, so that a change of either is seen even where times are not kept.</summary>
    private byte[] Fingerprint()
    {
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach (var file in new[] { CertificateFile, KeyFile })
            {
                var content = File.ReadAllBytes(file);
                hash.AppendData(content);
                CryptographicOperations.ZeroMemory(content);
            }
            return hash.GetHashAndReset();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CertificateFileException(CertificateFile, $"or '{KeyFile}' is missing or not readable by this account", e);
        }
    }

    /// <summary>The names that the own certificate is for, the origin's first.</summary>
    private static List<string> Hosts(Settings settings)
    {
        var hosts = new List<string> { settings.Origin.IdnHost.Trim('[', ']'), "localhost", "127.0.0.1", "::1" };
        if (!settings.Listen.Address.Equals(IPAddress.Any) && !settings.Listen.Address.Equals(IPAddress.IPv6Any))
        {
            hosts.Add(settings.Listen.Address.ToString());
        }
        if (settings.Admin?.Listen.Address is { } admin && !admin.Equals(IPAddress.Any) && !admin.Equals(IPAddress.IPv6Any))
        {
            hosts.Add(admin.ToString());
        }
        return [.. hosts.Distinct(StringComparer.OrdinalIgnoreCase)];
    }

    [LoggerMessage(EventId = 1101, Level = LogLevel.Information, Message = "New TLS certificate taken up from {File}.")]
    private static partial void LogTakenUp(ILogger logger, string file);

    [LoggerMessage(EventId = 1102, Level = LogLevel.Error, Message = "The new TLS certificate cannot be used; the one before stays in use.")]
    private static partial void LogKept(ILogger logger, Exception error);
}

/// <summary>A certificate file cannot be used. The message names the file and the problem.</summary>
public sealed class CertificateFileException(string path, string problem, Exception? inner = null)
    : Exception($"TLS certificate '{path}' {problem}. Name a PEM file with the certificate and its chain in APPLIANCE_TLS_CERTIFICATE and its key in APPLIANCE_TLS_KEY, or unset both: then the appliance makes its own.", inner);
