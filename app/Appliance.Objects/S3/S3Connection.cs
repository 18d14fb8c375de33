using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;

namespace Appliance.Objects.S3;

/// <summary>
/// A client that talks to the configured endpoint and to nothing else: no proxy, no redirect, no instance metadata, no certificate downloads,
/// and no setting from environment variables or profile files.
/// </summary>
internal static class S3Connection
{
    public static AmazonS3Client Open(ObjectStoreOptions options)
    {
        // Without these the SDK asks ~/.aws, and then the instance metadata service, which region a new bucket is for and which defaults
        // to use. They are its only global settings that we touch, and this is the only place that uses it.
        AWSConfigs.AWSRegion = options.Region;
        AWSConfigs.AWSProfilesLocation = "/dev/null";

        // The SDK takes its credentials as strings; they live as long as the client does.
        var credentials = new BasicAWSCredentials(ReadKey(options.AccessKeyFile!), ReadKey(options.SecretKeyFile!));
        return new AmazonS3Client(credentials, Configure(options));
    }

    /// <summary>Sets everything that the SDK would otherwise look for in its environment.</summary>
    internal static AmazonS3Config Configure(ObjectStoreOptions options) => new()
    {
        ServiceURL = options.Endpoint!.AbsoluteUri,
        AuthenticationRegion = options.Region,
        ForcePathStyle = options.ForcePathStyle,
        RequestChecksumCalculation = options.RequestChecksum == ChecksumUse.WhenSupported
            ? RequestChecksumCalculation.WHEN_SUPPORTED : RequestChecksumCalculation.WHEN_REQUIRED,
        ResponseChecksumValidation = options.ResponseChecksum == ChecksumUse.WhenSupported
            ? ResponseChecksumValidation.WHEN_SUPPORTED : ResponseChecksumValidation.WHEN_REQUIRED,
        HttpClientFactory = new EndpointClientFactory(options),
        Timeout = options.Timeout,
        RetryMode = RequestRetryMode.Standard,
        MaxErrorRetry = 3,
        ThrottleRetries = false,
        DefaultConfigurationMode = DefaultConfigurationMode.Standard,
        IgnoreConfiguredEndpointUrls = true,
        EndpointDiscoveryEnabled = false,
        UseDualstackEndpoint = false,
        UseFIPSEndpoint = false,
        UseArnRegion = false,
        DisableS3ExpressSessionAuth = true,
        DisableMultiregionAccessPoints = true,
        DisableRequestCompression = true,
        AllowAutoRedirect = false,
        DisableLogging = true,
        Profile = null,
    };

    static string ReadKey(string file)
    {
        try
        {
            return File.ReadAllText(file).Trim() is { Length: > 0 } key
                ? key
                : throw new StoreMisconfiguredException($"The file {file} is empty; it must hold a key for the object store.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StoreMisconfiguredException($"The file {file}, which holds a key for the object store, cannot be read: {error.Message}", error);
        }
    }

    sealed class EndpointClientFactory(ObjectStoreOptions options) : HttpClientFactory
    {
        readonly Lazy<HttpClient> _client = new(() => new HttpClient(new EndpointOnly(options.Endpoint!, CreateHandler(options)))
        {
            Timeout = options.Timeout,
        });

        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => _client.Value;
        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;
        public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;
    }

    static SocketsHttpHandler CreateHandler(ObjectStoreOptions options) => new()
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(Math.Min(10, options.Timeout.TotalSeconds)),
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        PooledConnectionLifetime = TimeSpan.FromMinutes(10), // so that a changed address is noticed
        SslOptions = new SslClientAuthenticationOptions
        {
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            CertificateChainPolicy = TrustPolicy(options),
            ClientCertificates = ClientCertificates(options),
        },
    };

    static X509ChainPolicy TrustPolicy(ObjectStoreOptions options)
    {
        // Downloads of intermediates and revocation lists would be requests to hosts that a certificate names.
        var policy = new X509ChainPolicy { DisableCertificateDownloads = true, RevocationMode = X509RevocationMode.NoCheck };
        if (options.CertificateAuthorityFile is { } file)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.AddRange(FromPem(file, nameof(options.CertificateAuthorityFile), () =>
            {
                var authorities = new X509Certificate2Collection();
                authorities.ImportFromPemFile(file);
                return authorities.Count > 0 ? authorities : throw new CryptographicException("It holds no certificate.");
            }));
        }
        return policy;
    }

    static X509CertificateCollection? ClientCertificates(ObjectStoreOptions options) =>
        options.ClientCertificateFile is not { } file ? null : [FromPem(file, nameof(options.ClientCertificateFile),
            () => X509Certificate2.CreateFromPemFile(file, options.ClientKeyFile))];

    static T FromPem<T>(string file, string setting, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception error) when (error is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new StoreMisconfiguredException($"{setting}: {file} is not a usable PEM file: {error.Message}", error);
        }
    }

    /// <summary>The SDK follows redirects by itself, to whatever host they name. None gets that far, and no other request leaves.</summary>
    sealed class EndpointOnly(Uri endpoint, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            RequireOurs(request.RequestUri!);
            var response = await AnswerAsync(request, cancellationToken);
            if ((int)response.StatusCode is >= 300 and < 400 && response.Headers.Location is { } elsewhere)
            {
                response.Dispose();
                throw Elsewhere(new Uri(endpoint, elsewhere));
            }
            return response;
        }

        /// <summary>
        /// A connection that is reset in the moment in which it stands comes out of the platform's handler as a bare SocketException; the SDK
        /// retries, and we understand, an HttpRequestException.
        /// </summary>
        async Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            try
            {
                return await base.SendAsync(request, cancellationToken);
            }
            catch (SocketException error)
            {
                throw new HttpRequestException(HttpRequestError.ConnectionError, error.Message, error);
            }
        }

        void RequireOurs(Uri to)
        {
            var ours = to.Scheme == endpoint.Scheme && to.Port == endpoint.Port && (to.Host == endpoint.Host
                || to.Host.EndsWith("." + endpoint.Host, StringComparison.OrdinalIgnoreCase)); // a bucket in the host name
            if (!ours)
            {
                throw Elsewhere(to);
            }
        }

        StoreMisconfiguredException Elsewhere(Uri to) => new(
            $"The object store at {endpoint.Authority} sent us to {to.Authority}, where we do not go. Set Endpoint and Region to match the bucket.");
    }
}
