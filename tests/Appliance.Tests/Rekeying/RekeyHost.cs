using System.Net;
using Appliance.Objects;
using Appliance.Objects.Disk;
using Appliance.Rekeying;
using Appliance.Tests.Admin;
using Appliance.Tests.Files;
using Appliance.Tests.Teams;
using Appliance.Vault;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.Rekeying;

/// <summary>Rotations happen when the test says so; the old generation of a team's key stays for nothing.</summary>
public class RekeyHost : OperatorHost
{
    public static async Task<RekeyHost> StartAsync()
    {
        var host = new RekeyHost();
        await host.InitializeAsync();
        return host;
    }

    internal RekeyingLimits Limits { get; set; } = new() { Interval = TimeSpan.FromHours(1), KeepTeamKeys = TimeSpan.Zero, SecondLook = TimeSpan.Zero, BytesPerSecond = long.MaxValue };

    internal KeyRotations Rotations => Services.GetRequiredService<KeyRotations>();

    public TeamKeys Keys => Services.GetRequiredService<TeamKeys>();

    public FileKeyProvider Provider => Services.GetRequiredService<FileKeyProvider>();

    /// <summary>A copy of the key folder, as a backup or a thief has it.</summary>
    public string CopyKeys()
    {
        var copy = Directory.CreateTempSubdirectory("appliance-keys-").FullName;
        CopyFolder(Settings.KeyFolder, copy);
        return copy;
    }

    public static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.GetFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }
        foreach (var folder in Directory.GetDirectories(from))
        {
            CopyFolder(folder, Path.Combine(to, Path.GetFileName(folder)));
        }
    }

    public async Task RunAsync()
    {
        while (await Rotations.TurnAsync(default))
        {
            // Until nothing is left to do.
        }
    }

    public async Task<TeamId> TeamIdAsync(string reference) => new((Guid)(await SqlAsync($"select id from teams where reference = '{reference}'"))!);

    public Task<object?> SqlAsync(string sql) => Cluster.SuperuserAsync(Settings.DatabaseName, sql);

    public async Task<string?> StageAsync(TeamId? team = null) =>
        (string?)await SqlAsync($"select stage from key_rotations where team_id is not distinct from {(team is { } t ? $"'{t}'" : "null")} order by asked_at desc limit 1");

    /// <summary>While true, the store takes no object in another's place: it fails at the last moment.</summary>
    public bool StoreFails { get; set; }

    protected override void Adapt(WebApplicationBuilder builder) =>
        builder.Services.AddSingleton(Limits).AddSingleton<IObjectStore>(_ => new FailingStore(new DiskStore(Settings.ObjectFolder), () => StoreFails));

    /// <summary>The real store, with replacing that fails when the test says so.</summary>
    private sealed class FailingStore(DiskStore store, Func<bool> fails) : IObjectStore, IDisposable
    {
        public Task PrepareAsync(CancellationToken cancellation) => store.PrepareAsync(cancellation);

        public Task CheckReachableAsync(CancellationToken cancellation) => store.CheckReachableAsync(cancellation);

        public Task<IObjectWrite> BeginWriteAsync(ObjectKey key, CancellationToken cancellation) => store.BeginWriteAsync(key, cancellation);

        public async Task<IObjectWrite> BeginReplaceAsync(ObjectKey key, CancellationToken cancellation) => new FailingWrite(await store.BeginReplaceAsync(key, cancellation), fails);

        public Task<StoredRange> ReadAsync(ObjectKey key, long offset, long count, CancellationToken cancellation) => store.ReadAsync(key, offset, count, cancellation);

        public Task<StoredObject?> StatAsync(ObjectKey key, CancellationToken cancellation) => store.StatAsync(key, cancellation);

        public Task DeleteAsync(ObjectKey key, CancellationToken cancellation) => store.DeleteAsync(key, cancellation);

        public IAsyncEnumerable<StoredObject> ListAsync(TeamId team, ObjectId? after, CancellationToken cancellation) => store.ListAsync(team, after, cancellation);

        public Task<int> AbortStaleWritesAsync(TeamId team, DateTimeOffset before, CancellationToken cancellation) => store.AbortStaleWritesAsync(team, before, cancellation);

        public void Dispose() => store.Dispose();
    }

    private sealed class FailingWrite(IObjectWrite write, Func<bool> fails) : IObjectWrite
    {
        public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation) => write.WriteAsync(bytes, cancellation);

        public Task CompleteAsync(ReadOnlyMemory<byte> rest, CancellationToken cancellation) =>
            fails() ? throw new StoreUnavailableException("The test says so.") : write.CompleteAsync(rest, cancellation);

        public ValueTask DisposeAsync() => write.DisposeAsync();
    }

    public static async Task<(string Reference, FilesClient Files)> TeamAsync(Person person)
    {
        var reference = await person.TeamAsync();
        return (reference, new FilesClient(person, reference));
    }

    public async Task AskAsync(string what)
    {
        using var client = Operator(Ada);
        using var answer = await client.PostAsync($"/admin/v1/keys/{what}/rotate", null);
        answer.StatusCode.ShouldBe(HttpStatusCode.Accepted, await answer.Content.ReadAsStringAsync());
    }

    public async Task<string[]> ActionsAsync(Guid tree) =>
        (string[])(await SqlAsync($"select coalesce(array_agg(action order by id), array[]::text[]) from ledger_entries where tree = '{tree}' and action like 'keys.%'"))!;
}
