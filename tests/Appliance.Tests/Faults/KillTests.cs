using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using Appliance.Files;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Appliance.Tests.Tus;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Faults;

/// <summary>
/// Invariant 3, attacked: the real server and the real PostgreSQL are killed (SIGKILL) again and again while files are being uploaded.
/// </summary>
[Trait("Requirement", "F2"), Trait("Requirement", "T7")]
[Collection(AloneCollection.Name)]
public sealed class KillTests : IAsyncLifetime
{
    /// <summary>At least 100; fewer only while working on the test itself (APPLIANCE_TEST_KILLS, which the product does not know).</summary>
    private static readonly int Kills = int.TryParse(Environment.GetEnvironmentVariable("APPLIANCE_TEST_KILLS"), out var kills) ? kills : 100;

    /// <summary>Half of them resumable (tus), half in one request (the JSON API).</summary>
    private const int Uploaders = 4;

    /// <summary>What each file may hold: what was acknowledged last, and what was sent since, of which nobody knows.</summary>
    private readonly ConcurrentDictionary<string, ConcurrentBag<string>> _announced = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _acknowledged = new(StringComparer.Ordinal);
    private PostgresCluster _cluster = null!;
    private ApplianceHost _host = null!;
    private KilledServer _server = null!;
    private volatile bool _enough;
    private int _resumed;
    private int _stored;
    private int _replaced;
    private int _unknown;
    private TimeSpan _warmUp;
    private volatile string _last = "none";

    public async Task InitializeAsync()
    {
        _cluster = await PostgresCluster.StartAsync();
        _host = await ApplianceHost.StartAsync(cluster: _cluster);
        _server = new KilledServer(_host, "DOTNET_TieredPGO=0");
    }

