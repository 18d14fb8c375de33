using System.Text.Json;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.Tests.SignIn.Sms;
using Appliance.Tests.TestServers;
using Appliance.Web;
using Microsoft.Playwright;
using Shouldly;
using Xunit;

namespace Appliance.Browser;

/// <summary>
/// Debian's Chromium and one running appliance for all browser tests. The appliance's own certificate is trusted by its key, so
/// that the page counts as secure and WebAuthn works; nothing else about certificates is switched off.
/// </summary>
public sealed class Chromium : IAsyncLifetime
{
    private IPlaywright _playwright = null!;

    public ApplianceHost Appliance { get; private set; } = null!;

    /// <summary>The organisation's mail server.</summary>
    public MailServer Mail { get; private set; } = null!;

    /// <summary>The operator's gateway for text messages.</summary>
    public SmsReceiver Gateway { get; private set; } = null!;

    public IBrowser Browser { get; private set; } = null!;

    /// <summary>Who signs the lists of key models that the appliance takes.</summary>
    public MetadataMaker Metadata { get; } = new();

    public async Task InitializeAsync()
    {
        Mail = await MailServer.StartAsync();
        Gateway = await SmsReceiver.StartAsync();
        // All of the tests' people come from one address, and faster than people do.
        Appliance = await ApplianceHost.StartAsync(settings => settings with
        {
            Mail = Mail.Settings,
            Sms = Gateway.Settings,
            Limits = settings.Limits with { SignIn = new RequestRate(10_000, 100), Anonymous = new RequestRate(10_000, 1000) },
            SignIn = settings.SignIn with { RememberDevice = TimeSpan.FromDays(30) },
            KeyModels = new KeyModelSettings { MetadataRoot = Written(settings, Metadata.RootPem) },
        });
        Assertions.SetDefaultExpectTimeout(20_000); // as for everything else that a page may take
        _playwright = await Playwright.CreateAsync();
        Browser = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = "/usr/bin/chromium",
            Headless = true,
            Args =
            [
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--ignore-certificate-errors-spki-list=" + await ServerKeyHashAsync() + "," + Sso.IdpTls.KeyHash,
            ],
        });
    }

    public async Task DisposeAsync()
    {
        await Browser.DisposeAsync();
        _playwright.Dispose();
        await Appliance.DisposeAsync();
        await Gateway.DisposeAsync();
        await Mail.DisposeAsync();
    }

    /// <summary>A person's browser: its own cookies and storage, with the checks that every page must pass.</summary>
    /// <param name="width">Of the window, in CSS pixels.</param>
    /// <param name="theme">What the system is set to.</param>
    /// <param name="javaScript">Whether scripts run.</param>
    /// <param name="touch">A finger and no mouse: <c>pointer: coarse</c>.</param>
    /// <param name="motion">Whether motion is welcome.</param>
    public async Task<Person> PersonAsync(int width = 1280, ColorScheme theme = ColorScheme.Light, bool javaScript = true, bool touch = false, bool motion = false)
    {
        var context = await Browser.NewContextAsync(new()
        {
            BaseURL = Appliance.Settings.Origin.ToString(),
            ViewportSize = new() { Width = width, Height = 800 },
            ColorScheme = theme,
            ReducedMotion = motion ? ReducedMotion.NoPreference : ReducedMotion.Reduce,
            HasTouch = touch,
            IsMobile = touch,
            JavaScriptEnabled = javaScript,
            Locale = "en-GB",
        });
        context.SetDefaultTimeout(20_000);
        var page = await context.NewPageAsync();
        return new Person(context, page);
    }

    private static string Written(Settings settings, string root)
    {
        var file = Path.Combine(Path.GetDirectoryName(settings.DataFolder)!, "metadata-root.pem");
        File.WriteAllText(file, root);
        return file;
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5359", Justification = "The key is looked at so that Chromium can pin it; nothing is sent.")]
    private async Task<string> ServerKeyHashAsync()
    {
        using var tcp = new System.Net.Sockets.TcpClient();
        await tcp.ConnectAsync(Appliance.Settings.Listen);
        await using var tls = new System.Net.Security.SslStream(tcp.GetStream(), false, (_, _, _, _) => true);
        await tls.AuthenticateAsClientAsync("localhost");
        using var certificate = System.Security.Cryptography.X509Certificates.X509CertificateLoader.LoadCertificate(tls.RemoteCertificate!.GetRawCertData());
        return Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));
    }
}

[CollectionDefinition("browser")]
public sealed class BrowserCollection : ICollectionFixture<Chromium>;

