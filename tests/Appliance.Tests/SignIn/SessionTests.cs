using System.Net;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn;
using Appliance.SignIn.Policy;
using Appliance.Tests.TestServers;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>Sessions on the real database, with a clock that the test moves.</summary>
public sealed class SessionTests : IAsyncLifetime
{
    private readonly MovableClock _clock = new();
    private ServiceProvider _services = null!;
    private User _anna = null!;

    private Sessions Sessions => _services.GetRequiredService<Sessions>();

    private Database Database => _services.GetRequiredService<Database>();

    public async Task InitializeAsync()
    {
        var cluster = await PostgresCluster.SharedAsync();
        var options = cluster.Options(await cluster.CreateDatabaseAsync());
        _services = new ServiceCollection()
            .AddLogging()
            .AddDatabase(options, typeof(ApplianceProgram).Assembly)
            .AddSingleton<TimeProvider>(_clock)
            .AddMailParts(new Appliance.Web.Settings { DataFolder = "unused", DatabaseHost = "unused" })
            .AddSignIn()
            .BuildServiceProvider();
        _anna = await SignedIn.PersonAsync(_services, "anna");
    }

    public async Task DisposeAsync() => await _services.DisposeAsync();

    [Fact, Trait("Requirement", "A8")]
    public async Task The_database_holds_nothing_that_opens_a_session()
    {
        var token = Value(await SignedIn.SessionAsync(_services, _anna));
        await using var session = await Database.ForApplianceAsync(default);
        var row = (await session.SqlAsync<string>($"""select row_to_json(s)::text as "Value" from sessions s""", default)).Single();
        row.ShouldNotContain(token);
        row.ShouldContain(Convert.ToHexStringLower(Token.Hash(token)));
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task The_cookie_is_bound_to_this_host_and_unreadable_for_scripts()
    {
        var http = await StartAsync();
        var cookie = http.Response.Headers.SetCookie.ToString();
        cookie.ShouldStartWith("__Host-appliance-session=");
        foreach (var attribute in new[] { "secure", "httponly", "samesite=strict", "path=/" })
        {
            cookie.ShouldContain(attribute, Case.Insensitive);
        }
        cookie.ShouldNotContain("domain", Case.Insensitive);
        cookie.ShouldNotContain("expires", Case.Insensitive);
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task An_idle_session_locks_and_the_ledger_hears_of_it_once()
    {
        var token = Value(await SignedIn.SessionAsync(_services, _anna));
        (await PersonAsync(token))!.IsLocked().ShouldBeFalse();
        _clock.Move(TimeSpan.FromMinutes(14));
        (await PersonAsync(token))!.IsLocked().ShouldBeFalse();
        _clock.Move(TimeSpan.FromMinutes(15));
        (await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => PersonAsync(token)))).ShouldAllBe(p => p!.IsLocked());
        (await LedgerAsync("session.locked")).ShouldBe(1);
        // Coming back does not open it.
        (await PersonAsync(token))!.IsLocked().ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_page_that_looks_by_itself_does_not_keep_a_session_from_locking()
    {
        var token = Value(await SignedIn.SessionAsync(_services, _anna));
        for (var minutes = 0; minutes < 14; minutes++)
        {
            (await PersonAsync(token, background: true))!.IsLocked().ShouldBeFalse();
            _clock.Move(TimeSpan.FromMinutes(1));
        }
        (await PersonAsync(token))!.IsLocked().ShouldBeFalse();
        // That was the person; from here on nobody is there.
        for (var minutes = 0; minutes < 15; minutes++)
        {
            (await PersonAsync(token, background: true))!.IsLocked().ShouldBeFalse();
            _clock.Move(TimeSpan.FromMinutes(1));
        }
        (await PersonAsync(token, background: true))!.IsLocked().ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_session_ends_after_its_lifetime_however_busy_it_is()
    {
        var token = Value(await SignedIn.SessionAsync(_services, _anna));
        for (var minutes = 0; minutes < 12 * 60; minutes += 10)
        {
            (await PersonAsync(token)).ShouldNotBeNull();
            _clock.Move(TimeSpan.FromMinutes(10));
        }
        (await PersonAsync(token)).ShouldBeNull();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_clock_that_is_set_back_does_not_lengthen_a_session()
    {
        var token = Value(await SignedIn.SessionAsync(_services, _anna));
        _clock.Move(TimeSpan.FromHours(-1));
        (await PersonAsync(token)).ShouldBeNull();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_clock_that_is_set_back_after_use_ends_the_session()
    {
        var token = Value(await SignedIn.SessionAsync(_services, _anna));
        _clock.Move(TimeSpan.FromMinutes(10));
        (await PersonAsync(token)).ShouldNotBeNull();
        _clock.Move(TimeSpan.FromMinutes(-5));
        (await PersonAsync(token)).ShouldBeNull();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_step_up_holds_for_five_minutes()
    {
        var token = Value(await SignedIn.SessionAsync(_services, _anna));
        (await PersonAsync(token))!.IsSteppedUp().ShouldBeTrue();
        _clock.Move(TimeSpan.FromMinutes(5));
        var person = await PersonAsync(token);
        person!.IsSteppedUp().ShouldBeFalse();
        person!.IsLocked().ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task Every_change_of_privilege_gives_a_new_identifier_and_voids_the_old_one()
    {
        var token = Value(await SignedIn.SessionAsync(_services, _anna));
        foreach (var change in new Func<TeamSession, HttpContext, Task>[]
                 {
                     (session, http) => Sessions.StepUpAsync(session, http, new SessionFactor(SessionFactor.App), default),
                     (session, http) => Sessions.UnlockAsync(session, http, new SessionFactor(SessionFactor.Password), default),
                     (session, http) => Sessions.RenewIdentifierAsync(session, http, default),
                 })
        {
            var http = await RequestAsync(token);
            await using (var session = await Database.ForApplianceAsync(default))
            {
                await change(session, http);
                await session.CommitAsync(default);
            }
            (await PersonAsync(token)).ShouldBeNull();
            token = Value(http.Response.Headers.SetCookie.ToString());
            (await PersonAsync(token)).ShouldNotBeNull();
        }
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task A_look_up_takes_one_round_trip()
    {
        var token = Value(await SignedIn.SessionAsync(_services, _anna));
        (await PersonAsync(token)).ShouldNotBeNull(); // a warm connection
        using var trips = new Data.RoundTrips();
        (await PersonAsync(token)).ShouldNotBeNull();
        trips.Count.ShouldBe(1);
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task What_nobody_can_use_any_more_is_swept_away_and_nothing_else()
    {
        var old = await SignedIn.SessionAsync(_services, _anna);
        await using (var session = await Database.ForApplianceAsync(default))
        {
            await MakeAsync(session);
            await session.CommitAsync(default);
        }
        _clock.Move(TimeSpan.FromDays(91));
        var fresh = await SignedIn.SessionAsync(_services, _anna);
        await using (var session = await Database.ForApplianceAsync(default))
        {
            await MakeAsync(session);
            await session.CommitAsync(default);
        }
        await Sessions.SweepAsync(default);

        (await PersonAsync(Value(old))).ShouldBeNull();
        (await PersonAsync(Value(fresh))).ShouldNotBeNull();
        await using var look = await Database.ForApplianceAsync(default);
        (await look.Query<Session>().CountAsync()).ShouldBe(1);
        (await look.Query<PendingSignIn>().CountAsync()).ShouldBe(1);
        (await look.Query<SetUpLink>().CountAsync()).ShouldBe(1);
        (await look.Query<Delay>().CountAsync()).ShouldBe(1);
        (await look.Query<Place>().CountAsync()).ShouldBe(1);
        // Twice is once.
        await Sessions.SweepAsync(default);
        (await look.Query<Session>().CountAsync()).ShouldBe(1);
    }

    private Task MakeAsync(TeamSession session)
    {
        var now = _clock.GetUtcNow();
        var key = Guid.NewGuid().ToByteArray();
        session.Add(new PendingSignIn { Id = Guid.NewGuid(), TokenHash = key, UserId = _anna.Id, CreatedAt = now, ExpiresAt = now.AddMinutes(5) });
        session.Add(new SetUpLink
        {
            Id = Guid.NewGuid(), Reference = Reference.New(), TokenHash = key, Owner = false, CreatedAt = now, ExpiresAt = now.AddDays(1), UserId = UserId.New(),
        });
        session.Add(new Delay { Key = key, Failures = 1, LastAt = now, BlockedUntil = now });
        session.Add(new Place { Key = key, UserId = _anna.Id, LastAt = now });
        return session.SaveAsync(default);
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task Signing_in_never_takes_over_the_token_that_the_browser_came_with()
    {
        var planted = Value(await SignedIn.SessionAsync(_services, await SignedIn.PersonAsync(_services, "mallory")));
        var http = await StartAsync(planted);
        Value(http.Response.Headers.SetCookie.ToString()).ShouldNotBe(planted);
        (await PersonAsync(planted)).ShouldBeNull();
    }

    [Fact, Trait("Requirement", "A8")]
    public async Task Sessions_are_listed_and_ended_singly_and_all_at_once_and_only_ones_own()
    {
        var tokens = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            tokens.Add(Value(await SignedIn.SessionAsync(_services, _anna)));
        }
        var ben = await SignedIn.PersonAsync(_services, "ben");
        var foreign = Value(await SignedIn.SessionAsync(_services, ben));
        (await Sessions.ListAsync(_anna.Id, default)).Count.ShouldBe(4);
        var foreignReference = (await Sessions.ListAsync(ben.Id, default)).Single().Reference;

        var http = await RequestAsync(tokens[0]);
        await using (var session = await Database.ForApplianceAsync(default))
        {
            (await Sessions.EndAsync(session, _anna.Id, foreignReference, http, default)).ShouldBeFalse();
            var one = await session.Query<Session>().SingleAsync(s => s.TokenHash == Token.Hash(tokens[3]));
            (await Sessions.EndAsync(session, _anna.Id, one.Reference, http, default)).ShouldBeTrue();
            await session.CommitAsync(default);
        }
        (await PersonAsync(tokens[3])).ShouldBeNull();
        (await PersonAsync(tokens[2])).ShouldNotBeNull();
        (await PersonAsync(foreign)).ShouldNotBeNull();
        await using (var session = await Database.ForApplianceAsync(default))
        {
            (await Sessions.EndOthersAsync(session, _anna.Id, http, default)).ShouldBe(2);
            await session.CommitAsync(default);
        }
        (await PersonAsync(tokens[0])).ShouldNotBeNull();
        (await PersonAsync(tokens[1])).ShouldBeNull();
        await using (var session = await Database.ForApplianceAsync(default))
        {
            await Sessions.EndThisAsync(session, http, default);
            await session.CommitAsync(default);
        }
        (await PersonAsync(tokens[0])).ShouldBeNull();
        (await PersonAsync(foreign)).ShouldNotBeNull();
        (await LedgerAsync("session.ended")).ShouldBe(4);
    }

    [Theory, Trait("Requirement", "A8")]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'")]
    public async Task A_made_up_token_is_nobodys(string token)
    {
        await SignedIn.SessionAsync(_services, _anna);
        var hash = Token.HashOf(token);
        if (hash is not null)
        {
            (await Sessions.LookUpAsync(hash, new DefaultHttpContext(), default)).ShouldBeNull();
        }
    }

    [Theory]
    [InlineData("/", true)]
    [InlineData("/files?x=1#y", true)]
    [InlineData("//evil.example", false)]
    [InlineData("/\\evil.example", false)]
    [InlineData("/\t/evil.example", false)]
    [InlineData("/\n/evil.example", false)]
    [InlineData("https://evil.example", false)]
    [InlineData("javascript:alert(1)", false)]
    [InlineData("evil", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void Only_local_paths_are_gone_back_to(string? path, bool local) => ReturnPath.IsLocal(path).ShouldBe(local);

    private async Task<System.Security.Claims.ClaimsPrincipal?> PersonAsync(string token, bool background = false)
    {
        var http = new DefaultHttpContext();
        if (background)
        {
            http.Request.Headers["Appliance-Background"] = "1";
        }
        return await Sessions.LookUpAsync(Token.Hash(token), http, default);
    }

    private async Task<HttpContext> RequestAsync(string token) => new DefaultHttpContext
    {
        RequestServices = _services,
        User = (await PersonAsync(token))!,
        Request = { Headers = { Cookie = $"{SessionCookie.Name}={token}" } },
        Connection = { RemoteIpAddress = IPAddress.Loopback },
    };

    private async Task<HttpContext> StartAsync(string? planted = null)
    {
        var http = new DefaultHttpContext { RequestServices = _services };
        if (planted is not null)
        {
            http.Request.Headers.Cookie = $"{SessionCookie.Name}={planted}";
        }
        await using var session = await Database.ForApplianceAsync(default);
        await Sessions.StartAsync(session, _anna, http, default);
        await session.CommitAsync(default);
        return http;
    }

    private async Task<int> LedgerAsync(string action)
    {
        await using var session = await Database.ForApplianceAsync(default);
        return await session.Query<LedgerEntry>().CountAsync(e => e.Action == action);
    }

    private static string Value(string cookie) => cookie.Split(';')[0][(cookie.IndexOf('=', StringComparison.Ordinal) + 1)..];
}
