using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using Appliance.Files;
using Appliance.Tests.Files;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.Rekeying;

/// <summary>The real server is killed (SIGKILL) again and again while it rotates the appliance's key and a team's, and people store and read.</summary>
[Trait("Requirement", "O5"), Trait("Requirement", "T7")]
[Collection(AloneCollection.Name)]
public sealed class RekeyingKillTests : IAsyncLifetime
{
    private const int Rotations = 4;

    private readonly ConcurrentDictionary<string, byte[]> _stored = new(StringComparer.Ordinal);
    private ApplianceHost _host = null!;
    private KilledServer _server = null!;
    private volatile bool _enough;
    private int _read;

    public async Task InitializeAsync()
    {
        _host = await ApplianceHost.StartAsync();
        _server = new KilledServer(_host);
    }

    public async Task DisposeAsync()
    {
        await _server.EndAsync();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task Whenever_it_is_killed_everything_opens_and_each_rotation_comes_to_its_end_once()
    {
        using var person = await Person.NewAsync(_host);
        var reference = await person.TeamAsync();
        var files = new FilesClient(person, reference);
        for (var i = 0; i < 60; i++)
        {
            await StoreAsync(files, $"before-{i}");
        }
        var team = new TeamId((Guid)(await SqlAsync($"select id from teams where reference = '{reference}'"))!);
        await _host.StopServiceAsync();
        await _server.StartAsync(person);
        var load = new[] { LoadAsync(files, 0), LoadAsync(files, 1), ReadAsync(files) };
        var kills = 0;
        for (var rotation = 1; rotation <= Rotations; rotation++)
        {
            await SqlAsync($"select operator_rotate_keys('appliance', 'test', now()), operator_rotate_keys('{reference}', 'test', now())");
            for (var until = DateTime.UtcNow.AddSeconds(120); !(bool)(await SqlAsync("select not exists (select from key_rotations where stage in ('asked', 'starting', 'rewrapping'))"))!;)
            {
                DateTime.UtcNow.ShouldBeLessThan(until, await File.ReadAllTextAsync(_server.Log));
                // From before the job has looked at it (a second after the start) to when it should be done.
                await Task.Delay(RandomNumberGenerator.GetInt32(700, 2500));
                await _server.KillAsync();
                kills++;
                await _server.StartAsync(person);
            }
            if (load.FirstOrDefault(l => l.IsFaulted) is { } failed)
            {
                await failed;
            }
        }
        _enough = true;
        await Task.WhenAll(load);
        await _server.KillAsync();
        await _host.StartServiceAsync();

        kills.ShouldBeGreaterThanOrEqualTo(Rotations);
        _read.ShouldBeGreaterThan(20);
        _host.Services.GetRequiredService<TeamKeys>().StateOf(team).ShouldBe(new TeamKeyState(Rotations + 1, Rotations + 1));
        _host.Services.GetRequiredService<FileKeyProvider>().Generations.Count.ShouldBe(Rotations + 1);
        foreach (var (entry, content) in _stored)
        {
            (await files.BytesAsync(entry)).AsSpan().SequenceEqual(content).ShouldBeTrue();
        }
        // Only what wrote while keys changed may be under an older one: a look at all, as the job does it before it destroys those.
        var objects = _host.Services.GetRequiredService<Appliance.Objects.SealedObjects>();
        var last = await objects.RewrapAsync(team, null, _ => Task.FromResult(true), default);
        (last.Ended, last.Damaged.Count, last.Unreadable.Count).ShouldBe((true, 0, 0));
        _host.Services.GetRequiredService<TeamKeys>().DestroySuperseded(team, DateTimeOffset.MaxValue).ShouldBe(1);
        foreach (var (entry, content) in _stored)
        {
            (await files.BytesAsync(entry)).AsSpan().SequenceEqual(content).ShouldBeTrue();
        }
        (await ObjectsCheck.RunAsync(_host.Services, TextWriter.Null, default)).ShouldBe(0);
        Console.WriteLine($"{kills} kills during {Rotations} rotations of both keys; {_stored.Count} files stored, {_read} read meanwhile; 0 lost.");
    }

    private async Task StoreAsync(FilesClient files, string name)
    {
        var content = RandomNumberGenerator.GetBytes(RandomNumberGenerator.GetInt32(1, 300_000));
        _stored[await files.FileAsync(name, content)] = content;
    }

    private async Task LoadAsync(FilesClient files, int who)
    {
        for (var n = 0; !_enough; n++)
        {
            var content = RandomNumberGenerator.GetBytes(RandomNumberGenerator.GetInt32(1, 300_000));
            await UnlessKilledAsync(async () =>
            {
                using var answer = await files.AnswerAsync(HttpMethod.Post, FilesClient.FilePath($"{who}-{n}"), content);
                if (answer.StatusCode == HttpStatusCode.Created)
                {
                    _stored[System.Text.Json.JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("reference").GetString()!] = content;
                }
                else
                {
                    ((int)answer.StatusCode).ShouldBeOneOf(429, 503);
                }
            });
            await Task.Delay(100);
        }
    }

    private async Task ReadAsync(FilesClient files)
    {
        while (!_enough)
        {
            var (entry, content) = _stored.ElementAt(RandomNumberGenerator.GetInt32(_stored.Count));
            await UnlessKilledAsync(async () =>
            {
                using var answer = await files.AnswerAsync(HttpMethod.Get, $"/entries/{entry}/content");
                if (answer.StatusCode == HttpStatusCode.OK)
                {
                    (await answer.Content.ReadAsByteArrayAsync()).AsSpan().SequenceEqual(content).ShouldBeTrue();
                    _read++;
                }
                else
                {
                    ((int)answer.StatusCode).ShouldBeOneOf(429, 503);
                }
            });
            await Task.Delay(50);
        }
    }

    private static async Task UnlessKilledAsync(Func<Task> request)
    {
        try
        {
            await request();
        }
        catch (Exception error) when (error is HttpRequestException or IOException or TaskCanceledException)
        {
            await Task.Delay(100); // killed
        }
    }

    private Task<object?> SqlAsync(string sql) => _host.Cluster.SuperuserAsync(_host.Settings.DatabaseName, sql);
}
