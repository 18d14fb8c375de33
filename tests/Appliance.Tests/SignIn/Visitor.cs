using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Appliance.SignIn;
using Appliance.Tests.TestServers;
using Shouldly;

namespace Appliance.Tests.SignIn;

/// <summary>A person with a browser (without JavaScript) and a security key.</summary>
public sealed partial class Visitor(SignInHost host) : IDisposable
{
    public const string Password = "plinth gopher ravine tulip mast";

    private uint _counter = 1;

    public CookieContainer Cookies { get; init; } = new();

    /// <summary>Where the person connects from; null: wherever the system picks.</summary>
    public IPAddress? Address { get; init; }

    public HttpClient Client => field ??= NewClient();

    public SoftwareAuthenticator Key { get; set; } = new() { Origin = host.Settings.Origin.GetLeftPart(UriPartial.Authority) };

    public string Username { get; private set; } = "";

    public IReadOnlyList<string> Codes { get; private set; } = [];

    public string? Cookie(string name) => Cookies.GetCookies(host.Settings.Origin)[name]?.Value;

    public void SetCookie(string name, string value) => Cookies.Add(new Cookie(name, value, "/", host.Settings.Origin.Host) { Secure = true });

    public async Task<string> HtmlAsync(string page)
    {
        using var answer = await GetAsync(page);
        return await answer.Content.ReadAsStringAsync();
    }

    public async Task<HttpResponseMessage> GetAsync(string page)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, page);
        request.Headers.Accept.ParseAdd("text/html");
        return await Client.SendAsync(request);
    }

    /// <summary>Opens the page and sends its form with these fields (the hidden ones are the page's, unless given).</summary>
    public async Task<HttpResponseMessage> SendAsync(string page, string? action = null, params (string Name, string Value)[] fields) =>
        await PostAsync(await HtmlAsync(page), action ?? page, fields);

    public async Task<HttpResponseMessage> PostAsync(string html, string action, params (string Name, string Value)[] fields)
    {
        var all = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (Match hidden in Hidden().Matches(html))
        {
            all[hidden.Groups["name"].Value] = WebUtility.HtmlDecode(hidden.Groups["value"].Value);
        }
        foreach (var (name, value) in fields)
        {
            all[name] = value;
        }
        using var request = new HttpRequestMessage(HttpMethod.Post, action) { Content = new FormUrlEncodedContent(all) };
        request.Headers.Accept.ParseAdd("text/html");
        request.Headers.Add("RequestVerificationToken", Csrf().Match(html).Groups["value"].Value);
        return await Client.SendAsync(request);
    }

    /// <summary>The question of the page's key prompt.</summary>
    public static string Options(string html) => WebUtility.HtmlDecode(OptionsAttribute().Match(html).Groups["value"].Value);

    public string Answer(string html) => (Key with { Counter = ++_counter }).Assert(Options(html));

    /// <summary>Answers the key prompt of a page.</summary>
    public async Task<HttpResponseMessage> TouchAsync(string page, string? action = null)
    {
        var html = await HtmlAsync(page);
        return await PostAsync(html, action ?? page, ("Credential", Answer(html)));
    }

    public async Task SetUpAsync(string token, string username, string password, string email = "")
    {
        (await SendAsync("/set-up/" + token)).Headers.Location!.ToString().ShouldBe("/set-up");
        await FinishSetUpAsync(username, password, email);
    }

    /// <summary>The rest, where the browser holds the link already.</summary>
    public async Task<string> FinishSetUpAsync(string username, string password, string email = "")
    {
        Username = username;
        var account = await SendAsync("/set-up", null, ("Username", username), ("Password", password), ("Email", email));
        account.Headers.Location?.ToString().ShouldBe("/set-up/key", await account.Content.ReadAsStringAsync());
        var html = await HtmlAsync("/set-up/key");
        var done = await PostAsync(html, "/set-up/key", ("Credential", Key.Register(Options(html))), ("Name", "A key"));
        var codes = await done.Content.ReadAsStringAsync();
        Codes = [.. Code().Matches(codes).Select(m => m.Groups["value"].Value)];
        Codes.Count.ShouldBe(RecoveryCodes.Count, codes);
        return codes;
    }

    public Task<HttpResponseMessage> PasswordAsync(string? username = null, string? password = null, string page = "/sign-in") =>
        SendAsync(page, "/sign-in", ("Username", username ?? Username), ("Password", password ?? Password));

    /// <summary>Password and key.</summary>
    public async Task<HttpResponseMessage> SignInAsync(string? password = null)
    {
        var half = await PasswordAsync(password: password);
        half.Headers.Location?.ToString().ShouldBe("/sign-in/key", await half.Content.ReadAsStringAsync());
        return await TouchAsync("/sign-in/key");
    }

    public async Task<bool> IsSignedInAsync()
    {
        using var answer = await GetAsync("/account/sessions");
        return answer.StatusCode == HttpStatusCode.OK;
    }

    public async Task SignOutAsync() => (await SendAsync("/account/sessions", "/sign-out")).Headers.Location!.ToString().ShouldBe("/sign-in");

    public void Dispose() => Client.Dispose();

    private HttpClient NewClient()
    {
        if (Address is not { } address)
        {
            return host.Client(cookies: Cookies);
        }
        var handler = host.Handler(cookies: Cookies);
        handler.ConnectCallback = async (context, cancelled) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address, 0));
            await socket.ConnectAsync(IPAddress.Loopback, context.DnsEndPoint.Port, cancelled);
            return new NetworkStream(socket, ownsSocket: true);
        };
        return new HttpClient(handler) { BaseAddress = host.Settings.Origin };
    }

    [GeneratedRegex("<input type=\"hidden\" name=\"(?<name>[^\"]+)\" value=\"(?<value>[^\"]*)\"", RegexOptions.None, 5000)]
    private static partial Regex Hidden();

    [GeneratedRegex("<meta name=\"csrf\" content=\"(?<value>[^\"]+)\"", RegexOptions.None, 5000)]
    private static partial Regex Csrf();

    [GeneratedRegex("data-options=\"(?<value>[^\"]+)\"", RegexOptions.None, 5000)]
    private static partial Regex OptionsAttribute();

    [GeneratedRegex("<li><code>(?<value>[^<]+)</code></li>", RegexOptions.None, 5000)]
    private static partial Regex Code();
}
