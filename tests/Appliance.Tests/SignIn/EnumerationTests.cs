using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>Whether somebody has an account shows nowhere. How long it takes: <see cref="TimingTests"/>.</summary>
[Collection(AloneCollection.Name)]
public sealed class EnumerationTests(SignInHost host) : IClassFixture<SignInHost>
{
    [Fact, Trait("Requirement", "A11")]
    public async Task Known_and_unknown_names_get_the_same_answer_at_every_step_of_the_delay()
    {
        using var known = await host.PersonAsync("known.name");
        var answers = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var name in new[] { "known.name", "nobody.has" })
        {
            host.Clock.Move(TimeSpan.FromHours(11));
            using var visitor = host.Visitor();
            var seen = answers[name] = [];
            for (var i = 0; i < 6; i++)
            {
                using var answer = await visitor.PasswordAsync(name, "wrong wrong wrong");
                var body = SetUpTests.WithoutTokens(await answer.Content.ReadAsStringAsync()).Replace(name, "", StringComparison.Ordinal);
                seen.Add($"{(int)answer.StatusCode} {string.Join(',', answer.Headers.Concat(answer.Content.Headers).Select(h => h.Key).Order(StringComparer.Ordinal))} {body}");
                host.Clock.Move(TimeSpan.FromMilliseconds(1));
            }
        }
        for (var i = 0; i < 6; i++)
        {
            answers["known.name"][i].ShouldBe(answers["nobody.has"][i]);
        }
        answers["nobody.has"][5].ShouldContain("Too many attempts");
    }
}
