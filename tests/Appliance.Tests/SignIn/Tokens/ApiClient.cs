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

    /// <summary>A second factor for somebody who was made without: a token opens nothing for who has none.</summary>
    public static async Task GiveFactorAsync(ApplianceHost host, UserId person)
    {
        await using var session = await host.Database.ForApplianceAsync(default);
        await session.ExecuteAsync(
            $"""
            insert into authenticator_apps (user_id, sealed_secret, last_step, created_at)
            select {person.Value}, {new byte[1]}, 0, {DateTimeOffset.UtcNow} where not exists (select from security_keys where user_id = {person.Value}) on conflict do nothing
            """, default);
        await session.CommitAsync(default);
    }

    private static async Task<string> MakeAsync(ApplianceHost host, UserId person, string kind, string? team, bool mayWrite, int? days)
    {
        await GiveFactorAsync(host, person);
        return await host.Services.GetRequiredService<ApiTokens>().CreateAsync(kind, "a test", team, mayWrite, days, new Origin(person, "127.0.0.1"), default);
    }
}
