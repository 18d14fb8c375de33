using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Appliance.Tests.TestServers;

/// <summary>
/// The first owner of an appliance that runs somewhere else (another process, a container): set up as a person would be, through the printed link
/// with a security key in software, and afterwards a client with their cookies and antiforgery token.
/// </summary>
public sealed partial class RemotePerson : IDisposable
{
    private readonly CookieContainer _cookies = new();
    private readonly Uri _origin;

    /// <param name="origin">What people type.</param>
    /// <param name="trust">Tells whether a server certificate is the right one; null: as the system says.</param>
    public RemotePerson(Uri origin, Func<X509, bool>? trust = null)
    {
        _origin = origin;
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, CookieContainer = _cookies, UseProxy = false };
        if (trust is not null)
        {
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null && trust(new X509(certificate.GetRawCertData()));
        }
        Http = new HttpClient(handler) { BaseAddress = origin };
        Http.DefaultRequestHeaders.Accept.ParseAdd("text/html");
    }

    /// <summary>A certificate as it came, DER.</summary>
    public sealed record X509(byte[] Der);

    public HttpClient Http { get; }

    /// <summary>For the header <c>Cookie</c>.</summary>
    public string CookieHeader => _cookies.GetCookieHeader(_origin);

    public string Csrf { get; private set; } = "";

    /// <summary>Takes the set-up link to its end: an account with a key, signed in.</summary>
    public async Task SetUpAsync(Uri link, string username = "owner")
    {
        await SendAsync(link.AbsolutePath);
        await SendAsync("/set-up", ("Username", username), ("Password", "plinth gopher ravine tulip mast"));
        var html = await HtmlAsync("/set-up/key");
        var key = new SoftwareAuthenticator { Origin = _origin.GetLeftPart(UriPartial.Authority) };
        await PostAsync(html, "/set-up/key", ("Credential", key.Register(WebUtility.HtmlDecode(Options().Match(html).Groups["value"].Value))), ("Name", "In software"));
    }

    /// <summary>Makes a team; answers its reference.</summary>
    public async Task<string> TeamAsync(string name)
    {
        using var made = await SendAsync("/teams", ("Name", name));
        var reference = made.Headers.Location!.ToString().Split('/')[2];
        await HtmlAsync("/teams");
        return reference;
    }

    /// <summary>A file in one request; answers its reference. Throws <see cref="HttpRequestException"/> where it was not acknowledged.</summary>
    public async Task<string> UploadAsync(string team, string name, byte[] content, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/v1/teams/{team}/files?name={Uri.EscapeDataString(name)}") { Content = new ByteArrayContent(content) };
        request.Headers.Add("RequestVerificationToken", Csrf);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using var answer = await Http.SendAsync(request, cancellationToken);
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        if (answer is { StatusCode: HttpStatusCode.ServiceUnavailable, Headers.RetryAfter: null })
        {
            throw new InvalidOperationException("503 without Retry-After: " + body);
        }
        return answer.StatusCode == HttpStatusCode.Created
            ? JsonDocument.Parse(body).RootElement.GetProperty("reference").GetString()!
            : throw new HttpRequestException($"The upload was answered {answer.StatusCode}: {body}", null, answer.StatusCode);
    }

    public Task<byte[]> DownloadAsync(string team, string entry) => Http.GetByteArrayAsync($"/api/v1/teams/{team}/entries/{entry}/content");

    public async Task<string> HtmlAsync(string page)
    {
        var html = await Http.GetStringAsync(page);
        Csrf = Meta().Match(html).Groups["value"].Value;
        return html;
    }

    /// <summary>Opens the page and sends its form.</summary>
    public async Task<HttpResponseMessage> SendAsync(string page, params (string Name, string Value)[] fields) => await PostAsync(await HtmlAsync(page), page, fields);

    public void Dispose() => Http.Dispose();

    private async Task<HttpResponseMessage> PostAsync(string html, string action, params (string Name, string Value)[] fields)
    {
        var hidden = Hidden().Matches(html).Select(m => (Name: m.Groups["name"].Value, Value: WebUtility.HtmlDecode(m.Groups["value"].Value)))
            .Where(h => fields.All(f => f.Name != h.Name)).DistinctBy(h => h.Name);
        using var request = new HttpRequestMessage(HttpMethod.Post, action)
        {
            Content = new FormUrlEncodedContent([.. fields.Concat(hidden).Select(f => KeyValuePair.Create(f.Name, f.Value))]),
        };
        request.Headers.Add("RequestVerificationToken", Csrf);
        var answer = await Http.SendAsync(request);
        return (int)answer.StatusCode < 400 ? answer : throw new HttpRequestException($"{action} answered {answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
    }

    [GeneratedRegex("<input type=\"hidden\" name=\"(?<name>[^\"]+)\" value=\"(?<value>[^\"]*)\"", RegexOptions.None, 5000)]
    private static partial Regex Hidden();

    [GeneratedRegex("<meta name=\"csrf\" content=\"(?<value>[^\"]+)\"", RegexOptions.None, 5000)]
    private static partial Regex Meta();

    [GeneratedRegex("data-options=\"(?<value>[^\"]+)\"", RegexOptions.None, 5000)]
    private static partial Regex Options();
}
