using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Appliance.SignIn.Sms;
using Appliance.Tests.TestServers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Appliance.Tests.SignIn.Sms;

/// <param name="To">The number.</param>
/// <param name="Text">What the person reads.</param>
public sealed record Message(string To, string Text)
{
    public string Code => Regex.Match(Text, "^[0-9]{8}", RegexOptions.None, TimeSpan.FromSeconds(5)).Value;
}

/// <summary>An operator's gateway: a real HTTPS server that checks the signature by the specification (docs/sms.md), and misbehaves on demand.</summary>
public sealed class SmsReceiver : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-sms-").FullName;
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private WebApplication _app = null!;
    private X509Certificate2 _certificate = null!;

    public ConcurrentQueue<Message> Messages { get; } = new();

    /// <summary>Why requests were not believed.</summary>
    public ConcurrentQueue<string> Complaints { get; } = new();

    /// <summary>Instead of 200.</summary>
    public Func<HttpContext, Task>? Misbehave { get; set; }

    public SmsSettings Settings { get; private set; } = null!;

    public Message Last => Messages.Last();

    public static async Task<SmsReceiver> StartAsync(params string[] names)
    {
        var receiver = new SmsReceiver();
        var authority = new TestAuthority("SMS authority");
        var (pem, key) = authority.Issue("sms", names.Length == 0 ? ["127.0.0.1"] : names);
        using (var certificate = X509Certificate2.CreateFromPem(pem, key))
        {
            receiver._certificate = X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
        }
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.UseHttps(receiver._certificate);
        }));
        receiver._app = builder.Build();
        receiver._app.Run(receiver.ReceiveAsync);
        await receiver._app.StartAsync();
        var (keyFile, authorityFile) = (Path.Combine(receiver._folder, "key"), Path.Combine(receiver._folder, "ca.pem"));
        await File.WriteAllTextAsync(keyFile, "whsec_" + Convert.ToBase64String(receiver._key) + "\n");
        await File.WriteAllTextAsync(authorityFile, authority.Pem);
        receiver.Settings = new SmsSettings(new Uri(receiver._app.Urls.Single() + "/send"), keyFile, authorityFile) { Timeout = TimeSpan.FromSeconds(5) };
        return receiver;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _certificate.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task ReceiveAsync(HttpContext http)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        var (id, time) = (http.Request.Headers["webhook-id"].ToString(), http.Request.Headers["webhook-timestamp"].ToString());
        byte[] signed = [.. Encoding.UTF8.GetBytes($"{id}.{time}."), .. body.ToArray()];
        var expected = "v1," + Convert.ToBase64String(HMACSHA256.HashData(_key, signed));
        var problem = http.Request.Headers["webhook-signature"] != expected ? "signature"
            : http.Request.Path != "/send" || http.Request.Method != "POST" ? "address"
            : http.Request.ContentType != "application/json" ? "content type"
            : !long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out _) || id.Length < 10 ? "headers" : null;
        if (problem is not null)
        {
            Complaints.Enqueue(problem);
            http.Response.StatusCode = 401;
            return;
        }
        if (Misbehave is { } misbehave)
        {
            await misbehave(http);
            return;
        }
        using var json = JsonDocument.Parse(body.ToArray());
        var data = json.RootElement.GetProperty("data");
        Messages.Enqueue(new Message(data.GetProperty("to").GetString()!, data.GetProperty("text").GetString()!));
    }
}

/// <summary>The whole service with a gateway beside it.</summary>
public sealed class SmsHost : SignInHost, Xunit.IAsyncLifetime
{
    public SmsReceiver Gateway { get; private set; } = null!;

    async Task Xunit.IAsyncLifetime.InitializeAsync()
    {
        Gateway = await SmsReceiver.StartAsync();
        await InitializeAsync();
    }

    async Task Xunit.IAsyncLifetime.DisposeAsync()
    {
        await DisposeAsync();
        await Gateway.DisposeAsync();
    }

    protected override Appliance.Web.Settings Change(Appliance.Web.Settings settings) => base.Change(settings) with { Sms = Gateway.Settings };
}
