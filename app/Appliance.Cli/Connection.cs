using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace Appliance.Cli;

/// <summary>Where the appliance is, as what one comes, and whom one believes. From options, else the environment, else the file of settings.</summary>
internal sealed record Target(Uri Server, string Key, string? Authority)
{
    private const int MostBytes = 16 << 10;

    private static readonly string[] s_names = ["server", "key", "ca"];

    /// <summary><c>$XDG_CONFIG_HOME/appliancectl/</c> or <c>~/.config/appliancectl/</c>.</summary>
    public static string Folder => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CONFIG_HOME") is { Length: > 0 } home ? home : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config"), "appliancectl");

    public static string DefaultKey => Path.Combine(Folder, "operator.key");

    public static Target Find(string? server, string? key, string? authority, string? settings)
    {
        var written = Read(settings ?? Path.Combine(Folder, "config"), mustBe: settings is not null);
        string? Get(string? option, string name) => option
            ?? (Environment.GetEnvironmentVariable("APPLIANCECTL_" + name.ToUpperInvariant()) is { Length: > 0 } set ? set : null)
            ?? written.GetValueOrDefault(name);
        var address = Get(server, "server") ?? "https://localhost:8444";
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme != Uri.UriSchemeHttps || uri is not { AbsolutePath: "/", Query: "", Fragment: "", UserInfo: "" })
        {
            throw new CommandException(ExitCodes.Misused, $"The server is '{address}'; it must be https:// with a host and a port, such as https://files.example.org:8444.");
        }
        return new Target(uri, Get(key, "key") ?? DefaultKey, Get(authority, "ca"));
    }

    /// <summary>Lines NAME=VALUE, with # before what is not one.</summary>
    private static Dictionary<string, string> Read(string file, bool mustBe)
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        if (!mustBe && !File.Exists(file))
        {
            return found;
        }
        try
        {
            if (new FileInfo(file).Length > MostBytes)
            {
                throw new CommandException(ExitCodes.Misused, $"'{file}' is too large for a file of settings.");
            }
            foreach (var line in File.ReadAllLines(file).Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#'))
            {
                if (line.Split('=', 2, StringSplitOptions.TrimEntries) is not [var name, var value] || !s_names.Contains(name, StringComparer.Ordinal) || !found.TryAdd(name, value))
                {
                    throw new CommandException(ExitCodes.Misused, $"'{file}' must hold lines server=…, key=… and ca=…, each once at most.");
                }
            }
            return found;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Misused, $"'{file}' cannot be read.");
        }
    }
}

/// <summary>One command's connection to the operators' port: TLS 1.3, our key shown, the server verified. No proxy, no redirect, no cookie.</summary>
internal sealed class Connection : IDisposable
{
    /// <summary>Verifying a large ledger takes its time.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(10);

    private const long MostBytes = 32 << 20;

    private readonly X509Certificate2 _certificate;
    private readonly HttpClient _http;
    private readonly Target _target;

