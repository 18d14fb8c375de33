using System.Net;
using System.Text.RegularExpressions;
using Appliance.Tests.TestServers;

namespace Appliance.Benchmarks;

/// <summary>
/// For tests/load: sets up the first owner of a running appliance as a person would, through the printed link with a security key in
/// software, makes teams and a token, and prints what a client needs as shell assignments.
/// Whom to trust is told in SSL_CERT_FILE.
/// </summary>
internal sealed partial class LoadPerson : IDisposable
{
    private readonly HttpClient _http;
    private readonly CookieContainer _cookies = new();
    private readonly Uri _origin;
    private string _csrf = "";

    private LoadPerson(Uri origin)
    {
        _origin = origin;
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            CookieContainer = _cookies,
        }) { BaseAddress = origin };
        _http.DefaultRequestHeaders.Accept.ParseAdd("text/html");
    }

    /// <param name="link">The set-up link as it was printed.</param>
    /// <param name="teams">Names of teams to make; each is printed as TEAM_NAME=reference.</param>
    public static async Task PrepareAsync(string link, IEnumerable<string> teams)
    {
        var address = new Uri(link);
        using var person = new LoadPerson(new Uri(address.GetLeftPart(UriPartial.Authority)));
        await person.SetUpAsync(address.AbsolutePath);
        foreach (var team in teams)
        {
            var made = await person.SendAsync("/teams", ("Name", team));
            Console.WriteLine($"TEAM_{team.ToUpperInvariant()}={made.Headers.Location!.ToString().Split('/')[2]}");
        }
        using var token = await person.SendAsync("/account/tokens/new", ("Name", "load"), ("Kind", "token"), ("Team", ""), ("May", "write"), ("Days", "7"));
        Console.WriteLine($"TOKEN={Secret().Match(await token.Content.ReadAsStringAsync()).Groups["value"].Value}");
    }

    public void Dispose() => _http.Dispose();

    private async Task SetUpAsync(string path)
    {
        await SendAsync(path);
        await SendAsync("/set-up", ("Username", "load"), ("Password", "plinth gopher ravine tulip mast"));
        var html = await HtmlAsync("/set-up/key");
        var key = new SoftwareAuthenticator { Origin = _origin.GetLeftPart(UriPartial.Authority) };
        await PostAsync(html, "/set-up/key", ("Credential", key.Register(WebUtility.HtmlDecode(Options().Match(html).Groups["value"].Value))), ("Name", "In software"));
    }

    private async Task<string> HtmlAsync(string page)
    {
        var html = await _http.GetStringAsync(page);
        _csrf = Csrf().Match(html).Groups["value"].Value;
        return html;
    }

    private async Task<HttpResponseMessage> SendAsync(string page, params (string Name, string Value)[] fields) =>
        await PostAsync(await HtmlAsync(page), page, fields);

    private async Task<HttpResponseMessage> PostAsync(string html, string action, params (string Name, string Value)[] fields)
    {
        var hidden = Hidden().Matches(html).Select(m => (Name: m.Groups["name"].Value, Value: WebUtility.HtmlDecode(m.Groups["value"].Value)))
            .Where(h => fields.All(f => f.Name != h.Name)).DistinctBy(h => h.Name);
        using var request = new HttpRequestMessage(HttpMethod.Post, action)
        {
            Content = new FormUrlEncodedContent([.. fields.Concat(hidden).Select(f => KeyValuePair.Create(f.Name, f.Value))]),
        };
        request.Headers.Add("RequestVerificationToken", _csrf);
        var answer = await _http.SendAsync(request);
        return (int)answer.StatusCode < 400 ? answer : throw new HttpRequestException($"{action} answered {answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
    }

    [GeneratedRegex("<input type=\"hidden\" name=\"(?<name>[^\"]+)\" value=\"(?<value>[^\"]*)\"", RegexOptions.None, 5000)]
    private static partial Regex Hidden();

    [GeneratedRegex("<meta name=\"csrf\" content=\"(?<value>[^\"]+)\"", RegexOptions.None, 5000)]
    private static partial Regex Csrf();

    [GeneratedRegex("<code id=\"secret\">(?<value>[^<]+)</code>", RegexOptions.None, 5000)]
    private static partial Regex Secret();

    [GeneratedRegex("data-options=\"(?<value>[^\"]+)\"", RegexOptions.None, 5000)]
    private static partial Regex Options();
}
