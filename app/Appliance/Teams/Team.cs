using Appliance.Accounts;
using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Teams;

/// <summary>A tenancy, isolated from every other by the database and by its own key.</summary>
public sealed class Team : IVisibleToItsUser
{
    public required TeamId Id { get; init; }

    TeamId ITeamOwned.TeamId => Id;

    /// <summary>What the outside may know of the team: <see cref="Data.Reference"/>.</summary>
    public required string Reference { get; init; }

    public required string Name { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A user in a team.</summary>
public sealed class Membership : IVisibleToItsUser
{
    public required TeamId TeamId { get; init; }

    public required UserId UserId { get; init; }

    /// <summary><see cref="Owner"/> or <see cref="Member"/>.</summary>
    public required string Role { get; set; }

    public required DateTimeOffset Since { get; init; }

    public required UserId AddedBy { get; init; }

    /// <summary>Time without use counts from here at the earliest; null: from <see cref="Since"/>.</summary>
    public DateTimeOffset? CountsFrom { get; init; }

    /// <summary>When the person was last told that their access ends unless they sign in.</summary>
    public DateTimeOffset? WarnedAt { get; init; }

    public const string Owner = "owner";

    public const string Member = "member";
}

internal sealed class TeamConfiguration : IEntityTypeConfiguration<Team>, IEntityTypeConfiguration<Membership>
{
    public void Configure(EntityTypeBuilder<Team> builder)
    {
        builder.ToTable("teams");
        builder.HasKey(t => t.Id);
    }

    public void Configure(EntityTypeBuilder<Membership> builder)
    {
        builder.ToTable("memberships");
        builder.HasKey(m => new { m.TeamId, m.UserId });
        builder.HasOne<Team>().WithMany().HasForeignKey(m => m.TeamId);
        builder.HasOne<User>().WithMany().HasForeignKey(m => m.UserId);
    }
}
