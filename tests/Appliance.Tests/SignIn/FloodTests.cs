using System.Net;
using System.Text;
using Appliance.SignIn;
using Appliance.Tests.Web;
using Appliance.Web;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>The whole service, where an address may make few attempts.</summary>
public sealed class StrictHost : SignInHost
{
    public const int Attempts = 12;

    protected override Settings Change(Settings settings)
    {
        var changed = base.Change(settings);
        return changed with { Limits = changed.Limits with { SignIn = new RequestRate(Attempts, 0.01) } };
    }
}

/// <summary>Too many, and too much at once.</summary>
public sealed class FloodTests(StrictHost host) : IClassFixture<StrictHost>
{
    private static int _address = 10;

    [Fact, Trait("Requirement", "A11"), Trait("Requirement", "W5")]
    public async Task A_flood_from_one_address_is_told_to_wait_while_another_address_signs_in()
    {
        using var person = await NewPersonAsync("flooded");
        await person.SignOutAsync();
        using var flood = From();
        var html = await flood.HtmlAsync("/sign-in");
        var answers = await Task.WhenAll(Enumerable.Range(0, 3 * StrictHost.Attempts).Select(i =>
            flood.PostAsync(html, "/sign-in", ("Username", $"guess{i}"), ("Password", "wrong wrong wrong"))));
        var refused = answers.Where(a => a.StatusCode == HttpStatusCode.TooManyRequests && a.Headers.RetryAfter!.Delta > TimeSpan.FromSeconds(60)).ToList();
        refused.Count.ShouldBeGreaterThanOrEqualTo(2 * StrictHost.Attempts - 1);
        (await refused[0].Content.ReadAsStringAsync()).ShouldContain("then try again");
        // Looking is not trying.
        (await flood.GetAsync("/sign-in")).StatusCode.ShouldBe(HttpStatusCode.OK);

        (await person.SignInAsync()).Headers.Location!.ToString().ShouldBe("/");
    }

