using Appliance.Data;
using Appliance.Teams.Groups;

namespace Appliance.Files;

/// <summary>Says early, and in words, what the database's policies would refuse: that somebody may not change what lies in a top-level folder.</summary>
internal static class FolderLevel
{
    /// <summary>For whoever puts something into a folder.</summary>
    /// <param name="session">In the team.</param>
    /// <param name="path">The folders on the way there, from the root; empty for the root.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="FileRuleException">They may not.</exception>
    public static async Task RequireWriteAsync(TeamSession session, IReadOnlyList<FolderStep> path, CancellationToken cancellationToken)
    {
        Guid? top = path is [var first, ..] ? first.Id : null;
        Require((Level)(await session.SqlAsync<int>($"""select app_level({top}::uuid) as "Value" """, cancellationToken)).Single(), Level.Write);
    }

    /// <summary>For whoever changes these: a top-level folder itself takes more than what is in it.</summary>
    /// <exception cref="FileRuleException">They may not.</exception>
    public static void RequireChange(IReadOnlyList<LockedEntry> entries)
    {
        foreach (var entry in entries)
        {
            Require(entry.Level, entry is { IsFolder: true, ParentId: null } ? Level.Manage : Level.Write);
        }
    }

    /// <summary>For whoever deletes these for good.</summary>
    /// <exception cref="FileRuleException">They may not.</exception>
    public static void RequireManage(IReadOnlyList<LockedEntry> entries)
    {
        foreach (var entry in entries)
        {
            Require(entry.Level, Level.Manage);
        }
    }

    private static void Require(Level has, Level needed)
    {
        if (has < needed)
        {
            throw FileRuleException.NotAllowed(needed);
        }
    }
}
