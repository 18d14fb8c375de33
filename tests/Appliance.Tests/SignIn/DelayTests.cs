using System.Net;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>Growing delays on the real database, with a clock that the test moves.</summary>
public sealed class DelayTests : IAsyncLifetime
{
    private readonly MovableClock _clock = new() { StandsStill = true };
    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-delay-").FullName;
    private ServiceProvider _services = null!;
    private FileKeyProvider _key = null!;
    private Delays _delays = null!;

    private Database Database => _services.GetRequiredService<Database>();

    public async Task InitializeAsync()
    {
        var cluster = await PostgresCluster.SharedAsync();
        _services = new ServiceCollection().AddLogging()
            .AddDatabase(cluster.Options(await cluster.CreateDatabaseAsync()), typeof(ApplianceProgram).Assembly)
            .AddSingleton<TimeProvider>(_clock).BuildServiceProvider();
        var file = Path.Combine(_folder, "key");
        FileKeyProvider.Create(file);
        _key = FileKeyProvider.Open(file);
        _delays = new Delays(Database, new BlobProtector(_key), _clock);
    }

    public async Task DisposeAsync()
    {
        await _services.DisposeAsync();
        _key.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Six digits, three of them right at any moment: what guesses are left in a day hit with a chance of one in ten thousand.</summary>
    [Fact, Trait("Requirement", "A4"), Trait("Requirement", "A11")]
    public async Task Codes_of_six_digits_are_guessed_about_once_an_hour_however_many_addresses_guess()
    {
        var (guesses, day) = (0, TimeSpan.Zero);
        for (var address = 1; day < TimeSpan.FromDays(8); address++)
        {
            var wait = await ChargeAsync(_delays.For("GUESSED", From($"2001:db8:{address:x}::1"), guessable: true));
            guesses += wait == TimeSpan.Zero ? 1 : 0;
            _clock.Move(wait + TimeSpan.FromMilliseconds(5));
            day += wait + TimeSpan.FromMilliseconds(5);
        }
        guesses.ShouldBeInRange(10, 22 + (8 * 24) + 2);
        // Resting for half an hour, after which other failures count half, brings nothing.
        _clock.Move(TimeSpan.FromMinutes(90));
        (await ChargeAsync(_delays.For("GUESSED", From("198.51.100.1"), guessable: true))).ShouldBe(TimeSpan.Zero);
        (await ChargeAsync(_delays.For("GUESSED", From("198.51.100.2"), guessable: true))).ShouldBeGreaterThan(TimeSpan.FromMinutes(30));
        // Passwords and keys have limits of their own.
        (await ChargeAsync(_delays.For("GUESSED", From("198.51.100.3")))).ShouldBeLessThan(TimeSpan.FromMinutes(2));
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task Delays_double_after_three_failures_and_stop_at_fifteen_minutes()
    {
        var keys = _delays.For("ANNA", From("192.0.2.1"));
        for (var i = 0; i < 3; i++)
        {
            (await ChargeAsync(keys)).ShouldBe(TimeSpan.Zero);
        }
        foreach (var seconds in new[] { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900 })
        {
            var wait = await ChargeAsync(keys);
            wait.ShouldBeInRange(TimeSpan.FromSeconds(seconds - 1), TimeSpan.FromSeconds(seconds));
            _clock.Move(wait + TimeSpan.FromMilliseconds(5));
            (await ChargeAsync(keys)).ShouldBe(TimeSpan.Zero);
        }
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task Attempts_during_a_delay_do_not_lengthen_it()
    {
        var keys = _delays.For("ANNA", From("192.0.2.1"));
        for (var i = 0; i < 4; i++)
        {
            await ChargeAsync(keys);
        }
        var end = _clock.GetUtcNow() + await ChargeAsync(keys);
        while (_clock.GetUtcNow() < end)
        {
            (_clock.GetUtcNow() + await ChargeAsync(keys)).ShouldBe(end);
            _clock.Move(TimeSpan.FromMilliseconds(25));
        }
        (await ChargeAsync(keys)).ShouldBe(TimeSpan.Zero);
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task Many_attempts_at_once_count_as_many()
    {
        var keys = _delays.For("ANNA", From("192.0.2.1"));
        var waits = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => ChargeAsync(keys)));
        waits.Count(w => w == TimeSpan.Zero).ShouldBe(3);
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task An_address_is_slowed_down_whatever_names_it_tries_and_others_are_not()
    {
        var waits = new List<TimeSpan>();
        for (var i = 0; i < 14; i++)
        {
            waits.Add(await ChargeAsync(_delays.For($"NAME{i}", From("192.0.2.1"))));
        }
        waits.Take(10).ShouldAllBe(w => w == TimeSpan.Zero);
        waits.Skip(10).ShouldAllBe(w => w > TimeSpan.Zero);
        (await ChargeAsync(_delays.For("NAME0", From("192.0.2.2")))).ShouldBe(TimeSpan.Zero);
        // One customer's IPv6 network is one address.
        for (var i = 0; i < 10; i++)
        {
            await ChargeAsync(_delays.For($"NAME{i}", From($"2001:db8::{i + 1:x}")));
        }
        (await ChargeAsync(_delays.For("NAME9", From("2001:db8::ffff")))).ShouldBeGreaterThan(TimeSpan.Zero);
        (await ChargeAsync(_delays.For("NAME9", From("2001:db8:0:1::1")))).ShouldBe(TimeSpan.Zero);
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task A_crowd_cannot_keep_a_person_out_of_their_own_account()
    {
        var anna = await SignedIn.PersonAsync(_services, "anna");
        var home = _delays.For("ANNA", From("198.51.100.7"));
        await ChargeAsync(home);
        await using (var session = await Database.ForApplianceAsync(default))
        {
            await _delays.ForgiveAsync(session, home, anna.Id, default);
            await session.CommitAsync(default);
        }
        for (var i = 0; i < 60; i++)
        {
            var wait = await ChargeAsync(_delays.For("ANNA", From($"203.0.113.{i}")));
            wait.ShouldBeLessThanOrEqualTo(TimeSpan.FromMinutes(1));
            _clock.Move(wait + TimeSpan.FromMilliseconds(5));
        }
        await ChargeAsync(_delays.For("ANNA", From("203.0.113.200")));
        (await ChargeAsync(_delays.For("ANNA", From("203.0.113.201")))).ShouldBeGreaterThan(TimeSpan.Zero);
        (await ChargeAsync(home)).ShouldBe(TimeSpan.Zero);
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task Failures_are_forgotten_with_time_and_a_right_attempt_is_refunded()
    {
        var keys = _delays.For("ANNA", From("192.0.2.1"));
        for (var i = 0; i < 6; i++)
        {
            _clock.Move(await ChargeAsync(keys) + TimeSpan.FromMilliseconds(5));
        }
        _clock.Move(TimeSpan.FromHours(3));
        for (var i = 0; i < 3; i++)
        {
            (await ChargeAsync(keys)).ShouldBe(TimeSpan.Zero);
        }
        var others = _delays.For("BEN", From("192.0.2.9"));
        for (var i = 0; i < 20; i++)
        {
            (await ChargeAsync(others)).ShouldBe(TimeSpan.Zero);
            await using var session = await Database.ForApplianceAsync(default);
            await _delays.RefundAsync(session, others, default);
            await session.CommitAsync(default);
        }
    }

    [Fact, Trait("Requirement", "A11")]
    public async Task A_clock_that_is_set_back_keeps_nobody_out()
    {
        var keys = _delays.For("ANNA", From("192.0.2.1"));
        for (var i = 0; i < 6; i++)
        {
            await ChargeAsync(keys);
        }
        _clock.Move(TimeSpan.FromHours(-2));
        (await ChargeAsync(keys)).ShouldBe(TimeSpan.Zero);
    }

    private async Task<TimeSpan> ChargeAsync(Delays.Keys keys) => (await _delays.ChargeAsync(keys, default)).Wait;

    private static DefaultHttpContext From(string address) => new() { Connection = { RemoteIpAddress = IPAddress.Parse(address) } };
}
