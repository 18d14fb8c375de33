using System.Net;
using System.Net.Http.Json;
using System.Security.Claims;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn.Alerts;
using Appliance.SignIn;
using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.SecurityKeys.Attestation;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.Tests.TestServers;
using Appliance.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.SecurityKeys;

/// <summary>
/// The ceremonies behind HTTP, on a real database: what a page does with <see cref="ISecurityKeyCeremonies"/>, without the pages.
/// A refused answer leaves its caller's transaction uncommitted, as a careless caller would.
/// </summary>
public class SecurityKeyHost : IAsyncLifetime
{
    public const string Origin = "https://appliance.example:8443";

    private WebApplication _app = null!;

    protected virtual AttestationPolicy Policy => AttestationPolicy.Known;

    /// <summary>Who proves a key's model.</summary>
    protected virtual KeyModelSettings Models => new();

    internal KeyModelStore Store => _app.Services.GetRequiredService<KeyModelStore>();

    internal AllowedKeyModels Allowed => _app.Services.GetRequiredService<AllowedKeyModels>();

    public AdjustableClock Clock { get; } = new();

    public PostgresCluster Cluster { get; private set; } = null!;

    public string DatabaseName { get; private set; } = null!;

    public Database Database => _app.Services.GetRequiredService<Database>();

    public Notices Notices => _app.Services.GetRequiredService<Notices>();

    internal KeyRing Keys => _app.Services.GetRequiredService<KeyRing>();

    public async Task InitializeAsync()
    {
        Cluster = await PostgresCluster.SharedAsync();
        DatabaseName = await Cluster.CreateDatabaseAsync();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton<TimeProvider>(Clock);
        builder.Services.AddMailParts(new Settings { DataFolder = "unused", DatabaseHost = Cluster.Socket, Origin = new Uri(Origin), Attestation = Policy, KeyModels = Models });
        builder.Services.AddDatabase(Cluster.Options(DatabaseName), typeof(ApplianceProgram).Assembly);
        builder.Services.AddSingleton(System.Reflection.DispatchProxy.Create<IUserStore<User>, NoStore>());
        builder.Services.AddSingleton<Notices>().AddSingleton<AccountAlerts>().AddSingleton<KnownOrigins>().AddSingleton<MailLinks>();
        builder.Services.AddSecurityKeys();
        _app = builder.Build();
        _app.Use(async (http, next) =>
        {
            // What went wrong is in the failed assertion.
            try
            {
                await next(http);
            }
            catch (Exception e)
            {
                http.Response.StatusCode = StatusCodes.Status500InternalServerError;
                await http.Response.WriteAsync(e.ToString());
            }
        });
        _app.Use((http, next) =>
        {
            // Stands for the session that a cookie names.
            if (http.Request.Headers["X-Session"] is [{ Length: > 0 } session])
            {
                http.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("session", session)], "test"));
            }
            return next(http);
        });
        _app.MapPost("/{user:guid}/begin/{purpose}", BeginAsync);
        _app.MapPost("/{user:guid}/finish/{purpose}", FinishAsync);
        await _app.StartAsync();
    }

    public virtual async Task DisposeAsync() => await _app.DisposeAsync();

    public async Task<User> PersonAsync()
    {
        var name = "person-" + Guid.NewGuid().ToString("N")[..8];
        var user = new User
        {
            Username = name, UsernameKey = name.ToUpperInvariant(), SecurityStamp = "s", ConcurrencyStamp = "c", CreatedAt = DateTimeOffset.UtcNow,
        };
        await using var session = await Database.ForApplianceAsync(default);
        session.Add(user);
        await session.CommitAsync(default);
        return user;
    }

    public KeyBrowser Browser(string? session = null) => new(new Uri(_app.Urls.Single())) { Session = session };

    public static SoftwareAuthenticator Authenticator() => new() { Origin = Origin };

    /// <summary>A person whose key was added; the key, to be used on.</summary>
    public async Task<(User Person, KeyBrowser Browser, SoftwareAuthenticator Key)> EnrolledAsync(SoftwareAuthenticator? key = null)
    {
        var (person, browser) = (await PersonAsync(), Browser());
        key ??= Authenticator();
        (await browser.RegisterAsync(person, key)).ShouldBe(new KeyResult(true));
        return (person, browser, key with { Counter = key.Counter == 0 ? 0 : key.Counter + 1 });
    }

    /// <summary>As its page does: commits what was done.</summary>
    public async Task<KeyChange> RemoveKeyAsync(UserId user, string reference, HttpContext http, CancellationToken cancellationToken)
    {
        await using var session = await Database.ForApplianceAsync(cancellationToken);
        var change = await KeyRing.RemoveAsync(session, Allowed, user, reference, http, cancellationToken);
        if (change == KeyChange.Done)
        {
            await session.CommitAsync(cancellationToken);
        }
        return change;
    }

    public Task<object?> SqlAsync(string sql) => Cluster.SuperuserAsync(DatabaseName, sql);

    private static Task<Ceremony> BeginAsync(Guid user, string purpose, HttpContext http, ISecurityKeyCeremonies ceremonies, Database database) =>
        WithPersonAsync(user, database, (person, _) => purpose == "registration"
            ? ceremonies.BeginRegistrationAsync(person, http, http.RequestAborted)
            : ceremonies.BeginAssertionAsync(person, http, http.RequestAborted));

    private static Task<KeyResult> FinishAsync(
        Guid user, string purpose, Answer answer, HttpContext http, ISecurityKeyCeremonies ceremonies, Database database) =>
        WithPersonAsync(user, database, async (person, session) =>
        {
            var result = purpose == "registration"
                ? await ceremonies.FinishRegistrationAsync(person, answer.Reference, answer.Credential, answer.Name, http, session, http.RequestAborted)
                : await ceremonies.FinishAssertionAsync(person, answer.Reference, answer.Credential, http, session, http.RequestAborted);
            if (result.Succeeded)
            {
                await session.CommitAsync(http.RequestAborted);
            }
            return result;
        });

    private static async Task<T> WithPersonAsync<T>(Guid user, Database database, Func<User, TeamSession, Task<T>> work)
    {
        await using var session = await database.ForApplianceAsync(default);
        var id = new UserId(user);
        return await work(await session.Query<User>().SingleAsync(u => u.Id == id), session);
    }

    internal sealed record Answer(string Reference, string Credential, string Name);
}

