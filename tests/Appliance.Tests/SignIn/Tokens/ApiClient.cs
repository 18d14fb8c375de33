using System.Net.Http.Headers;
using System.Text;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Tokens;
using Appliance.Tests.TestServers;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.SignIn.Tokens;

/// <summary>Programs that sign in with a token or an app password of somebody.</summary>
internal static class ApiClient
{
    public static Task<string> TokenAsync(ApplianceHost host, UserId person, string? team = null, bool mayWrite = true, int? days = 30) =>
        MakeAsync(host, person, ApiToken.Bearer, team, mayWrite, days);

    public static Task<string> AppPasswordAsync(ApplianceHost host, UserId person, string? team = null, bool mayWrite = true, int? days = null) =>
        MakeAsync(host, person, ApiToken.AppPassword, team, mayWrite, days);

    public static HttpClient With(ApplianceHost host, string token) => With(host, new AuthenticationHeaderValue("Bearer", token));

    public static HttpClient With(ApplianceHost host, string username, string password) =>
        With(host, new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{username}:{password}"))));

    public static HttpClient With(ApplianceHost host, AuthenticationHeaderValue header)
    {
        var client = host.Client();
        client.DefaultRequestHeaders.Authorization = header;
        return client;
    }

    private static Task<string> MakeAsync(ApplianceHost host, UserId person, string kind, string? team, bool mayWrite, int? days) =>
        host.Services.GetRequiredService<ApiTokens>().CreateAsync(kind, "a test", team, mayWrite, days, new Origin(person, "127.0.0.1"), default);
}
