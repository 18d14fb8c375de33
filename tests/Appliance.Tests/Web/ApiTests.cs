using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Appliance.Tests.SignIn.Tokens;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Appliance.Web.Api;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Web;

/// <summary>The API says of itself what it does, and its guide can be followed as it is written.</summary>
[Trait("Requirement", "A16")]
public sealed class ApiTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    [Fact]
    public async Task Its_description_names_exactly_what_is_mapped()
    {
        var document = await DocumentAsync();
        var described = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var path in document.GetProperty("paths").EnumerateObject())
        {
            foreach (var operation in path.Value.EnumerateObject().Where(o => o.Name is not "parameters"))
            {
                described.Add($"{operation.Name.ToUpperInvariant()} {path.Name.TrimEnd('/')}");
                var name = $"{operation.Name} {path.Name}";
                operation.Value.GetProperty("summary").GetString().ShouldNotBeNullOrEmpty(name);
                operation.Value.GetProperty("responses").EnumerateObject().ShouldContain(r => r.Name == "401", name);
                operation.Value.GetProperty("security").GetArrayLength().ShouldBe(3, name);
            }
        }
        var mapped = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var endpoint in host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            var path = "/" + endpoint.RoutePattern.RawText!.Trim('/');
            if (path.StartsWith(ApiRoutes.Base + "/", StringComparison.Ordinal) && path != OpenApi.Address)
            {
                mapped.UnionWith(endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods.Select(method => $"{method} {path}"));
            }
        }
        mapped.Count.ShouldBeGreaterThan(25);
        described.ShouldBe(mapped);
        document.GetProperty("components").GetProperty("securitySchemes").EnumerateObject().Select(s => s.Name).ShouldBe(["bearer", "appPassword", "session"], ignoreOrder: true);
    }

    [Fact]
    public async Task Its_description_is_for_who_is_signed_in_and_names_no_other_host()
    {
        using var nobody = host.Client();
        (await nobody.GetAsync(OpenApi.Address)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        var document = await DocumentAsync();
        document.GetProperty("servers").EnumerateArray().Select(s => s.GetProperty("url").GetString()).ShouldBe(["/"]);
    }

    [Fact]
    public async Task A_body_that_is_larger_than_any_request_of_the_API_is_refused()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        using var client = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id));
        using var answer = await client.PostAsync($"/api/v1/teams/{team}/folders", new StringContent($$"""{"name":"{{new string('x', 200_000)}}"}""", Encoding.UTF8, "application/json"));
        answer.StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
    }

    [Fact]
    public async Task Every_line_of_the_guide_does_what_it_says()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        var (script, expected) = Script(await File.ReadAllLinesAsync(Path.Combine(Repository.Root, "docs/api.md")));
        expected.Count.ShouldBeGreaterThan(25);
        var folder = Directory.CreateTempSubdirectory("appliance-guide-");
        try
        {
            var start = new ProcessStartInfo("bash", ["-c", script])
            {
                WorkingDirectory = folder.FullName,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
                Environment =
                {
                    ["ORIGIN"] = host.Settings.Origin.GetLeftPart(UriPartial.Authority),
                    ["TOKEN"] = await ApiClient.TokenAsync(host, anna.Id, team),
                    ["TEAM"] = team,
                    ["CURL_CA_BUNDLE"] = Path.Combine(host.Settings.CertificateFolder, "authority.pem"),
                },
            };
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            var parts = (await process.StandardOutput.ReadToEndAsync()).Split(Mark);
            await process.WaitForExitAsync();
            for (var i = 0; i < expected.Count; i++)
            {
                parts.Length.ShouldBeGreaterThan(i + 1, $"{expected[i].Line}: {await errors}");
                parts[i + 1].ShouldContain(expected[i].Answer, Case.Sensitive, $"{expected[i].Line}: {(process.ExitCode == 0 ? "" : await errors)}");
            }
            process.ExitCode.ShouldBe(0, await errors);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private const string Mark = "\u0001next\u0001";

    /// <summary>The lines of the shell blocks, each after a mark in the output; and what each one's answer holds.</summary>
    private static (string Script, List<(string Line, string Answer)> Expected) Script(string[] guide)
    {
        var (script, expected, inside) = (new StringBuilder("set -euo pipefail\n"), new List<(string Line, string Answer)>(), false);
        foreach (var line in guide)
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                inside = line == "```sh";
            }
            else if (inside && line.StartsWith("# answers ", StringComparison.Ordinal))
            {
                expected[^1] = (expected[^1].Line, line["# answers ".Length..]);
            }
            else if (inside)
            {
                script.Append($"printf '%s' '{Mark}'\n{line}\n");
                expected.Add((line, ""));
            }
        }
        return (script.ToString(), expected);
    }

    private async Task<JsonElement> DocumentAsync()
    {
        using var anna = await Person.NewAsync(host);
        using var client = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id, mayWrite: false));
        return await client.GetFromJsonAsync<JsonElement>(OpenApi.Address);
    }
}
