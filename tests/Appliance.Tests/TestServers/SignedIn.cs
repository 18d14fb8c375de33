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
public sealed record SignedIn(UserId Id, string Username, HttpClient Client, string Cookie)
{
    /// <summary>Makes a person and signs them in, stepped up. The client sends their cookie, and the antiforgery pair with every request.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="origin">Where the host listens.</param>
    /// <param name="username">Made up if not given.</param>
    /// <param name="owner">May let further people in.</param>
    public static async Task<SignedIn> AsAsync(IServiceProvider services, Uri origin, string? username = null, bool owner = false)
    {
        var user = await PersonAsync(services, username, owner);
        var cookie = await SessionAsync(services, user);
        return new SignedIn(user.Id, user.Username, await ClientAsync(services, origin, cookie), cookie);
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

    /// <summary>A client with this session cookie that passes the antiforgery check. It follows no redirects and keeps no cookies.</summary>
    public static async Task<HttpClient> ClientAsync(IServiceProvider services, Uri origin, string cookie)
    {
        await using var scope = services.CreateAsyncScope();
        var http = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        http.Request.Scheme = "https";
        http.Request.Headers.Cookie = cookie;
        var token = Token.HashOf(cookie[(cookie.IndexOf('=', StringComparison.Ordinal) + 1)..])!;
        // The request token is bound to the person, so it is made as that person.
        http.User = await services.GetRequiredService<Sessions>().LookUpAsync(token, http, default) ?? new ClaimsPrincipal(new ClaimsIdentity());
        var antiforgery = services.GetRequiredService<IAntiforgery>().GetAndStoreTokens(http);
        var client = new HttpClient(Handler()) { BaseAddress = origin };
        client.DefaultRequestHeaders.Add("Cookie", $"{cookie}; {CookiePair(http)}");
        client.DefaultRequestHeaders.Add("RequestVerificationToken", antiforgery.RequestToken);
        return client;
    }

    /// <summary>The test host's certificate is its own; its tests of TLS check it, these need not.</summary>
    private static SocketsHttpHandler Handler() => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
#pragma warning disable CA5359 // a test of what comes after signing in; see above
        SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
#pragma warning restore CA5359
    };

    private static string CookiePair(HttpContext http) => http.Response.Headers.SetCookie.ToString().Split(';')[0];
}
