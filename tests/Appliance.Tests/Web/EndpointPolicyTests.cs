using System.Net;
using Appliance.Tests.TestServers;
using Appliance.Web;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.Web;

public sealed class EndpointPolicyTests
{
    [Fact, Trait("Requirement", "T4")]
    public async Task An_endpoint_without_a_policy_stops_the_start_and_is_named()
    {
        var error = await Should.ThrowAsync<UndeclaredAccessException>(
            () => ApplianceHost.StartAsync(map: endpoints => endpoints.MapGet("/forgotten", () => "open to all")));
        error.Message.ShouldContain("/forgotten");
    }

    [Fact, Trait("Requirement", "T4")]
    public async Task An_endpoint_with_an_empty_or_unknown_policy_stops_the_start()
    {
        (await Should.ThrowAsync<UndeclaredAccessException>(
            () => ApplianceHost.StartAsync(map: endpoints => endpoints.MapGet("/any", () => "").RequireAuthorization())))
            .Message.ShouldContain("/any");
        (await Should.ThrowAsync<UndeclaredAccessException>(
            () => ApplianceHost.StartAsync(map: endpoints => endpoints.MapGet("/odd", () => "").RequireAuthorization("misspelt"))))
            .Message.ShouldContain("misspelt");
    }

    [Fact, Trait("Requirement", "O4")]
    public async Task Every_endpoint_that_changes_something_refuses_a_missing_and_a_foreign_antiforgery_token()
    {
        // Whoever may call an endpoint: the question here is only what stands behind authorization.
        await using var host = await ApplianceHost.StartAsync(
            settings => settings with { Limits = settings.Limits with { SignIn = new RequestRate(10_000, 1000), Anonymous = new RequestRate(10_000, 1000) } },
            adapt: builder => builder.Services.AddSingleton<IPolicyEvaluator, EveryoneMay>(), map: Probes.Map);
        using var client = host.Client();
        using var stranger = host.Client();
        var foreign = await stranger.GetStringAsync("/probe/token");
        var own = await client.GetStringAsync("/probe/token");

        var checkedOnes = 0;
        foreach (var endpoint in host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            if (endpoint.Metadata.GetMetadata<IAntiforgeryMetadata>() is { RequiresValidation: false })
            {
                continue;
            }
            // A page answers to POST as soon as it has a handler for it, and says so nowhere.
            var methods = endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["POST"];
            foreach (var method in methods.Where(m => m is not ("GET" or "HEAD" or "OPTIONS")))
            {
                foreach (var token in new[] { null, "nonsense", foreign })
                {
                    using var request = new HttpRequestMessage(new HttpMethod(method), PathOf(endpoint));
                    if (token is not null)
                    {
                        request.Headers.Add("RequestVerificationToken", token);
                    }
                    using var answer = await client.SendAsync(request);
                    // The operators' pages are on another port; there OperatorErrorsTests asks the same.
                    answer.StatusCode.ShouldBe(endpoint.RoutePattern.RawText is "admin" or "admin/errors" ? HttpStatusCode.NotFound : HttpStatusCode.BadRequest, $"{method} {endpoint.RoutePattern.RawText} with token '{token}'");
                }
                checkedOnes++;
            }
        }
        checkedOnes.ShouldBeGreaterThan(0);

        // The same with the right token goes through, unless the browser says that it comes from elsewhere.
        (await PostAsync(client, own, null, null)).ShouldBe(HttpStatusCode.OK);
        (await PostAsync(client, own, "https://evil.example", null)).ShouldBe(HttpStatusCode.BadRequest);
        (await PostAsync(client, own, null, "cross-site")).ShouldBe(HttpStatusCode.BadRequest);
        (await PostAsync(client, own, host.Settings.Origin.GetLeftPart(UriPartial.Authority), "same-origin")).ShouldBe(HttpStatusCode.OK);
    }

    private static async Task<HttpStatusCode> PostAsync(HttpClient client, string token, string? origin, string? site)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/probe/body");
        request.Headers.Add("RequestVerificationToken", token);
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }
        if (site is not null)
        {
            request.Headers.Add("Sec-Fetch-Site", site);
        }
        using var answer = await client.SendAsync(request);
        return answer.StatusCode;
    }

    /// <summary>An address that matches the route: any value will do, since the token is asked for before anything is looked up.</summary>
    private static string PathOf(RouteEndpoint endpoint) => "/" + string.Join('/', endpoint.RoutePattern.PathSegments.Select(segment =>
        string.Concat(segment.Parts.Select(part => part switch
        {
            Microsoft.AspNetCore.Routing.Patterns.RoutePatternLiteralPart literal => literal.Content,
            Microsoft.AspNetCore.Routing.Patterns.RoutePatternSeparatorPart separator => separator.Content,
            _ => "00000000-0000-7000-8000-000000000001",
        }))));

    private sealed class EveryoneMay : IPolicyEvaluator
    {
        public Task<Microsoft.AspNetCore.Authentication.AuthenticateResult> AuthenticateAsync(AuthorizationPolicy policy, HttpContext context) =>
            Task.FromResult(Microsoft.AspNetCore.Authentication.AuthenticateResult.NoResult());

        public Task<PolicyAuthorizationResult> AuthorizeAsync(
            AuthorizationPolicy policy, Microsoft.AspNetCore.Authentication.AuthenticateResult authenticationResult, HttpContext context, object? resource) =>
            Task.FromResult(PolicyAuthorizationResult.Success());
    }
}
