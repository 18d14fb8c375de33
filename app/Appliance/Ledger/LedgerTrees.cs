using Appliance.Data;
using Appliance.Teams;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Ledger;

/// <summary>The trees of the ledger, and how the appliance's own jobs enter them.</summary>
internal static class LedgerTrees
{
    /// <summary>What the appliance's own tree is called where teams are called by their reference.</summary>
    public const string ApplianceName = "appliance";

    /// <summary>A job's session in the tree's team, or outside of any for the appliance's tree.</summary>
    public static Task<TeamSession> ForTreeAsync(this Database database, Guid tree, CancellationToken cancellationToken) =>
        tree == LedgerAppend.ApplianceTree
            ? database.ForApplianceAsync(cancellationToken)
            : database.ForJobAsync(new TeamId(tree), cancellationToken);

    /// <summary>Every tree with its name: <see cref="ApplianceName"/> first, then each team's reference.</summary>
    public static async Task<IReadOnlyList<LedgerTree>> LedgerTreesAsync(this Database database, CancellationToken cancellationToken)
    {
        var trees = new List<LedgerTree> { new(LedgerAppend.ApplianceTree, ApplianceName) };
        foreach (var team in await database.AllTeamsAsync(cancellationToken))
        {
            await using var session = await database.ForJobAsync(team, cancellationToken);
            trees.Add(new LedgerTree(team.Value, await session.Query<Team>().Where(t => t.Id == team).Select(t => t.Reference).SingleAsync(cancellationToken)));
        }
        return trees;
    }
}

/// <param name="Id">A team's id, or <see cref="LedgerAppend.ApplianceTree"/>.</param>
/// <param name="Name">The team's reference, or "appliance".</param>
internal sealed record LedgerTree(Guid Id, string Name);
