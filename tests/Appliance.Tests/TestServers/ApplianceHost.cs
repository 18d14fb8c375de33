using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Appliance.Data;
using Appliance.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Appliance.Tests.TestServers;

/// <summary>
/// The whole service in this process: TLS on free loopback ports, a fresh database, fresh keys and a fresh data folder. A class
/// fixture as it is (<c>IClassFixture&lt;ApplianceHost&gt;</c>); derive from it to change settings or services, or call
/// <see cref="StartAsync"/>.
/// </summary>
public class ApplianceHost : IAsyncLifetime, IAsyncDisposable
{
    private readonly PostgresCluster? _cluster;
    private readonly Func<Settings, Settings> _change;
    private readonly Action<WebApplicationBuilder> _adapt;
    private readonly Action<IEndpointRouteBuilder> _map;
    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-host-").FullName;
    private WebApplication? _app;

    public ApplianceHost()
        : this(null, null, null)
    {
    }

    protected ApplianceHost(
        PostgresCluster? cluster, Func<Settings, Settings>? change, Action<WebApplicationBuilder>? adapt, Action<IEndpointRouteBuilder>? map = null)
    {
        (_cluster, _change, _adapt, _map) = (cluster, change ?? (settings => settings), adapt ?? (_ => { }), map ?? (_ => { }));
    }

    /// <summary>As the service was started; <see cref="Settings.Origin"/> is where it answers.</summary>
    public Settings Settings { get; private set; } = null!;

    public PostgresCluster Cluster { get; private set; } = null!;

    public IServiceProvider Services => _app!.Services;

    public Database Database => Services.GetRequiredService<Database>();

    /// <summary>The authority that signed the server's certificate.</summary>
    public X509Certificate2 Authority => X509CertificateLoader.LoadCertificateFromFile(Path.Combine(Settings.CertificateFolder, "authority.pem"));

    public static async Task<ApplianceHost> StartAsync(
        Func<Settings, Settings>? change = null, Action<WebApplicationBuilder>? adapt = null, Action<IEndpointRouteBuilder>? map = null,
        PostgresCluster? cluster = null)
    {
        var host = new ApplianceHost(cluster, change, adapt, map);
        try
        {
            await host.InitializeAsync();
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    public async Task InitializeAsync()
    {
        Cluster = _cluster ?? await PostgresCluster.SharedAsync();
        var port = Ports.Free();
        Settings = Change(new Settings
        {
            DataFolder = Path.Combine(_folder, "data"),
            DatabaseHost = Cluster.Socket,
            DatabaseName = await Cluster.CreateDatabaseAsync(),
            Origin = new Uri($"https://localhost:{port}"),
            Listen = new IPEndPoint(IPAddress.Loopback, port),
            MetricsListen = new IPEndPoint(IPAddress.Loopback, Ports.Free()),
        });
        await StartServiceAsync();
    }

    /// <summary>Starts the service on what lies in the data folder and the database, as after <see cref="StopServiceAsync"/>.</summary>
    public async Task StartServiceAsync()
    {
        await FirstStart.PrepareAsync(Settings, default);
        _app = ApplianceProgram.Build(Settings, [], Adapt, Map);
        await _app.StartAsync();
    }

    public async Task StopServiceAsync()
    {
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
            _app = null;
        }
    }

    /// <summary>A browser as far as it matters: trusts the authority, keeps cookies, follows redirects where asked to.</summary>
    public HttpClient Client(bool followRedirects = false, CookieContainer? cookies = null) => new(Handler(followRedirects, cookies))
    {
        BaseAddress = Settings.Origin,
        DefaultRequestVersion = HttpVersion.Version20,
        Timeout = TimeSpan.FromSeconds(60),
    };

    public SocketsHttpHandler Handler(bool followRedirects = false, CookieContainer? cookies = null) => new()
    {
        AllowAutoRedirect = followRedirects,
        CookieContainer = cookies ?? new CookieContainer(),
        SslOptions =
        {
            CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                CustomTrustStore = { Authority },
                RevocationMode = X509RevocationMode.NoCheck,
            },
        },
    };

    /// <summary>The antiforgery token of a page, for the header or the form field <c>RequestVerificationToken</c>.</summary>
    public static async Task<string> CsrfAsync(HttpClient client, string page)
    {
        const string Before = "<meta name=\"csrf\" content=\"";
        var html = await client.GetStringAsync(page);
        var start = html.IndexOf(Before, StringComparison.Ordinal);
        return start < 0
            ? throw new InvalidOperationException($"{page} carries no antiforgery token:\n{html}")
            : html[(start + Before.Length)..html.IndexOf('"', start + Before.Length)];
    }

    public async ValueTask DisposeAsync()
    {
        await StopServiceAsync();
        Directory.Delete(_folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    protected virtual Settings Change(Settings settings) => _change(settings);

    protected virtual void Adapt(WebApplicationBuilder builder) => _adapt(builder);

    /// <summary>Endpoints of the test's own.</summary>
    protected virtual void Map(IEndpointRouteBuilder endpoints) => _map(endpoints);
}