    [Theory, Trait("Requirement", "A11"), Trait("Requirement", "W5")]
    [InlineData("/sign-in")]
    [InlineData("/sign-in/key")]
    [InlineData("/sign-in/app")]
    [InlineData("/sign-in/recovery")]
    [InlineData("/sign-in/enrol")]
    [InlineData("/sign-in/enrol/app")]
    [InlineData("/sign-in/phone")]
    [InlineData("/sign-in/phone?handler=Send")]
    [InlineData("/sign-in/enrol/phone")]
    [InlineData("/set-up/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("/set-up")]
    [InlineData("/set-up/key")]
    [InlineData("/set-up/app")]
    [InlineData("/set-up/phone?handler=Send")]
    [InlineData("/locked?handler=Password")]
    [InlineData("/locked?handler=App")]
    [InlineData("/step-up")]
    [InlineData("/account/security/app/add")]
    [InlineData("/account/password")]
    public async Task Whatever_checks_a_secret_counts_attempts(string path)
    {
        using var visitor = From();
        for (var i = 0; i < StrictHost.Attempts; i++)
        {
            (await visitor.Client.PostAsync(path, null)).StatusCode.ShouldNotBe(HttpStatusCode.TooManyRequests);
        }
        using var answer = await visitor.Client.PostAsync(path, null);
        answer.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        answer.Headers.RetryAfter!.Delta!.Value.ShouldBeGreaterThan(TimeSpan.Zero);
    }

    [Fact, Trait("Requirement", "A2"), Trait("Requirement", "W5")]
    public async Task The_password_helper_answers_as_fast_as_one_types_and_no_faster()
    {
        using var newcomer = From();
        await newcomer.SendAsync("/set-up/" + await host.LinkAsync());
        var html = await newcomer.HtmlAsync("/set-up");
        var answers = await Task.WhenAll(Enumerable.Range(0, 120).Select(_ => newcomer.PostAsync(html, "/password/check", ("password", "abc"))));
        answers.Count(a => a.StatusCode == HttpStatusCode.OK).ShouldBeGreaterThanOrEqualTo(40);
        answers.First(a => a.StatusCode == HttpStatusCode.TooManyRequests).Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(1));
        // It checks no secret, so it takes nothing away from the attempts that do.
        (await newcomer.PostAsync(html, "/set-up", ("Username", "helped"), ("Password", Visitor.Password))).Headers.Location!.ToString().ShouldBe("/set-up/key");
    }

    [Theory, Trait("Requirement", "A1"), Trait("Requirement", "W5")]
    [InlineData(1 << 20, true, true)]
    [InlineData(1 << 20, false, true)]
    [InlineData(1 << 20, true, false)]
    [InlineData(200_000, true, true)]
    [InlineData(200_000, false, false)]
    public async Task A_form_with_a_huge_password_is_refused_before_anything_is_made_of_it(int length, bool tokenInHeader, bool tellsLength)
    {
        using var visitor = From();
        var token = await TestServers.ApplianceHost.CsrfAsync(visitor.Client, "/sign-in");
        var before = await TracesAsync();
        var body = $"Username=huge&Password={new string('a', length)}{(tokenInHeader ? "" : "&RequestVerificationToken=" + token)}";
        var head = $"POST /sign-in HTTP/1.1\r\nHost: {host.Settings.Origin.Authority}\r\nContent-Type: application/x-www-form-urlencoded\r\nCookie: {visitor.Cookies.GetCookieHeader(host.Settings.Origin)}\r\n"
            + (tokenInHeader ? $"RequestVerificationToken: {token}\r\n" : "")
            + (tellsLength ? $"Content-Length: {body.Length}\r\n\r\n" : "Transfer-Encoding: chunked\r\n\r\n");
        (await SendAllAsync(head, tellsLength ? body : $"{body.Length:x}\r\n{body}\r\n0\r\n\r\n")).ShouldStartWith("HTTP/1.1 413 ");
        (await TracesAsync()).ShouldBe(before);
    }

    /// <summary>
    /// What the server answers to somebody who sends on, whatever happens. RFC 9110 section 15.5.14 lets a server close the connection rather than take in
    /// the rest, and Kestrel does; the answer is on its way before that. HttpClient reads nothing until all is sent and so may never see it:
    /// this client reads while it sends.
    /// </summary>
    private async Task<string> SendAllAsync(string head, string body)
    {
        await using var connection = await Probes.ConnectAsync(host);
        var answer = Probes.ReadToEndAsync(connection);
        try
        {
            await connection.WriteAsync(Encoding.ASCII.GetBytes(head));
            await connection.WriteAsync(Encoding.ASCII.GetBytes(body));
        }
        catch (IOException)
        {
            // closed meanwhile
        }
        return await answer;
    }

    [Theory, Trait("Requirement", "A1")]
    [InlineData(1025)]
    [InlineData(65_000)]
    public async Task A_password_that_is_longer_than_any_is_hashed_by_nobody(int length)
    {
        using var visitor = From();
        var before = await TracesAsync();
        (await (await visitor.PasswordAsync("huge", new string('a', length))).Content.ReadAsStringAsync()).ShouldContain("do not match");
        (await TracesAsync()).ShouldBe(before);
    }

    /// <summary>What every attempt whose password is looked at leaves behind.</summary>
    private async Task<int> TracesAsync()
    {
        await using var session = await host.Database.ForApplianceAsync(default);
        return await session.Query<Delay>().SumAsync(d => d.Failures);
    }

    private Visitor From() => new(host) { Address = new IPAddress([127, 0, 1, (byte)Interlocked.Increment(ref _address)]) };

    private async Task<Visitor> NewPersonAsync(string username)
    {
        var visitor = From();
        await visitor.SetUpAsync(await host.LinkAsync(), username, Visitor.Password);
        return visitor;
    }
}
