using System.Net;
using System.Security.Claims;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.TestServers;

/// <summary>
/// A person who is signed in already: account and session are made through the services, without password and key. For tests of
/// everything that comes after signing in.
/// </summary>
/// <param name="Id">Their account.</param>
/// <param name="Username">Theirs.</param>
/// <param name="Client">Sends their cookies, and the antiforgery header with every request. Follows no redirects.</param>
public sealed record SignedIn(UserId Id, string Username, HttpClient Client)
{
    /// <summary>Makes a person and signs them in, stepped up.</summary>
    public static async Task<SignedIn> AsAsync(ApplianceHost host, string? username = null, bool owner = false)
    {
        var user = await PersonAsync(host.Services, username, owner);
        return new SignedIn(user.Id, user.Username, await ClientAsync(host, await SessionAsync(host.Services, user)));
    }

    /// <summary>An account without password and key.</summary>
    public static async Task<User> PersonAsync(IServiceProvider services, string? username = null, bool owner = false)
    {
        username ??= "p" + Reference.New();
        var user = new User
        {
            Username = username,
            UsernameKey = username.ToUpperInvariant(),
            SecurityStamp = Reference.New(),
            ConcurrencyStamp = Reference.New(),
            Owner = owner,
            CreatedAt = services.GetRequiredService<TimeProvider>().GetUtcNow(),
        };
        await using var session = await services.GetRequiredService<Database>().ForApplianceAsync(default);
        session.Add(user);
        await session.CommitAsync(default);
        return user;
    }

    /// <summary>One more session of that person; answers the cookie as a browser would send it.</summary>
    public static async Task<string> SessionAsync(IServiceProvider services, User user)
    {
        var http = new DefaultHttpContext { RequestServices = services };
        http.Connection.RemoteIpAddress = IPAddress.Loopback;
        http.Request.Headers.UserAgent = "a test";
        await using var session = await services.GetRequiredService<Database>().ForApplianceAsync(default);
        await services.GetRequiredService<Sessions>().StartAsync(session, user, http, default);
        await session.CommitAsync(default);
        return CookiePair(http);
    }

    /// <summary>A client with this session cookie that passes the antiforgery check.</summary>
    public static async Task<HttpClient> ClientAsync(ApplianceHost host, string cookie)
    {
        await using var scope = host.Services.CreateAsyncScope();
        var http = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        http.Request.Scheme = "https";
        http.Request.Headers.Cookie = cookie;
        var token = Token.HashOf(cookie[(cookie.IndexOf('=', StringComparison.Ordinal) + 1)..])!;
        // The request token is bound to the person, so it is made as that person.
        http.User = await host.Services.GetRequiredService<Sessions>().LookUpAsync(token, http, default) ?? new ClaimsPrincipal(new ClaimsIdentity());
        var antiforgery = host.Services.GetRequiredService<IAntiforgery>().GetAndStoreTokens(http);
        var cookies = new CookieContainer();
        foreach (var pair in new[] { cookie, CookiePair(http) })
        {
            cookies.SetCookies(host.Settings.Origin, pair + "; path=/; secure");
        }
        var client = host.Client(cookies: cookies);
        client.DefaultRequestHeaders.Add("RequestVerificationToken", antiforgery.RequestToken);
        return client;
    }

    private static string CookiePair(HttpContext http) => http.Response.Headers.SetCookie.ToString().Split(';')[0];
}
