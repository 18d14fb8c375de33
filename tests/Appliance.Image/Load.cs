using System.Collections.Concurrent;
using System.Security.Cryptography;
using Appliance.Tests.TestServers;
using Shouldly;

namespace Appliance.Image;

/// <summary>Writers that upload one small file after the other until told to end, and remember what was acknowledged.</summary>
internal sealed class Load : IAsyncDisposable
{
    private readonly RemotePerson _person;
    private readonly string _team;
    private readonly ConcurrentDictionary<string, byte[]> _acknowledged = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<int?> _refusals = [];
    private readonly CancellationTokenSource _end = new();
    private readonly Task[] _writers;

    public Load(RemotePerson person, string team)
    {
        (_person, _team) = (person, team);
        var run = Guid.NewGuid().ToString("N")[..6];
        _writers = [.. Enumerable.Range(0, 3).Select(writer => Task.Run(() => WriteAsync($"{run}-{writer}")))];
    }

    public int Acknowledged => _acknowledged.Count;

    /// <summary>The status of each request that was refused; null where there was no answer.</summary>
    public IReadOnlyCollection<int?> Refusals => _refusals;

    /// <summary>Until so many more are acknowledged.</summary>
    public async Task MoreAsync(int files)
    {
        var (before, until) = (Acknowledged, DateTime.UtcNow.AddMinutes(2));
        while (Acknowledged < before + files)
        {
            DateTime.UtcNow.ShouldBeLessThan(until, $"it does not take uploads again: {Said()}");
            await Task.WhenAny(Task.Delay(100), Task.WhenAny(_writers));
            _writers.Where(writer => writer.IsFaulted).ToList().ForEach(writer => writer.GetAwaiter().GetResult());
        }
    }

    /// <summary>Answers what happened, for the test's output.</summary>
    public async Task<string> EndAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_writers);
        return Said();
    }

    public async Task NothingIsLostAsync()
    {
        Acknowledged.ShouldBeGreaterThan(10);
        foreach (var (file, content) in _acknowledged)
        {
            (await ReadAsync(file)).ShouldBe(content);
        }
    }

    /// <summary>Asked for one after the other, many files are more than a person may ask for in a second: it waits, as it is told to.</summary>
    private async Task<byte[]> ReadAsync(string file)
    {
        for (var times = 0; ; times++)
        {
            try
            {
                return await _person.DownloadAsync(_team, file);
            }
            catch (HttpRequestException e) when (e.StatusCode == System.Net.HttpStatusCode.TooManyRequests && times < 20)
            {
                await Task.Delay(TimeSpan.FromSeconds(1));
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_writers).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private string Said() =>
        $"{Acknowledged} files acknowledged, {_refusals.Count} requests refused: {string.Join(", ", _refusals.GroupBy(r => r).Select(g => $"{g.Key?.ToString() ?? "no answer"} {g.Count()}"))}";

    private async Task WriteAsync(string name)
    {
        for (var number = 0; !_end.IsCancellationRequested; number++)
        {
            var content = RandomNumberGenerator.GetBytes(20_000);
            try
            {
                _acknowledged[await _person.UploadAsync(_team, $"{name}-{number}.bin", content)] = content;
                // Less than a person may send in a second, on whatever machine: what is looked for here is not the limit.
                await Task.Delay(100);
            }
            catch (HttpRequestException refused)
            {
                _refusals.Add((int?)refused.StatusCode);
                await Task.Delay(200);
            }
        }
    }
}
