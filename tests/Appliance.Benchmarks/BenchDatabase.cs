using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Benchmarks;

/// <summary>A fresh database with a person and their team, reached as the service reaches it.</summary>
internal sealed record BenchDatabase(string Name, Database Database, TeamId Team, UserId User)
{
    public static async Task<BenchDatabase> CreateAsync(PostgresCluster cluster)
    {
        var name = await cluster.CreateDatabaseAsync();
        var database = new ServiceCollection().AddDatabase(cluster.Options(name), typeof(ApplianceProgram).Assembly)
            .BuildServiceProvider().GetRequiredService<Database>();
        var user = new User { Username = "anna", UsernameKey = "ANNA", SecurityStamp = "s", ConcurrencyStamp = "c", CreatedAt = DateTimeOffset.UtcNow };
        await using (var session = await database.ForApplianceAsync(default))
        {
            session.Add(user);
            await session.CommitAsync(default);
        }
        var team = TeamId.New();
        await using (var session = await database.ForTeamAsync(team, user.Id, default))
        {
            session.Add(new Team { Id = team, Reference = Reference.New(), Name = "Team", CreatedAt = DateTimeOffset.UtcNow });
            session.Add(new Membership { TeamId = team, UserId = user.Id, Role = Membership.Owner, Since = DateTimeOffset.UtcNow, AddedBy = user.Id });
            session.Record(new LedgerEvent("team.created"), new Origin(user.Id, null));
            await session.CommitAsync(default);
        }
        return new BenchDatabase(name, database, team, user.Id);
    }
}
