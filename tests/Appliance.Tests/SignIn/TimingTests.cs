using System.Diagnostics;
using Appliance.Data;
using Appliance.Tests.Mail;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Appliance.Tests.SignIn;

/// <summary>
/// How long answers take tells nobody who exists. 300 samples of each of two, in pairs of random order, in one run; the two medians are printed, and the test fails where the
/// distributions can be told apart: Mann-Whitney's U gives |z| below 5 where both are one (p ≈ 6·10⁻⁷).
/// </summary>
[Collection(AloneCollection.Name)]
[Trait("Requirement", "A11")]
public sealed class TimingTests(MailHost host, ITestOutputHelper output) : IClassFixture<MailHost>
{
    private const int Samples = 300;
    private const int Warm = 10;

    [Fact]
    public async Task A_known_name_with_a_wrong_password_and_a_name_that_nobody_has()
    {
        using var person = await host.PersonAsync("timed.name");
        using var visitor = host.Visitor();
        var html = await visitor.HtmlAsync("/sign-in");
        await CompareAsync(
            "sign-in",
            [("known", () => SignInAsync("timed.name")), ("unknown", () => SignInAsync("no.such.name"))],
            () =>
            {
                host.Clock.Move(TimeSpan.FromHours(4));
                return Task.CompletedTask;
            }); // past every delay, so that each attempt is checked

        Task<HttpResponseMessage> SignInAsync(string name) => visitor.PostAsync(html, "/sign-in", ("Username", name), ("Password", "wrong wrong wrong"));
    }

    [Fact]
    public async Task A_new_password_for_somebody_and_for_nobody()
    {
        var (person, address) = await host.WithAddressAsync("timed.forgot");
        using var visitor = host.Visitor();
        var html = await visitor.HtmlAsync("/new-password");
        await CompareAsync("new password", [("known", () => AskAsync(address)), ("unknown", () => AskAsync("nobody@example.org"))], () => Task.CompletedTask);
        person.Dispose();

        Task<HttpResponseMessage> AskAsync(string name) => visitor.PostAsync(html, "/new-password", ("Name", name));
    }

    [Fact]
    public async Task An_invitation_of_somebody_and_of_nobody()
    {
        var (person, address) = await host.WithAddressAsync("timed.invited");
        using var owner = await host.PersonAsync("timed.inviter");
        var team = (await owner.SendAsync("/teams", null, ("Name", "Team"))).Headers.Location!.ToString().Split('/')[2];
        var html = await owner.HtmlAsync($"/teams/{team}/members");
        await CompareAsync("invitation", [("known", () => InviteAsync(address)), ("unknown", () => InviteAsync("nobody@example.org"))], () => host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "delete from mail_budgets"));
        person.Dispose();

        Task<HttpResponseMessage> InviteAsync(string email) => owner.PostAsync(html, $"/teams/{team}/members?handler=Invite", ("Email", email));
    }

    [Theory]
    [InlineData("/invitation/")]
    [InlineData("/new-password/")]
    public async Task A_link_that_was_used_and_one_that_never_was(string path)
    {
        var (person, address) = await host.WithAddressAsync("timed.link");
        var used = path == "/invitation/" ? await UsedInvitationAsync(person, address) : await UsedPasswordAsync(person, address);
        using var visitor = host.Visitor();
        await CompareAsync("link " + path, [("used", () => visitor.GetAsync(used)), ("unknown", () => visitor.GetAsync(path + Appliance.SignIn.Token.New()))], () => Task.CompletedTask);
        person.Dispose();
    }

    private async Task<string> UsedInvitationAsync(Visitor person, string address)
    {
        using var owner = await host.PersonAsync(MailHost.Name("timed.inviter"));
        var team = (await owner.SendAsync("/teams", null, ("Name", "Team"))).Headers.Location!.ToString().Split('/')[2];
        await owner.SendAsync($"/teams/{team}/members", $"/teams/{team}/members?handler=Invite", ("Email", address));
        var link = (await host.Mail.WaitAsync(address, "invites you")).Link("/invitation/");
        await person.SendAsync(link);
        (await person.SendAsync("/invitation")).Headers.Location!.ToString().ShouldBe("/teams");
        return link;
    }

    private async Task<string> UsedPasswordAsync(Visitor person, string address)
    {
        await person.SendAsync("/new-password", null, ("Name", address));
        var link = (await host.Mail.WaitAsync(address, "Choose a new password")).Link("/new-password/");
        using var browser = host.Visitor();
        await browser.SendAsync(link);
        await browser.SendAsync("/new-password/choose", null, ("Password", "velvet quarry lantern mosaic"));
        (await browser.SendAsync("/sign-in/recovery", null, ("Code", person.Codes[0]))).Headers.Location!.ToString().ShouldBe("/");
        return link;
    }

    private async Task CompareAsync(string what, (string Name, Func<Task<HttpResponseMessage>> Ask)[] two, Func<Task> between)
    {
        var times = two.Select(_ => new List<long>()).ToArray();
        var statuses = new HashSet<int>();
        var bodies = new HashSet<int>();
        for (var i = 0; i < Samples + Warm; i++)
        {
            // Which goes first is drawn: what goes before is felt by what comes after, and so is what went before that.
            foreach (var one in Random.Shared.Next(2) == 0 ? new[] { 0, 1 } : [1, 0])
            {
                var started = Stopwatch.GetTimestamp();
                using var answer = await two[one].Ask();
                var body = await answer.Content.ReadAsByteArrayAsync();
                var took = Stopwatch.GetTimestamp() - started;
                statuses.Add((int)answer.StatusCode);
                bodies.Add(SetUpTests.WithoutTokens(System.Text.Encoding.UTF8.GetString(body)).Replace("timed.name", "", StringComparison.Ordinal).Replace("no.such.name", "", StringComparison.Ordinal).Length);
                if (i >= Warm)
                {
                    times[one].Add(took);
                }
            }
            await between();
        }
        statuses.Count.ShouldBe(1);
        bodies.Count.ShouldBe(1);
        var z = Z(times[0], times[1]);
        output.WriteLine($"{what}: {two[0].Name} {Median(times[0]):0.00} ms, {two[1].Name} {Median(times[1]):0.00} ms, z {z:0.0}, {Samples} samples each");
        Console.WriteLine($"Timing of {what}: {two[0].Name} {Median(times[0]):0.00} ms, {two[1].Name} {Median(times[1]):0.00} ms (medians of {Samples}), z {z:0.0}");
        Math.Abs(z).ShouldBeLessThan(5);
    }

    private static double Median(List<long> times) => Stopwatch.GetElapsedTime(0, times.Order().ElementAt(times.Count / 2)).TotalMilliseconds;

    private static double Z(List<long> a, List<long> b)
    {
        var ranks = a.Select(x => (x, true)).Concat(b.Select(x => (x, false))).OrderBy(p => p.x).ToList();
        double sum = 0;
        for (var i = 0; i < ranks.Count;)
        {
            var j = i;
            while (j < ranks.Count && ranks[j].x == ranks[i].x)
            {
                j++;
            }
            sum += ranks[i..j].Count(p => p.Item2) * (i + j + 1) / 2.0;
            i = j;
        }
        double n = a.Count, m = b.Count;
        var u = sum - (n * (n + 1) / 2);
        return (u - (n * m / 2)) / Math.Sqrt(n * m * (n + m + 1) / 12);
    }
}