    public async Task DisposeAsync()
    {
        await _server.EndAsync();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task Whatever_is_killed_when_what_was_acknowledged_is_there_bit_for_bit()
    {
        using var person = await Person.NewAsync(_host);
        var team = await person.TeamAsync();
        await _host.StopServiceAsync();
        await StartServerAsync(person);

        var uploading = Enumerable.Range(0, Uploaders).Select(i => i % 2 == 0 ? UploadAsync(person, team, i) : StoreAsync(person, team, i)).ToList();
        var (servers, databases) = (0, 0);
        while (servers + databases < Kills)
        {
            // On a busy machine everything takes longer: as long as a first request took, a few times over, so that there is something to kill.
            await Task.Delay(RandomNumberGenerator.GetInt32(20, 300 + 3 * (int)_warmUp.TotalMilliseconds));
            if (RandomNumberGenerator.GetInt32(3) > 0)
            {
                servers++;
                await _server.KillAsync();
                await StartServerAsync(person);
            }
            else
            {
                databases++;
                await _cluster.KillAsync();
                await _cluster.StartServerAsync();
            }
            if (uploading.Find(u => u.IsFaulted) is { } failed)
            {
                await failed;
            }
        }
        _enough = true;
        await Task.WhenAll(uploading);

        _acknowledged.Count.ShouldBeGreaterThan(Uploaders);
        _resumed.ShouldBeGreaterThan(Kills / 8);
        // Killed in the middle of requests, too, and not only between them.
        _stored.ShouldBeGreaterThan(0);
        _replaced.ShouldBeGreaterThan(0);
        _unknown.ShouldBeGreaterThan(0);
        var listed = await ListAsync(person, team);
        // All that was acknowledged, and nothing half-written: whatever shows is whole.
        _acknowledged.Keys.ShouldBeSubsetOf(listed.Select(e => e.Name));
        var total = 0L;
        foreach (var (name, reference) in listed)
        {
            var content = await person.DownloadAsync(team, reference);
            _announced[name].ShouldContain(Hash(content), name);
            total += content.Length;
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Kills: {servers} of the server, {databases} of PostgreSQL; {_acknowledged.Count} files acknowledged, {listed.Count} there ({total} bytes), {_resumed} resumptions; {_stored} stored and {_replaced} replaced in one request, {_unknown} of them cut off; 0 lost."));
        await _server.KillAsync();
        await _host.StartServiceAsync();
        var report = new StringWriter();
        (await ObjectsCheck.RunAsync(_host.Services, report, default)).ShouldBe(0, report.ToString());
    }

    /// <summary>A client as tus wants it: on any failure it asks where the upload stands and goes on from there.</summary>
    private async Task UploadAsync(Person person, string team, int uploader)
    {
        var tus = new TusClient(person, team);
        for (var n = 0; !_enough; n++)
        {
            var bytes = RandomNumberGenerator.GetBytes(RandomNumberGenerator.GetInt32(1, 3_000_000));
            var name = $"{uploader}-{n}.bin";
            _announced[name] = [Hash(bytes)];
            var upload = await TriedAsync(async () =>
            {
                using var made = await tus.CreateAnswerAsync(name, bytes.Length);
                _last = $"creation: {made.StatusCode}";
                return made.StatusCode == HttpStatusCode.Created ? made.Headers.Location!.ToString() : null;
            });
            for (long stands = 0; stands < bytes.Length;)
            {
                stands = await SendAsync(tus, upload, bytes, stands);
            }
            _acknowledged[name] = true;
        }
    }

    /// <summary>
    /// A program that knows no resumption: POST makes a file, PUT gives it a new version, small and large in turn (one transaction, or several objects).
    /// Without an answer it knows nothing: the file must then hold the old bytes or the new, whole, and be there or not.
    /// </summary>
    private async Task StoreAsync(Person person, string team, int uploader)
    {
        for (var n = 0; !_enough; n++)
        {
            var name = $"{uploader}-{n}.bin";
            var bytes = RandomBytes(n);
            _announced[name] = [Hash(bytes)];
            if (await SendWholeAsync(person, HttpMethod.Post, $"/api/v1/teams/{team}/files?name={name}", bytes, HttpStatusCode.Created) is not { } entry)
            {
                continue; // another name: whether this one is there shows at the end
            }
            Interlocked.Increment(ref _stored);
            _acknowledged[name] = true;
            var next = RandomBytes(n + 1);
            _announced[name].Add(Hash(next));
            if (await SendWholeAsync(person, HttpMethod.Put, $"/api/v1/teams/{team}/entries/{entry}/content", next, HttpStatusCode.OK) is not null)
            {
                Interlocked.Increment(ref _replaced);
                _announced[name] = [Hash(next)];
            }
        }
    }

    private static byte[] RandomBytes(int turn) => RandomNumberGenerator.GetBytes(RandomNumberGenerator.GetInt32(1, turn % 2 == 0 ? 200_000 : 3_000_000));

    /// <summary>Answers the entry's reference where it was acknowledged, null where nobody knows.</summary>
    private async Task<string?> SendWholeAsync(Person person, HttpMethod method, string address, byte[] bytes, HttpStatusCode acknowledged)
    {
        var body = new Slow(bytes);
        try
        {
            using var request = new HttpRequestMessage(method, address) { Content = body };
            using var answer = await person.Http.SendAsync(request);
            if (answer.StatusCode == acknowledged)
            {
                return JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("reference").GetString();
            }
            ((int)answer.StatusCode).ShouldBeOneOf(429, 500, 503);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or TaskCanceledException)
        {
            // Killed.
        }
        if (body.Begun) // and not only refused because nothing listens
        {
            Interlocked.Increment(ref _unknown);
        }
        await Task.Delay(100);
        return null;
    }

    private static string Hash(byte[] bytes) => Convert.ToHexString(SHA256.HashData(bytes));

    private async Task<long> SendAsync(TusClient tus, string upload, byte[] bytes, long stands)
    {
        var size = (int)Math.Min(bytes.Length - stands, RandomNumberGenerator.GetInt32(1, 2_000_000));
        try
        {
            using var answer = await tus.PatchAsync(upload, stands, new Slow(bytes.AsMemory((int)stands, size)));
            if (answer.StatusCode == HttpStatusCode.NoContent)
            {
                TusClient.Offset(answer).ShouldBeGreaterThanOrEqualTo(stands);
                return TusClient.Offset(answer);
            }
            ((int)answer.StatusCode).ShouldBeOneOf(409, 423, 429, 500, 503);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or TaskCanceledException)
        {
            // Killed.
        }
        Interlocked.Increment(ref _resumed);
        var now = await TriedAsync(async () =>
        {
            using var head = await tus.HeadAsync(upload);
            _last = $"offset: {head.StatusCode}";
            // An acknowledged upload is never forgotten.
            head.StatusCode.ShouldNotBe(HttpStatusCode.NotFound);
            head.StatusCode.ShouldNotBe(HttpStatusCode.Gone);
            return head.StatusCode == HttpStatusCode.OK ? (long?)TusClient.Offset(head) : null;
        });
        // And an acknowledged offset never goes back.
        now.ShouldNotBeNull();
        now.Value.ShouldBeGreaterThanOrEqualTo(stands);
        return now.Value;
    }

    private async Task<T> TriedAsync<T>(Func<Task<T?>> attempt)
    {
        for (var until = DateTime.UtcNow.AddSeconds(120); ;)
        {
            try
            {
                if (await attempt() is { } done)
                {
                    return done;
                }
            }
            catch (Exception error) when (error is HttpRequestException or IOException or TaskCanceledException)
            {
                _last = error.Message; // killed, or not up again yet
            }
            DateTime.UtcNow.ShouldBeLessThan(until, $"The service did not come back; its last answer was {_last}.");
            await Task.Delay(100);
        }
    }

    private Task<IReadOnlyList<(string Name, string Reference)>> ListAsync(Person person, string team) =>
        TriedAsync(async () => (await person.ListAllAsync(team)) is { Count: > 0 } listed ? listed : null);

    private async Task StartServerAsync(Person person)
    {
        await _server.StartAsync(person);
        var begin = Stopwatch.GetTimestamp();
        using var first = await person.Http.GetAsync("/teams");
        _warmUp = Stopwatch.GetElapsedTime(begin);
    }

    /// <summary>A body that takes its time, so that there is something to kill.</summary>
    private sealed class Slow(ReadOnlyMemory<byte> bytes) : HttpContent
    {
        private const int Piece = 100_000;

        public bool Begun { get; private set; }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            Begun = true;
            for (var at = 0; at < bytes.Length; at += Piece)
            {
                await stream.WriteAsync(bytes[at..Math.Min(bytes.Length, at + Piece)]);
                await stream.FlushAsync();
                await Task.Delay(RandomNumberGenerator.GetInt32(60));
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = bytes.Length;
            return true;
        }
    }
}
