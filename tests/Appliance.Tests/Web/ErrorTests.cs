using System.Net;
using System.Text.Json;

namespace Appliance.Tests.Web;

public sealed class ErrorTests(ProbedHost host) : IClassFixture<ProbedHost>
{
    [Fact, Trait("Requirement", "O10")]
    public async Task A_program_gets_a_problem_with_a_reference_and_nothing_of_the_exception()
    {
        using var client = host.Client();
        using var answer = await client.GetAsync("/api/probe/throw");
        answer.StatusCode.ShouldBe(HttpStatusCode.InternalServerError);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        var body = await answer.Content.ReadAsStringAsync();
        body.ShouldNotContain(Probes.Secret);
        body.ShouldNotContain("Exception");
        var problem = JsonDocument.Parse(body).RootElement;
        problem.GetProperty("status").GetInt32().ShouldBe(500);
        problem.GetProperty("reference").GetString()!.ShouldMatch("^E-[0-9A-HJKMNP-TV-Z]{10}$");
    }

    [Fact, Trait("Requirement", "O10")]
    public async Task A_person_gets_a_page_that_says_what_to_do()
    {
        using var client = host.Client();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/probe/throw") { Headers = { { "Accept", "text/html,application/xhtml+xml" } } };
        using var answer = await client.SendAsync(request);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("text/html");
        var page = await answer.Content.ReadAsStringAsync();
        page.ShouldNotContain(Probes.Secret);
        page.ShouldContain("give your operator the reference");
        page.ShouldMatch("<code>E-[0-9A-HJKMNP-TV-Z]{10}</code>");
    }

    [Theory]
    [InlineData("GET", "/nowhere", 404)]
    [InlineData("DELETE", "/probe/throw", 405)]
    [InlineData("POST", "/probe/body", 400)]
    public async Task Refusals_have_a_body_too(string method, string path, int status)
    {
        using var client = host.Client();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var answer = await client.SendAsync(request);
        ((int)answer.StatusCode).ShouldBe(status);
        JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("status").GetInt32().ShouldBe(status);
    }
}
