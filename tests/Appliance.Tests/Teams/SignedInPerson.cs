using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Tests.TestServers;
using Appliance.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Shouldly;

namespace Appliance.Tests.Teams;

/// <summary>The whole service, for tests of what signed-in people do: signing in itself is tested where it lives.</summary>
public class FilesHost : ApplianceHost
{
    public FilesHost()
        : this(null, null, null)
    {
    }

    protected FilesHost(PostgresCluster? cluster, Func<Settings, Settings>? change, Action<WebApplicationBuilder>? adapt)
        : base(cluster, change, adapt)
    {
    }

    public static async Task<FilesHost> BeginAsync(
        Func<Settings, Settings>? change = null, Action<WebApplicationBuilder>? adapt = null, PostgresCluster? cluster = null)
    {
        var host = new FilesHost(cluster, change, adapt);
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

    protected override void Adapt(WebApplicationBuilder builder)
    {
        builder.Services.AddAuthentication("test").AddScheme<AuthenticationSchemeOptions, ByHeader>("test", null);
        builder.Services.AddAuthorization(options => options.AddPolicy(Access.SignedIn, policy => policy.RequireAuthenticatedUser()));
        base.Adapt(builder);
    }

    private sealed class ByHeader(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logs, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logs, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
            Request.Headers[Person.Header] is [{ } id]
                ? AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.NameIdentifier, id)], "test")), "test"))
                : AuthenticateResult.NoResult());
    }
}

/// <summary>Somebody with an account, signed in, with a browser's cookies and antiforgery token.</summary>
public sealed class Person : IDisposable
{
    public const string Header = "X-Test-Person";

    private Person(HttpClient http, UserId id, string username) => (Http, Id, Username) = (http, id, username);

    public HttpClient Http { get; }

    public UserId Id { get; }

    public string Username { get; }

    public string Csrf { get; private set; } = "";

    public static async Task<Person> NewAsync(ApplianceHost host, string username = "anna")
    {
        username = $"{username}-{Guid.NewGuid().ToString("N")[..8]}";
        var user = new User { Username = username, UsernameKey = username.ToUpperInvariant(), SecurityStamp = "s", ConcurrencyStamp = "c", CreatedAt = DateTimeOffset.UtcNow };
        await using (var session = await host.Database.ForApplianceAsync(default))
        {
            session.Add(user);
            await session.CommitAsync(default);
        }
        return await SignInAsync(host.Client(), user.Id, username);
    }

    /// <summary>An account that is there already, in a service that was started again.</summary>
    public static async Task<Person> SignInAsync(HttpClient http, UserId id, string username)
    {
        http.DefaultRequestHeaders.Add(Header, id.ToString());
        var person = new Person(http, id, username);
        person.Csrf = await ApplianceHost.CsrfAsync(http, "/teams");
        http.DefaultRequestHeaders.Add("RequestVerificationToken", person.Csrf);
        return person;
    }

    /// <summary>Makes a team; answers its reference.</summary>
    public async Task<string> TeamAsync(string name = "Team")
    {
        var made = await PostAsync("/teams", ("Name", name));
        made.StatusCode.ShouldBe(HttpStatusCode.Redirect, await made.Content.ReadAsStringAsync());
        return made.Headers.Location!.ToString().Split('/')[2];
    }

    /// <summary>Makes a folder; answers its reference.</summary>
    public async Task<string> FolderAsync(string team, string name, string? parent = null)
    {
        var made = await PostAsync($"/teams/{team}/new-folder{(parent is null ? "" : "/" + parent)}", ("Name", name));
        made.StatusCode.ShouldBe(HttpStatusCode.Redirect, await made.Content.ReadAsStringAsync());
        return (await ListAsync(team, parent)).Single(e => e.Name == name).Reference;
    }

    public Task<HttpResponseMessage> PostAsync(string path, params (string Name, string Value)[] fields) =>
        Http.PostAsync(path, new FormUrlEncodedContent(fields.Select(f => KeyValuePair.Create(f.Name, f.Value))));

    /// <summary>What the page of a folder lists: the name and the reference in its link.</summary>
    public async Task<IReadOnlyList<(string Name, string Reference)>> ListAsync(string team, string? folder = null) =>
        Rows(await Http.GetStringAsync($"/teams/{team}/files{(folder is null ? "" : "/" + folder)}"));

    public static IReadOnlyList<(string Name, string Reference)> Rows(string html) =>
        [.. System.Text.RegularExpressions.Regex.Matches(html, """<a class="file-name" href="/teams/[a-z2-7]{26}/files/([a-z2-7]{26})(?:/content)?" title="([^"]*)">""")
            .Select(m => (WebUtility.HtmlDecode(m.Groups[2].Value), m.Groups[1].Value))];

    public async Task<byte[]> DownloadAsync(string team, string entry)
    {
        using var answer = await Http.GetAsync($"/teams/{team}/files/{entry}/content");
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return await answer.Content.ReadAsByteArrayAsync();
    }

    /// <summary>Offers a place and takes it.</summary>
    public async Task InviteAsync(string team, Person other)
    {
        (await PostAsync($"/teams/{team}/members", ("Username", other.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await other.PostAsync("/teams?handler=Accept", ("offer", await other.OfferAsync()))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
    }

    /// <summary>The reference of the one offer on the person's own page.</summary>
    public async Task<string> OfferAsync() =>
        System.Text.RegularExpressions.Regex.Match(await Http.GetStringAsync("/teams"), """name="offer" value="([a-z2-7]{26})""").Groups[1].Value;

    public void Dispose() => Http.Dispose();
}