    public Connection(Target target)
    {
        _target = target;
        _certificate = KeyFile.Certificate(target.Key);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            ConnectTimeout = TimeSpan.FromSeconds(15),
            SslOptions =
            {
                EnabledSslProtocols = SslProtocols.Tls13,
                ClientCertificateContext = SslStreamCertificateContext.Create(_certificate, null, offline: true),
                CertificateChainPolicy = Trust(target.Authority),
            },
        };
        _http = new HttpClient(handler) { BaseAddress = target.Server, Timeout = s_patience, MaxResponseContentBufferSize = MostBytes };
        _http.DefaultRequestHeaders.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
    }

    public async Task<JsonElement> JsonAsync(HttpMethod method, string path, string? body = null)
    {
        try
        {
            using var document = JsonDocument.Parse(await TextAsync(method, path, body));
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            throw new CommandException(ExitCodes.Failed, "The answer is not what an appliance says. Is this its operators' port, and this program of its version?");
        }
    }

    public async Task<string> TextAsync(HttpMethod method, string path, string? body = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }
        try
        {
            using var answer = await _http.SendAsync(request);
            var text = await answer.Content.ReadAsStringAsync();
            return answer.IsSuccessStatusCode ? text : throw Refusal(answer, text);
        }
        catch (HttpRequestException e)
        {
            throw new CommandException(ExitCodes.NoConnection, Why(e));
        }
        catch (TaskCanceledException)
        {
            throw new CommandException(ExitCodes.NoConnection, $"{_target.Server} did not answer in time.");
        }
    }

    /// <summary>Copies an answer as it comes, however long it is.</summary>
    public async Task CopyAsync(string path, Stream to)
    {
        try
        {
            using var answer = await _http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead);
            if (!answer.IsSuccessStatusCode)
            {
                throw Refusal(answer, await answer.Content.ReadAsStringAsync());
            }
            await using var body = await answer.Content.ReadAsStreamAsync();
            var buffer = new byte[64 << 10];
            for (int read; (read = await body.ReadAsync(buffer)) > 0;)
            {
                await to.WriteAsync(buffer.AsMemory(0, read));
            }
        }
        catch (HttpRequestException e)
        {
            throw new CommandException(ExitCodes.NoConnection, Why(e));
        }
        catch (HttpIOException)
        {
            throw new CommandException(ExitCodes.NoConnection, $"{_target.Server} broke off in the middle.");
        }
        catch (TaskCanceledException)
        {
            throw new CommandException(ExitCodes.NoConnection, $"{_target.Server} did not answer in time.");
        }
    }

    public void Dispose()
    {
        _http.Dispose();
        _certificate.Dispose();
    }

    private static X509ChainPolicy Trust(string? authority)
    {
        var policy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        if (authority is not null)
        {
            try
            {
                policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
                policy.CustomTrustStore.ImportFromPemFile(authority);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
            {
                throw new CommandException(ExitCodes.Misused, $"'{authority}' cannot be read as certificates in PEM.");
            }
            if (policy.CustomTrustStore.Count == 0)
            {
                throw new CommandException(ExitCodes.Misused, $"'{authority}' holds no certificate in PEM.");
            }
        }
        return policy;
    }

    private string Why(HttpRequestException error)
    {
        for (Exception? e = error; e is not null; e = e.InnerException)
        {
            if (e is AuthenticationException && e.Message.Contains("remote certificate", StringComparison.OrdinalIgnoreCase))
            {
                return $"{_target.Server} is not who it should be: {(_target.Authority is null ? "nobody whom this machine trusts vouches for it. Name the appliance's authority with --ca." : "its certificate is not vouched for by --ca, is for another name, or has ended.")}";
            }
        }
        return error.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => $"{_target.Server.Host} is no known host.",
            HttpRequestError.ConnectionError => $"{_target.Server} does not answer.",
            _ => $"{_target.Server} ended the connection. If it is the operators' port, this key is not on its list.",
        };
    }

    private static CommandException Refusal(HttpResponseMessage answer, string text)
    {
        var (detail, reference) = ((string?)null, (string?)null);
        try
        {
            using var problem = JsonDocument.Parse(text);
            detail = problem.RootElement.TryGetProperty("detail", out var d) ? d.GetString() : null;
            reference = problem.RootElement.TryGetProperty("reference", out var r) ? r.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // no problem details: the status has to do
        }
        var code = answer.StatusCode switch
        {
            HttpStatusCode.Forbidden => ExitCodes.NotPermitted,
            HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests => ExitCodes.Failed,
            >= HttpStatusCode.InternalServerError => ExitCodes.Failed,
            _ => ExitCodes.Refused,
        };
        return new CommandException(code, Printable.Line(detail ?? $"Answered {(int)answer.StatusCode}.") + (reference is null ? "" : $" Reference {Printable.Line(reference)}."));
    }
}