/// <summary>One person at their browser. A policy violation, a script error or a request to another host fails the test at the end.</summary>
public sealed class Person : IAsyncDisposable
{
    private static readonly Lazy<string> Axe = new(() => File.ReadAllText(
        Path.Combine(Repository.Root, "tests/Appliance.Browser/vendor/axe-core/axe.min.js")));

    private readonly IBrowserContext _context;
    private readonly List<string> _complaints = [];

    internal Person(IBrowserContext context, IPage page)
    {
        (_context, Page) = (context, page);
        page.PageError += (_, error) => _complaints.Add("script error: " + error);
        page.Console += (_, message) =>
        {
            if (message.Type == "error" && !Expected.Any(message.Text.Contains))
            {
                _complaints.Add($"console: {message.Text} ({message.Location})");
            }
        };
        // What the policy itself stopped was never sent; anything else for another host would have left.
        page.RequestFinished += (_, request) => NoteForeign(request);
        page.RequestFailed += (_, request) =>
        {
            if (request.Failure != "csp")
            {
                NoteForeign(request);
            }
        };
    }

    public IPage Page { get; }

    private void NoteForeign(IRequest request)
    {
        if (new Uri(request.Url).Host is not ("localhost" or "") and var host && !OtherHosts.Contains(host))
        {
            _complaints.Add("request to another host: " + request.Url);
        }
    }

    public IBrowserContext Context => _context;

    /// <summary>Hosts that a test sends the person to on purpose: an identity provider.</summary>
    public List<string> OtherHosts { get; } = [];

    /// <summary>Parts of console messages that a test provokes on purpose, such as a refused request.</summary>
    public List<string> Expected { get; } = [];

    /// <summary>Plugs a virtual security key in (WebAuthn's own testing extension, driven over the DevTools protocol).</summary>
    public async Task<VirtualKey> PlugInKeyAsync(string protocol = "ctap2", bool userVerification = false, bool residentKey = false)
    {
        var session = await _context.NewCDPSessionAsync(Page);
        await session.SendAsync("WebAuthn.enable");
        var answer = await session.SendAsync("WebAuthn.addVirtualAuthenticator", new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["options"] = new Dictionary<string, object>(StringComparer.Ordinal)
            {
                ["protocol"] = protocol,
                ["transport"] = "usb",
                ["hasResidentKey"] = residentKey,
                ["hasUserVerification"] = userVerification,
                ["isUserVerified"] = userVerification,
                ["automaticPresenceSimulation"] = true,
            },
        });
        return new VirtualKey(session, answer!.Value.GetProperty("authenticatorId").GetString()!);
    }

    /// <summary>Every rule of axe-core at WCAG 2.2 AA and best practice, on the page as it is now.</summary>
    public async Task ShouldBeAccessibleAsync()
    {
        await Page.EvaluateAsync(Axe.Value + "; undefined");
        var result = await Page.EvaluateAsync<JsonElement>(
            "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations.map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary).join(' | '))");
        result.EnumerateArray().Select(v => v.GetString()).ShouldBeEmpty(Page.Url);
        var overflow = await Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - document.documentElement.clientWidth");
        overflow.ShouldBeLessThanOrEqualTo(0, $"{Page.Url} scrolls sideways");
    }

    /// <summary>A picture for people to look at, under artifacts/screenshots.</summary>
    public async Task ScreenshotAsync(string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Repository.Root, "artifacts/screenshots")).FullName;
        await Page.ScreenshotAsync(new() { Path = Path.Combine(folder, name + ".png"), FullPage = true });
    }

    public async ValueTask DisposeAsync()
    {
        await _context.DisposeAsync();
        _complaints.ShouldBeEmpty();
    }
}

public sealed record VirtualKey(ICDPSession Session, string Id)
{
    /// <summary>Pulls the key out.</summary>
    public Task RemoveAsync() => Session.SendAsync("WebAuthn.removeVirtualAuthenticator", new Dictionary<string, object>(StringComparer.Ordinal) { ["authenticatorId"] = Id });

    /// <summary>Whether somebody touches it by themselves.</summary>
    public Task TouchesAsync(bool enabled) => Session.SendAsync(
        "WebAuthn.setAutomaticPresenceSimulation", new Dictionary<string, object>(StringComparer.Ordinal) { ["authenticatorId"] = Id, ["enabled"] = enabled });

    public async Task<int> CredentialCountAsync()
    {
        var answer = await Session.SendAsync("WebAuthn.getCredentials", new Dictionary<string, object>(StringComparer.Ordinal) { ["authenticatorId"] = Id });
        return answer!.Value.GetProperty("credentials").GetArrayLength();
    }
}
