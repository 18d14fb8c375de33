using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Teams.Groups;

/// <summary>What somebody may do with what lies in one top-level folder. Each level holds those below it.</summary>
public enum Level
{
    /// <summary>It is not there for them.</summary>
    None,

    /// <summary>List, find, preview and download.</summary>
    Read,

    /// <summary>Upload, rename, move, put into the trash and bring back, restore versions.</summary>
    Write,

    /// <summary>Delete for good; rename, move and trash the top-level folder itself.</summary>
    Manage,
}

/// <summary>The permissions that a group can give beside folders.</summary>
public static class Permission
{
    /// <summary>Offer places in the team and invite by mail.</summary>
    public const string Invite = "invite";

    /// <summary>Read, verify and export the team's ledger; only with <see cref="Level.Read"/> for everything, because it names what is in each folder.</summary>
    public const string Ledger = "ledger";

    /// <summary>Share by link what one may read, unless the team's policy forbids links.</summary>
    public const string Links = "links";

    public static IReadOnlyList<string> All { get; } = [Invite, Ledger, Links];
}

/// <summary>Some of a team's members, and what they may. There are no groups of groups, so there are no cycles.</summary>
public sealed class TeamGroup : ITeamOwned
{
    public required TeamId TeamId { get; init; }

    public required Guid Id { get; init; }

    /// <summary>What addresses call it: <see cref="Data.Reference"/>, or "everyone".</summary>
    public required string Reference { get; init; }

    public required string Name { get; init; }

    public required string NameKey { get; init; }

    /// <summary>The one group that all members are in. It cannot be deleted.</summary>
    public bool Everyone { get; init; }

    /// <summary>For files beside the top-level folders, and for making such folders.</summary>
    public required Level AtTop { get; init; }

    /// <summary>For each top-level folder that the group has no line for, those of later included.</summary>
    public required Level Others { get; init; }

    /// <summary>Some of <see cref="Permission.All"/>.</summary>
    public required string[] Permissions { get; init; }

    /// <summary>1, and one more with every change.</summary>
    public required long Revision { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public UserId? CreatedBy { get; init; }
}

/// <summary>A member in a group.</summary>
public sealed class TeamGroupMember : ITeamOwned
{
    public required TeamId TeamId { get; init; }

    public required Guid GroupId { get; init; }

    public required UserId UserId { get; init; }

    public required DateTimeOffset Since { get; init; }

    public required UserId AddedBy { get; init; }
}

/// <summary>What a group may in one top-level folder.</summary>
public sealed class TeamGroupFolder : ITeamOwned
{
    public required TeamId TeamId { get; init; }

    public required Guid GroupId { get; init; }

    public required Guid FolderId { get; init; }

    public required Level Level { get; init; }
}

internal sealed class GroupsConfiguration :
    IEntityTypeConfiguration<TeamGroup>, IEntityTypeConfiguration<TeamGroupMember>, IEntityTypeConfiguration<TeamGroupFolder>
{
    public void Configure(EntityTypeBuilder<TeamGroup> builder)
    {
        builder.ToTable("team_groups");
        builder.HasKey(g => new { g.TeamId, g.Id });
        builder.Property(g => g.AtTop).HasConversion<short>();
        builder.Property(g => g.Others).HasConversion<short>();
    }

    public void Configure(EntityTypeBuilder<TeamGroupMember> builder)
    {
        builder.ToTable("team_group_members");
        builder.HasKey(m => new { m.TeamId, m.GroupId, m.UserId });
    }

    public void Configure(EntityTypeBuilder<TeamGroupFolder> builder)
    {
        builder.ToTable("team_group_folders");
        builder.HasKey(f => new { f.TeamId, f.GroupId, f.FolderId });
        builder.Property(f => f.Level).HasConversion<short>();
    }
}
