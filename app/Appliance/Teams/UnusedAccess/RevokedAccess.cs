using Appliance.Accounts;
using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Teams.UnusedAccess;

/// <summary>A membership that ended because nobody used it. An owner can give it back as it was.</summary>
public sealed class RevokedAccess : ITeamOwned
{
    public required TeamId TeamId { get; init; }

    public required UserId UserId { get; init; }

    public required string Role { get; init; }

    public required DateTimeOffset Since { get; init; }

    public required UserId AddedBy { get; init; }

    /// <summary>Null: not since that is written down.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }

    public required DateTimeOffset RevokedAt { get; init; }
}

internal sealed class RevokedAccessConfiguration : IEntityTypeConfiguration<RevokedAccess>
{
    public void Configure(EntityTypeBuilder<RevokedAccess> builder)
    {
        builder.ToTable("revoked_access");
        builder.HasKey(r => new { r.TeamId, r.UserId });
        builder.HasOne<Team>().WithMany().HasForeignKey(r => r.TeamId);
        builder.HasOne<User>().WithMany().HasForeignKey(r => r.UserId);
    }
}
