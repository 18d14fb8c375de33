using System.Diagnostics;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>Whether somebody has an account shows nowhere.</summary>
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

    /// <summary>
    /// Mann-Whitney's U over interleaved samples: |z| below 5 where both come from one distribution (p ≈ 6·10⁻⁷); leaving out the hash for
    /// unknown names gives |z| above 9.
    /// </summary>
    [Fact, Trait("Requirement", "A11")]
    public async Task Known_and_unknown_names_take_the_same_time()
    {
        using var person = await host.PersonAsync("timed.name");
        using var visitor = host.Visitor();
        var html = await visitor.HtmlAsync("/sign-in");
        var known = new List<long>();
        var unknown = new List<long>();
        for (var i = 0; i < 70; i++)
        {
            foreach (var (name, times) in i % 2 == 0 ? [("timed.name", known), ("no.such.name", unknown)] : new[] { ("no.such.name", unknown), ("timed.name", known) })
            {
                var started = Stopwatch.GetTimestamp();
                using var answer = await visitor.PostAsync(html, "/sign-in", ("Username", name), ("Password", "wrong wrong wrong"));
                await answer.Content.ReadAsByteArrayAsync();
                var took = Stopwatch.GetTimestamp() - started;
                ((int)answer.StatusCode).ShouldBe(200);
                if (i >= 5)
                {
                    times.Add(took);
                }
            }
            // Past every delay, so that each attempt is checked.
            host.Clock.Move(TimeSpan.FromHours(4));
        }
        Math.Abs(Z(known, unknown)).ShouldBeLessThan(5);
    }

    private static double Z(List<long> a, List<long> b)
    {
        double u = a.Sum(x => b.Sum(y => x < y ? 1.0 : x == y ? 0.5 : 0.0));
        double n = a.Count, m = b.Count;
        return (u - (n * m / 2)) / Math.Sqrt(n * m * (n + m + 1) / 12);
    }
}
