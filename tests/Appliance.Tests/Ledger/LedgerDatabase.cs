using System.Diagnostics.Metrics;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Microsoft.Extensions.Logging;

namespace Appliance.Tests.Ledger;

/// <summary>A real database with people, teams and a ledger of its own, its key, and sealers to run by hand.</summary>
internal sealed class LedgerDatabase : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-ledger-").FullName;

    private LedgerDatabase(PostgresCluster cluster, string name)
    {
        Cluster = cluster;
        Name = name;
        Database = DataServices.Open(cluster.Options(name), null);
        TreeHeadSigner.Create(KeyFile);
        Keys = LedgerKeys.Open(KeyFile);
        Verification = new LedgerVerification(Database, Keys);
    }

    public PostgresCluster Cluster { get; }

    public string Name { get; }

    public string Folder => _folder;

    public string KeyFile => Path.Combine(_folder, "keys", "ledger.key") is var path && Directory.CreateDirectory(Path.GetDirectoryName(path)!).Exists ? path : "";

    public Database Database { get; }

    public LedgerKeys Keys { get; }

    public LedgerVerification Verification { get; }

    public static async Task<LedgerDatabase> CreateAsync(PostgresCluster? cluster = null)
    {
        cluster ??= await PostgresCluster.SharedAsync();
        return new LedgerDatabase(cluster, await cluster.CreateDatabaseAsync());
    }

    public LedgerSealer Sealer(ILogger<LedgerSealer>? log = null) =>
        new(Database, Keys, TimeProvider.System, new Meters(), log ?? new Lines());

    public async Task<UserId> PersonAsync(string name)
    {
        var user = new User { Username = name, UsernameKey = name.ToUpperInvariant(), SecurityStamp = "s", ConcurrencyStamp = "c", CreatedAt = DateTimeOffset.UtcNow };
        await using var session = await Database.ForApplianceAsync(default);
        session.Add(user);
        await session.CommitAsync(default);
        return user.Id;
    }

    public async Task<TeamId> TeamAsync(UserId owner)
    {
        var team = TeamId.New();
        await using var session = await Database.ForTeamAsync(team, owner, default);
        session.Add(new Team { Id = team, Reference = Reference.New(), Name = "Team", CreatedAt = DateTimeOffset.UtcNow });
        session.Add(new Membership { TeamId = team, UserId = owner, Role = Membership.Owner, Since = DateTimeOffset.UtcNow, AddedBy = owner });
        session.Record(new LedgerEvent("team.created"), new Origin(owner, null));
        await session.CommitAsync(default);
        return team;
    }

    /// <summary>One transaction that records events of these names.</summary>
    public async Task RecordAsync(TeamId team, UserId actor, params string[] actions)
    {
        await using var session = await Database.ForTeamAsync(team, actor, default);
        foreach (var action in actions)
        {
            session.Record(new LedgerEvent(action, "subject", new Dictionary<string, string?> { ["größe"] = "1 kB", ["none"] = null }), new Origin(actor, "192.0.2.1"));
        }
        await session.CommitAsync(default);
    }

    /// <summary>A team whose ledger has heads at these sizes.</summary>
    public async Task<TeamId> SealedTeamAsync(UserId owner, params int[] sizes)
    {
        var team = await TeamAsync(owner);
        var size = 1;
        var sealer = Sealer();
        foreach (var next in sizes)
        {
            await RecordAsync(team, owner, [.. Enumerable.Range(size, next - size).Select(i => $"event.{i}")]);
            size = next;
            await sealer.SealAsync(default);
        }
        return team;
    }

    public Task<LedgerReport> VerifyAsync(TeamId team, params SignedHead[] kept) => Verification.VerifyAsync(team.Value, kept, default);

    public async Task<List<T>> ReadAsync<T>(Guid tree, FormattableString sql)
    {
        await using var session = await Database.ForTreeAsync(tree, default);
        return await session.SqlAsync<T>(sql, default);
    }

    public Task<List<string>> SealedActionsAsync(Guid tree) => ReadAsync<string>(tree, $"""
        select e.action as "Value" from ledger_leaves l join ledger_entries e on e.id = l.entry_id where l.tree = {tree} order by l.index
        """);

    /// <summary>With every trigger and foreign key off, as only a superuser can.</summary>
    public Task<object?> TamperAsync(string sql) => Cluster.SuperuserAsync(Name, "set session_replication_role = replica; " + sql);

    public void Dispose()
    {
        Database.Dispose();
        Keys.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private sealed class Meters : IMeterFactory
    {
        public Meter Create(MeterOptions options) => new(options);

        public void Dispose()
        {
        }
    }
}

/// <summary>What was logged: level and text.</summary>
internal sealed class Lines : ILogger<LedgerSealer>
{
    private readonly List<(LogLevel Level, string Text)> _lines = [];

    public IReadOnlyList<(LogLevel Level, string Text)> All
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    public int Count(LogLevel level) => All.Count(l => l.Level == level);

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lines)
        {
            _lines.Add((logLevel, formatter(state, exception)));
        }
    }
}
