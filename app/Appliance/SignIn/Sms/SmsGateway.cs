using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Appliance.Web;

namespace Appliance.SignIn.Sms;

/// <summary>How it went.</summary>
public enum SmsOutcome
{
    Sent,

    /// <summary>The gateway said no, or cannot be reached: nothing was sent.</summary>
    Refused,

    /// <summary>It did not answer in time: the message may come or not.</summary>
    Unknown,
}

/// <summary>
/// Posts messages to the operator's gateway, signed as Standard Webhooks 1.0.0 has it (docs/sms.md). One try, a few seconds at most, a few at once; follows
/// nothing, keeps nothing, and reads nothing but the status.
/// </summary>
public sealed partial class SmsGateway : IDisposable
{
    private const int AtOnce = 8;

    private readonly SmsSettings? _settings;
    private readonly TimeProvider _clock;
    private readonly ILogger<SmsGateway> _log;
    private readonly SemaphoreSlim _free = new(AtOnce);
    private readonly HttpMessageInvoker? _client;
    private readonly X509Certificate2Collection _authority = [];

    public SmsGateway(Settings settings, TimeProvider clock, ILogger<SmsGateway> log)
    {
        (_settings, _clock, _log) = (settings.Sms, clock, log);
        _client = _settings is null ? null : new HttpMessageInvoker(Handler(_settings));
    }

    /// <summary>Whether the operator named one.</summary>
    public bool IsConfigured => _client is not null;

    public async Task<SmsOutcome> SendAsync(string number, string text, CancellationToken ct)
    {
        if (_client is null || !await _free.WaitAsync(TimeSpan.Zero, ct))
        {
            return SmsOutcome.Refused;
        }
        using var time = CancellationTokenSource.CreateLinkedTokenSource(ct);
        time.CancelAfter(_settings!.Timeout);
        try
        {
            using var request = Request(number, text);
            using var answer = await _client.SendAsync(request, time.Token);
            if (answer.IsSuccessStatusCode)
            {
                return SmsOutcome.Sent;
            }
            Refused(_log, (int)answer.StatusCode);
            return SmsOutcome.Refused;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            Slow(_log, _settings.Timeout.TotalSeconds);
            return SmsOutcome.Unknown;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or InvalidDataException or UnauthorizedAccessException)
        {
            Failed(_log, e);
            return SmsOutcome.Refused;
        }
        finally
        {
            _free.Release();
        }
    }

    public void Dispose()
    {
        _client?.Dispose();
        _free.Dispose();
    }

    private HttpRequestMessage Request(string number, string text)
    {
        var (now, id) = (_clock.GetUtcNow(), "msg_" + Data.Reference.New());
        var body = JsonSerializer.SerializeToUtf8Bytes(new
        {
            type = "sms.requested",
            timestamp = now.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
            data = new { to = number, text },
        });
        var time = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var request = new HttpRequestMessage(HttpMethod.Post, _settings!.Url) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", time);
        byte[] signed = [.. Encoding.ASCII.GetBytes($"{id}.{time}."), .. body];
        var key = _settings.ReadKey();
        request.Headers.Add("webhook-signature", "v1," + Convert.ToBase64String(HMACSHA256.HashData(key, signed)));
        CryptographicOperations.ZeroMemory(key);
        return request;
    }

    private SocketsHttpHandler Handler(SmsSettings settings)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            MaxConnectionsPerServer = AtOnce,
            MaxResponseHeadersLength = 16, // KiB
            MaxResponseDrainSize = 16 * 1024,
            ResponseDrainTimeout = TimeSpan.FromSeconds(1),
            ConnectTimeout = settings.Timeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        };
        handler.SslOptions.EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
        if (settings.AuthorityFile is { } file)
        {
            _authority.ImportFromPemFile(file);
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                ApplicationPolicy = { new Oid("1.3.6.1.5.5.7.3.1") }, // server authentication
            };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(_authority);
        }
        return handler;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The SMS gateway refused a message with status {Status}.")]
    private static partial void Refused(ILogger log, int status);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The SMS gateway did not answer within {Seconds} seconds.")]
    private static partial void Slow(ILogger log, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The SMS gateway cannot be reached.")]
    private static partial void Failed(ILogger log, Exception error);
}
