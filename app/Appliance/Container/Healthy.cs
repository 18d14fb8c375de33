using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.Web;
using Appliance.Web.Tls;

namespace Appliance.Container;

/// <summary>The verb <c>healthy</c>, for a container's health check: asks the service beside us over loopback, and believes only its own certificate.</summary>
internal static class Healthy
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(4);

    /// <summary>
    /// 0 where the web application says that it is ready. Where the certificate is the operator's, any is taken: the file can hold the next one
    /// already, or a broken one, which the service refuses and goes on with the one before.
    /// </summary>
    public static Task<int> WebAsync(Settings settings) => AskAsync(
        new Uri($"https://localhost:{settings.Listen.Port}/health/ready"),
        settings.CertificateFile is null ? new OwnAuthority(settings.CertificateFolder, [], TimeProvider.System).ServerFile : null);

    /// <summary>0 where the S3 server says that it is ready.</summary>
    public static Task<int> ObjectsAsync(string certificate) => AskAsync(new Uri("https://localhost:9000/minio/health/ready"), certificate);

    private static async Task<int> AskAsync(Uri address, string? certificateFile)
    {
        try
        {
            using var own = certificateFile is null ? null : X509CertificateLoader.LoadCertificateFromFile(certificateFile);
            using var handler = new SocketsHttpHandler
            {
                UseProxy = false,
                AllowAutoRedirect = false,
                // The very certificate that the service was given: neither its name nor its issuer says more.
                SslOptions = new SslClientAuthenticationOptions
                {
                    RemoteCertificateValidationCallback = (_, seen, _, _) => seen is not null && (own is null || CryptographicOperations.FixedTimeEquals(seen.GetRawCertData(), own.RawData)),
                },
            };
#pragma warning disable RS0030 // no request leaves the machine: both addresses are its loopback
            using var client = new HttpClient(handler) { Timeout = s_patience };
            using var answer = await client.GetAsync(address);
#pragma warning restore RS0030
            return answer.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or CryptographicException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync("Not ready: " + e.Message);
            return 1;
        }
    }
}