/// <summary>One browser: its cookie, and the session in it.</summary>
public sealed class KeyBrowser(Uri server)
{
    private static readonly HttpClient Http = new(new SocketsHttpHandler { UseCookies = false });
    private string? _cookie;

    public string? Session { get; set; }

    public Task<Ceremony> BeginAsync(User person, string purpose) => PostAsync<Ceremony>(person, $"begin/{purpose}", null);

    public Task<KeyResult> FinishAsync(User person, string purpose, string reference, string credential, string name = "Blue key") =>
        PostAsync<KeyResult>(person, $"finish/{purpose}", new { reference, credential, name });

    public async Task<KeyResult> RegisterAsync(User person, SoftwareAuthenticator key)
    {
        var ceremony = await BeginAsync(person, "registration");
        return await FinishAsync(person, "registration", ceremony.Reference, key.Register(ceremony.OptionsJson));
    }

    public async Task<KeyResult> AssertAsync(User person, SoftwareAuthenticator key)
    {
        var ceremony = await BeginAsync(person, "assertion");
        return await FinishAsync(person, "assertion", ceremony.Reference, key.Assert(ceremony.OptionsJson));
    }

    private async Task<T> PostAsync<T>(User person, string path, object? body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(server, $"/{person.Id}/{path}")) { Content = body is null ? null : JsonContent.Create(body) };
        request.Headers.TryAddWithoutValidation("X-Session", Session);
        request.Headers.TryAddWithoutValidation("Cookie", _cookie);
        using var response = await Http.SendAsync(request);
        response.StatusCode.ShouldBe(HttpStatusCode.OK, await response.Content.ReadAsStringAsync());
        if (response.Headers.TryGetValues("Set-Cookie", out var cookies))
        {
            var cookie = cookies.Single();
            cookie.ShouldContain("; secure; samesite=strict; httponly");
            _cookie = cookie[..cookie.IndexOf(';', StringComparison.Ordinal)];
        }
        return (await response.Content.ReadFromJsonAsync<T>())!;
    }
}

/// <summary>The real time, moved on where a test says so.</summary>
public sealed class AdjustableClock : TimeProvider
{
    public TimeSpan Ahead { get; set; }

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Ahead;
}

public class NoStore : System.Reflection.DispatchProxy
{
    protected override object? Invoke(System.Reflection.MethodInfo? targetMethod, object?[]? args) =>
        throw new InvalidOperationException("A ceremony asked Identity's store.");
}

public sealed class AnyAttestationHost : SecurityKeyHost
{
    protected override AttestationPolicy Policy => AttestationPolicy.Any;
}
